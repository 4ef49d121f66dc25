//! A diffusion prior of MRI and CT volumes, and every enhancement from it.

mod classical;
pub mod enhance;
mod error;
mod field;
mod io;
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
pub use field::{intensity, mask};
pub use io::derivation::Derivation;
pub use io::read::{Choice, Reading};
pub use io::{dicom, nifti, npy, output};
pub use measurement::kspace;
pub use prior::trained_on::TrainedOn;
pub use prior::{VolumeModel, calibration, patches};
pub use training::objective::PatchObjective;
pub use training::patch_sampling::PatchSampling;
pub use training::{Start, TrainingConfig, TrainingRun, TrainingSummary, nifti_files, synthesize};
pub use volume::{Source, Volume};
