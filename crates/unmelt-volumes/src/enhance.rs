//! Every enhancement of a volume, from one prior: a measurement for each task, a solver for all.

use burn::tensor::Device;
use unmelt_diffusion::Weights;
use unmelt_diffusion::checkpoint::{Card, ModelFiles};
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::job::{Event, Job, Phase, Progress};
use unmelt_diffusion::posterior::{Posterior, PosteriorSolver, Prior};

use crate::calibration::SOLVER_OF_SAMPLES;
use crate::denoise::denoise;
use crate::measurement::Mask;
use crate::patches::{Partition, PatchPrior};
use crate::prior::Degradation;
use crate::problem::{Problem, check_size};
use crate::rician::Estimate;
use crate::seconded::Seconded;
pub use crate::task::{Task, TaskKind};
use crate::{Error, Grid, Result, Volume, VolumeModel, memory};

/// How to do it.
#[derive(Clone, Debug, PartialEq)]
pub struct EnhanceSettings {
    /// Solver: one of [`PosteriorSolver::NAMES`]; if not given hqs for a single estimate, diffpir for samples. A single
    /// estimate of what noise hides needs none: the prior's answer is the posterior mean. hqs begins with what the prior was
    /// trained to see in thick slices, filled holes and missing lines of k-space, unless `sigma_max` is given.
    pub solver: Option<String>,
    /// Steps of the walk, at most: a search ends earlier where more of them do harm.
    pub steps: usize,
    /// Seed of the noise and of the partition into patches.
    pub seed: u64,
    /// Posterior samples; 1 gives the single best estimate.
    pub samples: usize,
    /// Highest noise level of the walk, in units of the robust range; the task's own if not given.
    pub sigma_max: Option<f64>,
    /// Lowest noise level of the walk.
    pub sigma_min: f64,
    /// Voxels that a patch sees around those it answers for.
    pub halo: usize,
}

impl Default for EnhanceSettings {
    fn default() -> Self {
        Self { solver: None, steps: 20, seed: 0, samples: 1, sigma_max: None, sigma_min: 0.005, halo: 4 }
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Enhanced {
    /// The estimate, or the mean of the samples.
    pub volume: Volume,
    /// Standard deviation of the estimate, where there are several samples: that of the samples, times the factor that was
    /// fitted for it if [`calibrated`](Self::calibrated).
    pub deviation: Option<Vec<f32>>,
    /// Half the width of the 90 % interval, where there are several: 1.645 of those deviations.
    pub half_interval: Option<Vec<f32>>,
    /// Whether deviation and interval are calibrated; otherwise they are the samples' own, and cover an unknown part.
    pub calibrated: bool,
    /// The noise that was assumed, for denoising, in the scan's units.
    pub noise: Option<Estimate>,
}

/// A prior ready for work.
pub struct Enhancer {
    card: Card<VolumeModel>,
    weights: Weights,
    device: Device,
}

impl Enhancer {
    /// Loads a model.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self> {
        let card = files.card::<VolumeModel>()?;
        card.model.check_card(card.weights.parameters)?;
        let weights = files.weights(&card, device)?;
        weights.check(&card.model.layout())?;
        Ok(Self { card, weights, device: device.clone() })
    }

    /// The same with a card that knows of no calibration: deviations are those of the samples.
    pub(crate) fn without_calibration(&self) -> Self {
        let (mut card, weights, device) = (self.card.clone(), self.weights.clone(), self.device.clone());
        card.model.forget_calibration();
        Self { card, weights, device }
    }

    /// The model's card.
    pub fn card(&self) -> &Card<VolumeModel> {
        &self.card
    }

    /// The model's name, for records.
    pub fn name(&self) -> &str {
        &self.card.name
    }

    /// Whether the spread of samples of a task, drawn like this, was calibrated: without that the deviation and the interval
    /// of [`Enhanced`] cover an unknown part.
    pub fn is_calibrated(&self, kind: TaskKind, settings: &EnhanceSettings) -> bool {
        self.card.model.is_calibrated(kind, settings)
    }

    /// Enhances a volume; the job hears of every evaluation of the prior on all patches, and may stop the work between those of
    /// two patches.
    ///
    /// # Errors
    /// Settings out of their range, a constant volume, a task that does not fit the volume, a request to stop.
    pub fn enhance(
        &self,
        volume: &Volume,
        task: &Task,
        settings: &EnhanceSettings,
        job: &Job,
    ) -> Result<Enhanced> {
        let (model, single, cancel) = (&self.card.model, settings.samples == 1, job.cancel_token());
        check_settings(settings, model)?;
        let name = settings.solver.as_deref().unwrap_or(if single { "hqs" } else { SOLVER_OF_SAMPLES });
        let solver = PosteriorSolver::from_name(name, single).ok_or_else(|| unknown_solver(name))?;
        let problem = Problem::new(volume, task, cancel)?;
        check_noise(&problem, model)?;
        let prior = |number: u64| PatchPrior {
            model,
            weights: &self.weights,
            device: &self.device,
            partition: problem.partition(settings, number),
            quiet: problem.quiet.as_ref(),
            degradation: &Degradation::Gaussian,
            cancel,
        };
        if single
            && settings.solver.is_none()
            && let Some(noise) = problem.noise
        {
            let sigma = noise.sigma / problem.scaling.range();
            let degradation = if noise.rician { &Degradation::Rician } else { &Degradation::Gaussian };
            let prior = PatchPrior { degradation, ..prior(0) };
            let estimate = denoise(&problem.data, sigma, &prior, job)?;
            return Ok(problem.finish(estimate, None, None));
        }
        let is_search = matches!(solver, PosteriorSolver::Hqs { .. });
        let look = problem.look.as_ref().filter(|_| is_search && settings.sigma_max.is_none());
        let top = settings.sigma_max.or(look.map(|l| l.then));
        let top = top.unwrap_or_else(|| problem.sigma_max(task, volume, settings.samples));
        if settings.sigma_min > top {
            return Err(Error::Request(format!(
                "the lowest noise level, {}, lies above the highest, {top}",
                settings.sigma_min
            )));
        }
        let range = [settings.sigma_min, top];
        let looks = look.map_or(0, |l| l.steps.min(settings.steps));
        let rest = (settings.steps - looks).min(look.and_then(|l| l.at_most).unwrap_or(usize::MAX));
        let mut walks = Vec::new();
        if let Some(look) = look {
            let posterior = Posterior::new(solver, looks, look.levels, settings.seed)?;
            let beside = look.beside_settled.and_then(|share| Some((problem.settled(cancel)?, share)));
            let (degradation, seconded) = (&look.degradation, look.seconded);
            walks.push(Walk { degradation, seconded, beside, posterior });
        }
        if rest > 0 {
            // Its steps are counted from where the looks ended: patches have other borders and mirrors.
            let before = walks.iter().map(|w: &Walk| w.posterior.evaluations()).sum();
            let posterior = Posterior::new(solver, rest, range, settings.seed)?.after(before);
            walks.push(Walk {
                degradation: &Degradation::Gaussian,
                seconded: is_search,
                beside: None,
                posterior,
            });
        }
        let steps = walks.iter().map(|w| w.posterior.evaluations() as u64).sum();
        let mut moments = Moments::default();
        for number in 0..settings.samples {
            let mut step = 0;
            let phase = if single { Phase::Estimating } else { Phase::Sampling };
            let samples = settings.samples as u64;
            let begin = Progress { phase, finished: number as u64, at_work: 1, samples, step, steps };
            let mut on_step = || {
                step += 1;
                job.report(&Event::Progress(Progress { step, ..begin }));
                job.check()
            };
            let (measurement, data) = (problem.measurement.as_ref(), &problem.data);
            let mut x = problem.start.clone();
            for &Walk { degradation, seconded, ref beside, ref posterior } in &walks {
                let prior = PatchPrior { degradation, ..prior(number as u64) };
                let prior: Box<dyn Prior<f32>> =
                    if seconded { Box::new(Seconded(prior)) } else { Box::new(prior) };
                x = posterior.sample(prior.as_ref(), measurement, data, &x, number as u64, &mut on_step)?;
                if let Some((other, share)) = beside {
                    x.iter_mut().zip(other).for_each(|(x, other)| *x = other + share * (*x - other));
                }
            }
            moments.add(x);
        }
        let (mean, deviation) = moments.finish();
        let factor = model.interval_factor(task.kind(), problem.severity, settings);
        Ok(problem.finish(problem.unbiased(mean), deviation, factor))
    }

    /// Draws a volume from the prior alone, in units of the robust range.
    pub fn generate(&self, grid: Grid, settings: &EnhanceSettings, job: &Job) -> Result<Volume> {
        check_settings(settings, &self.card.model)?;
        check_size(&grid, memory::GENERATE)?;
        let middle = grid.shape.map(|n| 0.5 * (n as f64 - 1.0));
        let prior = PatchPrior {
            model: &self.card.model,
            weights: &self.weights,
            device: &self.device,
            partition: Partition::new(grid, Some(middle), settings.halo, settings.seed, 0),
            quiet: None,
            degradation: &Degradation::Gaussian,
            cancel: job.cancel_token(),
        };
        let nothing = Mask::new(vec![false; grid.voxels()], 0.0);
        let zeros = vec![0.0; grid.voxels()];
        let highest = self.card.model.sigma_max.min(5.0);
        let range = [settings.sigma_min.min(highest), highest];
        let solver = PosteriorSolver::DiffPir { lambda: 1.0, zeta: 0.5 };
        let walk = Posterior::new(solver, settings.steps, range, settings.seed)?;
        let mut step = 0;
        let steps = walk.evaluations() as u64;
        let begin = Progress { phase: Phase::Sampling, finished: 0, at_work: 1, samples: 1, step, steps };
        let mut on_step = || {
            step += 1;
            job.report(&Event::Progress(Progress { step, ..begin }));
            job.check()
        };
        let mut x = walk.sample(&prior, &nothing, &zeros, &zeros, 0, &mut on_step)?;
        x.iter_mut().for_each(|v| *v = v.max(0.0));
        Ok(Volume::new(x, grid))
    }
}

fn unknown_solver(name: &str) -> Error {
    let known = PosteriorSolver::NAMES.join(", ");
    Error::Request(format!("\"{name}\" is no solver; use one of: {known}"))
}

/// Whether noise is of a level that the model knows.
fn check_noise(problem: &Problem, model: &VolumeModel) -> Result<()> {
    let level = problem.noise.map_or(0.0, |n| n.sigma / problem.scaling.range());
    if level <= model.sigma_max {
        return Ok(());
    }
    Err(Error::Request(format!(
        "the noise would be {level:.3e} times the range of the scan; the model was trained up to {}",
        model.sigma_max
    )))
}

/// Whether a walk can be walked like this.
pub(crate) fn check_settings(settings: &EnhanceSettings, model: &VolumeModel) -> Result<()> {
    let fault = |text: String| Err(Error::Request(text));
    if settings.samples == 0 || settings.steps == 0 {
        return fault("samples and steps must be at least 1".into());
    }
    within(limits().steps, "steps", settings.steps as u64, "the walk asked for")?;
    within(limits().batch, "batch", settings.samples as u64, "the number of samples asked for")?;
    let is_level = |s: f64| s.is_finite() && s > 0.0;
    if !is_level(settings.sigma_min) {
        return fault("the lowest noise level must be a number above 0".into());
    }
    if let Some(highest) = settings.sigma_max {
        if !is_level(highest) {
            return fault("the highest noise level must be a number above 0".into());
        }
        if highest < settings.sigma_min {
            let lowest = settings.sigma_min;
            return fault(format!(
                "the highest noise level of the walk, {highest}, lies below the lowest, {lowest}"
            ));
        }
        if highest > model.sigma_max {
            return fault(format!(
                "the highest noise level of the walk, {highest}, lies above {}, up to which the model was trained",
                model.sigma_max
            ));
        }
    }
    if !Partition::fits(settings.halo, model) {
        return fault(format!(
            "the halo of {} voxels leaves nothing of patches of {} voxels",
            settings.halo, model.patch
        ));
    }
    Ok(())
}

/// A part of the way to an estimate or to a sample.
struct Walk<'a> {
    /// What the prior is told.
    degradation: &'a Degradation,
    /// Whether similar blocks have a say.
    seconded: bool,
    /// What its end is averaged with, and how much the end counts.
    beside: Option<(Vec<f32>, f32)>,
    posterior: Posterior,
}

/// Mean and standard deviation of samples that come one after another (Welford).
#[derive(Default)]
struct Moments {
    count: f64,
    mean: Vec<f32>,
    squares: Vec<f32>,
}

impl Moments {
    fn add(&mut self, x: Vec<f32>) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = x;
            return;
        }
        self.squares.resize(x.len(), 0.0);
        for ((m, s), x) in self.mean.iter_mut().zip(&mut self.squares).zip(&x) {
            let before = x - *m;
            *m += before / self.count as f32;
            *s += before * (x - *m);
        }
    }

    fn finish(self) -> (Vec<f32>, Option<Vec<f32>>) {
        let rest = (self.count - 1.0) as f32;
        let deviation =
            (self.count > 1.0).then(|| self.squares.iter().map(|s| (s / rest).max(0.0).sqrt()).collect());
        (self.mean, deviation)
    }
}
