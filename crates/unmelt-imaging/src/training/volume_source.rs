//! Where the volumes of a training come from.

use std::path::PathBuf;

use crate::{Result, Volume};

/// Volumes for a training, whatever they are kept in.
pub trait VolumeSource {
    /// The files and folders that are read, which a run must not write to; none for volumes in memory.
    fn paths(&self) -> Vec<PathBuf>;

    /// Reads all volumes.
    ///
    /// # Errors
    /// A place that holds no volumes at all. One volume that cannot be read is left out, with a warning.
    fn read(&self) -> Result<Gathered>;
}

/// Volumes that were read for a training.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// What was left out or corrected, one sentence each.
    pub warnings: Vec<String>,
}

impl VolumeSource for Vec<Volume> {
    fn paths(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn read(&self) -> Result<Gathered> {
        Ok(Gathered { volumes: self.clone(), warnings: Vec::new() })
    }
}
