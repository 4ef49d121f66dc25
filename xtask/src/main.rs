//! The project's own commands: `cargo xtask test`.

use std::process::{Command, ExitCode};
use std::time::Instant;

/// What `cargo xtask test` runs, in order; all of it in release mode, so that dependencies are built once.
const TEST: [(&str, &[&str]); 5] = [
    ("format", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    ("tests", &["test", "--release", "--workspace", "--all-targets"]),
    ("doc tests", &["test", "--release", "--workspace", "--doc"]),
    ("docs", &["doc", "--release", "--workspace", "--no-deps"]),
];

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("test") => test(),
        _ => {
            eprintln!("usage: cargo xtask test");
            ExitCode::from(2)
        }
    }
}

fn test() -> ExitCode {
    for (name, arguments) in TEST {
        let begin = Instant::now();
        println!("== {name}: cargo {}", arguments.join(" "));
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).env("RUSTDOCFLAGS", "--deny warnings");
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
    ExitCode::SUCCESS
}
