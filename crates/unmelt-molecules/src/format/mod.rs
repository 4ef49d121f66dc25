//! Molecules in files.

mod parquet;

pub use parquet::read_parquet;

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
    /// Where, from 1.
    pub position: usize,
    /// What is counted: "record", "row", …
    pub unit: &'static str,
    /// What is wrong.
    pub message: String,
}
