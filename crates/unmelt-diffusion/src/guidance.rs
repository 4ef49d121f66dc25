//! Guidance without a classifier (Ho & Salimans 2022), in an interval of noise levels (Kynkäänniemi et al. 2024).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::process::Prediction;
use crate::sampler::{Denoiser, DenoiserInput};
use crate::{Level, Levels};

/// How far the answers of a network go beyond its own towards what is asked of it.
///
/// ```
/// use unmelt_diffusion::guidance::Guidance;
/// use unmelt_diffusion::Level;
///
/// let guidance = Guidance { scale: 2.0, interval: Some([0.2, 0.9]) };
/// guidance.check()?;
/// assert!(guidance.acts_at(Level { alpha: 0.8, sigma: 0.6 }));
/// assert!(!guidance.acts_at(Level { alpha: 0.1, sigma: 0.995 }));
/// // The network's own answer needs no second one.
/// assert!(!Guidance { scale: 1.0, interval: None }.acts_at(Level { alpha: 0.8, sigma: 0.6 }));
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guidance {
    /// 1: the network's own answer with its conditions; 0: its answer without them; above 1: beyond its own.
    pub scale: f64,
    /// Lowest and highest noise level σ at which it acts; at others the answer is the network's own. Every level if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Guidance {
    /// The network's own answer.
    pub const NONE: Self = Self { scale: 1.0, interval: None };

    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Error::Field`]: a scale that is not finite, an interval whose ends are below 0 or in the wrong order.
    pub fn check(&self) -> Result<()> {
        if !self.scale.is_finite() {
            return Err(Error::field("guidance", "the guidance must be a finite number"));
        }
        match self.interval {
            Some([low, high]) if !(low >= 0.0 && low < high && high.is_finite()) => Err(Error::field(
                "guidance_interval",
                format!(
                    "the interval of the guidance must be two noise levels, at least 0 and the lower first, but it is {low} to {high}"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Whether it changes the answer at a noise level, so that the network is evaluated twice.
    pub fn acts_at(&self, level: Level) -> bool {
        self.scale != 1.0 && self.interval.is_none_or(|[low, high]| (low..=high).contains(&level.sigma))
    }

    /// Moves a prediction of every feature from the free one through the wanted one and beyond: numbers on a line,
    /// probabilities by their logarithms. `classes` are those of each feature, 0 where it holds numbers.
    ///
    /// # Panics
    /// The predictions are not of one process.
    pub fn extrapolate(&self, wanted: &mut [Prediction<f32>], free: &[Prediction<f32>], classes: &[usize]) {
        for ((wanted, free), &classes) in wanted.iter_mut().zip(free).zip(classes) {
            extrapolate(wanted, free, classes, self.scale as f32);
        }
    }
}

/// Moves a prediction of a feature.
fn extrapolate(wanted: &mut Prediction<f32>, free: &Prediction<f32>, classes: usize, scale: f32) {
    match (wanted, free) {
        (Prediction::Continuous(x), Prediction::Continuous(y)) => {
            x.iter_mut().zip(y).for_each(|(x, y)| *x = y + scale * (*x - y));
        }
        (Prediction::Probabilities(p), Prediction::Probabilities(q)) => {
            let log = |p: f32| p.max(1e-9).ln();
            for (p, q) in p.chunks_exact_mut(classes).zip(q.chunks_exact(classes)) {
                p.iter_mut().zip(q).for_each(|(p, q)| *p = log(*q) + scale * (log(*p) - log(*q)));
                let most = p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                p.iter_mut().for_each(|p| *p = (*p - most).exp());
                let sum: f32 = p.iter().sum();
                p.iter_mut().for_each(|p| *p /= sum);
            }
        }
        _ => panic!("both predictions are of one process"),
    }
}

/// A network with conditions, guided towards them.
pub struct Guided<'a> {
    /// The network with its conditions.
    pub wanted: &'a dyn Denoiser,
    /// The same network without them.
    pub free: &'a dyn Denoiser,
    /// How far.
    pub guidance: Guidance,
    /// The noise levels that the interval is about.
    pub levels: &'a Levels,
    /// Classes of each feature, 0 where it holds numbers.
    pub classes: &'a [usize],
}

impl Denoiser for Guided<'_> {
    fn predict(&self, inputs: &[DenoiserInput]) -> Result<Vec<Vec<Prediction<f32>>>> {
        let mut wanted = self.wanted.predict(inputs)?;
        // The samples of a batch are at one time.
        if inputs.first().is_some_and(|input| self.guidance.acts_at(self.levels.at(input.time))) {
            let free = self.free.predict(inputs)?;
            for (wanted, free) in wanted.iter_mut().zip(&free) {
                self.guidance.extrapolate(wanted, free, self.classes);
            }
        }
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Value;
    use crate::{Schedule, State};

    /// Answers with one number and one distribution of two classes.
    struct Constant(f32, f32);

    impl Denoiser for Constant {
        fn predict(&self, inputs: &[DenoiserInput]) -> Result<Vec<Vec<Prediction<f32>>>> {
            let answer = || {
                let probabilities = Prediction::Probabilities(vec![self.1, 1.0 - self.1]);
                vec![Prediction::Continuous(vec![self.0]), probabilities]
            };
            Ok(inputs.iter().map(|_| answer()).collect())
        }
    }

    #[test]
    fn answers_go_beyond_the_networks_own_within_the_interval() {
        let levels = Schedule::COSINE.build().expect("levels");
        let (wanted, free) = (Constant(3.0, 0.8), Constant(1.0, 0.5));
        let state: State<f32> = vec![Value::Continuous(vec![0.0]), Value::Classes(vec![0])];
        let answer = |guidance: Guidance, time: f64| {
            let guided = Guided { wanted: &wanted, free: &free, guidance, levels: &levels, classes: &[0, 2] };
            let input = DenoiserInput { state: &state, previous: None, given: None, time };
            let mut all = guided.predict(&[input]).expect("an answer");
            match &all.remove(0)[..] {
                [Prediction::Continuous(x), Prediction::Probabilities(p)] => (x[0], p[0]),
                _ => panic!("two features"),
            }
        };
        let twice = Guidance { scale: 2.0, interval: None };
        let (x, p) = answer(twice, 0.5);
        // Odds of 4 to 1 against odds of 1 to 1, twice: 16 to 1.
        assert!((x - 5.0).abs() < 1e-6 && (p - 16.0 / 17.0).abs() < 1e-6, "{x} {p}");
        assert_eq!(answer(Guidance { scale: 0.0, interval: None }, 0.5).0, 1.0);
        assert_eq!(answer(Guidance::NONE, 0.5), (3.0, 0.8));
        let within = Guidance { interval: Some([0.3, 0.8]), ..twice };
        assert_eq!(answer(within, 0.5), (x, p));
        for outside in [0.05, 0.95] {
            assert_eq!(answer(within, outside), (3.0, 0.8));
        }
        for wrong in [[0.8, 0.3], [-0.1, 0.5], [0.2, f64::NAN], [0.2, f64::INFINITY]] {
            assert!(Guidance { interval: Some(wrong), ..twice }.check().is_err(), "{wrong:?}");
        }
    }
}
