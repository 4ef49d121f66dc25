//! What a series said besides its voxels.

use std::path::{Path, PathBuf};

use nalgebra::Vector3;

use super::dataset::Dataset;
use super::source::SourceSlice;

/// What a DICOM series said besides its voxels.
#[derive(Clone, Debug)]
pub struct DicomSeries {
    /// Modality: "CT", "MR", …
    pub modality: String,
    /// SeriesInstanceUID.
    pub uid: String,
    /// Whitelisted tags of the patient, the study and the acquisition.
    pub(super) base: Dataset,
    /// Where the slices came from, in ascending order along the normal.
    pub(super) sources: Vec<SourceSlice>,
    /// Normal of the slices, LPS.
    pub(super) normal: Vector3<f64>,
    /// SliceThickness: over how many mm a slice was averaged.
    pub(super) thickness: Option<f64>,
    /// How many mm the slices lie apart in the volume that was read.
    pub(super) distance: f64,
    /// Centre and width of the first window of the grey scale.
    pub(super) window: Option<[f64; 2]>,
    /// One of its files.
    pub(super) file: Option<PathBuf>,
    /// The file or folder that it was read from.
    pub(super) path: PathBuf,
    /// How its values were made, if this program made them.
    pub(super) record: Option<String>,
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

    /// The record of how its values were made, as JSON, if this program wrote one.
    pub fn record(&self) -> Option<&str> {
        self.record.as_deref()
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
