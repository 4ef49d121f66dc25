//! How much the loss of a sample counts, by its noise level.

use serde::{Deserialize, Serialize};

use crate::Level;

/// Weight of the squared error of the predicted clean sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LossWeighting {
    /// 1.
    Uniform,
    /// Signal-to-noise ratio clamped to a range; with `min` 0, min-SNR-γ with γ = `max` (Hang et al. 2023).
    ClampedSnr {
        /// Lowest weight.
        min: f64,
        /// Highest weight.
        max: f64,
    },
    /// (σ² + σ_d²)/(σ·σ_d)², σ the noise of the state scaled to α = 1 (Karras et al. 2022).
    Edm {
        /// σ_d, the standard deviation of the data.
        sigma_data: f64,
    },
    /// The signal-to-noise ratio itself: the weight of the epsilon loss, and of the simple variational bound.
    Snr,
}

impl LossWeighting {
    /// The weight at a level.
    pub fn at(self, level: Level) -> f64 {
        let snr = (level.alpha / level.sigma).powi(2);
        match self {
            Self::Uniform => 1.0,
            Self::ClampedSnr { min, max } => snr.clamp(min, max),
            Self::Edm { sigma_data } => snr + sigma_data.powi(-2),
            Self::Snr => snr,
        }
    }
}
