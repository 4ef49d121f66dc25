//! Volumes in and out.

use std::path::Path;

use unmelt_volumes::nifti::Element;
use unmelt_volumes::{Choice, Derivation, Volume, dicom, nifti};

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

/// Whether a name is that of a NIfTI file.
pub fn is_nifti(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

/// Checks before the work that a result can be written under this name.
pub fn check_output(path: &Path, dicom_came_in: bool) -> Result<(), Failure> {
    if is_nifti(path) {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return match folder.is_dir() && !path.is_dir() {
            true => Ok(()),
            false => {
                Err(Failure::usage(format!("could not write {}: there is no such folder", path.display())))
            }
        };
    }
    if path.is_file() || path.extension().is_some_and(|e| e == "hdr" || e == "img" || e == "dcm" || e == "gz")
    {
        return Err(Failure::usage(format!("{} is no name to write to", path.display()))
            .hint("use a name ending in .nii or .nii.gz, or a folder for DICOM"));
    }
    if !dicom_came_in {
        return Err(Failure::usage(format!(
            "{} would be a folder of DICOM files, which only a DICOM series can become",
            path.display()
        ))
        .hint("use a name ending in .nii or .nii.gz"));
    }
    Ok(())
}

/// Writes a volume as NIfTI or as a derived DICOM series, by its name.
pub fn write(volume: &Volume, path: &Path, derivation: &Derivation) -> Result<(), Failure> {
    if !is_nifti(path) {
        return Ok(dicom::write(volume, derivation, path)?);
    }
    let element = if volume.is_ct() { Element::Int16 } else { Element::Float32 };
    Ok(nifti::write(volume, element, path)?)
}
