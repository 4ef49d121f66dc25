//! A scalar volume in the world, with where it came from.

use std::sync::Arc;

use crate::io::dicom::origin::DicomSeries;
use crate::io::nifti::NiftiSource;
use crate::{Grid, Orientation};

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
