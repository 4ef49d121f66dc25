//! What a task asks, in the prior's units: measurement, data, first guess and what is wrong with it.

use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::job::CancelToken;
use unmelt_diffusion::measurement::Measurement;

use crate::classical::filling::{THOROUGH, fill, settled};
use crate::classical::interpolate::back_projected;
use crate::classical::rician::{self, Estimate, InverseMean};
use crate::enhance::memory;
use crate::enhance::settings::{EnhanceSettings, Enhanced};
use crate::field::intensity::{Scaling, centre, foreground};
use crate::measurement::{Identity, Mask, Profile, Slices, missing_level};
use crate::prior::Degradation;
use crate::prior::calibration::DEVIATIONS;
use crate::prior::patches::{Background, Partition, widened};
use crate::task::{Task, check_extension};
use crate::{Error, FieldRef, Grid, Result, Volume};

/// The first steps of a search, in which the prior is conditioned on the degradation of the first estimate, which it was trained on.
#[derive(Clone)]
pub(crate) struct WarmStart {
    pub degradation: Degradation,
    /// Levels of it, the last and the first.
    pub levels: [f64; 2],
    pub steps: usize,
    /// Level of noise that the search goes on with.
    pub then: f64,
    /// Steps that it goes on for, if more do harm.
    pub at_most: Option<usize>,
    /// Whether the network's answer is blended with that of a block-matching filter here too.
    pub with_block_matching: bool,
    /// Weight of its result where it is averaged with a converged filling.
    pub weight_beside_filling: Option<f32>,
}

impl WarmStart {
    /// Two steps without block matching, trusted alone.
    fn new(degradation: Degradation, levels: [f64; 2], then: f64) -> Self {
        Self {
            degradation,
            levels,
            steps: 2,
            then,
            at_most: None,
            with_block_matching: false,
            weight_beside_filling: None,
        }
    }

    fn at_slices(thickness: [f64; 3]) -> Self {
        let level = Degradation::level_of_thick(thickness);
        let degradation = Degradation::Thick(thickness);
        // Blocks that are sharp along two axes say something of the third (4 and 6 mm: +0.05 to 0.24 dB); blurred along all three they
        // say nothing (−0.03 to −0.1 dB).
        let with_block_matching = thickness.iter().filter(|t| **t > 1.2).count() == 1;
        // What thick slices leave open wants a search that begins high (4 mm: 0.14 and not 0.045, +0.1 to 0.3 dB; 2 mm: 0.015).
        // Blurred along all three axes it finds little after the warm start, and goes astray: 20 steps are 0.1 dB below 6.
        let high = (17.0 * level * level).clamp(0.5 * level, 0.15);
        let (then, at_most) = if with_block_matching { (high, None) } else { (0.5 * level, Some(6)) };
        Self { at_most, with_block_matching, ..Self::new(degradation, [level; 2], then) }
    }

    fn at_holes(known: FieldRef<bool>) -> Self {
        let missing: Vec<bool> = known.values().iter().map(|k| !k).collect();
        // Far from all that is known the prior depends on where the filling began, and errs elsewhere than a filling that has settled:
        // the mean of both came out 0.3 and 0.65 dB better than either for the top of one head, half way between for another's.
        let deep = widened(known, DEEP).contains(&false);
        let weight_beside_filling = deep.then_some(0.4);
        let level = Degradation::LEVEL_OF_MISSING;
        let degradation = Degradation::Missing(missing);
        let (levels, then) = ([level; 2], 0.03);
        Self { weight_beside_filling, ..Self::new(degradation, levels, then) }
    }

    fn at_aliasing(axis: usize, level: f64) -> Self {
        let degradation = Degradation::Aliased(axis);
        let (levels, then) = ([0.6 * level, level], 0.25);
        Self::new(degradation, levels, then)
    }
}

/// A hole with voxels so far, along every axis, from what is known is deep.
const DEEP: usize = 16;

/// A task in the prior's units.
pub(crate) struct Problem {
    /// The volume to come, still without voxels of its own.
    pub target: Volume,
    pub scaling: Scaling,
    pub measurement: Box<dyn Measurement<f32>>,
    pub data: Vec<f32>,
    pub start: Vec<f32>,
    /// Where nothing is to be found out: the empty surroundings of thick slices, and what is known around holes.
    pub background: Option<Background>,
    pub centre: Option<[f64; 3]>,
    pub noise: Option<Estimate>,
    /// How much is wrong with the volume, as [`Calibration::severity`](crate::prior::calibration::Calibration) says it.
    pub severity: f64,
    /// The degradation of the first estimate that the prior was trained on, if any.
    pub warm_start: Option<WarmStart>,
    /// Voxels that must come out as they went in, with the volume's own values.
    pub kept: Option<(Vec<bool>, Vec<f32>)>,
}

impl Problem {
    pub fn new(volume: &Volume, task: &Task, cancel: &CancelToken) -> Result<Self> {
        let per_voxel = memory::per_voxel(task.kind());
        // Tasks with another grid than the volume's look at that too.
        if !matches!(task, Task::SuperResolve { .. } | Task::Outpaint { .. }) {
            memory::check(&volume.grid, per_voxel)?;
        }
        let known: Vec<f32> = match task {
            Task::Inpaint { missing } => {
                check_mask(missing, volume)?;
                volume.voxels.iter().zip(missing).filter(|(_, m)| !**m).map(|(v, _)| *v).collect()
            }
            Task::KSpace { measurement, data } => {
                let measurement = measurement.clone().until(cancel);
                measurement.project(&vec![0.0; volume.voxels.len()], data)
            }
            _ => volume.voxels.clone(),
        };
        cancel.check()?;
        let scaling = Scaling::of(&known)
            .ok_or_else(|| Error::Request("the volume is constant: there is nothing to enhance".into()))?;
        let mut problem = match task {
            Task::Denoise { sigma, rician } => denoising(volume, scaling, *sigma, *rician)?,
            Task::SuperResolve { spacing, profile } => {
                super_resolution(volume, scaling, *spacing, *profile, cancel)?
            }
            Task::Inpaint { missing } => {
                let known: Vec<bool> = missing.iter().map(|m| !m).collect();
                inpainting(volume.clone(), scaling, known, cancel)
            }
            Task::Outpaint { low, high } => {
                let (wide, known) = extended(volume, *low, *high)?;
                inpainting(wide, scaling, known, cancel)
            }
            Task::KSpace { measurement, data } => {
                let data: Vec<f32> = data.iter().map(|v| (f64::from(*v) / scaling.range()) as f32).collect();
                let severity = measurement.positions_of_one_sampled();
                let measurement = measurement.in_units_of(scaling.range()).until(cancel);
                let start =
                    known.iter().map(|v| (f64::from(*v) / scaling.range()) as f32).collect::<Vec<f32>>();
                let warm_start = measurement.missing_lines().map(|(axis, lines)| {
                    let level = missing_level(FieldRef::new(&start, volume.grid.shape), axis, &lines)
                        .clamp(0.005, 0.3);
                    WarmStart::at_aliasing(axis, level)
                });
                Self {
                    target: volume.clone(),
                    scaling: Scaling { low: 0.0, high: scaling.range() },
                    background: None,
                    measurement: Box::new(measurement),
                    data,
                    start,
                    centre: None,
                    noise: None,
                    severity,
                    warm_start,
                    kept: None,
                }
            }
        };
        cancel.check()?;
        problem.centre = problem.head_centre();
        Ok(problem)
    }

    /// The middle of the head in what is known: a smooth filling goes on where a head ends.
    fn head_centre(&self) -> Option<[f64; 3]> {
        let mut marked = foreground(&self.start);
        if let Some((known, _)) = &self.kept {
            marked.iter_mut().zip(known).for_each(|(m, known)| *m &= known);
        }
        let grid = &self.target.grid;
        spans_a_head(&marked, grid).then(|| centre(FieldRef::new(&marked, grid.shape)))
    }

    /// The filling of holes that has settled, if there are holes.
    pub fn settled(&self, cancel: &CancelToken) -> Option<Vec<f32>> {
        let data = FieldRef::new(&self.data, self.target.grid.shape);
        self.kept.as_ref().map(|(known, _)| settled(data, known, THOROUGH, cancel).into_values())
    }

    /// How the volume is taken apart for sample `number`.
    pub fn partition(&self, settings: &EnhanceSettings, number: u64) -> Partition {
        Partition::new(self.target.grid, self.centre, settings.halo, settings.seed, number)
    }

    /// Where a walk begins, unless told otherwise.
    pub fn sigma_max(&self, task: &Task, volume: &Volume, samples: usize) -> f64 {
        match self.noise {
            Some(noise) => (3.0 * noise.sigma / self.scaling.range()).max(0.02),
            None => task.sigma_max(&volume.grid, samples),
        }
    }

    /// What a walk ended at, without the bias of Rician noise, which no walk knows of.
    pub fn unbiased(&self, mut estimate: Vec<f32>) -> Vec<f32> {
        if let Some(noise) = self.noise.filter(|n| n.rician && n.sigma > 0.0) {
            let inverse = InverseMean::new(noise.sigma / self.scaling.range());
            estimate.iter_mut().for_each(|v| *v = inverse.at(*v));
        }
        estimate
    }

    /// The volume, with its spread times the factor that was fitted for it, if one was, and the interval of that spread.
    pub fn finish(&self, mean: Vec<f32>, deviation: Option<Vec<f32>>, factor: Option<f64>) -> Enhanced {
        let range = self.scaling.range() * factor.unwrap_or(1.0);
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
        let half = |d: &Vec<f32>| d.iter().map(|v| (f64::from(*v) * DEVIATIONS) as f32).collect();
        let half_interval = deviation.as_ref().map(half);
        Enhanced {
            volume: self.target.with_voxels(voxels),
            calibrated: deviation.is_some() && factor.is_some(),
            deviation,
            half_interval,
            noise: self.noise,
        }
    }
}

/// Whether a foreground has the size of a head; places mean nothing for others.
fn spans_a_head(marked: &[bool], grid: &Grid) -> bool {
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
    (0..3).all(|a| {
        let length = (high[a] + 1).saturating_sub(low[a].min(high[a])) as f64 * spacing[a];
        (60.0..270.0).contains(&length)
    })
}

pub(crate) fn check_mask(missing: &[bool], volume: &Volume) -> Result<()> {
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

/// Whether a grid that was asked for is one to work on, with so many bytes for each voxel.
pub(crate) fn check_size(grid: &Grid, per_voxel: u64) -> Result<()> {
    let voxels = grid.shape.into_iter().fold(1u64, |n, d| n.saturating_mul(d as u64));
    within(limits().voxels, "voxels", voxels, &format!("the volume asked for ({grid})"))?;
    memory::check(grid, per_voxel)
}

/// Noise below this part of the robust range is none.
const LEAST_NOISE: f64 = 1e-7;

fn denoising(volume: &Volume, scaling: Scaling, sigma: Option<f64>, rician: Option<bool>) -> Result<Problem> {
    if let Some(s) = sigma
        && !(s.is_finite() && s >= 0.0)
    {
        return Err(Error::Request(format!("the noise level must be a number of at least 0, but it is {s}")));
    }
    let noise = match (sigma, rician) {
        (Some(sigma), Some(rician)) => Estimate { sigma, rician },
        _ => {
            let found = rician::estimate(volume.field());
            Estimate { sigma: sigma.unwrap_or(found.sigma), rician: rician.unwrap_or(found.rician) }
        }
    };
    let data = scaling.apply(&volume.voxels);
    // Noise far below the last digit of a voxel is none.
    let level = noise.sigma / scaling.range();
    let (noise, level) =
        if level < LEAST_NOISE { (Estimate { sigma: 0.0, ..noise }, 0.0) } else { (noise, level) };
    Ok(Problem {
        target: volume.clone(),
        scaling,
        measurement: Box::new(Identity { noise: level }),
        start: data.clone(),
        background: None,
        data,
        centre: None,
        severity: level,
        noise: Some(noise),
        warm_start: None,
        kept: None,
    })
}

/// The grid of a finer spacing; what is finer already stays.
pub(crate) fn finer_grid(volume: &Volume, spacing: [f64; 3]) -> Result<Grid> {
    finer_grid_of(&volume.grid, spacing)
}

/// The same of the grid alone.
pub(crate) fn finer_grid_of(coarse: &Grid, spacing: [f64; 3]) -> Result<Grid> {
    let old = coarse.spacing();
    if let Some(wrong) = spacing.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return Err(Error::Request(format!("the wanted spacing must be above 0 mm, but it is {wrong}")));
    }
    let grid = coarse.with_spacing(std::array::from_fn(|a| spacing[a].min(old[a])));
    if grid.shape == coarse.shape {
        return Err(Error::Request(format!(
            "the volume has {:.2} × {:.2} × {:.2} mm already, which is no coarser than the spacing wanted",
            old[0], old[1], old[2]
        )));
    }
    check_size(&grid, memory::ENHANCE)?;
    Ok(grid)
}

fn super_resolution(
    volume: &Volume,
    scaling: Scaling,
    spacing: [f64; 3],
    profile: Profile,
    cancel: &CancelToken,
) -> Result<Problem> {
    let grid = finer_grid(volume, spacing)?;
    let mut measurement = Slices::new(grid.shape, volume.grid.shape, profile, 0.0).until(cancel);
    if let Some((axis, part)) = volume.slice_thickness() {
        measurement = measurement.thick(axis, part);
    }
    let data = scaling.apply(&volume.voxels);
    let start = back_projected(&measurement, FieldRef::new(&data, volume.grid.shape));
    let target = Volume { voxels: vec![0.0; grid.voxels()], grid, acquisition: volume.acquisition.clone() };
    let thickness: [f64; 3] = std::array::from_fn(|a| grid.shape[a] as f64 / volume.grid.shape[a] as f64);
    let warm_start = WarmStart::at_slices(thickness);
    cancel.check()?;
    Ok(Problem {
        target,
        scaling,
        measurement: Box::new(measurement),
        background: Some(Background::around(start.view())),
        data,
        start: start.into_values(),
        centre: None,
        noise: None,
        severity: 1.0 + thickness.iter().map(|t| (t - 1.0).max(0.0).powi(2)).sum::<f64>().sqrt(),
        warm_start: (profile == Profile::Box).then_some(warm_start),
        kept: None,
    })
}

fn inpainting(volume: Volume, scaling: Scaling, known: Vec<bool>, cancel: &CancelToken) -> Problem {
    let mut data = scaling.apply(&volume.voxels);
    data.iter_mut().zip(&known).for_each(|(v, k)| *v = if *k { *v } else { 0.0 });
    let shape = volume.grid.shape;
    let start = fill(FieldRef::new(&data, shape), &known, cancel).into_values();
    let warm_start = WarmStart::at_holes(FieldRef::new(&known, shape));
    Problem {
        scaling,
        background: Some(Background::known(&start, &known)),
        measurement: Box::new(Mask::new(known.clone(), 0.0)),
        data,
        start,
        centre: None,
        noise: None,
        severity: 1.0,
        warm_start: Some(warm_start),
        kept: Some((known, volume.voxels.clone())),
        target: volume,
    }
}

/// The volume on a wider grid, and which of its voxels are known.
pub(crate) fn extended(volume: &Volume, low: [usize; 3], high: [usize; 3]) -> Result<(Volume, Vec<bool>)> {
    check_extension(low, high)?;
    let grid = volume.grid.extended(low.map(|v| v as isize), high.map(|v| v as isize));
    check_size(&grid, memory::ENHANCE)?;
    let mut voxels = vec![0.0; grid.voxels()];
    let mut known = vec![false; grid.voxels()];
    let [nx, ny, _] = volume.grid.shape;
    for (k, row) in volume.voxels.chunks_exact(nx).enumerate() {
        let (y, z) = (k % ny + low[1], k / ny + low[2]);
        let at = (z * grid.shape[1] + y) * grid.shape[0] + low[0];
        voxels[at..at + nx].copy_from_slice(row);
        known[at..at + nx].fill(true);
    }
    Ok((Volume { voxels, grid, acquisition: volume.acquisition.clone() }, known))
}
