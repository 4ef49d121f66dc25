//! Volumes in.

use std::path::Path;

use unmelt_volumes::{Choice, Volume};

use super::args::Input;
use crate::failure::Failure;

/// Reads a volume, and says what had to be corrected.
pub fn read(input: &Input) -> Result<Volume, Failure> {
    let choice = Choice { index: input.index, series: input.series.clone() };
    read_with(&input.input, &choice)
}

/// Reads a volume of which there is but one.
pub fn read_only(path: &Path) -> Result<Volume, Failure> {
    read_with(path, &Choice::default())
}

fn read_with(path: &Path, choice: &Choice) -> Result<Volume, Failure> {
    let reading = Volume::read(path, choice)?;
    for warning in &reading.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(reading.volume)
}
