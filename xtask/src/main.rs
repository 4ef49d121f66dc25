//! The project's own commands: `cargo xtask test`, `bench`, `fuzz`, `docs` and `dist`.

mod dist;
mod docs;
mod notices;
mod python;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// What `cargo xtask test` runs, in order: a name, the limit of the instruction set, the arguments; all of it in release mode, so that dependencies are built once.
const TEST: [(&str, &str, &[&str]); 8] = [
    ("format", "", &["fmt", "--all", "--check"]),
    ("clippy", "", &["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    ("tests", "", &["test", "--release", "--workspace", "--all-targets"]),
    ("fused operations without AVX-512", "avx2", &["test", "--release", "--workspace", "--lib", "fused"]),
    ("fused operations without AVX", "portable", &["test", "--release", "--workspace", "--lib", "fused"]),
    ("doc tests", "", &["test", "--release", "--workspace", "--doc"]),
    ("the program by name", "", &["run", "--release", "--quiet", "--", "models"]),
    ("docs", "", &["doc", "--release", "--workspace", "--no-deps"]),
];

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("test") => test(),
        Some("bench") => bench(),
        Some("fuzz") => fuzz(std::env::args().skip(2)),
        Some("docs") => ended(documentation()),
        Some("dist") => ended(built_program().and_then(|program| dist::make(root(), &program))),
        _ => {
            eprintln!(
                "usage: cargo xtask test | cargo xtask bench [--json] [--peer python3] [--help] | cargo xtask fuzz \
                 [--minutes N] [--inputs N] [--target NAME] [--help] | cargo xtask docs | cargo xtask dist"
            );
            ExitCode::from(2)
        }
    }
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn ended(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Builds everything as the tests do; the program.
fn built_program() -> Result<PathBuf, String> {
    let built = Command::new(env!("CARGO")).args(["build", "--release", "--workspace", "--quiet"]).status();
    if !built.is_ok_and(|s| s.success()) {
        return Err("the build failed".into());
    }
    let here = std::env::current_exe().unwrap_or_default();
    Ok(here.with_file_name(format!("unmelt{}", std::env::consts::EXE_SUFFIX)))
}

/// Writes the reference of the command line, looks at all pages, and makes the book.
fn documentation() -> Result<(), String> {
    let program = built_program()?;
    docs::write_reference(root(), &program)?;
    docs::check(root(), &program)?;
    notices::write(root())?;
    let book = docs::book(root())?;
    println!("the book is in {}", book.display());
    Ok(())
}

/// Gives broken input to all readers; the program that does it is built with what the tests are built with.
fn fuzz(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let built = Command::new(env!("CARGO")).args(["build", "--release", "--workspace", "--quiet"]).status();
    if !built.is_ok_and(|s| s.success()) {
        eprintln!("the build failed");
        return ExitCode::FAILURE;
    }
    let here = std::env::current_exe().unwrap_or_default();
    match Command::new(here.with_file_name("unmelt-fuzz")).args(arguments).status() {
        Ok(status) => ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
        Err(e) => {
            eprintln!("unmelt-fuzz could not be started: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Builds everything as the tests do, and hands over to the benchmark's own program.
fn bench() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let mut build = vec!["build", "--release", "--workspace", "--quiet"];
    if arguments.iter().any(|a| a.contains("cuda")) {
        build.extend(["--features", "cuda"]);
    }
    let built = Command::new(env!("CARGO")).args(build).status();
    if !built.is_ok_and(|s| s.success()) {
        eprintln!("the build failed");
        return ExitCode::FAILURE;
    }
    // Beside this program: both are built into the same folder.
    let here = std::env::current_exe().unwrap_or_default();
    match Command::new(here.with_file_name("unmelt-bench")).args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn test() -> ExitCode {
    for (name, simd, arguments) in TEST {
        let begin = Instant::now();
        println!("== {name}: cargo {}", arguments.join(" "));
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).env("RUSTDOCFLAGS", "--deny warnings");
        if !simd.is_empty() {
            command.env("UNMELT_SIMD", simd);
        }
        match command.status() {
            Ok(status) if status.success() => {
                println!("== {name}: done in {:.0} s", begin.elapsed().as_secs_f64());
            }
            Ok(_) => {
                eprintln!("== {name}: failed");
                return ExitCode::FAILURE;
            }
            Err(e) => {
                eprintln!("== {name}: cargo could not be started: {e}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("== documentation: links, and examples of the command line");
    if let Err(sentence) = built_program()
        .and_then(|program| docs::check(root(), &program).and_then(|()| notices::check(root())))
    {
        eprintln!("{sentence}");
        return ExitCode::FAILURE;
    }
    let begin = Instant::now();
    println!("== broken input: a minute of cargo xtask fuzz");
    if fuzz(["--minutes", "1"].map(String::from)) != ExitCode::SUCCESS {
        eprintln!("== broken input: failed");
        return ExitCode::FAILURE;
    }
    println!("== broken input: done in {:.0} s", begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    println!("== Python: the wheel and its tests");
    if let Err(sentence) = python::test(root()) {
        eprintln!("== Python: {sentence}");
        return ExitCode::FAILURE;
    }
    println!("== Python: done in {:.0} s", begin.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}
