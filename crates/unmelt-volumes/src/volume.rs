//! A scalar volume in the world, with where it came from.

use std::path::Path;
use std::sync::Arc;

use crate::dicom::DicomSeries;
use crate::nifti::NiftiSource;
use crate::{Error, Grid, Orientation, Result};

/// A scalar volume, its axes put in RAS order.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Values; the axis to the right of the patient runs fastest. Always finite.
    pub voxels: Vec<f32>,
    /// Where they lie.
    pub grid: Grid,
    /// What the file said besides.
    pub source: Source,
}

/// Where a volume came from; writing goes back to its orientation and keeps its header.
#[derive(Clone, Debug)]
pub enum Source {
    /// An array in memory, with the order of its axes.
    Memory(Orientation),
    /// A NIfTI file.
    Nifti(Arc<NiftiSource>),
    /// A DICOM series.
    Dicom(Arc<DicomSeries>),
}

/// A volume that was read, and what had to be corrected on the way.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The volume.
    pub volume: Volume,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// Which volume of a file or folder with several.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Index along the fourth dimension of a NIfTI file, from 0.
    pub index: Option<usize>,
    /// Which series of a DICOM folder: its number in the list of several, from 1, or its SeriesInstanceUID.
    pub series: Option<String>,
    /// Whether a packed file is read whose data do not fit its checksum: with a warning in place of an error.
    pub force: bool,
}

/// Thicknesses of slices, in distances between them, that a scanner may have: others are mistaken.
const THICKNESSES: std::ops::RangeInclusive<f64> = 0.1..=4.0;

/// By so much thickness and distance may differ by rounding, in distances.
const ROUNDED: f64 = 0.02;

impl Volume {
    /// A volume in memory.
    ///
    /// # Panics
    /// If the number of voxels is not the grid's.
    pub fn new(voxels: Vec<f32>, grid: Grid) -> Self {
        assert_eq!(voxels.len(), grid.voxels(), "one value per voxel");
        Self { voxels, grid, source: Source::Memory(Orientation::RAS) }
    }

    /// The same place and source with other values.
    pub fn with_voxels(&self, voxels: Vec<f32>) -> Self {
        assert_eq!(voxels.len(), self.grid.voxels(), "one value per voxel");
        Self { voxels, ..self.clone() }
    }

    /// How the axes of the array, the file or the series relate to RAS.
    pub fn orientation(&self) -> Orientation {
        match &self.source {
            Source::Memory(orientation) => *orientation,
            Source::Nifti(nifti) => nifti.orientation,
            Source::Dicom(series) => series.orientation,
        }
    }

    /// Takes the free text of its source away, in which names of persons may stand: of a NIfTI file its description, the names in its
    /// header and its extensions. A derived DICOM series has no such text.
    pub fn strip(&mut self) {
        if let Source::Nifti(source) = &mut self.source {
            Arc::make_mut(source).clear_text();
        }
    }

    /// Whether the values are Hounsfield units: the source says CT.
    pub fn is_ct(&self) -> bool {
        matches!(&self.source, Source::Dicom(series) if series.modality == "CT")
    }

    /// How thick the slices of a DICOM series are, in distances between them, and the axis that they follow each other along: below 1
    /// there are gaps, above 1 they overlap. None where they are as thick as they lie apart, or where that is not known.
    pub fn slice_thickness(&self) -> Option<(usize, f64)> {
        let Source::Dicom(series) = &self.source else { return None };
        let axis = series.orientation.axes.iter().position(|stored| *stored == 2)?;
        let (apart, thickness) = (series.distance(), series.thickness()?);
        let same_slices = (self.grid.spacing()[axis] - apart).abs() <= 1e-3 * apart;
        let part = thickness / apart;
        let is_told = THICKNESSES.contains(&part) && (part - 1.0).abs() > ROUNDED;
        (same_slices && is_told).then_some((axis, part))
    }

    /// Reads a NIfTI file (.nii, .nii.gz, .hdr, .img) or a DICOM file or folder.
    pub fn read(path: &Path, choice: &Choice) -> Result<Reading> {
        let metadata = std::fs::metadata(path).map_err(Error::file("read", path))?;
        let is_dicom = metadata.is_dir() || crate::dicom::is_dicom(path);
        if is_dicom && choice.force {
            return Err(not_there(path, "is DICOM, which has no checksum that could be passed over"));
        }
        match (is_dicom, choice.index, choice.series.as_deref()) {
            (true, None, series) => crate::dicom::read(path, series),
            (false, _, None) => crate::nifti::read_with(path, choice),
            (true, Some(_), _) => {
                Err(not_there(path, "is DICOM, and an index chooses among the volumes of a 4D NIfTI file"))
            }
            (false, _, Some(_)) => Err(not_there(path, "is no DICOM, so there is no series to choose")),
        }
    }
}

/// A choice where there is none.
fn not_there(path: &Path, why: &str) -> Error {
    Error::Request(format!("{} {why}", path.display()))
}

/// Makes values finite; how many were not.
pub(crate) fn make_finite(voxels: &mut [f32]) -> usize {
    let mut count = 0;
    for v in voxels {
        if !v.is_finite() {
            *v = 0.0;
            count += 1;
        }
    }
    count
}
