//! Volumes out: NIfTI or a derived DICOM series, by the name of what is written.

use std::path::Path;

use crate::nifti::Element;
use crate::{Derivation, Error, Result, Source, Volume, dicom, nifti};

/// Whether a name is that of a NIfTI file that can be written.
pub fn is_nifti(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

/// Checks, before the work, that a result can be written under this name. A folder of DICOM files needs a series that
/// came in as one.
pub fn check(path: &Path, dicom_came_in: bool) -> Result<()> {
    if is_nifti(path) {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return match folder.is_dir() && !path.is_dir() {
            true => Ok(()),
            false => {
                Err(Error::Request(format!("could not write {}: there is no such folder", path.display())))
            }
        };
    }
    if path.is_file() || path.extension().is_some_and(|e| e == "hdr" || e == "img" || e == "dcm" || e == "gz")
    {
        return Err(Error::Output { path: path.into(), fault: "is no name to write to" });
    }
    if !dicom_came_in {
        let fault = "would be a folder of DICOM files, which only a DICOM series can become";
        return Err(Error::Output { path: path.into(), fault });
    }
    Ok(())
}

impl Volume {
    /// Writes the volume as NIfTI (CT as int16) or as a derived DICOM series, by the name.
    pub fn write(&self, path: &Path, derivation: &Derivation) -> Result<()> {
        check(path, matches!(self.source, Source::Dicom(_)))?;
        if !is_nifti(path) {
            return dicom::write(self, derivation, path);
        }
        let element = if self.is_ct() { Element::Int16 } else { Element::Float32 };
        nifti::write(self, element, path)
    }
}
