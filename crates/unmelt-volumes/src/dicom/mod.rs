//! DICOM series in, derived series out.
//!
//! Identifying tags are neither printed nor logged: messages name files, series UIDs and geometry.

mod frame;
mod geometry;
mod read;
mod tags;
mod write;

use std::path::Path;

use dicom_object::InMemDicomObject;

use crate::Orientation;

pub use read::read;
pub use write::write;

/// What a DICOM series said besides its voxels.
#[derive(Clone, Debug)]
pub struct DicomSeries {
    /// Modality: "CT", "MR", …
    pub modality: String,
    /// SeriesInstanceUID.
    pub uid: String,
    /// How rows, columns and slices relate to RAS.
    pub orientation: Orientation,
    /// Whitelisted tags of the patient, the study and the acquisition.
    base: InMemDicomObject,
    /// SOP class and instance of the source of each slice.
    instances: Vec<[String; 2]>,
}

impl DicomSeries {
    /// Number of slices that were read.
    pub fn frames(&self) -> usize {
        self.instances.len()
    }
}

/// Whether a file looks like DICOM: the prefix behind the preamble, or a name that says so.
pub fn is_dicom(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 132];
    let read = std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut start));
    if read.is_ok() && start[128..] == *b"DICM" {
        return true;
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["dcm", "dicom", "ima"].contains(&extension.as_str())
}
