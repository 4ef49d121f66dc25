//! The prior of whole volumes, a patch at a time: memory for one patch, whatever the volume.
//!
//! The partition's offset is drawn afresh at every step of a walk (Hu et al. 2024, "Learning image priors through
//! patch-based diffusion models"), so that edges of patches never lie in the same place twice. Each patch also sees
//! a halo around the voxels that it answers for, and the volume reflected behind its edges.

use burn::tensor::Device;
use unmelt_diffusion::job::CancelToken;
use unmelt_diffusion::posterior::Prior;
use unmelt_diffusion::{Noise, Stream, Weights};

use crate::classical::interpolate::mirrored;
use crate::field::convolve::convolve_axis;
use crate::prior::{Degradation, PatchCondition, PatchPlace, VolumeModel, patches_tensor, tensor_patches};
use crate::{FieldRef, Grid, Result};

/// Purpose of the noise that offsets come from.
const OFFSET: u16 = 310;

/// Shortest edge of a patch where the volume is longer: the network was trained on this size and above.
const LEAST_PATCH: usize = 32;

/// Where volumes of one grid lie, and how they are taken apart.
#[derive(Clone, Debug)]
pub struct Partition {
    grid: Grid,
    centre: [f64; 3],
    known: bool,
    halo: usize,
    noise: Noise,
    number: u64,
}

impl Partition {
    /// For a grid whose foreground has its middle at index `centre` (none: places unknown); `halo` voxels are seen on
    /// every side; offsets depend on seed and sample number.
    pub fn new(grid: Grid, centre: Option<[f64; 3]>, halo: usize, seed: u64, number: u64) -> Self {
        Self {
            grid,
            centre: centre.unwrap_or_default(),
            known: centre.is_some(),
            halo,
            noise: Noise::new(seed),
            number,
        }
    }

    /// Starts and ends of the parts along an axis, and the length of a patch there.
    fn cuts(&self, axis: usize, model: &VolumeModel, step: usize) -> (Vec<[usize; 2]>, usize) {
        let (n, grain) = (self.grid.shape[axis], model.granularity());
        let whole = n.next_multiple_of(grain);
        if whole <= model.patch {
            return (vec![[0, n]], whole);
        }
        let core = model.patch - 2 * self.halo;
        let stream = Stream::new(self.number, OFFSET, (3 * step + axis) as u32);
        let offset = (self.noise.uniform_one(stream) * core as f64) as usize;
        let mut cuts = Vec::new();
        let mut from = 0;
        let mut to = if offset == 0 { core } else { offset };
        while from < n {
            cuts.push([from, to.min(n)]);
            (from, to) = (to, to + core);
        }
        (cuts, model.patch)
    }

    /// Edge of the patch for a core: short cores at the ends of the volume need no whole patch.
    fn length(&self, core: [usize; 2], whole: usize, model: &VolumeModel) -> usize {
        let wanted = (core[1] - core[0] + 2 * self.halo).max(LEAST_PATCH);
        wanted.next_multiple_of(model.granularity()).min(whole)
    }

    /// Whether patches of a model reach further than what they see around their cores.
    pub(crate) fn fits(halo: usize, model: &VolumeModel) -> bool {
        halo.checked_mul(2).is_some_and(|seen| seen < model.patch)
    }

    /// How many patches the first step has.
    pub(crate) fn count(&self, model: &VolumeModel) -> u64 {
        self.parts(model, 0).len() as u64
    }

    /// All parts of a step.
    fn parts(&self, model: &VolumeModel, step: usize) -> Vec<Part> {
        let axes: [_; 3] = std::array::from_fn(|a| self.cuts(a, model, step));
        let mut parts = Vec::new();
        for z in &axes[2].0 {
            for y in &axes[1].0 {
                for x in &axes[0].0 {
                    let core = [*x, *y, *z];
                    let shape = std::array::from_fn(|a| self.length(core[a], axes[a].1, model));
                    let start = std::array::from_fn(|a| {
                        let alone = axes[a].0.len() == 1 && core[a] == [0, self.grid.shape[a]];
                        // The core in the middle of what is seen; a lone patch begins with the volume.
                        let slack = shape[a] as i64 - (core[a][1] - core[a][0]) as i64;
                        if alone { 0 } else { core[a][0] as i64 - slack / 2 }
                    });
                    parts.push(Part { core, start, shape });
                }
            }
        }
        parts
    }

    fn place(&self, part: &Part) -> PatchPlace {
        if !self.known {
            return PatchPlace::UNKNOWN;
        }
        let step = self.grid.spacing();
        let origin = std::array::from_fn(|a| (part.start[a] as f64 - self.centre[a]) * step[a]);
        PatchPlace { origin, step, known: true }
    }
}

/// A patch: what it sees, and which voxels it answers for.
struct Part {
    core: [[usize; 2]; 3],
    start: [i64; 3],
    shape: [usize; 3],
}

impl Part {
    /// The index in the volume, reflected at its edges, of each position along an axis.
    fn indices(&self, axis: usize, n: usize) -> Vec<usize> {
        (0..self.shape[axis] as i64).map(|k| mirrored(self.start[axis] + k, n)).collect()
    }

    /// Visits (position in the patch, index in the volume) of everything seen.
    fn seen(&self, shape: [usize; 3], mut visit: impl FnMut(usize, usize)) {
        let [xs, ys, zs]: [Vec<usize>; 3] = std::array::from_fn(|a| self.indices(a, shape[a]));
        let mut k = 0;
        for z in &zs {
            for y in &ys {
                let row = (z * shape[1] + y) * shape[0];
                for x in &xs {
                    visit(k, row + x);
                    k += 1;
                }
            }
        }
    }

    /// What is seen of a volume.
    fn gathered<T: Copy + Default>(&self, volume: FieldRef<T>) -> Vec<T> {
        let mut patch = vec![T::default(); self.shape.iter().product()];
        self.seen(volume.shape(), |k, at| patch[k] = volume.values()[at]);
        patch
    }

    /// Visits (position in the patch, index in the volume) of the core.
    fn answered(&self, shape: [usize; 3], mut visit: impl FnMut(usize, usize)) {
        let from: [usize; 3] = std::array::from_fn(|a| (self.core[a][0] as i64 - self.start[a]) as usize);
        for z in self.core[2][0]..self.core[2][1] {
            for y in self.core[1][0]..self.core[1][1] {
                let k = ((z - self.core[2][0] + from[2]) * self.shape[1] + y - self.core[1][0] + from[1])
                    * self.shape[0];
                let row = (z * shape[1] + y) * shape[0];
                for x in self.core[0][0]..self.core[0][1] {
                    visit(k + x - self.core[0][0] + from[0], row + x);
                }
            }
        }
    }
}

/// Turns every row of a patch around.
fn mirror<T>(patch: &mut [T], row: usize) {
    patch.chunks_exact_mut(row).for_each(<[T]>::reverse);
}

impl PatchPlace {
    /// Of a patch with its rows turned around: a mirrored head is a head.
    fn mirrored(mut self, row: usize) -> Self {
        self.origin[0] = -(self.origin[0] + (row as f64 - 1.0) * self.step[0]);
        self
    }
}

/// The prior of volumes on one grid.
pub struct PatchPrior<'a> {
    /// What the network is.
    pub model: &'a VolumeModel,
    /// Its weights.
    pub weights: &'a Weights,
    /// Where it runs.
    pub device: &'a Device,
    /// How volumes are taken apart.
    pub partition: Partition,
    /// Where nothing is to be seen, if anywhere.
    pub background: Option<&'a Background>,
    /// What is wrong with what it is shown.
    pub degradation: &'a Degradation,
    /// Whether the work is still wanted, asked before every patch.
    pub cancel: &'a CancelToken,
}

/// Empty surroundings: patches that lie in them whole are taken as they are known to be.
#[derive(Clone, Debug)]
pub struct Background {
    foreground: Vec<bool>,
    values: Vec<f32>,
}

/// Voxels around anything to be seen that are not empty yet.
const SURROUNDINGS: usize = 6;

/// The marked voxels, and all within a box that reaches so many voxels from one.
pub(crate) fn widened(marked: FieldRef<bool>, reach: usize) -> Vec<bool> {
    let mut near = marked.map(|m| f32::from(u8::from(m)));
    (0..3).for_each(|axis| convolve_axis(&mut near, axis, &vec![1.0; 2 * reach + 1]));
    near.into_values().into_iter().map(|v| v > 0.5).collect()
}

impl Background {
    /// Everything further than a few voxels from what stands out of the first guess.
    pub fn around(guess: FieldRef) -> Self {
        let stands_out = guess.map(|v| v.abs() > 0.02);
        Self { foreground: widened(stands_out.view(), SURROUNDINGS), values: guess.values().to_vec() }
    }

    /// Everything that is known.
    pub fn known(guess: &[f32], known: &[bool]) -> Self {
        Self { foreground: known.iter().map(|k| !k).collect(), values: guess.to_vec() }
    }

    /// Where there is something to be seen.
    pub fn foreground(&self) -> &[bool] {
        &self.foreground
    }
}

impl PatchPrior<'_> {
    /// Voxels of the volumes along x, y and z.
    pub fn shape(&self) -> [usize; 3] {
        self.partition.grid.shape
    }

    /// What the network is told of a part, seen in a mirror or not.
    fn condition(&self, part: &Part, sigma: f64, mirrored: bool) -> PatchCondition {
        let (place, row) = (self.partition.place(part), part.shape[0]);
        let place = if mirrored { place.mirrored(row) } else { place };
        let degradation = match self.degradation {
            Degradation::Missing(missing) => {
                let mut here = part.gathered(FieldRef::new(missing, self.shape()));
                if mirrored {
                    mirror(&mut here, row);
                }
                Degradation::Missing(here)
            }
            same => same.clone(),
        };
        PatchCondition { place, sigma, degradation }
    }

    /// Whether nothing is to be seen where a part answers.
    fn is_background(&self, part: &Part) -> bool {
        let Some(background) = self.background else { return false };
        let mut foreground = false;
        part.answered(self.partition.grid.shape, |_, at| foreground |= background.foreground[at]);
        !foreground
    }

    /// The clean volume behind a noisy one, a patch at a time; `step` numbers the evaluations of a walk. Every second
    /// one sees the left as the right: what the network gets wrong in one way only does not add up.
    pub fn denoise_volume(&self, x: &[f32], sigma: f64, step: usize) -> Result<Vec<f32>> {
        let mirrored = step % 2 == 1;
        let shape = self.partition.grid.shape;
        let mut out = x.to_vec();
        for part in self.partition.parts(self.model, step) {
            self.cancel.check()?;
            if let Some(background) = self.background.filter(|_| self.is_background(&part)) {
                part.answered(shape, |_, at| out[at] = background.values[at]);
                continue;
            }
            let mut patch = part.gathered(FieldRef::new(x, shape));
            if patch.iter().all(|v| *v == patch[0]) {
                // Nothing was measured here: padding that a scanner or a brain extraction left.
                continue;
            }
            if mirrored {
                mirror(&mut patch, part.shape[0]);
            }
            let noisy = patches_tensor(&[patch], part.shape, self.device);
            let condition = self.condition(&part, sigma, mirrored);
            let clean = self.model.denoise(self.weights, noisy, &[condition])?;
            let mut clean = tensor_patches(clean).concat();
            if mirrored {
                mirror(&mut clean, part.shape[0]);
            }
            part.answered(shape, |k, at| out[at] = clean[k]);
        }
        Ok(out)
    }

    fn pull_back_volume(&self, x: &[f32], sigma: f64, step: usize, cotangent: &[f32]) -> Result<Vec<f32>> {
        let mirrored = step % 2 == 1;
        let shape = self.partition.grid.shape;
        let mut out = vec![0.0f32; x.len()];
        for part in self.partition.parts(self.model, step) {
            self.cancel.check()?;
            if self.is_background(&part) {
                continue;
            }
            let mut patch = part.gathered(FieldRef::new(x, shape));
            let mut weight = vec![0.0f32; patch.len()];
            part.answered(shape, |k, at| weight[k] = cotangent[at]);
            if patch.iter().all(|v| *v == patch[0]) {
                part.answered(shape, |k, at| out[at] += weight[k]);
                continue;
            }
            if mirrored {
                [&mut patch, &mut weight].into_iter().for_each(|p| mirror(p, part.shape[0]));
            }
            let noisy = patches_tensor(&[patch], part.shape, self.device).autodiff().require_grad();
            let condition = self.condition(&part, sigma, mirrored);
            let clean = self.model.denoise(self.weights, noisy.clone(), &[condition])?;
            let weight = patches_tensor(&[weight], part.shape, self.device);
            let gradients = (clean * weight).sum().backward();
            if let Some(slope) = noisy.grad(&gradients) {
                let mut slope = tensor_patches(slope).concat();
                if mirrored {
                    mirror(&mut slope, part.shape[0]);
                }
                part.seen(shape, |k, at| out[at] += slope[k]);
            }
        }
        Ok(out)
    }
}

impl Prior<f32> for PatchPrior<'_> {
    fn denoise(&self, x: &[f32], sigma: f64, step: usize) -> unmelt_diffusion::Result<Vec<f32>> {
        self.denoise_volume(x, sigma, step).map_err(|e| e.into_core())
    }

    fn pull_back(
        &self,
        x: &[f32],
        sigma: f64,
        step: usize,
        cotangent: &[f32],
    ) -> unmelt_diffusion::Result<Vec<f32>> {
        self.pull_back_volume(x, sigma, step, cotangent).map_err(|e| e.into_core())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cores_cover_every_voxel_once(n in prop::array::uniform3(1usize..130), halo in 0usize..6, step in 0usize..4) {
            let model = VolumeModel::new(vec![16, 16], vec![1, 1]).expect("a model");
            let partition = Partition::new(Grid::centred(n, [1.0; 3]), None, halo, 7, 0);
            let mut seen = vec![0u8; n.iter().product()];
            for part in partition.parts(&model, step) {
                let count: usize = part.shape.iter().product();
                let mut places = vec![usize::MAX; count];
                part.seen(n, |k, at| places[k] = at);
                part.answered(n, |k, at| {
                    assert_eq!(places[k], at, "the core is seen where it lies");
                    seen[at] += 1;
                });
            }
            prop_assert!(seen.iter().all(|c| *c == 1));
        }
    }

    #[test]
    fn every_evaluation_has_borders_of_its_own() {
        let model = VolumeModel::new(vec![16, 16], vec![1, 1]).expect("a model");
        let partition = Partition::new(Grid::centred([180; 3], [1.0; 3]), None, 4, 0, 0);
        let borders = |step: usize| -> Vec<[[usize; 2]; 3]> {
            partition.parts(&model, step).iter().map(|part| part.core).collect()
        };
        // What a search does after its looks is no repetition of them: its steps are counted from there.
        let all: Vec<_> = (0..20).map(borders).collect();
        assert!((0..20).all(|a| (0..a).all(|b| all[a] != all[b])));
        assert!(
            Partition::fits(4, &model)
                && !Partition::fits(32, &model)
                && !Partition::fits(usize::MAX, &model)
        );
    }

    #[test]
    fn reflection_repeats_the_ends() {
        let all: Vec<usize> = (-4..8).map(|k| mirrored(k, 3)).collect();
        assert_eq!(all, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
        assert_eq!(mirrored(-100, 1), 0);
    }
}
