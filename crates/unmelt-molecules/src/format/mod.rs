//! Molecules in files: SDF, XYZ, Parquet, and QM9 as it was published.

mod comment;
mod parquet;
mod read;
mod sdf;
mod table;
mod text;
mod write;
mod xyz;

pub use read::{Preparation, read_molecules, read_parquet, read_prepared};
pub use sdf::{read_sdf, write_sdf};
pub use table::{TableRow, TableWriter};
pub use write::MoleculeWriter;
pub use xyz::{read_qm9_xyz, read_xyz, write_xyz};

use std::path::{Path, PathBuf};

use unmelt_diffusion::files::plain;

use crate::{Error, Molecule, Result};

/// What a file held: the molecules that could be read, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct Reading {
    /// The molecules, in order.
    pub molecules: Vec<Molecule>,
    /// The records that make no molecule.
    pub faults: Vec<Fault>,
    /// What a reader must know of the molecules, as sentences without an end: hydrogens that were added, and the like.
    pub notes: Vec<String>,
    done: read::Done,
}

impl Reading {
    /// The reading, if it holds a molecule; else the first fault as an error.
    pub fn of_some(self, path: &Path) -> Result<Self> {
        if !self.molecules.is_empty() {
            return Ok(self);
        }
        let fault = match self.faults.first() {
            Some(fault) => {
                format!("it holds no molecule that can be read: {} {}", fault.place(), fault.message)
            }
            None => "it holds no molecule".into(),
        };
        Err(Error::Format { kind: "molecule", path: path.into(), fault })
    }
}

/// A record that makes no molecule.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The file, where there are several.
    pub file: Option<PathBuf>,
    /// Where in it, from 1.
    pub position: usize,
    /// What is counted: "record", "row", "frame"; "file" for a whole one.
    pub unit: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    fn new(position: usize, unit: &'static str, message: String) -> Self {
        Self { file: None, position, unit, message: plain(&message) }
    }

    fn place(&self) -> String {
        match self.unit {
            "file" => "it was left out:".into(),
            unit => format!("{unit} {}:", self.position),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", plain(&file.to_string_lossy()))?;
        }
        match self.unit {
            "file" => write!(f, "the file was left out: {}", self.message),
            unit => write!(f, "{unit} {} was skipped: {}", self.position, self.message),
        }
    }
}
