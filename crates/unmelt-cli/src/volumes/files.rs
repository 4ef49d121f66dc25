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

/// Reads a volume that has to lie on the grid of another.
pub fn read_on_grid_of(other: (&Volume, &Path), path: &Path) -> Result<Volume, Failure> {
    let (volume, (like, like_path)) = (read_only(path)?, other);
    if volume.grid.same_as(&like.grid) {
        return Ok(volume);
    }
    Err(Failure::usage(format!(
        "{} ({}) lies on another grid than {} ({})",
        path.display(),
        volume.grid,
        like_path.display(),
        like.grid
    ))
    .hint("resample it onto that grid"))
}

fn read_with(path: &Path, choice: &Choice) -> Result<Volume, Failure> {
    let reading = Volume::read(path, choice)?;
    for warning in &reading.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(reading.volume)
}
