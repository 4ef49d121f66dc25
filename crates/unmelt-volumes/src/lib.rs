//! A diffusion prior of MRI and CT volumes, and every enhancement from it.

mod clean_patches;
mod deformation;
mod degraded_patches;
mod denoise;
mod derivation;
pub mod dicom;
pub mod enhance;
mod error;
mod filling;
mod grid;
pub mod intensity;
mod interpolate;
pub mod kspace;
pub mod measurement;
pub mod metrics;
pub mod models;
pub mod network;
pub mod nifti;
mod objective;
pub mod output;
pub mod patches;
pub mod prior;
mod problem;
pub mod rician;
mod seconded;
mod similar_blocks;
pub mod synthesize;
mod training;
mod volume;

pub use derivation::Derivation;
pub use error::{Error, Result};
pub use grid::{Grid, Orientation};
pub use objective::{PatchObjective, PatchSampling};
pub use prior::VolumeModel;
pub use training::{Start, TrainingConfig, TrainingRun, TrainingSummary, nifti_files};
pub use volume::{Choice, Reading, Source, Volume};
