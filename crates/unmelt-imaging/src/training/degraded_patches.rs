//! Patches as scanners show them: each with a degradation of the catalogue.

use unmelt_diffusion::Noise;

use crate::degradation::{Cube, Degraded, Expert, Measured, NoiseLevels, Shares, Surroundings};
use crate::field::random_stream::RandomStream;
use crate::prior::{Degradation, PatchCondition};
use crate::training::clean_patches::{CleanPatches, Patch};
use crate::training::patch_sampling::PatchSampling;
use crate::{Field, FieldRef};

const NOISE: u16 = 301;

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
    measured: Box<dyn Measured>,
}

impl Data {
    /// The patch nearest to an estimate that agrees with what was measured, if its surroundings are as they are seen.
    fn nearest(&self, estimate: &[f32], size: usize) -> Vec<f32> {
        let mut wide = self.seen.clone();
        rows(wide.shape(), self.offset, size)
            .zip(estimate.chunks_exact(size))
            .for_each(|(at, row)| wide.values_mut()[at..at + size].copy_from_slice(row));
        let nearest = self.measured.nearest(wide, &self.seen);
        nearest.view().part(self.offset, [size; 3]).into_values()
    }
}

impl DegradedPatch {
    /// The cube of this edge at its offset, of a patch and of what is seen of it.
    fn cut(mut fine: Patch, wide: Degraded, size: usize) -> Self {
        let Degraded { seen, measured, sigma, degradation, offset } = wide;
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
        let data = measured.map(|measured| Data { seen, offset, measured });
        Self { seen: looked_at, clean, condition, data }
    }

    /// Goes on with an estimate, brought to what was measured, as what is seen. A patch with noise stays as it is.
    pub fn refine(&mut self, estimate: &[f32], size: usize) {
        let Some(data) = &self.data else { return };
        let wrong = |x: &[f32]| x.iter().zip(&self.clean).map(|(x, c)| f64::from(x - c).powi(2)).sum::<f64>();
        let before = wrong(&self.seen);
        let seen = data.nearest(estimate, size);
        self.condition.sigma *= data.measured.remaining(before, wrong(&seen));
        self.seen = seen;
    }
}

/// Where the rows of a cube at an offset of a shape begin.
fn rows(shape: [usize; 3], offset: [usize; 3], size: usize) -> impl Iterator<Item = usize> {
    let row =
        move |k: usize| ((k / size + offset[2]) * shape[1] + k % size + offset[1]) * shape[0] + offset[0];
    (0..size * size).map(row)
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
        let PatchSampling { thick, aliased, missing, sigma_median, sigma_spread, rician, .. } = self.sampling;
        let kind = Shares { thick, aliased, missing }.kind(expert, &mut draw);
        let Surroundings { shape, axis } = kind.surroundings(size, &mut draw);
        let fine = self.clean.patch(k, shape);
        let noise_levels = NoiseLevels { median: sigma_median, spread: sigma_spread, rician };
        let cube = Cube { size, number: k, noise: self.noise, axis, levels: self.levels, noise_levels };
        let wide = kind.degrade(&fine.voxels, &cube, &mut draw);
        DegradedPatch::cut(fine, wide, size)
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
