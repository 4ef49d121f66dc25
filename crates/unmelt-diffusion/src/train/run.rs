//! The loop: one step after another, a checkpoint now and then, the same numbers after a resume.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::ahead::Ahead;
use super::config::TrainConfig;
use super::folder::{self, Initial};
use super::objective::Objective;
use super::optimizer::AdamW;
use super::step_report::StepReport;
use super::summary::TrainingSummary;
use super::window::{Sums, Window};
use crate::built_in::PROGRAM;
use crate::checkpoint::{BeganWith, CARD_FORMAT, Card, Precision, Provenance, WeightsRecord};
use crate::condition::ConditionSpec;
use crate::error::{At, Error, Result};
use crate::fault::ErrorKind;
use crate::files::limits::{limits, within};
use crate::job::{Event, Job, Measures};
use crate::model_folder::write_model;
use crate::parameters::{Layout, Parameters, Weights, to_vec};

/// Training of one objective: parameters, their average, the optimiser's state, the steps done.
pub struct Trainer<O: Objective> {
    pub(super) objective: Arc<O>,
    /// Batches to come, for every part of a step.
    ahead: Vec<Ahead<O::Batch>>,
    pub(super) config: TrainConfig,
    pub(super) device: Device,
    pub(super) parameters: Parameters,
    pub(super) average: Tensor<1>,
    pub(super) optimizer: AdamW,
    pub(super) step: u64,
    pub(super) samples: u64,
    pub(super) elapsed: Duration,
    /// Steps in a row that were left out because their loss or gradient was not finite.
    pub(super) left_out: u32,
    /// The model whose weights the run began with.
    pub(super) began_with: Option<BeganWith>,
    /// Sums since the last report.
    pub(super) window: Window,
}

/// Steps in a row that may be left out. A rare batch whose gradient overflows does no harm; a network that gives
/// nothing else has diverged.
const MOST_LEFT_OUT: u32 = 5;

/// How often the job is asked during a step whether it is cancelled.
const GLANCE: Duration = Duration::from_millis(20);

/// How long a step may go on after the job was cancelled, before it is given up.
const PATIENCE: Duration = Duration::from_millis(500);

/// Stack of the threads that work on the parts of a step, in bytes: that of a program's first thread.
const STACK: usize = 8 << 20;

impl<O: Objective> Trainer<O> {
    /// Checks the settings, and that the network is within the limits, before memory is taken for it.
    pub fn check(objective: &O, config: &TrainConfig) -> Result<()> {
        config.check()?;
        within(limits().parameters, "parameters", objective.layout().len() as u64, "the network")
    }

    /// A run from the beginning.
    pub fn new(objective: Arc<O>, config: TrainConfig, device: &Device) -> Self {
        let layout = Arc::new(objective.layout());
        let values = layout.initial_values(config.seed);
        let parameters = Parameters::new(layout, values, device);
        Self {
            ahead: (0..objective.parts().max(1)).map(|_| Ahead::new()).collect(),
            objective,
            device: device.clone(),
            average: parameters.values(),
            optimizer: AdamW::new(&parameters.values(), parameters.layout()),
            parameters,
            config,
            step: 0,
            samples: 0,
            elapsed: Duration::ZERO,
            left_out: 0,
            began_with: None,
            window: Window::new(Sums::default()),
        }
    }

    /// A run that begins with the weights of a model. The parameters and their average are these.
    pub fn fine_tune(objective: Arc<O>, config: TrainConfig, device: &Device, initial: Initial) -> Self {
        let mut trainer = Self::new(objective, config, device);
        trainer.parameters = Parameters::new(trainer.layout().clone(), initial.values, device);
        trainer.average = trainer.parameters.values();
        trainer.began_with = Some(initial.of);
        trainer
    }

    /// How the run has gone so far; `data` is what it learns from.
    pub fn summary(&self, data: Vec<(usize, &'static str)>, warnings: Vec<String>) -> TrainingSummary {
        TrainingSummary { steps: self.step, of_steps: self.config.steps, data, warnings }
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Samples seen.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Time spent, over all resumes.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Whether all steps are done.
    pub fn is_finished(&self) -> bool {
        self.step >= self.config.steps
    }

    /// Names and shapes of the parameters.
    pub fn layout(&self) -> &Arc<Layout> {
        self.parameters.layout()
    }

    /// The averaged parameters: what is used afterwards.
    pub fn averaged_values(&self) -> Vec<f32> {
        to_vec(self.average.clone())
    }

    /// The averaged parameters as weights, without gradients.
    pub fn averaged_weights(&self) -> Weights {
        Parameters::new(self.parameters.layout().clone(), self.averaged_values(), &self.device()).weights()
    }

    /// The device, without gradients.
    pub fn device(&self) -> Device {
        self.device.clone().inner()
    }

    /// Does one step; returns the loss and its parts. A step whose loss or gradient is not finite changes nothing but
    /// the count; six of them in a row are an error.
    pub fn advance(&mut self) -> Result<StepReport> {
        let shares = self.shares(&mut |_| false)?.unwrap_or_default();
        self.finish_step(shares)
    }

    /// Ends a step whose parts are there.
    fn finish_step(&mut self, shares: Vec<Result<Share>>) -> Result<StepReport> {
        let mut total: Option<Share> = None;
        for share in shares {
            let share = share?;
            match &mut total {
                None => total = Some(share),
                Some(total) => total.add(share),
            }
        }
        let Share { names, numbers, gradient, samples } = total.expect("a step has at least one part");
        let rate = self.config.learning_rate.at(self.step, self.config.steps);
        let values = self.parameters.values();
        let proposal = self.optimizer.propose(&self.config.optimizer, values, gradient, rate, self.step);
        let report = StepReport::read(names, numbers, proposal.norm.clone(), rate);
        self.left_out = if report.is_finite() { 0 } else { self.left_out.saturating_add(1) };
        if self.left_out > MOST_LEFT_OUT {
            let what = if report.loss.is_finite() { "the gradient" } else { "the loss" };
            return Err(Error::NotFinite { what, at: At::TrainingStep(self.step) });
        }
        if self.left_out == 0 {
            let values = self.optimizer.accept(proposal);
            self.take(values);
        }
        self.step += 1;
        self.samples += samples;
        Ok(report)
    }

    /// Takes new parameters over into the run and its average.
    fn take(&mut self, values: Tensor<1>) {
        self.parameters.set(values);
        // A short average at the start, so that early checkpoints are not dominated by the starting values.
        let decay = self.config.ema_decay.min((1.0 + self.step as f64) / (10.0 + self.step as f64));
        self.average =
            self.average.clone().mul_scalar(decay) + self.parameters.values().mul_scalar(1.0 - decay);
    }

    /// The parts of the step to come, at the same time. `give_up` is asked now and then; none where it said so, which is
    /// waited for all the same: a part cannot be ended from outside.
    fn shares(&self, give_up: &mut dyn FnMut(&Self) -> bool) -> Result<Option<Vec<Result<Share>>>> {
        let count = self.ahead.len();
        if count == 1 && !matches!(self.device().as_dispatch(), DispatchDevice::Flex(_)) {
            // The work is the device's, whose streams belong to threads.
            return Ok(Some(vec![self.share(0)]));
        }
        std::thread::scope(|scope| {
            // Closed when the last part is through, by whatever end.
            let (open, closed) = channel::<()>();
            let mut workers = Vec::with_capacity(count);
            for part in 0..count {
                let open = open.clone();
                let work = move || {
                    let share = self.share(part);
                    drop(open);
                    share
                };
                let worker = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
                workers.push(
                    worker
                        .map_err(|e| Error::plain(ErrorKind::Io, format!("no thread was to be had: {e}")))?,
                );
            }
            drop(open);
            let mut is_given_up = false;
            while !is_given_up && closed.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
                is_given_up = give_up(self);
            }
            let join = |w: std::thread::ScopedJoinHandle<Result<Share>>| {
                w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            let shares = workers.into_iter().map(join).collect();
            Ok((!is_given_up).then_some(shares))
        })
    }

    /// Loss and gradient of a part of the step to come.
    fn share(&self, part: usize) -> Result<Share> {
        let batch = self.ahead[part].take(&self.objective, part, self.step)?;
        let tracked = self.parameters.tracked_weights();
        let loss = self.objective.loss(&tracked, batch, &self.device)?;
        let (names, parts): (_, Vec<_>) = loss.parts.into_iter().unzip();
        let numbers = Tensor::cat(std::iter::once(loss.total.clone()).chain(parts).collect(), 0).inner();
        let gradients = loss.total.backward();
        let gradient = self.parameters.gradient(&tracked, &gradients);
        Ok(Share { names, numbers, gradient, samples: loss.samples })
    }

    /// Trains until the steps are done, `limit` is over or the job is cancelled. At every checkpoint in `folder` `write`
    /// writes the model that goes with it, and `measure` says what that is worth; nothing is measured where the job
    /// is cancelled. A run that begins in a folder without a checkpoint writes its first one at once.
    pub fn run(
        &mut self,
        folder: &Path,
        limit: Option<Duration>,
        job: &Job,
        mut write: impl FnMut(&Self) -> Result<()>,
        mut measure: impl FnMut(&Self) -> Result<Measures>,
    ) -> Result<()> {
        self.config.check()?;
        let (begin, before) = (Instant::now(), self.elapsed);
        let over = |begin: Instant| limit.is_some_and(|l| begin.elapsed() >= l);
        job.report(&Event::TrainingStarted {
            step: self.step,
            steps: self.config.steps,
            parameters: self.parameters.layout().len(),
        });
        if self.step == 0 && !folder::holds_checkpoint(folder) {
            job.report(&Event::Saving { step: 0 });
            write(self)?;
            let path = self.save(folder)?;
            job.report(&Event::Saved { step: 0, path });
        }
        self.window.begin();
        let pause = Duration::from_secs_f64(self.config.checkpoint_minutes * 60.0);
        let (mut saved, mut saved_step) = (Instant::now(), None);
        while !self.is_finished() && !job.is_cancelled() && !over(begin) {
            let (mut asked, mut left) = (None, None);
            let mut give_up = |trainer: &Self| {
                if job.is_cancelled() && asked.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                    // Saved before the step is waited for, which may take longer than anybody wants to wait.
                    left = Some(trainer.checkpoint(folder, job, &mut write, &mut measure));
                }
                left.is_some()
            };
            let Some(shares) = self.shares(&mut give_up)? else { return left.unwrap_or(Ok(())) };
            let samples = self.samples;
            let report = self.finish_step(shares)?;
            self.window.add(&report, self.samples - samples);
            self.elapsed = before + begin.elapsed();
            if self.step.is_multiple_of(self.config.report_every) || self.is_finished() {
                job.report(&self.window.report(self.step));
            }
            if saved.elapsed() >= pause {
                self.checkpoint(folder, job, &mut write, &mut measure)?;
                (saved, saved_step) = (Instant::now(), Some(self.step));
            }
        }
        match saved_step == Some(self.step) {
            true => Ok(()),
            false => self.checkpoint(folder, job, &mut write, &mut measure),
        }
    }

    fn checkpoint(
        &self,
        folder: &Path,
        job: &Job,
        write: &mut impl FnMut(&Self) -> Result<()>,
        measure: &mut impl FnMut(&Self) -> Result<Measures>,
    ) -> Result<()> {
        job.report(&Event::Saving { step: self.step });
        let path = self.save(folder)?;
        write(self)?;
        job.report(&Event::Saved { step: self.step, path });
        if job.is_cancelled() {
            return Ok(());
        }
        let measures = measure(self)?;
        if !measures.is_empty() {
            job.report(&Event::Validated { step: self.step, measures });
        }
        Ok(())
    }

    /// Writes the model as it is by now, the average of its weights, with a card that says what it was trained on.
    pub fn write_model<M: Serialize + Clone>(
        &self,
        folder: &Path,
        label: &Label,
        model: &M,
        precision: Precision,
    ) -> Result<()> {
        let card = Card {
            format: CARD_FORMAT,
            name: label.name.clone(),
            description: label.description.clone(),
            model: model.clone(),
            conditions: label.conditions.clone(),
            provenance: Provenance {
                trained_by: PROGRAM.into(),
                data: label.data.clone(),
                began_with: self.began_with.clone(),
                samples_seen: self.samples,
                steps: self.step,
                minutes: self.elapsed.as_secs_f64() / 60.0,
                ..Provenance::default()
            },
            weights: WeightsRecord::default(),
        };
        write_model(folder, &card, self.layout(), &self.averaged_values(), precision)
    }
}

/// What a card says of a model besides its network and its training.
#[derive(Clone, Debug, Default)]
pub struct Label {
    /// Name of the model.
    pub name: String,
    /// One sentence on what it does and what it does not.
    pub description: String,
    /// The data, with source and licence.
    pub data: String,
    /// What the network can be told besides its noisy input.
    pub conditions: Vec<ConditionSpec>,
}

/// What a part of a step gives.
struct Share {
    /// Names of the parts of the loss.
    names: Vec<&'static str>,
    /// The loss and its parts.
    numbers: Tensor<1>,
    gradient: Tensor<1>,
    samples: u64,
}

impl Share {
    fn add(&mut self, other: Self) {
        self.numbers = self.numbers.clone() + other.numbers;
        self.gradient = self.gradient.clone() + other.gradient;
        self.samples += other.samples;
    }
}
