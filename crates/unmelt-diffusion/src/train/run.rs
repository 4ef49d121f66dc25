//! The loop: one step after another, a checkpoint now and then, the same numbers after a resume.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::optimizer::{AdamW, AdamWConfig, LearningRate};
use crate::built_in::PROGRAM;
use crate::checkpoint::{
    CARD_FORMAT, Card, Precision, Provenance, WeightsRecord, read_arrays, values_in_layout, weights_bytes,
    write_model,
};
use crate::error::{Error, Result};
use crate::files::{read_whole, write_whole};
use crate::parameters::{Layout, Parameters, Weights, to_vec};

/// What is trained: a network's parameters, and a loss for every step.
pub trait Objective: Sync {
    /// Names and shapes of the parameters.
    fn layout(&self) -> Layout;

    /// Parts that a step's loss is the sum of. They are worked on at the same time, each on a thread of its own,
    /// which keeps all cores busy where a part alone would not; their number must not depend on the machine.
    fn parts(&self) -> usize {
        1
    }

    /// The loss of a part of a step. Data and noise must depend on `step` and `part` alone: that is what makes a
    /// resume exact.
    fn loss(&self, weights: &Weights, step: u64, part: usize, device: &Device) -> Result<Loss>;
}

/// A loss and what it is made of.
pub struct Loss {
    /// The scalar to minimise, `[1]`.
    pub total: Tensor<1>,
    /// Named parts, for display.
    pub parts: Vec<(&'static str, Tensor<1>)>,
    /// Training samples in this step.
    pub samples: u64,
}

/// Settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Steps of the whole run.
    pub steps: u64,
    /// Seed of the starting values, the order of the data and the noise.
    pub seed: u64,
    /// Learning rate over the run.
    pub learning_rate: LearningRate,
    /// The optimiser.
    pub optimizer: AdamWConfig,
    /// Decay of the moving average of the parameters, which is what is used afterwards.
    pub ema_decay: f64,
    /// Steps between reports.
    pub report_every: u64,
    /// Minutes between checkpoints.
    pub checkpoint_minutes: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 10_000,
            seed: 0,
            learning_rate: LearningRate::default(),
            optimizer: AdamWConfig::default(),
            ema_decay: 0.999,
            report_every: 50,
            checkpoint_minutes: 5.0,
        }
    }
}

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
    /// A checkpoint has been written.
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

    /// Whether to stop after this step; what is done is saved.
    fn stop(&self) -> bool {
        false
    }
}

/// Training of one objective: parameters, their average, the optimiser's state, the steps done.
pub struct Trainer<'a, O: Objective> {
    objective: &'a O,
    config: TrainConfig,
    device: Device,
    parameters: Parameters,
    average: Tensor<1>,
    optimizer: AdamW,
    step: u64,
    samples: u64,
    elapsed: Duration,
    /// Steps in a row that were left out because their loss or gradient was not finite.
    left_out: u32,
    /// The model whose weights the run began with.
    began_with: Option<String>,
}

/// Steps in a row that may be left out. A rare batch whose gradient overflows does no harm; a network that gives
/// nothing else has diverged.
const MOST_LEFT_OUT: u32 = 5;

/// Name of the file that a run goes on from.
const STATE_FILE: &str = "training.safetensors";

/// What a checkpoint says besides its tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    step: u64,
    samples: u64,
    seconds: f64,
    seed: u64,
    #[serde(default)]
    began_with: Option<String>,
}

impl<'a, O: Objective> Trainer<'a, O> {
    /// A run from the beginning.
    pub fn new(objective: &'a O, config: TrainConfig, device: &Device) -> Self {
        let layout = Arc::new(objective.layout());
        let values = layout.initial_values(config.seed);
        let parameters = Parameters::new(layout, values, device);
        Self {
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
        }
    }

    /// A run that begins with the values of a model of this name.
    pub fn fine_tune(
        objective: &'a O,
        config: TrainConfig,
        device: &Device,
        (values, name): (Vec<f32>, &str),
    ) -> Self {
        let mut trainer = Self::new(objective, config, device);
        trainer.parameters = Parameters::new(trainer.layout().clone(), values, device);
        trainer.average = trainer.parameters.values();
        trainer.began_with = Some(name.into());
        trainer
    }

    /// A run from the checkpoint in `folder`.
    pub fn resume(objective: &'a O, config: TrainConfig, device: &Device, folder: &Path) -> Result<Self> {
        let path = folder.join(STATE_FILE);
        let bytes = read_whole(&path)?;
        let fault = |fault: String| Error::Format { kind: "training checkpoint", path: path.clone(), fault };
        let (_, metadata) =
            safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| fault(e.to_string()))?;
        let record = metadata
            .metadata()
            .as_ref()
            .and_then(|m| m.get("record"))
            .ok_or_else(|| fault("it has no record of a run".into()))?;
        let record: Record = serde_json::from_str(record).map_err(|e| fault(e.to_string()))?;
        if record.seed != config.seed {
            let seeds = format!("it is of a run with seed {}, not {}", record.seed, config.seed);
            return Err(fault(seeds));
        }
        let mut trainer = Self::new(objective, config, device);
        let layout = state_layout(trainer.parameters.layout());
        let values = values_in_layout(&layout, &read_arrays(&bytes, &path)?)?;
        let count = trainer.parameters.layout().len();
        let part = |k: usize| {
            let values = values[k * count..(k + 1) * count].to_vec();
            Parameters::new(trainer.parameters.layout().clone(), values, device).values()
        };
        trainer.average = part(1);
        trainer.optimizer = AdamW::from_moments([part(2), part(3)], trainer.parameters.layout());
        let own = part(0);
        trainer.parameters.set(own);
        trainer.step = record.step;
        trainer.samples = record.samples;
        trainer.elapsed = Duration::from_secs_f64(record.seconds);
        trainer.began_with = record.began_with;
        Ok(trainer)
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
        let shares = self.shares();
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
        self.left_out = if report.is_finite() { 0 } else { self.left_out + 1 };
        if self.left_out > MOST_LEFT_OUT {
            let what = if report.loss.is_finite() { "the gradient" } else { "the loss" };
            return Err(Error::NotFinite { what, at: format!("at training step {}", self.step) });
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

    /// The parts of the step to come, at the same time.
    fn shares(&self) -> Vec<Result<Share>> {
        let count = self.objective.parts().max(1);
        if count == 1 {
            return vec![self.share(0)];
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..count).map(|k| scope.spawn(move || self.share(k))).collect();
            let join = |w: std::thread::ScopedJoinHandle<Result<Share>>| {
                w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().map(join).collect()
        })
    }

    /// Loss and gradient of a part of the step to come.
    fn share(&self, part: usize) -> Result<Share> {
        let tracked = self.parameters.tracked_weights();
        let loss = self.objective.loss(&tracked, self.step, part, &self.device)?;
        let (names, parts): (_, Vec<_>) = loss.parts.into_iter().unzip();
        let numbers = Tensor::cat(std::iter::once(loss.total.clone()).chain(parts).collect(), 0).inner();
        let gradients = loss.total.backward();
        let gradient = self.parameters.gradient(&tracked, &gradients);
        Ok(Share { names, numbers, gradient, samples: loss.samples })
    }

    /// Trains until the steps are done, `limit` is over or the watcher says stop; `save` is called after every
    /// checkpoint in `folder`, and returns what it measured.
    pub fn run(
        &mut self,
        folder: &Path,
        limit: Option<Duration>,
        watcher: &mut dyn Watcher,
        mut save: impl FnMut(&Self) -> Result<Measures>,
    ) -> Result<()> {
        let (begin, before) = (Instant::now(), self.elapsed);
        let over = |begin: Instant| limit.is_some_and(|l| begin.elapsed() >= l);
        watcher.event(&Event::Started {
            step: self.step,
            steps: self.config.steps,
            parameters: self.parameters.layout().len(),
        });
        let pause = Duration::from_secs_f64(self.config.checkpoint_minutes.max(0.0) * 60.0);
        let mut saved = Instant::now();
        let mut means = Means::new(self.samples);
        while !self.is_finished() && !watcher.stop() && !over(begin) {
            means.add(self.advance()?);
            self.elapsed = before + begin.elapsed();
            if self.step.is_multiple_of(self.config.report_every.max(1)) || self.is_finished() {
                watcher.event(&means.report(self.step, self.samples));
            }
            if saved.elapsed() >= pause {
                self.checkpoint(folder, watcher, &mut save)?;
                saved = Instant::now();
            }
        }
        self.checkpoint(folder, watcher, &mut save)
    }

    fn checkpoint(
        &self,
        folder: &Path,
        watcher: &mut dyn Watcher,
        save: &mut impl FnMut(&Self) -> Result<Measures>,
    ) -> Result<()> {
        self.save(folder, watcher)?;
        let measures = save(self)?;
        if !measures.is_empty() {
            watcher.event(&Event::Validated { step: self.step, measures });
        }
        Ok(())
    }

    /// Writes the model as it is by now, the average of its weights, with a card that says what it was trained on.
    pub fn write_model<M: Serialize + Clone>(
        &self,
        folder: &Path,
        [name, description, data]: [&str; 3],
        (model, precision): (&M, Precision),
    ) -> Result<()> {
        let card = Card {
            format: CARD_FORMAT,
            name: name.into(),
            description: description.into(),
            model: model.clone(),
            provenance: Provenance {
                trained_by: PROGRAM.into(),
                data: data.into(),
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

    /// Writes the checkpoint that [`resume`](Self::resume) reads.
    pub fn save(&self, folder: &Path, watcher: &mut dyn Watcher) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let record = Record {
            step: self.step,
            samples: self.samples,
            seconds: self.elapsed.as_secs_f64(),
            seed: self.config.seed,
            began_with: self.began_with.clone(),
        };
        let record = serde_json::to_string(&record).expect("numbers become JSON");
        let mut values = self.parameters.to_vec();
        for part in [&self.average, &self.optimizer.first, &self.optimizer.second] {
            values.extend(to_vec(part.clone()));
        }
        let layout = state_layout(self.parameters.layout());
        let metadata = HashMap::from([("record".to_string(), record)]);
        let bytes = weights_bytes(&layout, &values, Precision::Single, Some(metadata))?;
        let path = folder.join(STATE_FILE);
        write_whole(&path, &bytes)?;
        watcher.event(&Event::Saved { step: self.step, path });
        Ok(())
    }
}

/// Layout of a checkpoint: the parameters, their average and the two moments, each under a prefix.
fn state_layout(layout: &Layout) -> Layout {
    let mut all = Layout::default();
    for prefix in ["parameters", "average", "first_moment", "second_moment"] {
        all.add_all(prefix, layout);
    }
    all
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

/// What one step reports.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Loss.
    pub loss: f64,
    /// Its parts.
    pub parts: Vec<(&'static str, f64)>,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate.
    pub learning_rate: f64,
}

impl StepReport {
    /// From the loss with its parts and the norm of the gradient, read from the device in one go.
    fn read(names: Vec<&'static str>, numbers: Tensor<1>, norm: Tensor<1>, learning_rate: f64) -> Self {
        let mut numbers = to_vec(Tensor::cat(vec![norm, numbers], 0)).into_iter().map(f64::from);
        let mut next = || numbers.next().unwrap_or(f64::NAN);
        let (gradient_norm, loss) = (next(), next());
        let parts = names.into_iter().zip(numbers).collect();
        Self { loss, parts, gradient_norm, learning_rate }
    }

    fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient_norm.is_finite()
    }
}

/// Sums since the last report.
struct Means {
    sums: Option<StepReport>,
    count: f64,
    samples: u64,
    begin: Instant,
}

impl Means {
    fn new(samples: u64) -> Self {
        Self { sums: None, count: 0.0, samples, begin: Instant::now() }
    }

    fn add(&mut self, report: StepReport) {
        if !report.is_finite() {
            return;
        }
        self.count += 1.0;
        let Some(sums) = &mut self.sums else {
            self.sums = Some(report);
            return;
        };
        sums.loss += report.loss;
        sums.gradient_norm += report.gradient_norm;
        sums.learning_rate = report.learning_rate;
        sums.parts.iter_mut().zip(report.parts).for_each(|(a, b)| a.1 += b.1);
    }

    fn report(&mut self, step: u64, samples: u64) -> Event {
        let sums = self.sums.take();
        let count = self.count.max(1.0);
        let event = Event::Progress {
            step,
            loss: sums.as_ref().map_or(0.0, |s| s.loss / count),
            gradient_norm: sums.as_ref().map_or(0.0, |s| s.gradient_norm / count),
            learning_rate: sums.as_ref().map_or(0.0, |s| s.learning_rate),
            parts: sums
                .map_or(Vec::new(), |s| s.parts.into_iter().map(|(name, sum)| (name, sum / count)).collect()),
            samples_per_second: (samples - self.samples) as f64
                / self.begin.elapsed().as_secs_f64().max(1e-9),
        };
        *self = Self::new(samples);
        event
    }
}
