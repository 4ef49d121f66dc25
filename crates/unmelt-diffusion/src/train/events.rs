//! What is told of a run.

use std::path::PathBuf;

/// What happens during training.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Before the first step of this run.
    Started {
        /// First step to come; above 0 after a resume.
        step: u64,
        /// Steps of the whole run.
        steps: u64,
        /// Number of parameters.
        parameters: usize,
    },
    /// Means since the last report.
    Progress {
        /// Steps done.
        step: u64,
        /// Loss.
        loss: f64,
        /// Its parts.
        parts: Vec<(&'static str, f64)>,
        /// Norm of the gradient before clipping.
        gradient_norm: f64,
        /// Learning rate.
        learning_rate: f64,
        /// Samples per second.
        samples_per_second: f64,
    },
    /// What the model of a checkpoint is worth has been measured.
    Validated {
        /// Steps done.
        step: u64,
        /// Measures by name.
        measures: Measures,
    },
    /// A checkpoint and the model of it are about to be written.
    Saving {
        /// Steps done.
        step: u64,
    },
    /// A checkpoint and the model of it have been written.
    Saved {
        /// Steps done.
        step: u64,
        /// The file.
        path: PathBuf,
    },
}

/// What was measured, by name.
pub type Measures = Vec<(&'static str, f64)>;

/// Hears of events and may ask to stop.
pub trait Watcher {
    /// Something happened.
    fn event(&mut self, event: &Event);

    /// Whether to stop; what is done is saved. It is asked between steps, and during steps that take long: such a step is
    /// given up, and counts as not begun.
    fn stop(&self) -> bool {
        false
    }
}
