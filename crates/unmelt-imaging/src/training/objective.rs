//! The loss of the prior: degraded patches in, distance from the clean ones out.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use unmelt_diffusion::train::{Loss, Objective};
use unmelt_diffusion::{Layout, Noise, Weights};

use crate::field::random_stream::RandomStream;
use crate::prior::{Degradation, VolumeModel, patches_tensor, tensor_patches};
use crate::training::clean_patches::CleanPatches;
use crate::training::degraded_patches::{DegradedPatch, DegradedPatches};
use crate::training::patch_sampling::PatchSampling;
use crate::training::synthesize::LabelMap;
use crate::{Error, Result, Volume};

const SIZE: u16 = 302;

/// Patches whose numbers stand in a row.
const IN_A_ROW: u64 = 1024;

/// The number of patch `k` of a part of a step, another for each: below 2⁴⁸ for 2³² parts of steps of 65,536 patches.
fn number_of(step: u64, part: u64, parts: u64, k: u64) -> u64 {
    let (row, place) = (k / IN_A_ROW, k % IN_A_ROW);
    (row << 42) + (step * parts + part) * IN_A_ROW + place
}

/// Examples of all steps.
struct Examples {
    model: VolumeModel,
    patches: DegradedPatches,
}

impl Examples {
    /// Those of a network in a step.
    fn of_step(&self, step: u64, part: usize) -> PatchBatch {
        let sizes = &self.patches.sampling.sizes;
        let size = sizes[RandomStream::new(self.patches.noise, step, SIZE).below(sizes.len())];
        let networks = self.model.networks();
        let batch = (self.patches.sampling.voxels / size.pow(3) / networks.len()).max(1);
        // Numbers of patches must not depend on the sizes drawn before.
        let number = |k: usize| number_of(step, part as u64, networks.len() as u64, k as u64);
        let patch = |k: usize| self.patches.patch(number(k), size, networks[part]);
        PatchBatch { edge: size, patches: (0..batch).into_par_iter().map(patch).collect() }
    }

    /// What the network should say of a patch: (clean − c_skip·seen)/c_out, which has unit variance at every level.
    fn target(&self, patch: &DegradedPatch) -> Vec<f32> {
        let (skip, out, _) = self.model.preconditioning(patch.condition.sigma);
        let target = |(v, x): (&f32, &f32)| ((f64::from(*v) - skip * f64::from(*x)) / out) as f32;
        patch.clean.iter().zip(&patch.seen).map(target).collect()
    }

    /// Replaces patches by the network's estimate of them, made consistent with the data.
    fn refine(
        &self,
        weights: &Weights,
        patches: &mut [DegradedPatch],
        size: usize,
        device: &Device,
    ) -> Result<()> {
        let conditions: Vec<_> = patches.iter().map(|p| p.condition.clone()).collect();
        let seen: Vec<_> = patches.iter().map(|p| p.seen.clone()).collect();
        let estimates = self.model.denoise(weights, patches_tensor(&seen, [size; 3], device), &conditions)?;
        let estimates = tensor_patches(estimates);
        patches.par_iter_mut().zip(&estimates).for_each(|(patch, estimate)| patch.refine(estimate, size));
        Ok(())
    }
}

/// Training of a prior on real volumes, label maps or both.
pub struct PatchObjective {
    examples: Examples,
}

/// Patches of one edge, in voxels, for one network.
pub struct PatchBatch {
    edge: usize,
    patches: Vec<DegradedPatch>,
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
        sampling.check(model)?;
        let noise = Noise::new(seed);
        let clean = CleanPatches::new(scans, maps, [sampling.real, sampling.deformed], noise)
            .ok_or_else(|| Error::Request("there is no volume and no label map to train on".into()))?;
        let levels = [model.sigma_min, model.sigma_max];
        let patches = DegradedPatches { clean, sampling, noise, levels };
        Ok(Self { examples: Examples { model: model.clone(), patches } })
    }
}

/// How much each of so many voxels counts: of a patch with holes what is missing, as much together as a patch, if it is not little.
fn weight(degradation: &Degradation, count: usize) -> Vec<f32> {
    let Degradation::Missing(missing) = degradation else { return vec![1.0; count] };
    let holes = missing.iter().filter(|m| **m).count().max(count / 8);
    missing.iter().map(|m| if *m { count as f32 / holes as f32 } else { 0.0 }).collect()
}

impl Objective for PatchObjective {
    type Batch = PatchBatch;

    fn layout(&self) -> Layout {
        self.examples.model.layout()
    }

    fn parts(&self) -> usize {
        self.examples.model.networks().len()
    }

    fn batches(&self, part: usize, step: u64) -> impl Iterator<Item = PatchBatch> + Send {
        (step..).map(move |step| self.examples.of_step(step, part))
    }

    fn loss(&self, weights: &Weights, batch: PatchBatch, device: &Device) -> unmelt_diffusion::Result<Loss> {
        let PatchBatch { edge: size, mut patches } = batch;
        let batch = patches.len();
        let on_device = device.clone().inner();
        for earlier in 1..self.examples.patches.sampling.passes {
            // Half of the patches get one pass, of the others half a second one, and so on.
            let again = &mut patches[batch - (batch >> earlier)..];
            if !again.is_empty() {
                let fixed = weights.detached();
                self.examples.refine(&fixed, again, size, &on_device).map_err(Error::into_core)?;
            }
        }
        let targets: Vec<_> = patches.par_iter().map(|p| self.examples.target(p)).collect();
        let weights_of: Vec<_> =
            patches.par_iter().map(|p| weight(&p.condition.degradation, p.clean.len())).collect();
        let (seen, conditions): (Vec<_>, Vec<_>) = patches.into_iter().map(|p| (p.seen, p.condition)).unzip();
        let stacked = |patches: &[Vec<f32>]| patches_tensor(patches, [size; 3], &on_device);
        let output = self
            .examples
            .model
            .network_output(weights, stacked(&seen), &conditions)
            .map_err(Error::into_core)?;
        let square = (output - stacked(&targets)).powi_scalar(2) * stacked(&weights_of);
        // Row by row first: on a GPU every row has a thread of its own.
        let rows = square.reshape([batch, size * size, size]).mean_dim(2);
        let per_patch: Tensor<1> = rows.reshape([batch, size * size]).mean_dim(1).reshape([batch]);
        let mean_of = |name: &str| {
            let is_of_it = |degradation: &Degradation| degradation.kind().name() == name;
            let chosen: Vec<f32> =
                conditions.iter().map(|c| f32::from(u8::from(is_of_it(&c.degradation)))).collect();
            let count = chosen.iter().sum::<f32>().max(1.0);
            let chosen = Tensor::<1>::from_data(TensorData::new(chosen, [batch]), &on_device);
            (per_patch.clone() * chosen).sum() / count
        };
        let parts = ["thick", "missing"].map(|name| (name, mean_of(name))).to_vec();
        Ok(Loss { total: per_patch.mean(), parts, samples: batch as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_of_large_steps_have_numbers_of_their_own() {
        let mut seen = std::collections::BTreeSet::new();
        for step in [0, 1, 2, 70_000] {
            for part in 0..2 {
                for k in [0, 1, 1023, 1024, 1025, 2048, 65_535] {
                    let number = number_of(step, part, 2, k);
                    assert!(number < 1 << 48 && seen.insert(number), "{step} {part} {k}");
                }
            }
        }
        // Those of small steps are what they were.
        assert_eq!(number_of(5, 1, 2, 7), (5 * 2 + 1) * 1024 + 7);
        assert!(number_of(u64::from(u32::MAX) / 2, 1, 2, 65_535) < 1 << 48);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let model = VolumeModel::new(vec![16, 16], vec![1, 1]).expect("a model");
        let with = |change: &dyn Fn(&mut PatchSampling)| {
            let mut sampling = PatchSampling::default();
            change(&mut sampling);
            sampling.check(&model).expect_err("refused").to_string()
        };
        for (said, want) in [
            (with(&|s| s.sizes = vec![usize::MAX / 4 * 4]), "sampling.sizes"),
            (with(&|s| s.sizes = vec![30]), "multiples of 4"),
            (with(&|s| s.sizes.clear()), "sampling.sizes"),
            (with(&|s| s.voxels = usize::MAX), "batch"),
            (with(&|s| s.real = -0.1), "sampling.real"),
            (with(&|s| s.thick = f64::NAN), "sampling.thick"),
            (with(&|s| s.sigma_median = 0.0), "sampling.sigma_median"),
            (with(&|s| s.sigma_spread = f64::INFINITY), "sampling.sigma_spread"),
            (with(&|s| s.passes = 0), "sampling.passes"),
        ] {
            assert!(said.contains(want), "{said}");
        }
        PatchSampling::default().check(&model).expect("as it is");
    }
}
