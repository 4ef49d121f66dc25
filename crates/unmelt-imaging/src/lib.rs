//! A diffusion prior of MRI and CT volumes, and every enhancement from it.
//!
//! A volume knows no file format: reading and writing are in `unmelt-imaging-io`.

mod classical;
mod degradation;
pub mod enhance;
mod error;
mod field;
pub mod measurement;
pub mod metrics;
pub mod models;
pub mod network;
pub mod prior;
mod task;
mod training;
mod volume;

pub use classical::rician;
pub use enhance::calibrate::{Calibrated, CalibrationSettings, write_calibrated};
pub use enhance::field_extension::FieldExtension;
pub use error::{Error, Result};
pub use field::grid::{Grid, Orientation};
pub use field::lattice::Lattice;
pub use field::series::Series;
pub use field::values::{Field, FieldRef};
pub use field::{intensity, mask};
pub use measurement::kspace;
pub use prior::trained_on::TrainedOn;
pub use prior::{VolumeModel, calibration, patches};
pub use training::objective::PatchObjective;
pub use training::patch_sampling::PatchSampling;
pub use training::volume_source::{Gathered, VolumeSource};
pub use training::{TrainingConfig, TrainingRun, synthesize};
pub use volume::{Acquisition, Rescale, SliceGeometry, Volume};
