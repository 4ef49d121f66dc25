//! How much the loss of a sample counts, by its noise level.

use serde::{Deserialize, Serialize};

use crate::Level;
use crate::error::{Result, check};

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
    /// Checks the parameters.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Uniform | Self::Snr => Ok(()),
            Self::ClampedSnr { min, max } => {
                check("min", "from 0 to 1e9", min, |m| (0.0..=1e9).contains(&m))?;
                check("max", "above 0, at least min and at most 1e9", max, |m| {
                    m > 0.0 && m >= min && m <= 1e9
                })
                .map(drop)
            }
            Self::Edm { sigma_data } => {
                check("sigma_data", "from 1e-6 to 1e6", sigma_data, |s| (1e-6..=1e6).contains(&s)).map(drop)
            }
        }
    }

    /// The weight at a level.
    pub fn at(self, level: Level) -> f64 {
        let snr = (level.alpha / level.sigma).powi(2);
        match self {
            Self::Uniform => 1.0,
            Self::ClampedSnr { min, max } => snr.max(min).min(max),
            Self::Edm { sigma_data } => snr + sigma_data.powi(-2),
            Self::Snr => snr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_without_a_range_are_refused_and_never_panic() {
        for bad in [
            LossWeighting::ClampedSnr { min: 2.0, max: 1.0 },
            LossWeighting::ClampedSnr { min: f64::NAN, max: 1.0 },
            LossWeighting::ClampedSnr { min: 0.0, max: f64::NAN },
            LossWeighting::ClampedSnr { min: 0.0, max: 0.0 },
            LossWeighting::Edm { sigma_data: 0.0 },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
            let _ = bad.at(Level::variance_preserving(0.5));
        }
        let usual = LossWeighting::ClampedSnr { min: 0.05, max: 1.5 };
        usual.check().expect("usual");
        let at = |alpha_bar| usual.at(Level::variance_preserving(alpha_bar));
        assert_eq!((at(0.0), at(0.5), at(1.0)), (0.05, 1.0, 1.5));
    }
}
