//! Training: an objective's loss, AdamW or Muon, EMA, checkpoints that resume exactly, events for progress.

mod muon;
mod optimizer;
mod run;
mod weighting;

pub use optimizer::{AdamW, AdamWConfig, LearningRate, Proposal};
pub use run::{Event, Loss, Measures, Objective, StepReport, TrainConfig, Trainer, Watcher};
pub use weighting::LossWeighting;
