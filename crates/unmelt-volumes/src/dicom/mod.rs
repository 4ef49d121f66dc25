//! DICOM series in, derived series out.
//!
//! Identifying tags are neither printed nor logged: messages name files, series UIDs and geometry.

mod charset;
mod codestream;
mod dataset;
mod file;
mod frame;
mod geometry;
mod image;
mod mosaic;
mod parse;
mod pet;
mod pixels;
mod read;
mod resample;
mod series;
mod source;
mod stored;
mod tags;
mod uid;
mod write;

use std::path::{Path, PathBuf};

use nalgebra::Vector3;

use crate::Orientation;
use dataset::Dataset;
use source::SourceSlice;

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
    base: Dataset,
    /// Where the slices came from, in ascending order along the normal.
    sources: Vec<SourceSlice>,
    /// Normal of the slices, LPS.
    normal: Vector3<f64>,
    /// SliceThickness: over how many mm a slice was averaged.
    thickness: Option<f64>,
    /// How many mm the slices lie apart in the volume that was read.
    distance: f64,
    /// Centre and width of the first window of the grey scale.
    window: Option<[f64; 2]>,
    /// One of its files.
    file: Option<PathBuf>,
    /// The file or folder that it was read from.
    path: PathBuf,
}

impl DicomSeries {
    /// Number of slices that were read.
    pub fn frames(&self) -> usize {
        self.sources.len()
    }

    /// The file or folder that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SliceThickness in mm: over how much a slice was averaged, which may be less or more than slices lie apart.
    pub fn thickness(&self) -> Option<f64> {
        self.thickness
    }

    /// How many mm the slices lie apart in the volume that was read.
    pub fn distance(&self) -> f64 {
        self.distance
    }
}

/// Whether a file looks like DICOM: its beginning, with or without a preamble, or a name that says so.
pub fn is_dicom(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["dcm", "dicom", "ima"].contains(&extension.as_str()) || read::has_beginning(path)
}
