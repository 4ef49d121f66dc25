//! The Python package: a virtual environment, the wheel, and its tests in it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Set to leave the Python part out, on a machine without an index of packages.
const SKIP: &str = "UNMELT_SKIP_PYTHON";

/// Builds and installs the wheel in an environment of its own, and runs pytest: tests, docstring examples, mypy, notebooks.
/// An error is a sentence.
pub fn test(root: &Path) -> Result<(), String> {
    if std::env::var_os(SKIP).is_some_and(|v| !v.is_empty()) {
        println!("== Python: left out, because {SKIP} is set");
        return Ok(());
    }
    let wheel = wheel(root)?;
    let (environment, wheel) = (root.join("target/python"), wheel.display());
    pip(root, &[&format!("{wheel}[chem,imaging,notebook,distributed,test]")])?;
    pip(root, &["--force-reinstall", "--no-deps", &wheel.to_string()])?;
    let program = std::env::current_exe().unwrap_or_default().with_file_name("unmelt");
    // Not as a module from the package's own folder, which would stand before the installed package.
    run(Command::new(environment.join("bin/pytest"))
        .args([
            "--config-file",
            "python/pyproject.toml",
            "--durations=8",
            "-p",
            "no:cacheprovider",
            "python/tests",
        ])
        .env("UNMELT_PROGRAM", program)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root))
}

/// Builds the wheel with the project's own environment, which is made if it is not there.
pub fn wheel(root: &Path) -> Result<PathBuf, String> {
    let environment = root.join("target/python");
    let python = environment.join("bin/python");
    if !python.is_file() {
        let base = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        run(Command::new(base).args(["-m", "venv"]).arg(&environment))?;
    }
    pip(root, &["maturin>=1.9,<2"])?;
    build(root, &python)
}

/// Installs packages in the project's own environment.
fn pip(root: &Path, arguments: &[&str]) -> Result<(), String> {
    run(Command::new(root.join("target/python/bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(arguments))
}

/// Builds the wheel into an empty folder.
fn build(root: &Path, python: &Path) -> Result<PathBuf, String> {
    let folder = root.join("target/wheel");
    if folder.is_dir() {
        std::fs::remove_dir_all(&folder).map_err(|e| format!("could not empty {}: {e}", folder.display()))?;
    }
    run(Command::new(python)
        .args(["-m", "maturin", "build", "--release", "--quiet", "--manifest-path"])
        .arg(root.join("python/Cargo.toml"))
        .arg("--interpreter")
        .arg(python)
        .arg("--out")
        .arg(&folder))?;
    let mut files =
        std::fs::read_dir(&folder).map_err(|e| e.to_string())?.filter_map(|e| e.ok().map(|e| e.path()));
    files.find(|p| p.extension().is_some_and(|e| e == "whl")).ok_or_else(|| "maturin built no wheel".into())
}

fn run(command: &mut Command) -> Result<(), String> {
    let hint = format!("set {SKIP}=1 to leave the Python part out");
    let name = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{name} failed; {hint}")),
        Err(e) => Err(format!("{name} could not be started: {e}; {hint}")),
    }
}
