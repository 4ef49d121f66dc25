//! What patches a training step is made of.

use serde::{Deserialize, Serialize};
use unmelt_diffusion::files::limits::{limits, within};

use crate::{Error, Result, VolumeModel};

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
    /// Most passes of the network over a patch without noise. From the second on, its input is its own estimate made consistent with the
    /// data; half of the patches get one pass, half of the others two, and so on.
    #[serde(alias = "looks")]
    pub passes: usize,
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
            passes: 1,
        }
    }
}

/// Longest edge of a patch that is learned from.
const MOST_EDGE: usize = 128;

/// Most passes over a patch.
const MOST_PASSES: usize = 16;

impl PatchSampling {
    /// Checks the settings for a model.
    ///
    /// # Errors
    /// The first setting that is out of its range, by name.
    pub fn check(&self, model: &VolumeModel) -> Result<()> {
        let fault = |text: String| Err(Error::Request(text));
        let grain = model.granularity();
        let is_size = |s: &usize| (1..=MOST_EDGE).contains(s) && s.is_multiple_of(grain);
        if self.sizes.is_empty() || !self.sizes.iter().all(is_size) {
            return fault(format!(
                "sampling.sizes, the edges of patches, must be multiples of {grain} up to {MOST_EDGE}, but they are {:?}",
                self.sizes
            ));
        }
        for (name, part) in [
            ("real", self.real),
            ("deformed", self.deformed),
            ("rician", self.rician),
            ("thick", self.thick),
            ("aliased", self.aliased),
            ("missing", self.missing),
        ] {
            if !(0.0..=1.0).contains(&part) {
                return fault(format!("sampling.{name} must lie between 0 and 1, but it is {part}"));
            }
        }
        if !(self.sigma_median > 0.0 && self.sigma_median.is_finite()) {
            return fault(format!("sampling.sigma_median must be above 0, but it is {}", self.sigma_median));
        }
        if !(self.sigma_spread >= 0.0 && self.sigma_spread.is_finite()) {
            return fault(format!(
                "sampling.sigma_spread must be at least 0, but it is {}",
                self.sigma_spread
            ));
        }
        if !(1..=MOST_PASSES).contains(&self.passes) {
            return fault(format!(
                "sampling.passes must lie between 1 and {MOST_PASSES}, but it is {}",
                self.passes
            ));
        }
        let smallest = self.sizes.iter().copied().min().unwrap_or(1);
        let batch = (self.voxels / smallest.pow(3)) as u64;
        within(limits().batch, "batch", batch, "the step of sampling.voxels in patches of sampling.sizes")?;
        within(limits().voxels, "voxels", self.voxels as u64, "sampling.voxels")?;
        Ok(())
    }
}
