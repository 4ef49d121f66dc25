//! Long work: how its progress is reported, and how it is stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Asks work to stop. Clones belong together: cancelling one cancels all. Loops ask it between evaluations of a network, from
/// any thread.
///
/// ```
/// use unmelt_diffusion::job::CancelToken;
///
/// let token = CancelToken::new();
/// let other = token.clone();
/// assert!(token.check().is_ok());
/// other.cancel();
/// assert!(token.check().is_err_and(|e| e.is_stopped()));
/// ```
#[derive(Clone, Default)]
pub struct CancelToken {
    is_cancelled: Arc<AtomicBool>,
    also: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl CancelToken {
    /// A token that nobody has cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that counts as cancelled once `condition` holds, too. It is called often, so it should be quick.
    pub fn when(condition: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { also: Some(Arc::new(condition)), ..Self::default() }
    }

    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::SeqCst);
    }

    /// Whether the work is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst) || self.also.as_ref().is_some_and(|condition| condition())
    }

    /// [`Error::Stopped`] where the work is to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Stopped) } else { Ok(()) }
    }
}

impl std::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("CancelToken").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// What the work is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// One best estimate is made.
    Estimating,
    /// Samples are drawn.
    Sampling,
    /// Intervals are fitted on volumes whose truth is known.
    Calibrating,
}

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What the work is at.
    pub phase: Phase,
    /// Samples that are finished.
    pub finished: u64,
    /// Samples that are drawn at present and will count when they are finished.
    pub at_work: u64,
    /// Samples that are wanted.
    pub samples: u64,
    /// Evaluations of the network made for the samples at work.
    pub step: u64,
    /// Evaluations that a sample takes.
    pub steps: u64,
}

impl Progress {
    /// Evaluations made of all samples.
    pub fn evaluations(&self) -> u64 {
        self.finished.saturating_mul(self.steps).saturating_add(self.at_work.saturating_mul(self.step))
    }

    /// Evaluations that all samples take.
    pub fn all_evaluations(&self) -> u64 {
        self.samples.saturating_mul(self.steps)
    }

    /// The part of the work that is done, from 0 to 1.
    pub fn share(&self) -> f64 {
        match self.all_evaluations() {
            0 => 1.0,
            all => (self.evaluations() as f64 / all as f64).min(1.0),
        }
    }
}

/// What was measured, by name.
pub type Measures = Vec<(&'static str, f64)>;

/// What happens on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The network has been evaluated.
    Progress(Progress),
    /// A training is about to take its first step of this run.
    TrainingStarted {
        /// First step to come; above 0 after a resume.
        step: u64,
        /// Steps of the whole run.
        steps: u64,
        /// Number of parameters.
        parameters: usize,
    },
    /// Means of a training since the last report.
    Trained {
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

/// What work is watched and stopped by. Everything that takes long takes a job.
///
/// ```
/// use unmelt_diffusion::job::{CancelToken, Event, Job};
///
/// let token = CancelToken::new();
/// let listener = |event: &Event| println!("{event:?}");
/// let job = Job::new().cancelled_by(&token).heard_by(&listener);
/// job.report(&Event::Saving { step: 100 });
/// token.cancel();
/// assert!(job.check().is_err());
/// ```
#[derive(Clone, Default)]
pub struct Job<'a> {
    cancel: CancelToken,
    listener: Option<&'a (dyn Fn(&Event) + Sync)>,
}

impl Job<'static> {
    /// Work that nobody watches and nobody stops.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<'a> Job<'a> {
    /// The same work, stopped by a token.
    pub fn cancelled_by(self, cancel: &CancelToken) -> Self {
        Self { cancel: cancel.clone(), ..self }
    }

    /// The same work, whose events `listener` hears, in place of who heard them before. It is called on the thread that works.
    pub fn heard_by<'b>(&self, listener: &'b (dyn Fn(&Event) + Sync)) -> Job<'b> {
        Job { cancel: self.cancel.clone(), listener: Some(listener) }
    }

    /// Tells the listener of an event.
    pub fn report(&self, event: &Event) {
        if let Some(listener) = self.listener {
            listener(event);
        }
    }

    /// The token that stops the work.
    pub fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    /// Whether the work is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// [`Error::Stopped`] where the work is to stop.
    pub fn check(&self) -> Result<()> {
        self.cancel.check()
    }
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("cancel", &self.cancel)
            .field("is_heard", &self.listener.is_some())
            .finish()
    }
}
