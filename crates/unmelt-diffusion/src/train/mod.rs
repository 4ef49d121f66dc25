//! Training: an objective's loss, AdamW or Muon, EMA, checkpoints that resume exactly, events for progress.

mod config;
mod folder;
mod muon;
mod optimizer;
mod run;
mod state;
mod step_report;
mod weighting;
mod window;

pub use config::TrainConfig;
pub use folder::{Begin, LOSSES_FILE, VALIDATION_FILE, check_folder, open_folder};
pub use optimizer::{AdamW, AdamWConfig, LearningRate, Proposal};
pub use run::{Loss, Objective, Trainer};
pub use state::began_with;
pub use step_report::StepReport;
pub use weighting::LossWeighting;
