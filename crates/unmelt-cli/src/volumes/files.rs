//! Volumes in.

use std::path::Path;

use unmelt_imaging::{Grid, Volume, mask};
use unmelt_imaging_io::{Choice, Error, Scan, ScanSeries};

use super::args::Input;
use crate::failure::Failure;

/// Reads a scan, and says what had to be corrected.
pub fn read(input: &Input) -> Result<Scan, Failure> {
    read_with(&input.input, &choice(input)).map_err(advised)
}

/// Reads all frames and channels of a picture, a scan or a series, and says what had to be corrected.
pub fn read_series(input: &Input) -> Result<ScanSeries, Failure> {
    let reading = ScanSeries::read(&input.input, &choice(input)).map_err(advised)?;
    warn(&reading.warnings);
    Ok(reading.scan)
}

fn choice(input: &Input) -> Choice {
    Choice { index: input.index, series: input.series.clone(), force: input.force }
}

/// What to add to the command where a choice is wanted.
fn advised(error: Error) -> Failure {
    match error {
        Error::Damaged { .. } => {
            Failure::from(error).hint("--force reads it all the same, if its data can be unpacked")
        }
        Error::SeveralSeries { .. } => Failure::from(error).hint("--series 1 takes the first"),
        Error::SeveralVolumes { .. } => Failure::from(error).hint("--index 0 takes the first"),
        other => other.into(),
    }
}

fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
}

/// Reads a scan of which there is but one.
pub fn read_only(path: &Path) -> Result<Scan, Failure> {
    Ok(read_with(path, &Choice::default())?)
}

/// Reads a volume that has to lie on the grid of another.
pub fn read_on_grid_of(other: (&Volume, &Path), path: &Path) -> Result<Volume, Failure> {
    let (volume, (like, like_path)) = (read_only(path)?.volume, other);
    if volume.grid.same_as(&like.grid) {
        return Ok(volume);
    }
    Err(other_grid((&volume, path), (like, like_path), ["linear", "sitkLinear"]))
}

/// Reads a mask that has to lie on the grid of a volume: true where it marks a voxel.
pub fn read_mask_on_grid_of(other: (&Volume, &Path), path: &Path) -> Result<Vec<bool>, Failure> {
    let (volume, (like, like_path)) = (read_only(path)?.volume, other);
    if !volume.grid.near(&like.grid, mask::TOLERANCE) {
        return Err(other_grid((&volume, path), (like, like_path), ["nearest", "sitkNearestNeighbor"]));
    }
    marked(&volume, path)
}

/// Reads a mask, a picture or a volume, that has to lie on a grid: true where it marks a point. Of a colour picture a point is marked by
/// its brightest channel.
pub fn read_mask_on_grid((grid, like_path): (&Grid, &Path), path: &Path) -> Result<Vec<bool>, Failure> {
    let reading = ScanSeries::read(path, &Choice::default())?;
    let series = &reading.scan.series;
    let lattice = series.lattice();
    if lattice.frames > 1 {
        return Err(Failure::usage(format!(
            "the mask {} has {} frames; one mask is for all frames of a series",
            path.display(),
            lattice.frames
        )));
    }
    let mut volume = series.volume(0, 0);
    for channel in 1..lattice.channels {
        let other = series.part(channel, 0);
        volume.voxels.iter_mut().zip(other).for_each(|(v, other)| *v = v.max(*other));
    }
    if !volume.grid.near(grid, mask::TOLERANCE) {
        let like = Volume::new(vec![0.0; grid.voxels()], *grid);
        return Err(other_grid((&volume, path), (&like, like_path), ["nearest", "sitkNearestNeighbor"]));
    }
    marked(&volume, path)
}

fn marked(volume: &Volume, path: &Path) -> Result<Vec<bool>, Failure> {
    let (marks, warnings) =
        mask::marked(volume).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
    for warning in warnings {
        eprintln!("warning: the mask {} {warning}", path.display());
    }
    Ok(marks)
}

/// What to do about a volume on another grid: `between` is how MRtrix and SimpleITK call what its values are to be resampled by.
fn other_grid(
    (volume, path): (&Volume, &Path),
    (like, like_path): (&Volume, &Path),
    between: [&str; 2],
) -> Failure {
    Failure::usage(format!(
        "{} ({}) lies on another grid than {} ({})",
        path.display(),
        volume.grid,
        like_path.display(),
        like.grid
    ))
    .hint(format!(
        "resample it onto that grid: with MRtrix, mrgrid {} regrid -template {} -interp {} resampled.nii.gz; in Python, \
         SimpleITK.Resample(image, like, SimpleITK.Transform(), SimpleITK.{})",
        path.display(),
        like_path.display(),
        between[0],
        between[1]
    ))
}

fn read_with(path: &Path, choice: &Choice) -> Result<Scan, Error> {
    let reading = Scan::read(path, choice)?;
    warn(&reading.warnings);
    Ok(reading.scan)
}
