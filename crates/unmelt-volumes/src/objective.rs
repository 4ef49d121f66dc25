//! The loss of the prior: degraded patches in, distance from the clean ones out.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::train::{Loss, Objective};
use unmelt_diffusion::{Layout, Noise, Weights};

use crate::clean_patches::CleanPatches;
use crate::degraded_patches::{DegradedPatch, DegradedPatches};
use crate::prior::{Degradation, VolumeModel, patches_tensor, tensor_patches};
use crate::synthesize::{Draw, LabelMap};
use crate::{Error, Result, Volume};

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
    /// Part of those from real volumes that are turned, stretched, bent and shaded.
    pub deformed: f64,
    /// Median of the noise levels, in units of the robust range.
    pub sigma_median: f64,
    /// Standard deviation of their logarithm.
    pub sigma_spread: f64,
    /// Part of the noisy patches whose noise is Rician.
    pub rician: f64,
    /// Part of the patches that are seen through thick slices, in place of noise.
    pub thick: f64,
    /// Part of the patches that are aliased by lines missing in k-space, in place of noise.
    pub aliased: f64,
    /// Part of the patches with holes that were filled, in place of noise.
    pub missing: f64,
    /// Most looks at a patch without noise. A second one and those after it are at what the network made of it before and of what was
    /// measured; half of the patches are looked at once, half of the others twice, and so on.
    pub looks: usize,
}

impl Default for PatchSampling {
    fn default() -> Self {
        Self {
            sizes: vec![32, 32, 48],
            voxels: 6 * 32 * 32 * 32,
            real: 0.6,
            deformed: 0.8,
            sigma_median: 0.12,
            sigma_spread: 1.2,
            rician: 0.4,
            thick: 0.3,
            aliased: 0.15,
            missing: 0.1,
            looks: 1,
        }
    }
}

/// Examples of all steps.
struct Examples {
    model: VolumeModel,
    patches: DegradedPatches,
}

impl Examples {
    /// Those of a network in a step, all cubes of one edge, which comes with them.
    fn of_step(&self, step: u64, part: usize) -> (usize, Vec<DegradedPatch>) {
        let sizes = &self.patches.sampling.sizes;
        let size = sizes[Draw::new(self.patches.noise, step, SIZE).below(sizes.len())];
        let networks = self.model.networks();
        let batch = (self.patches.sampling.voxels / size.pow(3) / networks.len()).max(1);
        // Numbers of patches must not depend on the sizes drawn before.
        let first = (step * networks.len() as u64 + part as u64) * 1024;
        let patch = |k: usize| self.patches.patch(first + k as u64, size, networks[part]);
        (size, (0..batch).into_par_iter().map(patch).collect())
    }

    /// What the network should say of a patch: (clean − c_skip·seen)/c_out, which has unit variance at every level.
    fn target(&self, patch: &DegradedPatch) -> Vec<f32> {
        let (skip, out, _) = self.model.preconditioning(patch.condition.sigma);
        let target = |(v, x): (&f32, &f32)| ((f64::from(*v) - skip * f64::from(*x)) / out) as f32;
        patch.clean.iter().zip(&patch.seen).map(target).collect()
    }

    /// Lets the network look at patches: they go on as what it makes of them and of what was measured.
    fn look(
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
        patches.par_iter_mut().zip(&estimates).for_each(|(patch, estimate)| patch.look_again(estimate, size));
        Ok(())
    }
}

/// A step, and its examples in the making.
type Ahead = (u64, JoinHandle<(usize, Vec<DegradedPatch>)>);

/// Training of a prior on real volumes, label maps or both. While a step is learned from, the examples of the next are made.
pub struct PatchObjective {
    examples: Arc<Examples>,
    /// For every part of a step.
    ahead: Vec<Mutex<Option<Ahead>>>,
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
        let noise = Noise::new(seed);
        let clean = CleanPatches::new(scans, maps, [sampling.real, sampling.deformed], noise)
            .ok_or_else(|| Error::Request("there is no volume and no label map to train on".into()))?;
        let grain = model.granularity();
        if sampling.sizes.is_empty() || sampling.sizes.iter().any(|s| *s == 0 || !s.is_multiple_of(grain)) {
            return Err(Error::Request(format!("the sizes of patches must be multiples of {grain}")));
        }
        let levels = [model.sigma_min, model.sigma_max];
        let patches = DegradedPatches { clean, sampling, noise, levels };
        let examples = Arc::new(Examples { model: model.clone(), patches });
        let ahead = model.networks().iter().map(|_| Mutex::default()).collect();
        Ok(Self { examples, ahead })
    }

    /// The examples of a part of a step, made ahead or now; those of the next are begun.
    fn examples(&self, step: u64, part: usize) -> (usize, Vec<DegradedPatch>) {
        let begin = |step: u64| {
            let examples = Arc::clone(&self.examples);
            (step, std::thread::spawn(move || examples.of_step(step, part)))
        };
        let mut ahead = self.ahead[part].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (_, making) = ahead.take().filter(|(of, _)| *of == step).unwrap_or_else(|| begin(step));
        let made = making.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        *ahead = Some(begin(step + 1));
        made
    }
}

/// How much each of so many voxels counts: of a patch with holes what is missing, as much together as a patch, if it is not little.
fn weight(degradation: &Degradation, count: usize) -> Vec<f32> {
    let Degradation::Missing(missing) = degradation else { return vec![1.0; count] };
    let holes = missing.iter().filter(|m| **m).count().max(count / 8);
    missing.iter().map(|m| if *m { count as f32 / holes as f32 } else { 0.0 }).collect()
}

impl Objective for PatchObjective {
    fn layout(&self) -> Layout {
        self.examples.model.layout()
    }

    fn parts(&self) -> usize {
        self.ahead.len()
    }

    fn loss(
        &self,
        weights: &Weights,
        step: u64,
        part: usize,
        device: &Device,
    ) -> unmelt_diffusion::Result<Loss> {
        let (size, mut patches) = self.examples(step, part);
        let batch = patches.len();
        let on_device = device.clone().inner();
        for earlier in 1..self.examples.patches.sampling.looks {
            // Half of the patches are looked at once, of the others half a second time, and so on.
            let again = &mut patches[batch - (batch >> earlier)..];
            if !again.is_empty() {
                let fixed = weights.detached();
                self.examples.look(&fixed, again, size, &on_device).map_err(Error::into_core)?;
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
        let mean_of = |is: fn(&Degradation) -> bool| {
            let chosen: Vec<f32> =
                conditions.iter().map(|c| f32::from(u8::from(is(&c.degradation)))).collect();
            let count = chosen.iter().sum::<f32>().max(1.0);
            let chosen = Tensor::<1>::from_data(TensorData::new(chosen, [batch]), &on_device);
            (per_patch.clone() * chosen).sum() / count
        };
        let thick = mean_of(|d| matches!(d, Degradation::Thick(_)));
        let missing = mean_of(|d| matches!(d, Degradation::Missing(_)));
        let parts = vec![("thick", thick), ("missing", missing)];
        Ok(Loss { total: per_patch.mean(), parts, samples: batch as u64 })
    }
}
