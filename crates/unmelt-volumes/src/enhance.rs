//! Every enhancement of a volume, from one prior: a measurement for each task, a solver for all.

use burn::tensor::Device;
use unmelt_diffusion::Weights;
use unmelt_diffusion::checkpoint::ModelFiles;
use unmelt_diffusion::measurement::Measurement;
use unmelt_diffusion::posterior::{Posterior, PosteriorSolver, Prior};

use crate::intensity::{Scaling, centre, foreground};
use crate::measurement::{Fourier, Identity, Mask, Profile, Slices};
use crate::patches::{Partition, PatchPrior, Quiet};
use crate::rician::{self, BiasTable, Estimate};
use crate::{Error, Grid, Result, Source, Volume, VolumeModel};

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
    fn sigma_max(&self, grid: &Grid, samples: usize) -> f64 {
        match self {
            Self::Denoise { .. } => 0.1,
            Self::SuperResolve { spacing, .. } => {
                let old = grid.spacing();
                // About what cubic interpolation gets wrong.
                let ratio = (0..3).map(|a| old[a] / spacing[a]).fold(1.0, f64::max);
                (0.01 * (ratio - 1.0).powi(2)).clamp(0.02, 0.25)
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
    /// Solver: one of [`PosteriorSolver::NAMES`]; if not given hqs for a single estimate, diffpir for samples.
    pub solver: Option<String>,
    /// Steps of the walk.
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
        Self { solver: None, steps: 20, seed: 0, samples: 1, sigma_max: None, sigma_min: 0.01, halo: 4 }
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
    model: VolumeModel,
    weights: Weights,
    device: Device,
    /// Name and version for records.
    pub name: String,
}

impl Enhancer {
    /// Loads a model.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self> {
        let card = files.card::<VolumeModel>()?;
        card.model.check()?;
        let weights = files.weights(&card, device)?;
        weights.check(&card.model.network.layout())?;
        Ok(Self { model: card.model, weights, device: device.clone(), name: card.name })
    }

    /// The model.
    pub fn model(&self) -> &VolumeModel {
        &self.model
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
        if let Task::Denoise { .. } = task
            && settings.samples == 1
        {
            return self.denoise_once(&problem, settings, tick);
        }
        let quiet = problem.quiet(task);
        let prior = |number: u64| PatchPrior {
            model: &self.model,
            weights: &self.weights,
            device: &self.device,
            partition: problem.partition(settings, number),
            quiet: quiet.as_ref(),
        };
        let single = settings.samples == 1;
        let name = settings.solver.as_deref().unwrap_or(if single { "hqs" } else { "diffpir" });
        let solver = PosteriorSolver::from_name(name, single).ok_or_else(|| {
            let known = PosteriorSolver::NAMES.join(", ");
            Error::Request(format!("\"{name}\" is no solver; use one of: {known}"))
        })?;
        let top = settings.sigma_max.unwrap_or_else(|| problem.sigma_max(task, volume, settings.samples));
        let range = [settings.sigma_min.min(top), top];
        let walk = Posterior::new(solver, settings.steps, range, settings.seed)?;
        let mut moments = Moments::default();
        for number in 0..settings.samples {
            let mut step = 0;
            let mut on_step = || {
                step += 1;
                let steps = walk.evaluations();
                tick(Progress { sample: number + 1, samples: settings.samples, step, steps })
            };
            let prior = prior(number as u64);
            let (measurement, data) = (problem.measurement.as_ref(), &problem.data);
            let x = walk.sample(&prior, measurement, data, &problem.start, number as u64, &mut on_step)?;
            moments.add(x);
        }
        let (mean, deviation) = moments.finish();
        let factor = self.model.interval_scale.get(task.name()).copied().unwrap_or(1.0);
        Ok(problem.finish(task, mean, deviation, factor))
    }

    /// The posterior mean of Gaussian noise is one evaluation; Rician noise has a bias, which is taken from the data
    /// and the rest denoised again.
    fn denoise_once(
        &self,
        problem: &Problem,
        settings: &EnhanceSettings,
        tick: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Enhanced> {
        let Some(noise) = problem.noise else {
            return Err(Error::Request("there is no noise to take away".into()));
        };
        let sigma = noise.sigma / problem.scaling.range();
        let prior = PatchPrior {
            model: &self.model,
            weights: &self.weights,
            device: &self.device,
            partition: problem.partition(settings, 0),
            quiet: None,
        };
        let steps = if noise.sigma == 0.0 {
            0
        } else if noise.rician {
            2
        } else {
            1
        };
        let mut x = problem.data.clone();
        let mut bias: Option<BiasTable> = None;
        for step in 0..steps {
            let unbiased: Vec<f32> = match &bias {
                None => problem.data.clone(),
                Some(table) => problem.data.iter().zip(&x).map(|(y, x)| y - table.at(*x)).collect(),
            };
            x = prior.denoise(&unbiased, sigma, step)?;
            if noise.rician && bias.is_none() {
                let table = BiasTable::new(sigma);
                let inverse = InverseMean::new(sigma);
                x.iter_mut().for_each(|v| *v = inverse.at(*v));
                bias = Some(table);
            }
            if !tick(Progress { sample: 1, samples: 1, step: step + 1, steps }) {
                return Err(unmelt_diffusion::Error::Stopped.into());
            }
        }
        if noise.rician {
            x.iter_mut().for_each(|v| *v = v.max(0.0));
        }
        let voxels = problem.scaling.invert(&x);
        let volume = problem.target.with_voxels(voxels);
        Ok(Enhanced { volume, deviation: None, half_interval: None, noise: Some(noise) })
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
            model: &self.model,
            weights: &self.weights,
            device: &self.device,
            partition: Partition::new(grid, Some(middle), settings.halo, settings.seed, 0),
            quiet: None,
        };
        let nothing = Mask::new(vec![false; grid.voxels()], 0.0);
        let zeros = vec![0.0; grid.voxels()];
        let range = [settings.sigma_min, self.model.sigma_max.min(5.0)];
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

fn check_settings(settings: &EnhanceSettings) -> Result<()> {
    let fault = |text: &str| Err(Error::Request(text.into()));
    if settings.samples == 0 || settings.steps == 0 {
        return fault("samples and steps must be at least 1");
    }
    if settings.sigma_max.is_some_and(|s| !(s.is_finite() && s > 0.0)) {
        return fault("the highest noise level must be a number above 0");
    }
    Ok(())
}

/// A task in the prior's units.
struct Problem {
    /// The volume to come, still without voxels of its own.
    target: Volume,
    scaling: Scaling,
    measurement: Box<dyn Measurement<f32>>,
    data: Vec<f32>,
    start: Vec<f32>,
    centre: Option<[f64; 3]>,
    noise: Option<Estimate>,
    /// Voxels that must come out as they went in, with the volume's own values.
    kept: Option<(Vec<bool>, Vec<f32>)>,
}

impl Problem {
    fn new(volume: &Volume, task: &Task) -> Result<Self> {
        let known: Vec<f32> = match task {
            Task::Inpaint { missing } => {
                check_mask(missing, volume)?;
                volume.voxels.iter().zip(missing).filter(|(_, m)| !**m).map(|(v, _)| *v).collect()
            }
            Task::KSpace { measurement, data } => measurement.adjoint(data),
            _ => volume.voxels.clone(),
        };
        let scaling = Scaling::of(&known)
            .ok_or_else(|| Error::Request("the volume is constant: there is nothing to enhance".into()))?;
        let mut problem = match task {
            Task::Denoise { sigma, rician } => denoising(volume, scaling, *sigma, *rician)?,
            Task::SuperResolve { spacing, profile } => super_resolution(volume, scaling, *spacing, *profile)?,
            Task::Inpaint { missing } => {
                let known: Vec<bool> = missing.iter().map(|m| !m).collect();
                inpainting(volume.clone(), scaling, known)
            }
            Task::Outpaint { low, high } => {
                let (wide, known) = extended(volume, *low, *high)?;
                inpainting(wide, scaling, known)
            }
            Task::KSpace { measurement, data } => {
                let data: Vec<f32> = data.iter().map(|v| (f64::from(*v) / scaling.range()) as f32).collect();
                let start = measurement.adjoint(&data);
                Self {
                    target: volume.clone(),
                    scaling: Scaling { low: 0.0, high: scaling.range() },
                    measurement: Box::new(measurement.in_units_of(scaling.range())),
                    data,
                    start,
                    centre: None,
                    noise: None,
                    kept: None,
                }
            }
        };
        let marked = foreground(&problem.start);
        problem.centre = head_centre(&marked, &problem.target.grid);
        Ok(problem)
    }

    fn partition(&self, settings: &EnhanceSettings, number: u64) -> Partition {
        Partition::new(self.target.grid, self.centre, settings.halo, settings.seed, number)
    }

    /// The empty surroundings of what is to be seen, where the data say so.
    fn quiet(&self, task: &Task) -> Option<Quiet> {
        let unknown: Option<Vec<bool>> = match task {
            Task::SuperResolve { .. } => None,
            Task::Inpaint { missing } => Some(missing.clone()),
            _ => return None,
        };
        Some(Quiet::of(&self.start, unknown.as_deref(), self.target.grid.shape))
    }

    fn sigma_max(&self, task: &Task, volume: &Volume, samples: usize) -> f64 {
        match self.noise {
            Some(noise) => (3.0 * noise.sigma / self.scaling.range()).max(0.02),
            None => task.sigma_max(&volume.grid, samples),
        }
    }

    fn finish(&self, task: &Task, mean: Vec<f32>, deviation: Option<Vec<f32>>, factor: f64) -> Enhanced {
        let range = self.scaling.range();
        let mut voxels = self.scaling.invert(&mean);
        let mut deviation: Option<Vec<f32>> =
            deviation.map(|d| d.into_iter().map(|v| (f64::from(v) * range) as f32).collect());
        if let Some((kept, values)) = &self.kept {
            for k in (0..kept.len()).filter(|k| kept[*k]) {
                voxels[k] = values[k];
                if let Some(d) = &mut deviation {
                    d[k] = 0.0;
                }
            }
        }
        if matches!(task, Task::Denoise { .. }) && self.noise.is_some_and(|n| n.rician) {
            let inverse = InverseMean::new(self.noise.map_or(0.0, |n| n.sigma));
            voxels.iter_mut().for_each(|v| *v = inverse.at(*v));
        }
        // 1.645 standard deviations hold 90 % of a normal distribution; the factor is fitted on held-back scans.
        let half = |d: &Vec<f32>| d.iter().map(|v| (f64::from(*v) * 1.644_854 * factor) as f32).collect();
        let half_interval = deviation.as_ref().map(half);
        Enhanced { volume: self.target.with_voxels(voxels), deviation, half_interval, noise: self.noise }
    }
}

/// The middle of a foreground that has the size of a head; places mean nothing for others.
fn head_centre(marked: &[bool], grid: &Grid) -> Option<[f64; 3]> {
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    for (k, _) in marked.iter().enumerate().filter(|(_, m)| **m) {
        let [nx, ny, _] = grid.shape;
        let index = [k % nx, k / nx % ny, k / (nx * ny)];
        for a in 0..3 {
            low[a] = low[a].min(index[a]);
            high[a] = high[a].max(index[a]);
        }
    }
    let spacing = grid.spacing();
    let head = (0..3).all(|a| {
        let length = (high[a] + 1).saturating_sub(low[a].min(high[a])) as f64 * spacing[a];
        (60.0..270.0).contains(&length)
    });
    head.then(|| centre(marked, grid.shape))
}

fn check_mask(missing: &[bool], volume: &Volume) -> Result<()> {
    if missing.len() != volume.voxels.len() {
        return Err(Error::Request("the mask lies on another grid than the volume".into()));
    }
    let count = missing.iter().filter(|m| **m).count();
    if count == 0 {
        return Err(Error::Request("the mask is empty: no voxel is marked as missing".into()));
    }
    if count == missing.len() {
        return Err(Error::Request("the mask marks every voxel: nothing is left to start from".into()));
    }
    Ok(())
}

fn denoising(volume: &Volume, scaling: Scaling, sigma: Option<f64>, rician: Option<bool>) -> Result<Problem> {
    if let Some(s) = sigma
        && !(s.is_finite() && s >= 0.0)
    {
        return Err(Error::Request(format!("the noise level must be a number of at least 0, but it is {s}")));
    }
    let mut noise = rician::estimate(&volume.voxels, volume.grid.shape);
    noise.sigma = sigma.unwrap_or(noise.sigma);
    noise.rician = rician.unwrap_or(noise.rician);
    let data = scaling.apply(&volume.voxels);
    let level = noise.sigma / scaling.range();
    Ok(Problem {
        target: volume.clone(),
        scaling,
        measurement: Box::new(Identity { noise: level }),
        start: data.clone(),
        data,
        centre: None,
        noise: Some(noise),
        kept: None,
    })
}

fn super_resolution(
    volume: &Volume,
    scaling: Scaling,
    spacing: [f64; 3],
    profile: Profile,
) -> Result<Problem> {
    let old = volume.grid.spacing();
    for a in 0..3 {
        if !(spacing[a].is_finite() && spacing[a] > 0.0) {
            let text = format!("the wanted spacing must be above 0 mm, but it is {}", spacing[a]);
            return Err(Error::Request(text));
        }
    }
    // What is finer already stays.
    let spacing: [f64; 3] = std::array::from_fn(|a| spacing[a].min(old[a]));
    let grid = volume.grid.with_spacing(spacing);
    if grid.shape == volume.grid.shape {
        return Err(Error::Request(format!(
            "the volume has {:.2} × {:.2} × {:.2} mm already, which is no coarser than the spacing wanted",
            old[0], old[1], old[2]
        )));
    }
    if grid.voxels() > 1 << 30 {
        return Err(Error::Request(format!(
            "the wanted spacing makes {} × {} × {} voxels, more than fit",
            grid.shape[0], grid.shape[1], grid.shape[2]
        )));
    }
    let measurement = Slices::new(grid.shape, volume.grid.shape, profile, 0.0);
    let data = scaling.apply(&volume.voxels);
    let start = back_projected(&measurement, &data, volume.grid.shape, grid.shape);
    let target = Volume { voxels: vec![0.0; grid.voxels()], grid, source: volume.source.clone() };
    Ok(Problem {
        target,
        scaling,
        measurement: Box::new(measurement),
        data,
        start,
        centre: None,
        noise: None,
        kept: None,
    })
}

/// Iterations of back-projection.
const BACK_PROJECTIONS: usize = 10;

/// Cubic interpolation whose averages are brought to the data (Irani & Peleg 1991).
fn back_projected(measurement: &Slices, data: &[f32], coarse: [usize; 3], fine: [usize; 3]) -> Vec<f32> {
    let up = |x: &[f32]| crate::interpolate::resample(x, coarse, fine);
    let mut x = up(data);
    for _ in 0..BACK_PROJECTIONS {
        let missing: Vec<f32> = measurement.forward(&x).iter().zip(data).map(|(a, y)| y - a).collect();
        x.iter_mut().zip(up(&missing)).for_each(|(x, m)| *x += m);
    }
    x
}

fn inpainting(volume: Volume, scaling: Scaling, known: Vec<bool>) -> Problem {
    let mut data = scaling.apply(&volume.voxels);
    data.iter_mut().zip(&known).for_each(|(v, k)| *v = if *k { *v } else { 0.0 });
    let start = crate::interpolate::fill(&data, &known, volume.grid.shape);
    Problem {
        scaling,
        measurement: Box::new(Mask::new(known.clone(), 0.0)),
        data,
        start,
        centre: None,
        noise: None,
        kept: Some((known, volume.voxels.clone())),
        target: volume,
    }
}

/// The volume on a wider grid, and which of its voxels are known.
fn extended(volume: &Volume, low: [usize; 3], high: [usize; 3]) -> Result<(Volume, Vec<bool>)> {
    if low == [0; 3] && high == [0; 3] {
        return Err(Error::Request("nothing is to be added to the field of view".into()));
    }
    if (0..3).any(|a| low[a] + high[a] > 4096) {
        return Err(Error::Request("the field of view cannot grow by more than 4096 voxels".into()));
    }
    let grid = volume.grid.extended(low.map(|v| v as isize), high.map(|v| v as isize));
    let mut voxels = vec![0.0; grid.voxels()];
    let mut known = vec![false; grid.voxels()];
    let [nx, ny, _] = volume.grid.shape;
    for (k, row) in volume.voxels.chunks_exact(nx).enumerate() {
        let (y, z) = (k % ny + low[1], k / ny + low[2]);
        let at = (z * grid.shape[1] + y) * grid.shape[0] + low[0];
        voxels[at..at + nx].copy_from_slice(row);
        known[at..at + nx].fill(true);
    }
    let source: Source = volume.source.clone();
    Ok((Volume { voxels, grid, source }, known))
}

/// The signal behind a Rician mean, tabulated.
struct InverseMean {
    sigma: f64,
    table: Vec<f32>,
}

impl InverseMean {
    fn new(sigma: f64) -> Self {
        let table = (0..64 * 16).map(|k| rician::signal_of_mean(k as f64 / 64.0 * sigma, sigma) as f32);
        Self { sigma, table: table.collect() }
    }

    fn at(&self, magnitude: f32) -> f32 {
        let place = f64::from(magnitude.max(0.0)) / self.sigma * 64.0;
        match self.table.get(place as usize..place as usize + 2) {
            Some(pair) => pair[0] + (place.fract() as f32) * (pair[1] - pair[0]),
            None => magnitude - (self.sigma * self.sigma) as f32 / (2.0 * magnitude),
        }
    }
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
