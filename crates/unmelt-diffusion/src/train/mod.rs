//! Training: an objective's loss, AdamW or Muon, EMA, checkpoints that resume exactly, events for progress.

mod ahead;
mod config;
mod folder;
mod muon;
mod objective;
mod optimizer;
mod run;
mod state;
mod step_report;
mod summary;
mod weighting;
mod window;

pub use config::TrainConfig;
pub use folder::{Begin, Initial, LOSSES_FILE, RunFolder, VALIDATION_FILE};
pub use objective::{Loss, Objective};
pub use optimizer::{AdamW, AdamWConfig, LearningRate, Proposal};
pub use run::{Label, Trainer};
pub use state::began_with;
pub use step_report::StepReport;
pub use summary::TrainingSummary;
pub use weighting::LossWeighting;
