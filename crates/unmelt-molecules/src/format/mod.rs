//! Molecules in files.

mod parquet;

pub use parquet::read_parquet;

use std::path::Path;

use crate::{Error, Molecule, Result};

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
    /// Where, from 1.
    pub position: usize,
    /// What is counted: "record", "row", …
    pub unit: &'static str,
    /// What is wrong.
    pub message: String,
}

/// Reads the molecules of a file, by its ending.
pub fn read_molecules(path: &Path) -> Result<Reading> {
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("parquet") => read_parquet(path),
        _ => Err(Error::UnknownFormat { path: path.into(), endings: ".parquet" }),
    }
}
