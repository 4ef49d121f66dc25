//! How a volume is enhanced, and what comes out.

use serde::{Deserialize, Serialize};
use unmelt_diffusion::files::limits::{limits, within};

use crate::classical::rician::Estimate;
use crate::prior::patches::Partition;
use crate::{Error, Result, Volume, VolumeModel};

/// How to do it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnhanceSettings {
    /// Solver: one of [`PosteriorSolver::NAMES`](unmelt_diffusion::posterior::PosteriorSolver::NAMES); if not given hqs for a single estimate, diffpir for samples. A single
    /// estimate of what noise hides needs none: the prior's answer is the posterior mean. hqs begins with what the prior was
    /// trained to see in thick slices, filled holes and missing lines of k-space, unless `sigma_max` is given.
    pub solver: Option<String>,
    /// Steps of the walk, at most: a search ends earlier where more of them do harm.
    pub steps: usize,
    /// Seed of the noise and of the partition into patches.
    pub seed: u64,
    /// Posterior samples; 1 gives the single best estimate.
    pub samples: usize,
    /// Highest noise level of the sampling, in units of the robust range; the task's own if not given.
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
    /// Standard deviation of the estimate, where there are several samples: that of the samples, times the factor that was
    /// fitted for it if [`calibrated`](Self::calibrated).
    pub deviation: Option<Vec<f32>>,
    /// Half the width of the 90 % interval, where there are several: 1.645 of those deviations.
    pub half_interval: Option<Vec<f32>>,
    /// Whether deviation and interval are calibrated; otherwise they are the samples' own, and cover an unknown part.
    pub calibrated: bool,
    /// The noise that was assumed, for denoising, in the scan's units.
    pub noise: Option<Estimate>,
}

/// Checks the settings of sampling or searching.
pub(crate) fn check_settings(settings: &EnhanceSettings, model: &VolumeModel) -> Result<()> {
    let fault = |text: String| Err(Error::Request(text));
    if settings.samples == 0 || settings.steps == 0 {
        return fault("samples and steps must be at least 1".into());
    }
    within(limits().steps, "steps", settings.steps as u64, "the sampling asked for")?;
    within(limits().batch, "batch", settings.samples as u64, "the number of samples asked for")?;
    let is_level = |s: f64| s.is_finite() && s > 0.0;
    if !is_level(settings.sigma_min) {
        return fault("the lowest noise level must be a number above 0".into());
    }
    if let Some(highest) = settings.sigma_max {
        if !is_level(highest) {
            return fault("the highest noise level must be a number above 0".into());
        }
        if highest < settings.sigma_min {
            let lowest = settings.sigma_min;
            return fault(format!(
                "the highest noise level of the sampling, {highest}, lies below the lowest, {lowest}"
            ));
        }
        if highest > model.sigma_max {
            return fault(format!(
                "the highest noise level of the sampling, {highest}, lies above {}, up to which the model was trained",
                model.sigma_max
            ));
        }
    }
    if !Partition::fits(settings.halo, model) {
        return fault(format!(
            "the halo of {} voxels leaves nothing of patches of {} voxels",
            settings.halo, model.patch
        ));
    }
    Ok(())
}
