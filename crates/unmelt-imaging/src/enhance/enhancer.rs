//! A model at work on a volume.

use burn::tensor::Device;
use unmelt_diffusion::Weights;
use unmelt_diffusion::checkpoint::{Card, ModelFiles};
use unmelt_diffusion::job::{Event, Job, Phase, Progress};
use unmelt_diffusion::posterior::{Posterior, PosteriorSolver, Prior};

use super::moments::Moments;
use super::settings::{EnhanceSettings, Enhanced, check_settings};
use crate::enhance::denoise::denoise;
use crate::enhance::memory;
use crate::enhance::problem::{Problem, check_size};
use crate::enhance::with_block_matching::WithBlockMatching;
use crate::measurement::Mask;
use crate::prior::Degradation;
use crate::prior::calibration::SOLVER_OF_SAMPLES;
use crate::prior::patches::{Partition, PatchPrior};
use crate::task::{Task, TaskKind};
use crate::{Error, Grid, Result, Volume, VolumeModel};

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
            background: problem.background.as_ref(),
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
        let warm_start = problem.warm_start.as_ref().filter(|_| is_search && settings.sigma_max.is_none());
        let top = settings.sigma_max.or(warm_start.map(|l| l.then));
        let top = top.unwrap_or_else(|| problem.sigma_max(task, volume, settings.samples));
        if settings.sigma_min > top {
            return Err(Error::Request(format!(
                "the lowest noise level, {}, lies above the highest, {top}",
                settings.sigma_min
            )));
        }
        let range = [settings.sigma_min, top];
        let warm_steps = warm_start.map_or(0, |l| l.steps.min(settings.steps));
        let rest =
            (settings.steps - warm_steps).min(warm_start.and_then(|l| l.at_most).unwrap_or(usize::MAX));
        let mut stages = Vec::new();
        if let Some(warm_start) = warm_start {
            let posterior = Posterior::new(solver, warm_steps, warm_start.levels, settings.seed)?;
            let blended_with =
                warm_start.weight_beside_filling.and_then(|share| Some((problem.settled(cancel)?, share)));
            let (degradation, with_block_matching) =
                (&warm_start.degradation, warm_start.with_block_matching);
            stages.push(Stage { degradation, with_block_matching, blended_with, posterior });
        }
        if rest > 0 {
            // Its steps are counted from where the warm start ended: patches have other borders and mirrors.
            let before = stages.iter().map(|w: &Stage| w.posterior.evaluations()).sum();
            let posterior = Posterior::new(solver, rest, range, settings.seed)?.after(before);
            stages.push(Stage {
                degradation: &Degradation::Gaussian,
                with_block_matching: is_search,
                blended_with: None,
                posterior,
            });
        }
        let steps = stages.iter().map(|w| w.posterior.evaluations() as u64).sum();
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
            for &Stage { degradation, with_block_matching, ref blended_with, ref posterior } in &stages {
                let prior = PatchPrior { degradation, ..prior(number as u64) };
                let prior: Box<dyn Prior<f32>> =
                    if with_block_matching { Box::new(WithBlockMatching(prior)) } else { Box::new(prior) };
                x = posterior.sample(prior.as_ref(), measurement, data, &x, number as u64, &mut on_step)?;
                if let Some((other, share)) = blended_with {
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
            background: None,
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

pub(super) fn unknown_solver(name: &str) -> Error {
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

/// A part of the way to an estimate or to a sample.
struct Stage<'a> {
    /// What the prior is told.
    degradation: &'a Degradation,
    /// Whether the network's answer is blended with that of a block-matching filter.
    with_block_matching: bool,
    /// What its result is blended with, and the weight of the result.
    blended_with: Option<(Vec<f32>, f32)>,
    posterior: Posterior,
}
