//! What a network predicts, and the conversions to the clean sample.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::{Level, Levels, Real};

/// The meaning of a network's output, for a state x = α·x₀ + σ·ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The noise ε.
    Epsilon,
    /// The clean sample x₀.
    Sample,
    /// v = α·ε − σ·x₀ (Salimans & Ho 2022).
    V,
    /// The score ∇ log p(x) = −ε/σ.
    Score,
    /// The flow velocity ε − x₀ (Lipman et al. 2023).
    Flow,
}

impl Target {
    /// Coefficients (of x, of the output) that give x₀.
    fn to_clean(self, Level { alpha, sigma }: Level) -> (f64, f64) {
        match self {
            Self::Sample => (0.0, 1.0),
            Self::Epsilon => (1.0 / alpha, -sigma / alpha),
            Self::V => {
                let norm = alpha * alpha + sigma * sigma;
                (alpha / norm, -sigma / norm)
            }
            Self::Score => (1.0 / alpha, sigma * sigma / alpha),
            Self::Flow => (1.0 / (alpha + sigma), -sigma / (alpha + sigma)),
        }
    }

    /// x₀ from the state and the network's output.
    pub fn clean<T: Real>(self, state: &[T], output: &[T], level: Level) -> Vec<T> {
        let (a, b) = self.to_clean(level);
        combine(&[(a, state), (b, output)])
    }

    /// The output that says what `clean` says: the inverse of [`clean`](Self::clean).
    pub fn output<T: Real>(self, state: &[T], clean: &[T], level: Level) -> Vec<T> {
        let (a, b) = self.to_clean(level);
        combine(&[(1.0 / b, clean), (-a / b, state)])
    }

    /// Checks that the target says something at every level of a schedule.
    pub fn check(self, levels: &Levels) -> Result<()> {
        let blind = matches!(self, Self::Epsilon | Self::Score) && levels.at(1.0).alpha == 0.0;
        if blind {
            return Err(Error::Combination(
                "an epsilon or score target says nothing about the sample where the signal is zero: with a \
                 schedule of zero terminal SNR use the sample, v or flow target",
            ));
        }
        Ok(())
    }
}

/// Σ coefficient·values, element by element; terms with coefficient 0 are left out.
///
/// # Panics
/// If the terms differ in length.
pub fn combine<T: Real>(terms: &[(f64, &[T])]) -> Vec<T> {
    let used: Vec<_> = terms.iter().filter(|(c, _)| *c != 0.0).collect();
    let count = terms.first().map_or(0, |(_, x)| x.len());
    assert!(terms.iter().all(|(_, x)| x.len() == count), "terms of one length");
    (0..count).map(|i| T::of(used.iter().map(|(c, x)| c * x[i].f64()).sum())).collect()
}

/// A bound on predicted clean samples.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Threshold {
    /// None.
    #[default]
    None,
    /// To ±bound.
    Clip(f64),
    /// To ± the quantile `ratio` of |x₀|, between 1 and `max`, then divided by it (Saharia et al. 2022).
    Dynamic {
        /// The quantile.
        ratio: f64,
        /// Largest bound.
        max: f64,
    },
}

impl Threshold {
    /// Applies the bound to one sample.
    pub fn apply<T: Real>(self, x: &mut [T]) {
        match self {
            Self::None => {}
            Self::Clip(bound) => x.iter_mut().for_each(|v| *v = T::of(v.f64().clamp(-bound, bound))),
            Self::Dynamic { ratio, max } => {
                let mut sizes: Vec<f64> = x.iter().map(|v| v.f64().abs()).collect();
                sizes.sort_by(f64::total_cmp);
                let bound = quantile(&sizes, ratio).clamp(1.0, max);
                x.iter_mut().for_each(|v| *v = T::of(v.f64().clamp(-bound, bound) / bound));
            }
        }
    }
}

/// The quantile of sorted numbers, linear between them.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(a), Some(b)) => a + (b - a) * (place - low as f64),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_invert_and_agree_with_the_definition() {
        let (x0, eps) = ([0.3, -1.2, 2.0], [1.1, 0.4, -0.7]);
        for level in [Level::variance_preserving(0.4), Level::variance_exploding(3.0), Level::flow(0.7)] {
            let Level { alpha, sigma } = level;
            let x = combine(&[(alpha, &x0), (sigma, &eps)]);
            let outputs = [
                (Target::Epsilon, eps.to_vec()),
                (Target::Sample, x0.to_vec()),
                (Target::V, combine(&[(alpha, &eps[..]), (-sigma, &x0[..])])),
                (Target::Score, combine(&[(-1.0 / sigma, &eps[..])])),
                (Target::Flow, combine(&[(1.0, &eps[..]), (-1.0, &x0[..])])),
            ];
            for (target, output) in outputs {
                let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
                assert!(near(&target.clean(&x, &output, level), &x0), "{target:?} {level:?}");
                assert!(near(&target.output(&x, &x0, level), &output), "{target:?} {level:?}");
            }
        }
    }

    #[test]
    fn epsilon_with_zero_terminal_snr_is_rejected() {
        let levels = crate::Schedule::COSINE.build().expect("valid");
        assert!(Target::Epsilon.check(&levels).expect_err("blind").to_string().contains("zero terminal SNR"));
        assert!(Target::V.check(&levels).is_ok());
    }
}
