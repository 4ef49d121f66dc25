//! Grids: which times, timesteps or noise levels a sampler visits.

use serde::{Deserialize, Serialize};

use crate::Levels;
use crate::error::{Error, Result, check};
use crate::files::limits::{limits, within};

/// Spacing of timesteps 0 … T−1 of a discrete model (Lin et al. 2024, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Multiples of ⌊T/n⌋ from 0, shifted by an offset.
    Leading,
    /// Evenly from 0 to T−1.
    Linspace,
    /// Multiples of T/n from T down, less one.
    Trailing,
}

/// Timesteps of a discrete model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestepGrid {
    /// Training steps T.
    pub train_steps: usize,
    /// Steps of the sampler, n.
    pub steps: usize,
    /// Their spacing.
    pub spacing: Spacing,
    /// Added to leading timesteps.
    pub offset: i64,
    /// Whether linspace and leading grids have n + 1 points of which the last is dropped, as multistep samplers do.
    pub drop_last: bool,
}

impl TimestepGrid {
    /// The timesteps, noisiest first, before rounding.
    pub fn exact(&self) -> Vec<f64> {
        let (t, n) = (self.train_steps as f64, self.steps);
        let points = if self.drop_last && self.spacing != Spacing::Trailing { n + 1 } else { n };
        let mut grid: Vec<f64> = match self.spacing {
            Spacing::Leading => {
                let stride = (self.train_steps / points) as f64;
                (0..points).rev().map(|i| i as f64 * stride + self.offset as f64).collect()
            }
            Spacing::Linspace => linspace(0.0, t - 1.0, points).into_iter().rev().collect(),
            Spacing::Trailing => (0..points).map(|i| t - i as f64 * (t / n as f64) - 1.0).collect(),
        };
        if points > n {
            grid.pop();
        }
        grid
    }

    /// The timesteps, noisiest first, rounded half to even.
    pub fn rounded(&self) -> Vec<i64> {
        match self.spacing {
            Spacing::Trailing => {
                self.exact().iter().map(|t| (t + 1.0).round_ties_even() as i64 - 1).collect()
            }
            _ => self.exact().iter().map(|t| t.round_ties_even() as i64).collect(),
        }
    }

    /// Checks the numbers.
    pub fn check(&self) -> Result<()> {
        if self.steps == 0 || self.steps > self.train_steps {
            return Err(Error::setting("steps", "between 1 and the number of training steps", self.steps));
        }
        Ok(())
    }
}

/// `n` numbers evenly from `a` to `b`; `a` alone for one.
pub fn linspace(a: f64, b: f64, n: usize) -> Vec<f64> {
    let step = (b - a) / n.saturating_sub(1).max(1) as f64;
    (0..n).map(|i| if i > 0 && i == n - 1 { b } else { a + i as f64 * step }).collect()
}

/// σ^(1/ρ) evenly from `max` down to `min` (Karras et al. 2022, equation 5).
pub fn karras_sigmas(n: usize, min: f64, max: f64, rho: f64) -> Vec<f64> {
    linspace(max.powf(1.0 / rho), min.powf(1.0 / rho), n).into_iter().map(|s| s.powf(rho)).collect()
}

/// ln σ evenly from `max` down to `min`, which is uniform in log signal-to-noise ratio.
pub fn exponential_sigmas(n: usize, min: f64, max: f64) -> Vec<f64> {
    linspace(max.ln(), min.ln(), n).into_iter().map(f64::exp).collect()
}

/// ln σ along a ramp to the power ρ, from `max` down to `min`.
pub fn polyexponential_sigmas(n: usize, min: f64, max: f64, rho: f64) -> Vec<f64> {
    let ramp = linspace(1.0, 0.0, n).into_iter();
    ramp.map(|u| (u.powf(rho) * (max.ln() - min.ln()) + min.ln()).exp()).collect()
}

/// σ = √(exp(β_d·t²/2 + β_min·t) − 1) on t evenly from 1 to `end` (the VP SDE of Song et al. 2021).
pub fn vp_sigmas(n: usize, beta_d: f64, beta_min: f64, end: f64) -> Vec<f64> {
    linspace(1.0, end, n).into_iter().map(|t| (beta_d * t * t / 2.0 + beta_min * t).exp_m1().sqrt()).collect()
}

/// s·σ/(1 + (s−1)·σ): a flow's σ shifted towards noise by s (Esser et al. 2024).
pub fn shift_flow_sigma(sigma: f64, shift: f64) -> f64 {
    shift * sigma / (1.0 + (shift - 1.0) * sigma)
}

/// Which continuous times a sampler visits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Grid {
    /// Evenly from 1 to 1/n, then 0.
    Trailing,
    /// Evenly from 1 to `end`, then 0.
    Linspace {
        /// Last time above 0.
        end: f64,
    },
    /// Evenly from 1 − 1/n to `end`, then 0: it skips the pure noise that trailing starts from.
    Leading {
        /// Last time above 0.
        end: f64,
    },
    /// t = u^power on even u: above 1 finer towards clean, below 1 finer towards noise.
    Power {
        /// The exponent.
        power: f64,
    },
    /// Karras' σ between two bounds on σ/α, then 0.
    Karras {
        /// Lowest σ/α.
        sigma_min: f64,
        /// Highest σ/α.
        sigma_max: f64,
        /// ρ.
        rho: f64,
    },
    /// Uniform in log signal-to-noise ratio between two bounds on σ/α, then 0.
    UniformLogSnr {
        /// Lowest σ/α.
        sigma_min: f64,
        /// Highest σ/α.
        sigma_max: f64,
    },
}

impl Grid {
    /// The grid with this name, as typed on a command line; bounds on σ/α fit data of unit variance.
    pub fn from_name(name: &str) -> Option<Self> {
        let (sigma_min, sigma_max) = (0.01, 100.0);
        Some(match name {
            "trailing" => Self::Trailing,
            "karras" => Self::Karras { sigma_min, sigma_max, rho: 7.0 },
            "logsnr" => Self::UniformLogSnr { sigma_min, sigma_max },
            other => Self::Power {
                power: other
                    .strip_prefix("power:")?
                    .parse()
                    .ok()
                    .filter(|p: &f64| p.is_finite() && *p > 0.0)?,
            },
        })
    }

    /// n + 1 times, noisiest first, the last one 0.
    pub fn times(&self, n: usize, levels: &Levels) -> Result<Vec<f64>> {
        if n == 0 {
            return Err(Error::setting("steps", "at least 1", n));
        }
        within(limits().steps, "steps", n as u64, "the sampling")?;
        let of_sigmas =
            |s: Vec<f64>| s.into_iter().map(|s| levels.time_of_lambda(-s.ln())).collect::<Vec<_>>();
        let mut times = match *self {
            Self::Trailing => linspace(1.0, 1.0 / n as f64, n),
            Self::Linspace { end } => linspace(1.0, inside(end)?, n),
            Self::Leading { end } => linspace(1.0 - 1.0 / (n + 1) as f64, inside(end)?, n),
            Self::Power { power } => {
                check("power", "above 0", power, |p| p > 0.0)?;
                linspace(1.0, 1.0 / n as f64, n).into_iter().map(|u| u.powf(power)).collect()
            }
            Self::Karras { sigma_min, sigma_max, rho } => {
                bounds(sigma_min, sigma_max)?;
                check("rho", "above 0", rho, |r| r > 0.0)?;
                of_sigmas(karras_sigmas(n, sigma_min, sigma_max, rho))
            }
            Self::UniformLogSnr { sigma_min, sigma_max } => {
                bounds(sigma_min, sigma_max)?;
                of_sigmas(exponential_sigmas(n, sigma_min, sigma_max))
            }
        };
        times.push(0.0);
        if times.windows(2).any(|w| w[1] >= w[0]) {
            return Err(Error::Combination("the grid repeats a time: use fewer steps or wider bounds"));
        }
        Ok(times)
    }
}

impl std::str::FromStr for Grid {
    type Err = String;

    /// Reads a name as [`from_name`](Self::from_name) does; the error lists the names.
    fn from_str(name: &str) -> std::result::Result<Self, String> {
        Self::from_name(name).ok_or_else(|| {
            format!("\"{name}\" is no grid; use trailing, karras, logsnr or power:P with a number P above 0")
        })
    }
}

fn inside(end: f64) -> Result<f64> {
    check("the end of the grid", "between 0 and 1", end, |e| e > 0.0 && e < 1.0)
}

fn bounds(min: f64, max: f64) -> Result<()> {
    check("sigma_min", "above 0", min, |s| s > 0.0)?;
    check("sigma_max", "above sigma_min", max, |s| s > min).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schedule;

    #[test]
    fn times_fall_from_one_end_to_zero() {
        let levels = Schedule::COSINE.build().expect("valid");
        for grid in [
            Grid::Trailing,
            Grid::Linspace { end: 0.01 },
            Grid::Leading { end: 0.01 },
            Grid::Power { power: 1.5 },
            Grid::Karras { sigma_min: 0.01, sigma_max: 50.0, rho: 7.0 },
            Grid::UniformLogSnr { sigma_min: 0.01, sigma_max: 50.0 },
        ] {
            let times = grid.times(20, &levels).expect("valid");
            assert_eq!(times.len(), 21);
            assert!(times[0] <= 1.0 && times[20] == 0.0, "{grid:?} {times:?}");
        }
        assert!(Grid::Trailing.times(0, &levels).is_err());
        assert!(Grid::Linspace { end: 1.5 }.times(5, &levels).is_err());
    }
}
