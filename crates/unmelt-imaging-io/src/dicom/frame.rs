//! A frame: an image of a series, and where it lies.

use std::sync::Arc;

use nalgebra::Vector3;

use super::dataset::Dataset;
use super::image::Image;

/// A slice that can be read: geometry in LPS mm.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub image: Arc<Image>,
    /// Number of the frame within its file.
    pub index: u32,
    /// Corner of the tile within a mosaic.
    pub tile: Option<(usize, usize)>,
    /// Centre of the first voxel.
    pub position: Vector3<f64>,
    /// Direction along a row, and along a column.
    pub axes: [Vector3<f64>; 2],
    /// Distance between columns, and between rows.
    pub spacing: [f64; 2],
    /// Columns and rows.
    pub size: [usize; 2],
    /// SliceThickness, or why it is no number.
    pub thickness: std::result::Result<Option<f64>, String>,
    /// SpacingBetweenSlices, or why it is no number.
    pub between: std::result::Result<Option<f64>, String>,
    pub slope: f64,
    pub intercept: f64,
    /// What was wrong with the slope and was taken for 1.
    pub no_slope: bool,
    /// SOP class and instance.
    pub instance: Arc<[String; 2]>,
    pub kind: Arc<Kind>,
    /// Echo time in ms; 0 where none is told.
    pub echo: f64,
    pub moment: Arc<Moment>,
    /// Tags that a derived slice at this place takes over.
    pub own: Arc<Dataset>,
}

/// What frames of one series have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub study: String,
    pub uid: String,
    pub number: String,
    pub modality: String,
    /// ImageType or FrameType, with ComplexImageComponent: magnitude and phase are told apart here.
    pub image: String,
    pub echo: String,
}

/// What tells volumes apart that were taken at the same place one after another.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// Numbers and texts that may tell them apart, the surest first.
    pub marks: [String; MARKS],
    /// InstanceNumber; what is no number comes last.
    pub number: f64,
}

/// How many marks a moment has.
pub(super) const MARKS: usize = 6;
