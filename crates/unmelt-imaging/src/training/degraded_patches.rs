//! Patches as scanners show them: noisy, through thick slices, without some lines of k-space, with holes.

use unmelt_diffusion::job::CancelToken;
use unmelt_diffusion::measurement::Measurement;
use unmelt_diffusion::{Noise, Stream};

use crate::classical::filling::{QUICK, settled};
use crate::classical::interpolate::back_projected;
use crate::field::random_stream::RandomStream;
use crate::measurement::{Profile, Slices, random_cartesian_lines, without_lines};
use crate::prior::{Degradation, Expert, PatchCondition};
use crate::training::clean_patches::{CleanPatches, Patch};
use crate::training::patch_sampling::PatchSampling;
use crate::{Field, FieldRef};

const NOISE: u16 = 301;
const QUADRATURE: u16 = 303;

/// Voxels beyond a patch, at each side, that its thick slices cover.
const BEYOND: usize = 8;

/// Highest level of what missing lines leave.
const MOST_ALIASED: f64 = 0.3;

/// Voxels beyond a patch, at each side, that the filling of its holes knows of.
const BEYOND_HOLES: usize = 12;

/// What is told of the level of what is wrong, after a pass as a part of that before.
const AFTER_A_LOOK: f64 = 0.8;

/// A patch as it is seen, as it is, and what is wrong with it.
pub(crate) struct DegradedPatch {
    pub seen: Vec<f32>,
    pub clean: Vec<f32>,
    pub condition: PatchCondition,
    data: Option<Data>,
}

/// What was measured of a patch and its surroundings.
struct Data {
    /// The surroundings as they are seen, with the patch.
    seen: Field,
    /// Where the patch lies in them.
    offset: [usize; 3],
    measured: Measured,
}

enum Measured {
    /// Slices, and their voxels.
    Slices(Slices, Vec<f32>),
    /// Lines of k-space along an axis; what they alone show.
    Lines(usize, Vec<bool>, Vec<f32>),
    /// The voxels that are true.
    Known(Vec<bool>),
}

impl Data {
    /// The patch nearest to an estimate that agrees with what was measured, if its surroundings are as they are seen.
    fn nearest(&self, estimate: &[f32], size: usize) -> Vec<f32> {
        let mut wide = self.seen.clone();
        rows(wide.shape(), self.offset, size)
            .zip(estimate.chunks_exact(size))
            .for_each(|(at, row)| wide.values_mut()[at..at + size].copy_from_slice(row));
        match &self.measured {
            Measured::Slices(slices, data) => {
                wide = Field::new(slices.project(wide.values(), data), wide.shape());
            }
            Measured::Lines(axis, lines, shown) => {
                let mut known = wide.clone();
                without_lines(&mut known, *axis, lines);
                let known = known.values().iter().zip(shown);
                wide.values_mut().iter_mut().zip(known).for_each(|(w, (k, s))| *w += s - k);
            }
            Measured::Known(known) => {
                let seen = wide.values_mut().iter_mut().zip(self.seen.values()).zip(known);
                seen.filter(|(_, known)| **known).for_each(|((w, s), _)| *w = *s);
            }
        }
        wide.view().part(self.offset, [size; 3]).into_values()
    }
}

impl DegradedPatch {
    /// The cube of this edge at an offset, of a patch and of what is seen of it.
    fn cut(mut fine: Patch, wide: Degraded, offset: [usize; 3], size: usize) -> Self {
        let Degraded { seen, measured, sigma, degradation } = wide;
        let shape = fine.voxels.shape();
        let degradation = match degradation {
            Degradation::Missing(missing) => {
                Degradation::Missing(FieldRef::new(&missing, shape).part(offset, [size; 3]).into_values())
            }
            same => same,
        };
        (0..3).for_each(|a| fine.place.origin[a] += offset[a] as f64 * fine.place.step[a]);
        let condition = PatchCondition { place: fine.place, sigma, degradation };
        let cut = |field: &Field| field.view().part(offset, [size; 3]).into_values();
        let (looked_at, clean) = (cut(&seen), cut(&fine.voxels));
        let data = Some(Data { seen, offset, measured });
        Self { seen: looked_at, clean, condition, data }
    }

    /// Goes on with an estimate, brought to what was measured, as what is seen. A patch with noise stays as it is.
    pub fn refine(&mut self, estimate: &[f32], size: usize) {
        let Some(data) = &self.data else { return };
        let before = std::mem::take(&mut self.seen);
        self.seen = data.nearest(estimate, size);
        self.condition.sigma *= match &self.condition.degradation {
            Degradation::Aliased(_) => {
                let wrong =
                    |x: &[f32]| x.iter().zip(&self.clean).map(|(x, c)| f64::from(x - c).powi(2)).sum::<f64>();
                (wrong(&self.seen) / wrong(&before).max(1e-12)).sqrt().clamp(0.1, 1.0)
            }
            _ => AFTER_A_LOOK,
        };
    }
}

/// A patch and its surroundings as they are seen, and what is wrong with them.
struct Degraded {
    seen: Field,
    measured: Measured,
    sigma: f64,
    degradation: Degradation,
}

/// Where the rows of a cube at an offset of a shape begin.
fn rows(shape: [usize; 3], offset: [usize; 3], size: usize) -> impl Iterator<Item = usize> {
    let row =
        move |k: usize| ((k / size + offset[2]) * shape[1] + k % size + offset[1]) * shape[0] + offset[0];
    (0..size * size).map(row)
}

/// Ellipsoids that take a part of a cube, of the size of lesions and larger.
pub(crate) fn ellipsoids(size: usize, draw: &mut RandomStream) -> Vec<bool> {
    let mut missing = vec![false; size.pow(3)];
    let wanted = (draw.between(0.03, 0.2) * missing.len() as f64) as usize;
    let mut count = 0;
    while count < wanted {
        let centre = [0; 3].map(|_| draw.between(0.0, size as f64));
        let radius = [0; 3].map(|_| draw.between(3.0, 11.0));
        let square = |a: usize, i: usize| ((i as f64 + 0.5 - centre[a]) / radius[a]).powi(2);
        let [xs, ys, zs] = [0, 1, 2].map(|a| {
            (centre[a] - radius[a]).max(0.0) as usize..((centre[a] + radius[a]).ceil() as usize).min(size)
        });
        for (z, y) in zs.flat_map(|z| ys.clone().map(move |y| (z, y))) {
            let row = &mut missing[(z * size + y) * size..][..size];
            for x in xs.clone().filter(|x| square(0, *x) + square(1, y) + square(2, z) <= 1.0) {
                count += usize::from(!std::mem::replace(&mut row[x], true));
            }
        }
    }
    missing
}

/// One end of a cube, along any axis.
fn end(size: usize, draw: &mut RandomStream) -> Vec<bool> {
    let (axis, high) = (draw.below(3), draw.unit() < 0.5);
    let depth = (draw.between(0.15, 0.8) * size as f64) as usize;
    let from_end = |i: usize| if high { size - 1 - i } else { i };
    (0..size.pow(3)).map(|k| from_end(k / size.pow(axis as u32) % size) < depth).collect()
}

/// What becomes of clean patches.
pub(crate) struct DegradedPatches {
    pub clean: CleanPatches,
    pub sampling: PatchSampling,
    pub noise: Noise,
    /// Lowest and highest level of noise.
    pub levels: [f64; 2],
}

impl DegradedPatches {
    /// Patch number `k` of the whole training, a cube; one for an expert, if it is for one.
    pub fn patch(&self, k: u64, size: usize, expert: Option<Expert>) -> DegradedPatch {
        let mut draw = RandomStream::new(self.noise, k, NOISE);
        let PatchSampling { thick, aliased, missing, .. } = self.sampling;
        let kind = match expert {
            None => draw.unit(),
            Some(Expert::Noise) => 1.0,
            Some(Expert::Reconstruction) => draw.unit() * (thick + aliased + missing),
        };
        if kind < thick {
            self.through_slices(k, size, &mut draw)
        } else if kind < thick + aliased {
            self.aliased(k, size, &mut draw)
        } else if kind < thick + aliased + missing {
            self.with_holes(k, size, &mut draw)
        } else {
            self.noised(k, size, &mut draw)
        }
    }

    /// Patch number `k` with noise, and without.
    fn noised(&self, k: u64, size: usize, draw: &mut RandomStream) -> DegradedPatch {
        let Patch { voxels, place } = self.clean.patch(k, [size; 3]);
        let clean = voxels.into_values();
        let sigma = self.sampling.sigma_median * (self.sampling.sigma_spread * draw.normal()).exp();
        let sigma = sigma.clamp(self.levels[0], self.levels[1]);
        let normal = |purpose: u16| {
            let mut x = vec![0.0f32; clean.len()];
            self.noise.normal(Stream::new(k, purpose, 0), &mut x);
            x.into_iter().map(move |n| n * sigma as f32)
        };
        let mut noisy: Vec<f32> = normal(NOISE).zip(&clean).map(|(n, v)| n + v).collect();
        let mut degradation = Degradation::Gaussian;
        if draw.unit() < self.sampling.rician {
            degradation = Degradation::Rician;
            noisy.iter_mut().zip(normal(QUADRATURE)).for_each(|(real, other)| *real = real.hypot(other));
        }
        let condition = PatchCondition { place, sigma, degradation };
        DegradedPatch { seen: noisy, clean, condition, data: None }
    }

    /// Patch number `k` interpolated from thick slices, and as it is.
    fn through_slices(&self, k: u64, size: usize, draw: &mut RandomStream) -> DegradedPatch {
        // Slices go on beyond the patch.
        let wide = size + 2 * BEYOND;
        let fine = self.clean.patch(k, [wide; 3]);
        let slices = |draw: &mut RandomStream, most: f64| {
            let ratio = draw.between(1.5, most);
            let ratio = if draw.unit() < 0.6 { ratio.round() } else { ratio };
            (wide as f64 / ratio).round() as usize
        };
        let mut coarse = [wide; 3];
        if draw.unit() < 0.65 {
            coarse[draw.below(3)] = slices(draw, 6.4);
        } else {
            coarse = [slices(draw, 3.2); 3];
        }
        let measurement = Slices::new([wide; 3], coarse, Profile::Box, 0.0);
        let data = measurement.forward(fine.voxels.values());
        let seen = back_projected(&measurement, FieldRef::new(&data, coarse));
        let thickness = coarse.map(|n| wide as f64 / n as f64);
        let sigma = Degradation::level_of_thick(thickness);
        let offset = [0; 3].map(|_| draw.below(2 * BEYOND + 1));
        let (measured, degradation) = (Measured::Slices(measurement, data), Degradation::Thick(thickness));
        DegradedPatch::cut(fine, Degraded { seen, measured, sigma, degradation }, offset, size)
    }

    /// Patch number `k` with a part missing and filled smoothly, and as it is.
    fn with_holes(&self, k: u64, size: usize, draw: &mut RandomStream) -> DegradedPatch {
        // Filling knows what lies beyond the patch.
        let wide = size + 2 * BEYOND_HOLES;
        let fine = self.clean.patch(k, [wide; 3]);
        let missing = if draw.unit() < 0.65 { ellipsoids(wide, draw) } else { end(wide, draw) };
        let known: Vec<bool> = missing.iter().map(|m| !m).collect();
        let seen = settled(fine.voxels.view(), &known, QUICK, &CancelToken::new());
        let offset = [0; 3].map(|_| draw.below(2 * BEYOND_HOLES + 1));
        let (sigma, degradation) = (Degradation::LEVEL_OF_MISSING, Degradation::Missing(missing));
        let wide = Degraded { seen, measured: Measured::Known(known), sigma, degradation };
        DegradedPatch::cut(fine, wide, offset, size)
    }

    /// Patch number `k` as it looks without some lines of k-space, or on the way from there to what it is.
    fn aliased(&self, k: u64, size: usize, draw: &mut RandomStream) -> DegradedPatch {
        // The field of view along the phase encoding; what is missing there comes back everywhere along it.
        let (axis, field) = (draw.below(3), 32 * (3 + draw.below(5)));
        let mut shape = [size; 3];
        shape[axis] = field.max(size);
        let fine = self.clean.patch(k, shape);
        let shape = fine.voxels.shape();
        let axis = (0..3).find(|a| shape[*a] != size).unwrap_or(axis);
        let (acceleration, middle) = (draw.between(2.0, 6.0), draw.between(0.04, 0.12));
        let lines = random_cartesian_lines(shape[axis], acceleration, middle, k);
        let mut seen = fine.voxels.clone();
        without_lines(&mut seen, axis, &lines);
        let shown = seen.values().to_vec();
        let share = if draw.unit() < 0.5 { 1.0 } else { draw.between(0.1, 1.0) as f32 };
        let clean = fine.voxels.values();
        seen.values_mut().iter_mut().zip(clean).for_each(|(s, v)| *s = v + share * (*s - v));
        let wrong = seen.values().iter().zip(clean).map(|(s, v)| f64::from(s - v).powi(2)).sum::<f64>();
        let error = (wrong / clean.len() as f64).sqrt() * (0.2 * draw.normal()).exp();
        let sigma = error.max(self.levels[0]).min(MOST_ALIASED);
        let offset = std::array::from_fn(|a| draw.below(shape[a] - size + 1));
        let (measured, degradation) = (Measured::Lines(axis, lines, shown), Degradation::Aliased(axis));
        DegradedPatch::cut(fine, Degraded { seen, measured, sigma, degradation }, offset, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grid, Volume};

    #[test]
    fn holes_are_filled_and_told_and_the_rest_is_seen_as_it_is() {
        let waves = |k: usize| 2.0 + (0.5 * (k % 64) as f32).sin() + (0.3 * (k / 4096) as f32).cos();
        let scan = Volume::new((0..64 * 64 * 64).map(waves).collect(), Grid::centred([64; 3], [1.0; 3]));
        let noise = Noise::new(3);
        let clean = CleanPatches::new(&[scan], Vec::new(), [1.0, 0.0], noise).expect("a scan");
        let sampling = PatchSampling { thick: 0.0, aliased: 0.0, missing: 1.0, ..PatchSampling::default() };
        let patches = DegradedPatches { clean, sampling, noise, levels: [0.005, 10.0] };
        let mut filled = 0;
        for k in 0..6 {
            let patch = patches.patch(k, 32, None);
            let Degradation::Missing(missing) = patch.condition.degradation else { panic!("not with holes") };
            let same = |k: &usize| patch.seen[*k] == patch.clean[*k];
            assert!((0..missing.len()).filter(|k| !missing[*k]).all(|k| same(&k)));
            filled += (0..missing.len()).filter(|k| missing[*k] && !same(k)).count();
        }
        assert!(filled > 1000, "{filled}");
    }

    #[test]
    fn a_pass_over_what_is_right_brings_a_patch_near_to_it() {
        let waves = |k: usize| 2.0 + (0.5 * (k % 64) as f32).sin() + (0.3 * (k / 4096) as f32).cos();
        let scan = Volume::new((0..64 * 64 * 64).map(waves).collect(), Grid::centred([64; 3], [1.0; 3]));
        let noise = Noise::new(4);
        let one_kind = |[thick, aliased, missing]: [f64; 3]| {
            let clean = CleanPatches::new(std::slice::from_ref(&scan), Vec::new(), [1.0, 0.0], noise);
            let sampling = PatchSampling { thick, aliased, missing, ..PatchSampling::default() };
            DegradedPatches { clean: clean.expect("a scan"), sampling, noise, levels: [0.005, 10.0] }
        };
        let wrong =
            |p: &DegradedPatch| p.seen.iter().zip(&p.clean).map(|(s, c)| (s - c).powi(2)).sum::<f32>();
        for kind in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] {
            for k in 0..4 {
                let mut patch = one_kind(kind).patch(k, 32, None);
                let (before, told, first) = (wrong(&patch), patch.condition.sigma, patch.seen.clone());
                // what was measured does not change what agrees with it already
                patch.refine(&first, 32);
                assert!((wrong(&patch) - before).abs() <= 0.02 * before, "{kind:?} {k}");
                let right = patch.clean.clone();
                patch.refine(&right, 32);
                // of lines of k-space only the patch is right, a part of the field of view
                assert!(wrong(&patch) < 0.5 * before, "{kind:?} {k}: {} of {before}", wrong(&patch));
                assert!(patch.condition.sigma < told);
            }
        }
    }
}
