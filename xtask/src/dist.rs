//! What is handed out: the program without symbols, its completions and man pages, the Python wheel, and checksums of all.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::python;

/// Makes everything in `target/dist`.
pub fn make(root: &Path, program: &Path) -> Result<(), String> {
    let folder = root.join("target/dist");
    if folder.is_dir() {
        std::fs::remove_dir_all(&folder).map_err(|e| format!("could not empty {}: {e}", folder.display()))?;
    }
    let create = |path: &Path| {
        std::fs::create_dir_all(path).map_err(|e| format!("could not create {}: {e}", path.display()))
    };
    create(&folder)?;
    let binary = folder.join(program.file_name().unwrap_or_default());
    std::fs::copy(program, &binary).map_err(|e| format!("could not copy {}: {e}", program.display()))?;
    if !Command::new("strip").arg(&binary).status().is_ok_and(|s| s.success()) {
        println!("strip is not there: the program keeps its symbols");
    }
    let completions = folder.join("completions");
    create(&completions)?;
    for (shell, name) in
        [("bash", "unmelt"), ("zsh", "_unmelt"), ("fish", "unmelt.fish"), ("powershell", "unmelt.ps1")]
    {
        let text = said(Command::new(&binary).args(["completions", shell]))?;
        write(&completions.join(name), &text)?;
    }
    said(Command::new(&binary).arg("man").arg(folder.join("man")))?;
    match python::wheel(root) {
        Ok(wheel) => {
            let name = wheel.file_name().unwrap_or_default();
            std::fs::copy(&wheel, folder.join(name)).map_err(|e| e.to_string())?;
        }
        Err(sentence) => println!("no wheel: {sentence}"),
    }
    write(&folder.join("SHA256SUMS"), checksums(&folder)?.as_bytes())?;
    println!("{}", String::from_utf8_lossy(&said(Command::new(&binary).arg("--version"))?).trim());
    Ok(())
}

/// A line for each file beside it, as `sha256sum -c` reads them; sizes are printed.
fn checksums(folder: &Path) -> Result<String, String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|e| e.to_string())?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.is_file())
        .collect();
    files.sort();
    let mut lines = String::new();
    for file in files {
        let bytes = std::fs::read(&file).map_err(|e| format!("could not read {}: {e}", file.display()))?;
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("{name}: {:.1} MB", bytes.len() as f64 / 1e6);
        lines += &format!("{digest}  {name}\n");
    }
    Ok(lines)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("could not write {}: {e}", path.display()))
}

/// What a program prints.
fn said(command: &mut Command) -> Result<Vec<u8>, String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(e) => Err(format!("{command:?} could not be started: {e}")),
    }
}
