//! Molecules in files: SDF, XYZ, Parquet, and QM9 as it was published.

mod parquet;
mod read;
mod sdf;
mod write;
mod xyz;

pub use read::{read_molecules, read_parquet};
pub use sdf::{read_sdf, write_sdf};
pub use write::{MoleculeWriter, TableRow, TableWriter};
pub use xyz::{read_qm9_xyz, read_xyz, write_xyz};

use std::path::PathBuf;

use crate::Molecule;

/// What a file held: the molecules that could be read, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct Reading {
    /// The molecules, in order.
    pub molecules: Vec<Molecule>,
    /// The records that make no molecule.
    pub faults: Vec<Fault>,
}

/// A record that makes no molecule.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The file, where there are several.
    pub file: Option<PathBuf>,
    /// Where in it, from 1.
    pub position: usize,
    /// What is counted: "record", "row", "frame".
    pub unit: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    fn new(position: usize, unit: &'static str, message: String) -> Self {
        Self { file: None, position, unit, message }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        write!(f, "{} {} was skipped: {}", self.unit, self.position, self.message)
    }
}
