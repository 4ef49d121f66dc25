//! Every enhancement of a volume, from one prior: a measurement for each task, a solver for all.

pub(crate) mod calibrate;
mod classical;
mod denoise;
mod enhancer;
pub(crate) mod field_extension;
mod memory;
mod moments;
mod plan;
mod problem;
mod request;
mod settings;
mod training_range;
mod with_block_matching;

pub use classical::{EnhancedSeries, enhance_classically, enhance_series_classically};
pub use enhancer::Enhancer;
pub use plan::Plan;
pub use request::{EnhanceRequest, GenerateRequest, TaskData, TaskRequest, VolumeRequest, digest_of_values};
pub use settings::{EnhanceSettings, Enhanced};

pub use crate::task::{Task, TaskKind};
