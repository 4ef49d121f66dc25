//! The loss of the prior: noised patches of real and synthetic scans in, distance from the clean ones out.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::train::{Loss, Objective};
use unmelt_diffusion::{Layout, Noise, Stream, Weights};

use crate::intensity::{Scaling, centre, foreground};
use crate::prior::{PatchPlace, VolumeModel, patches_tensor};
use crate::synthesize::{Draw, LabelMap, Synthesis, Window};
use crate::{Error, Result, Volume};

const PATCH: u16 = 300;
const NOISE: u16 = 301;
const SIZE: u16 = 302;

/// What a step is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PatchSampling {
    /// Edges of the patches, in voxels; a step draws one of them.
    pub sizes: Vec<usize>,
    /// Voxels of a step, about: the larger the patches, the fewer.
    pub voxels: usize,
    /// Part of the patches that come from real volumes, where there are label maps too.
    pub real: f64,
    /// Median of the noise levels, in units of the robust range.
    pub sigma_median: f64,
    /// Standard deviation of their logarithm.
    pub sigma_spread: f64,
}

impl Default for PatchSampling {
    fn default() -> Self {
        Self {
            sizes: vec![32, 32, 48],
            voxels: 6 * 32 * 32 * 32,
            real: 0.6,
            sigma_median: 0.12,
            sigma_spread: 1.2,
        }
    }
}

/// A real scan in the prior's intensities.
struct Scan {
    voxels: Vec<f32>,
    shape: [usize; 3],
    /// Millimetres per voxel along right, front and top.
    spacing: [f64; 3],
    centre: [f64; 3],
    inside: Vec<u32>,
}

impl Scan {
    fn of(volume: &Volume) -> Option<Self> {
        let scaling = Scaling::of(&volume.voxels)?;
        let marked = foreground(&volume.voxels);
        let inside = (0..marked.len() as u32).filter(|k| marked[*k as usize]).collect();
        Some(Self {
            voxels: scaling.apply(&volume.voxels).into_iter().map(|v| v.max(0.0)).collect(),
            shape: volume.grid.shape,
            spacing: volume.grid.spacing(),
            centre: centre(&marked, volume.grid.shape),
            inside,
        })
    }

    fn window(&self, window: Window) -> Vec<f32> {
        let [nx, ny, nz] = self.shape.map(|n| n as i64);
        let mut out = Vec::with_capacity(window.shape.iter().product());
        for z in 0..window.shape[2] as i64 {
            for y in 0..window.shape[1] as i64 {
                for x in 0..window.shape[0] as i64 {
                    let (i, j, k) = (window.start[0] + x, window.start[1] + y, window.start[2] + z);
                    let inside = (0..nx).contains(&i) && (0..ny).contains(&j) && (0..nz).contains(&k);
                    out.push(if inside { self.voxels[((k * ny + j) * nx + i) as usize] } else { 0.0 });
                }
            }
        }
        out
    }
}

/// A clean patch with its place.
struct Patch {
    voxels: Vec<f32>,
    place: PatchPlace,
}

/// Training of a prior on real volumes, label maps or both.
pub struct PatchObjective {
    model: VolumeModel,
    scans: Vec<Scan>,
    maps: Vec<LabelMap>,
    sampling: PatchSampling,
    noise: Noise,
}

impl PatchObjective {
    /// An objective; volumes that are constant are left out.
    pub fn new(
        model: &VolumeModel,
        scans: &[Volume],
        maps: Vec<LabelMap>,
        sampling: PatchSampling,
        seed: u64,
    ) -> Result<Self> {
        let scans: Vec<Scan> = scans.iter().filter_map(Scan::of).collect();
        if scans.is_empty() && maps.is_empty() {
            return Err(Error::Request("there is no volume and no label map to train on".into()));
        }
        let grain = model.granularity();
        if sampling.sizes.is_empty() || sampling.sizes.iter().any(|s| *s == 0 || !s.is_multiple_of(grain)) {
            return Err(Error::Request(format!("the sizes of patches must be multiples of {grain}")));
        }
        Ok(Self { model: model.clone(), scans, maps, sampling, noise: Noise::new(seed) })
    }

    /// Patch number `k` of the whole training.
    fn patch(&self, k: u64, size: usize) -> Patch {
        let mut draw = Draw::new(self.noise, k, PATCH);
        let real = self.maps.is_empty() || !self.scans.is_empty() && draw.unit() < self.sampling.real;
        let shape = [size; 3];
        let half = size as i64 / 2;
        let around = |at: [usize; 3], draw: &mut Draw| Window {
            start: at.map(|i| i as i64 - half + (draw.between(-0.4, 0.4) * size as f64) as i64),
            shape,
        };
        let anywhere = |n: [usize; 3], draw: &mut Draw| n.map(|n| draw.below(n));
        if real {
            let scan = &self.scans[draw.below(self.scans.len())];
            let [nx, ny, _] = scan.shape;
            let at = if draw.unit() < 0.9 {
                let k = scan.inside[draw.below(scan.inside.len())] as usize;
                [k % nx, k / nx % ny, k / (nx * ny)]
            } else {
                anywhere(scan.shape, &mut draw)
            };
            let window = around(at, &mut draw);
            let mut voxels = scan.window(window);
            let (gain, gamma) = (draw.between(0.8, 1.1) as f32, (0.15 * draw.normal()).exp() as f32);
            voxels.iter_mut().for_each(|v| *v = gain * v.powf(gamma));
            return self.placed(voxels, window, scan.centre, scan.spacing, &mut draw);
        }
        let map = &self.maps[draw.below(self.maps.len())];
        let mut at = anywhere(map.grid.shape, &mut draw);
        for _ in 0..30 {
            if map.is_inside(at) {
                break;
            }
            at = anywhere(map.grid.shape, &mut draw);
        }
        let window = around(at, &mut draw);
        let voxels = Synthesis::new(map, self.noise, k).window(window);
        self.placed(voxels, window, map.centre(), map.grid.spacing(), &mut draw)
    }

    /// Mirrors or turns a patch at random, and says where it lies.
    fn placed(
        &self,
        voxels: Vec<f32>,
        window: Window,
        centre: [f64; 3],
        spacing: [f64; 3],
        draw: &mut Draw,
    ) -> Patch {
        let size = window.shape[0];
        let known = draw.unit() < 0.7;
        let mut axes = [0, 1, 2];
        let mut mirror = [draw.unit() < 0.5, false, false];
        if !known {
            axes = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][draw.below(6)];
            mirror = std::array::from_fn(|_| draw.unit() < 0.5);
        }
        let orientation = crate::Orientation { axes, flips: mirror };
        let voxels = orientation.gather(&voxels, [size; 3]);
        let origin = std::array::from_fn(|a| {
            let first = (window.start[a] as f64 - centre[a]) * spacing[a];
            // A mirrored head is a head: its voxels keep the places of a left-right pair.
            if mirror[a] { -(first + (size as f64 - 1.0) * spacing[a]) } else { first }
        });
        let place = if known { PatchPlace { origin, step: spacing, known } } else { PatchPlace::UNKNOWN };
        Patch { voxels, place }
    }
}

impl Objective for PatchObjective {
    fn layout(&self) -> Layout {
        self.model.network.layout()
    }

    fn loss(
        &self,
        weights: &Weights,
        step: u64,
        _part: usize,
        device: &Device,
    ) -> unmelt_diffusion::Result<Loss> {
        let sizes = &self.sampling.sizes;
        let size = sizes[Draw::new(self.noise, step, SIZE).below(sizes.len())];
        let batch = (self.sampling.voxels / size.pow(3)).max(1);
        // Numbers of patches must not depend on the sizes drawn before.
        let first = step * 1024;
        let patches: Vec<Patch> =
            (0..batch as u64).into_par_iter().map(|k| self.patch(first + k, size)).collect();
        let sigmas: Vec<f64> = (0..batch as u64)
            .map(|k| {
                let z = Draw::new(self.noise, first + k, NOISE).normal();
                let sigma = self.sampling.sigma_median * (self.sampling.sigma_spread * z).exp();
                sigma.clamp(self.model.sigma_min, self.model.sigma_max)
            })
            .collect();
        // The target of F: (clean − c_skip·noisy)/c_out, which has unit variance at every level.
        let (mut noisy, mut targets) = (Vec::new(), Vec::new());
        for (k, (patch, &sigma)) in patches.iter().zip(&sigmas).enumerate() {
            let mut x = vec![0.0f32; patch.voxels.len()];
            self.noise.normal(Stream::new(first + k as u64, NOISE, 0), &mut x);
            x.iter_mut().zip(&patch.voxels).for_each(|(n, v)| *n = *n * sigma as f32 + v);
            let (skip, out, _) = self.model.preconditioning(sigma);
            let target = |(v, x): (&f32, &f32)| ((f64::from(*v) - skip * f64::from(*x)) / out) as f32;
            targets.push(patch.voxels.iter().zip(&x).map(target).collect::<Vec<_>>());
            noisy.push(x);
        }
        let places: Vec<PatchPlace> = patches.iter().map(|p| p.place).collect();
        let on_device = device.clone().inner();
        let x = patches_tensor(&noisy, [size; 3], &on_device);
        let output = self.model.network_output(weights, x, &places, &sigmas).map_err(Error::into_core)?;
        let target = patches_tensor(&targets, [size; 3], &on_device);
        let square = (output - target).powi_scalar(2);
        let per_patch: Tensor<1> = square.reshape([batch, size.pow(3)]).mean_dim(1).reshape([batch]);
        let low: Vec<f32> = sigmas.iter().map(|s| f32::from(u8::from(*s < 0.1))).collect();
        let share = low.iter().sum::<f32>().max(1.0);
        let low = Tensor::<1>::from_data(TensorData::new(low, [batch]), &on_device);
        let fine = (per_patch.clone() * low).sum() / share;
        Ok(Loss { total: per_patch.mean(), parts: vec![("fine", fine)], samples: batch as u64 })
    }
}
