//! A scalar volume in the world.

use crate::{FieldRef, Grid, Orientation};

/// A scalar volume, its axes put in RAS order.
///
/// ```
/// use unmelt_imaging::{Grid, Volume};
///
/// let volume = Volume::new(vec![0.0; 24], Grid::centred([2, 3, 4], [1.0, 1.0, 3.0]));
/// assert_eq!(volume.with_voxels(vec![1.0; 24]).grid, volume.grid);
/// ```
#[derive(Clone, Debug)]
pub struct Volume {
    /// Values; the axis to the right of the patient runs fastest. Always finite.
    pub voxels: Vec<f32>,
    /// Where they lie.
    pub grid: Grid,
    /// How they were measured and stored.
    pub acquisition: Acquisition,
}

/// What is known of how the voxels of a volume were measured and stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Acquisition {
    /// How the axes of the array that the voxels came in relate to RAS.
    pub orientation: Orientation,
    /// DICOM's name of the modality, "CT" or "MR"; empty where it is not known.
    pub modality: String,
    /// The slices that were measured, where their thickness is known.
    pub slices: Option<SliceGeometry>,
    /// What a stored number stands for: value = slope · number + intercept.
    pub rescale: Rescale,
}

impl Default for Acquisition {
    fn default() -> Self {
        Self {
            orientation: Orientation::RAS,
            modality: String::new(),
            slices: None,
            rescale: Rescale::default(),
        }
    }
}

/// Slices as they were measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SliceGeometry {
    /// The axis of the volume that slices follow each other along.
    pub axis: usize,
    /// Over how many mm a slice was averaged.
    pub thickness: f64,
    /// How many mm slices lie apart.
    pub distance: f64,
}

/// What a stored number stands for: value = slope · number + intercept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rescale {
    /// The value of a step of 1. Never 0.
    pub slope: f64,
    /// The value of the number 0.
    pub intercept: f64,
}

impl Default for Rescale {
    fn default() -> Self {
        Self { slope: 1.0, intercept: 0.0 }
    }
}

/// Thicknesses of slices, in distances between them, that a scanner may have: others are mistaken.
const THICKNESSES: std::ops::RangeInclusive<f64> = 0.1..=4.0;

/// By so much thickness and distance may differ by rounding, in distances.
const ROUNDED: f64 = 0.02;

impl Volume {
    /// A volume of which nothing is known but its voxels and where they lie.
    ///
    /// # Panics
    /// If the number of voxels is not the grid's.
    pub fn new(voxels: Vec<f32>, grid: Grid) -> Self {
        assert_eq!(voxels.len(), grid.voxels(), "one value per voxel");
        Self { voxels, grid, acquisition: Acquisition::default() }
    }

    /// Other voxels in the same place, measured and stored in the same way.
    ///
    /// # Panics
    /// If the number of voxels is not the grid's.
    pub fn with_voxels(&self, voxels: Vec<f32>) -> Self {
        assert_eq!(voxels.len(), self.grid.voxels(), "one value per voxel");
        Self { voxels, ..self.clone() }
    }

    /// The voxels and their shape.
    pub fn field(&self) -> FieldRef<'_> {
        FieldRef::new(&self.voxels, self.grid.shape)
    }

    /// The box of a size that begins at an index, measured and stored in the same way.
    ///
    /// # Panics
    /// If it reaches outside.
    pub fn part(&self, start: [usize; 3], size: [usize; 3]) -> Self {
        let low = start.map(|s| -(s as isize));
        let high = std::array::from_fn(|a| (start[a] + size[a]) as isize - self.grid.shape[a] as isize);
        let (voxels, grid) = (self.field().part(start, size).into_values(), self.grid.extended(low, high));
        Self { voxels, grid, acquisition: self.acquisition.clone() }
    }

    /// How the axes of the array that the voxels came in relate to RAS.
    pub fn orientation(&self) -> Orientation {
        self.acquisition.orientation
    }

    /// Whether the values are Hounsfield units: the modality is CT.
    pub fn is_ct(&self) -> bool {
        self.acquisition.modality == "CT"
    }

    /// How thick the slices are, in distances between them, and the axis that they follow each other along: below 1 there are gaps,
    /// above 1 they overlap. None where they are as thick as they lie apart, where that is not known, or where the volume's grid has
    /// other slices than were measured.
    pub fn slice_thickness(&self) -> Option<(usize, f64)> {
        let SliceGeometry { axis, thickness, distance } = self.acquisition.slices?;
        let same_slices = (self.grid.spacing()[axis] - distance).abs() <= 1e-3 * distance;
        let part = thickness / distance;
        let is_told = THICKNESSES.contains(&part) && (part - 1.0).abs() > ROUNDED;
        (same_slices && is_told).then_some((axis, part))
    }
}
