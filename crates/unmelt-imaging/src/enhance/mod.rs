//! Every enhancement of a volume, from one prior: a measurement for each task, a solver for all.

pub(crate) mod calibrate;
mod denoise;
mod enhancer;
pub(crate) mod field_extension;
mod memory;
mod moments;
mod problem;
mod settings;
mod training_range;
mod with_block_matching;

pub use enhancer::Enhancer;
pub use settings::{EnhanceSettings, Enhanced};

pub use crate::task::{Task, TaskKind};
