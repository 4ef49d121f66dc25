//! Every enhancement of a volume, from one prior: a measurement for each task, a solver for all.

use burn::tensor::Device;
use unmelt_diffusion::Weights;
use unmelt_diffusion::checkpoint::{Card, ModelFiles};
use unmelt_diffusion::posterior::{Posterior, PosteriorSolver, Prior};

use crate::denoise::denoise;
use crate::measurement::{Fourier, Mask, Profile};
use crate::patches::{Partition, PatchPrior};
use crate::prior::Degradation;
use crate::problem::Problem;
use crate::rician::Estimate;
use crate::seconded::Seconded;
use crate::{Error, Grid, Result, Volume, VolumeModel};

/// What to do with a volume.
#[derive(Clone)]
pub enum Task {
    /// Take noise away; its standard deviation in the scan's units, estimated if not given.
    Denoise {
        /// Standard deviation of the noise.
        sigma: Option<f64>,
        /// Whether it is Rician; estimated if not given.
        rician: Option<bool>,
    },
    /// Resolve a finer grid along the same axes.
    SuperResolve {
        /// Wanted spacing in mm.
        spacing: [f64; 3],
        /// How the scan's voxels weigh what they cover.
        profile: Profile,
    },
    /// Fill the marked voxels; the others stay bit for bit.
    Inpaint {
        /// True where a voxel is missing.
        missing: Vec<bool>,
    },
    /// Extend the field of view by voxels at the low and the high end of right, front and top.
    Outpaint {
        /// Voxels added at the left, the back and the bottom.
        low: [usize; 3],
        /// Voxels added at the right, the front and the top.
        high: [usize; 3],
    },
    /// Reconstruct from undersampled k-space; the volume given is where the result goes.
    KSpace {
        /// The sampling, in units of the data.
        measurement: Fourier,
        /// The data.
        data: Vec<f32>,
    },
}

impl Task {
    /// The name on a command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Denoise { .. } => "denoise",
            Self::SuperResolve { .. } => "super-resolve",
            Self::Inpaint { .. } => "inpaint",
            Self::Outpaint { .. } => "outpaint",
            Self::KSpace { .. } => "kspace",
        }
    }

    /// Where the walk begins, in units of the robust range: high enough for what the data leave open.
    pub(crate) fn sigma_max(&self, grid: &Grid, samples: usize) -> f64 {
        match self {
            Self::Denoise { .. } => 0.1,
            Self::SuperResolve { spacing, .. } => {
                let old = grid.spacing();
                // About what interpolation gets wrong: little is left to decide above that.
                let wrong: f64 = (0..3).map(|a| (old[a] / spacing[a] - 1.0).max(0.0).powi(2)).sum();
                (0.01 * wrong).clamp(0.01, 0.15)
            }
            // The biharmonic filling is refined; samples must forget it.
            Self::Inpaint { .. } if samples == 1 => 0.02,
            Self::Inpaint { .. } => 1.0,
            Self::Outpaint { .. } => 1.0,
            Self::KSpace { .. } => 0.6,
        }
    }
}

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
    /// Standard deviation of the samples, where there are several.
    pub deviation: Option<Vec<f32>>,
    /// Half the width of the 90 % interval, where there are several.
    pub half_interval: Option<Vec<f32>>,
    /// The noise that was assumed, for denoising, in the scan's units.
    pub noise: Option<Estimate>,
}

/// What happens on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Sample at work, from 1.
    pub sample: usize,
    /// Of so many.
    pub samples: usize,
    /// Evaluations of the prior done for this sample.
    pub step: usize,
    /// Of so many.
    pub steps: usize,
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
        card.model.check()?;
        let weights = files.weights(&card, device)?;
        weights.check(&card.model.layout())?;
        Ok(Self { card, weights, device: device.clone() })
    }

    /// The model's card.
    pub fn card(&self) -> &Card<VolumeModel> {
        &self.card
    }

    /// The model's name, for records.
    pub fn name(&self) -> &str {
        &self.card.name
    }

    /// Enhances a volume; `tick` hears of every evaluation and may stop the work by returning false.
    pub fn enhance(
        &self,
        volume: &Volume,
        task: &Task,
        settings: &EnhanceSettings,
        tick: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Enhanced> {
        check_settings(settings)?;
        let problem = Problem::new(volume, task)?;
        let prior = |number: u64| PatchPrior {
            model: &self.card.model,
            weights: &self.weights,
            device: &self.device,
            partition: problem.partition(settings, number),
            quiet: problem.quiet.as_ref(),
            degradation: &Degradation::Gaussian,
        };
        let single = settings.samples == 1;
        if single
            && settings.solver.is_none()
            && let Some(noise) = problem.noise
        {
            let sigma = noise.sigma / problem.scaling.range();
            let degradation = if noise.rician { &Degradation::Rician } else { &Degradation::Gaussian };
            let prior = PatchPrior { degradation, ..prior(0) };
            let estimate = denoise(&problem.data, sigma, &prior, tick)?;
            return Ok(problem.finish(estimate, None, 1.0));
        }
        let name = settings.solver.as_deref().unwrap_or(if single { "hqs" } else { "diffpir" });
        let solver = PosteriorSolver::from_name(name, single).ok_or_else(|| unknown_solver(name))?;
        let is_search = matches!(solver, PosteriorSolver::Hqs { .. });
        let look = problem.look.as_ref().filter(|_| is_search && settings.sigma_max.is_none());
        let top = settings.sigma_max.or(look.map(|l| l.then));
        let top = top.unwrap_or_else(|| problem.sigma_max(task, volume, settings.samples));
        let range = [settings.sigma_min.min(top), top];
        let looks = look.map_or(0, |l| l.steps.min(settings.steps));
        let rest = (settings.steps - looks).min(look.and_then(|l| l.at_most).unwrap_or(usize::MAX));
        let mut walks = Vec::new();
        if let Some(look) = look {
            let posterior = Posterior::new(solver, looks, look.levels, settings.seed)?;
            let beside = look.beside_settled.and_then(|share| Some((problem.settled()?, share)));
            let (degradation, seconded) = (&look.degradation, look.seconded);
            walks.push(Walk { degradation, seconded, beside, posterior });
        }
        if rest > 0 {
            let posterior = Posterior::new(solver, rest, range, settings.seed)?;
            walks.push(Walk {
                degradation: &Degradation::Gaussian,
                seconded: is_search,
                beside: None,
                posterior,
            });
        }
        let steps = walks.iter().map(|w| w.posterior.evaluations()).sum();
        let mut moments = Moments::default();
        for number in 0..settings.samples {
            let mut step = 0;
            let mut on_step = || {
                step += 1;
                tick(Progress { sample: number + 1, samples: settings.samples, step, steps })
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
        let factor = self.card.model.interval_scale.get(task.name()).copied().unwrap_or(1.0);
        Ok(problem.finish(problem.unbiased(mean), deviation, factor))
    }

    /// Draws a volume from the prior alone, in units of the robust range.
    pub fn generate(
        &self,
        grid: Grid,
        settings: &EnhanceSettings,
        tick: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Volume> {
        check_settings(settings)?;
        let middle = grid.shape.map(|n| 0.5 * (n as f64 - 1.0));
        let prior = PatchPrior {
            model: &self.card.model,
            weights: &self.weights,
            device: &self.device,
            partition: Partition::new(grid, Some(middle), settings.halo, settings.seed, 0),
            quiet: None,
            degradation: &Degradation::Gaussian,
        };
        let nothing = Mask::new(vec![false; grid.voxels()], 0.0);
        let zeros = vec![0.0; grid.voxels()];
        let range = [settings.sigma_min, self.card.model.sigma_max.min(5.0)];
        let solver = PosteriorSolver::DiffPir { lambda: 1.0, zeta: 0.5 };
        let walk = Posterior::new(solver, settings.steps, range, settings.seed)?;
        let mut step = 0;
        let mut on_step = || {
            step += 1;
            tick(Progress { sample: 1, samples: 1, step, steps: settings.steps })
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

fn check_settings(settings: &EnhanceSettings) -> Result<()> {
    let fault = |text: &str| Err(Error::Request(text.into()));
    if settings.samples == 0 || settings.steps == 0 {
        return fault("samples and steps must be at least 1");
    }
    let is_level = |s: f64| s.is_finite() && s > 0.0;
    if !settings.sigma_max.is_none_or(is_level) {
        return fault("the highest noise level must be a number above 0");
    }
    if !is_level(settings.sigma_min) {
        return fault("the lowest noise level must be a number above 0");
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
