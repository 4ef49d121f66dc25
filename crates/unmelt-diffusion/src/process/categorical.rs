//! Categories: kept with probability α², else drawn from a prior (Austin et al., "Structured denoising
//! diffusion models in discrete state-spaces", 2021; marginal priors from Vignac et al., "DiGress", 2023).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};

/// The distribution that categories are noised to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CategoricalKind {
    /// Every class equally likely.
    Uniform {
        /// Number of classes.
        classes: usize,
    },
    /// The frequencies of the data.
    Marginal {
        /// One per class, summing to 1.
        frequencies: Vec<f64>,
    },
    /// A mask, which is one class more than the data has.
    Absorbing {
        /// Number of classes of the data; the mask has this number.
        classes: usize,
    },
}

/// A categorical process.
#[derive(Clone, Debug, PartialEq)]
pub struct Categorical {
    prior: Vec<f64>,
    classes: usize,
}

impl Categorical {
    /// Checks and builds a process.
    pub fn new(kind: &CategoricalKind) -> Result<Self> {
        Ok(match kind {
            CategoricalKind::Uniform { classes } => {
                let classes = numbered(*classes)?;
                Self { prior: vec![1.0 / classes as f64; classes], classes }
            }
            CategoricalKind::Marginal { frequencies } => {
                let classes = numbered(frequencies.len())?;
                for &f in frequencies {
                    check("every frequency", "at least 0", f, |f| f >= 0.0)?;
                }
                let sum: f64 = frequencies.iter().sum();
                check("the sum of the frequencies", "1", sum, |s| (s - 1.0).abs() < 1e-6)?;
                Self { prior: frequencies.iter().map(|f| f / sum).collect(), classes }
            }
            CategoricalKind::Absorbing { classes } => {
                let classes = numbered(*classes)?;
                let mut prior = vec![0.0; classes + 1];
                prior[classes] = 1.0;
                Self { prior, classes }
            }
        })
    }

    /// Classes of the data.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Classes of a noisy state: those of the data, and the mask of an absorbing process.
    pub fn states(&self) -> usize {
        self.prior.len()
    }

    /// Draws a state of pure noise; `u` uniform in (0, 1).
    pub fn draw_prior(&self, u: f64) -> usize {
        draw(self.prior.iter().copied(), u)
    }

    /// Draws z_t given z₀, kept with probability `keep`; `u` uniform in (0, 1).
    pub fn noise(&self, clean: usize, keep: f64, u: f64) -> usize {
        if u < keep { clean } else { self.draw_prior((u - keep) / (1.0 - keep)) }
    }

    /// Probabilities of z_s given z_t and the predicted probabilities of z₀, from keep probability `from` at t to
    /// `to` at s (to ≥ from): Σ over z₀ of p(z₀)·q(z_s | z_t, z₀).
    pub fn posterior(&self, state: usize, predicted: &[f64], from: f64, to: f64) -> Vec<f64> {
        let ratio = if to > 0.0 { from / to } else { 1.0 };
        let prior_of_state = self.prior[state];
        let weight = |clean: usize| {
            let kept = if clean == state { from } else { 0.0 };
            let marginal = kept + (1.0 - from) * prior_of_state;
            if marginal > 0.0 { predicted[clean] / marginal } else { 0.0 }
        };
        let total: f64 = (0..self.classes).map(weight).sum();
        let mut p: Vec<f64> = (0..self.states())
            .map(|k| {
                let stayed = if k == state { ratio } else { 0.0 };
                let likelihood = stayed + (1.0 - ratio) * prior_of_state;
                let own = if k < self.classes { to * weight(k) } else { 0.0 };
                likelihood * (own + (1.0 - to) * self.prior[k] * total)
            })
            .collect();
        let sum: f64 = p.iter().sum();
        if sum > 0.0 && sum.is_finite() {
            p.iter_mut().for_each(|x| *x /= sum);
        } else {
            // The prediction contradicts the state; the state is what is known.
            p.iter_mut().enumerate().for_each(|(k, x)| *x = f64::from(k == state));
        }
        p
    }

    /// Draws z_s given z_t and the predicted probabilities of z₀; `u` uniform in (0, 1). A step to the clean end
    /// takes the most probable class, as the last step of numbers takes their mean: with hundreds of elements,
    /// draws from what little probability the wrong classes have would spoil many a sample.
    pub fn step(&self, state: usize, predicted: &[f64], from: f64, to: f64, u: f64) -> usize {
        let p = self.posterior(state, predicted, from, to);
        if to < 1.0 {
            return draw(p.into_iter(), u);
        }
        let best = p.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        best.map_or(state, |(k, _)| k)
    }
}

/// A number of classes that one byte can number, the mask of an absorbing process included.
fn numbered(classes: usize) -> Result<usize> {
    let most = usize::from(u8::MAX);
    match (1..=most).contains(&classes) {
        true => Ok(classes),
        false => Err(Error::setting("classes", "from 1 to 255", classes)),
    }
}

/// The class in whose share of the cumulative sum `u` falls; the last one with a share if rounding overshoots.
fn draw(probabilities: impl Iterator<Item = f64>, u: f64) -> usize {
    let (mut sum, mut last) = (0.0, 0);
    for (k, p) in probabilities.enumerate() {
        sum += p;
        if p > 0.0 {
            last = k;
            if u < sum {
                return k;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> Vec<CategoricalKind> {
        vec![
            CategoricalKind::Uniform { classes: 4 },
            CategoricalKind::Marginal { frequencies: vec![0.5, 0.3, 0.15, 0.05] },
            CategoricalKind::Absorbing { classes: 4 },
        ]
    }

    /// q(z_t | z₀) as a vector.
    fn forward(c: &Categorical, clean: usize, keep: f64) -> Vec<f64> {
        (0..c.states()).map(|k| f64::from(k == clean) * keep + (1.0 - keep) * c.prior[k]).collect()
    }

    #[test]
    fn posterior_with_the_truth_gives_back_the_forward_marginal() {
        for kind in kinds() {
            let c = Categorical::new(&kind).expect("valid");
            for (from, to) in [(0.2, 0.7), (0.0, 0.3), (0.5, 1.0), (0.4, 0.4)] {
                for clean in 0..c.classes() {
                    let truth: Vec<f64> = (0..c.classes()).map(|k| f64::from(k == clean)).collect();
                    let mut mixed = vec![0.0; c.states()];
                    for (state, weight) in forward(&c, clean, from).into_iter().enumerate() {
                        if weight > 0.0 {
                            let p = c.posterior(state, &truth, from, to);
                            mixed.iter_mut().zip(p).for_each(|(m, p)| *m += weight * p);
                        }
                    }
                    for (a, b) in mixed.iter().zip(forward(&c, clean, to)) {
                        assert!((a - b).abs() < 1e-12, "{kind:?} {from} {to}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn last_step_draws_from_the_prediction() {
        let c = Categorical::new(&kinds()[1]).expect("valid");
        let predicted = [0.1, 0.2, 0.3, 0.4];
        for state in 0..4 {
            let p = c.posterior(state, &predicted, 0.3, 1.0);
            p.iter().zip(predicted).for_each(|(a, b)| assert!((a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let c = Categorical::new(&kinds()[1]).expect("valid");
        let mut counts = [0; 4];
        for i in 0..10_000 {
            counts[c.noise(3, 0.4, (i as f64 + 0.5) / 10_000.0)] += 1;
        }
        assert_eq!(counts, [3000, 1800, 900, 4300]);
    }

    #[test]
    fn classes_are_numbered_by_a_byte() {
        for kind in [
            CategoricalKind::Uniform { classes: 256 },
            CategoricalKind::Uniform { classes: usize::MAX },
            CategoricalKind::Absorbing { classes: 0 },
            CategoricalKind::Absorbing { classes: 256 },
            CategoricalKind::Marginal { frequencies: vec![1.0 / 300.0; 300] },
        ] {
            let message = Categorical::new(&kind).expect_err("too many").to_string();
            assert!(message.contains("classes must be from 1 to 255"), "{message}");
        }
        let most =
            Categorical::new(&CategoricalKind::Absorbing { classes: 255 }).expect("as many as a byte has");
        assert_eq!(most.draw_prior(0.5) as u8, 255, "the mask");
    }

    #[test]
    fn frequencies_must_sum_to_one() {
        let bad = CategoricalKind::Marginal { frequencies: vec![0.5, 0.2] };
        assert!(Categorical::new(&bad).is_err());
    }
}
