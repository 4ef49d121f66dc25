//! Reading files and folders by their endings.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bzip2::read::MultiBzDecoder;

use super::{Fault, Reading, parquet, read_qm9_xyz, read_sdf, read_xyz};
use crate::{Error, Result};

/// The endings that can be read, for messages.
const ENDINGS: &str = ".sdf, .mol, .xyz, .extxyz, .parquet, .tar.bz2";

/// Reads the molecules of a file by its ending, or of all such files in a folder.
pub fn read_molecules(path: &Path) -> Result<Reading> {
    if path.is_dir() {
        return read_folder(path);
    }
    let reading = match Format::of(path) {
        Some(Format::Parquet) => read_parquet(path)?,
        Some(Format::TarBz2) => return read_tar(path),
        Some(format) => read_text_file(format, path)?,
        None => return Err(Error::UnknownFormat { path: path.into(), endings: ENDINGS }),
    };
    let mut all = Reading::default();
    add(&mut all, reading, path);
    Ok(all)
}

fn read_text_file(format: Format, path: &Path) -> Result<Reading> {
    let bytes = std::fs::read(path).map_err(Error::file("read", path))?;
    let reading = read_text(format, &bytes);
    if reading.molecules.is_empty() && reading.faults.is_empty() {
        return Err(Error::Format { kind: format.name(), path: path.into(), fault: "it is empty".into() });
    }
    Ok(reading)
}

/// Reads a Parquet table with one molecule a row.
pub fn read_parquet(path: &Path) -> Result<Reading> {
    parquet::read(path)
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Sdf,
    Xyz,
    Parquet,
    TarBz2,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|e| name.ends_with(e));
        Some(match () {
            () if ends(&[".sdf", ".sd", ".mol"]) => Self::Sdf,
            () if ends(&[".xyz", ".extxyz"]) => Self::Xyz,
            () if ends(&[".parquet"]) => Self::Parquet,
            () if ends(&[".tar.bz2", ".tbz2"]) => Self::TarBz2,
            () => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sdf => "SDF",
            Self::Xyz => "XYZ",
            Self::Parquet => "Parquet",
            Self::TarBz2 => "tar.bz2",
        }
    }
}

/// Bytes that are not UTF-8 become replacement characters: a title in another encoding costs no molecule.
fn read_text(format: Format, bytes: &[u8]) -> Reading {
    let text = String::from_utf8_lossy(bytes);
    match format {
        Format::Sdf => read_sdf(&text),
        _ if is_qm9(&text) => match read_qm9_xyz(&text) {
            Ok(molecule) => Reading { molecules: vec![molecule], faults: Vec::new() },
            Err(message) => Reading { molecules: Vec::new(), faults: vec![Fault::new(1, "frame", message)] },
        },
        _ => read_xyz(&text),
    }
}

/// Whether a text is one of QM9's own files: its second line begins with `gdb`.
fn is_qm9(text: &str) -> bool {
    text.lines().nth(1).is_some_and(|l| l.starts_with("gdb ") || l.starts_with("gdb\t"))
}

fn read_folder(folder: &Path) -> Result<Reading> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(Error::file("read", folder))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| p.is_file() && Format::of(p).is_some())
        .collect();
    files.sort();
    if files.is_empty() {
        let fault = format!("it holds no file that ends in {ENDINGS}");
        return Err(Error::Format { kind: "molecule", path: folder.into(), fault });
    }
    let mut all = Reading::default();
    for file in files {
        let reading = read_molecules(&file)?;
        all.molecules.extend(reading.molecules);
        all.faults.extend(reading.faults);
    }
    Ok(all)
}

fn add(all: &mut Reading, reading: Reading, file: &Path) {
    all.molecules.extend(reading.molecules);
    let named = |fault| Fault { file: Some(file.to_path_buf()), ..fault };
    all.faults.extend(reading.faults.into_iter().map(named));
}

/// A bzip2-compressed tar of molecule files, as QM9 is published.
fn read_tar(path: &Path) -> Result<Reading> {
    let fault =
        |e: std::io::Error| Error::Format { kind: "tar.bz2", path: path.into(), fault: e.to_string() };
    let file = File::open(path).map_err(Error::file("read", path))?;
    let mut archive = tar::Archive::new(MultiBzDecoder::new(std::io::BufReader::new(file)));
    let mut all = Reading::default();
    for entry in archive.entries().map_err(fault)? {
        let mut entry = entry.map_err(fault)?;
        let name = entry.path().map_err(fault)?.into_owned();
        if let Some(format @ (Format::Sdf | Format::Xyz)) = Format::of(&name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(fault)?;
            add(&mut all, read_text(format, &bytes), &name);
        }
    }
    Ok(all)
}
