//! Settings of a run.

use serde::{Deserialize, Serialize};

use super::optimizer::{AdamWConfig, LearningRate};
use crate::error::{Error, Result};

/// Settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Steps of the whole run.
    pub steps: u64,
    /// Seed of the starting values, the order of the data and the noise.
    pub seed: u64,
    /// Learning rate over the run.
    pub learning_rate: LearningRate,
    /// The optimiser.
    pub optimizer: AdamWConfig,
    /// Decay of the moving average of the parameters, which is what is used afterwards.
    pub ema_decay: f64,
    /// Steps between reports.
    pub report_every: u64,
    /// Minutes between checkpoints.
    pub checkpoint_minutes: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 10_000,
            seed: 0,
            learning_rate: LearningRate::default(),
            optimizer: AdamWConfig::default(),
            ema_decay: 0.999,
            report_every: 50,
            checkpoint_minutes: 5.0,
        }
    }
}

/// A domain of numbers, and how it is said.
type Domain = (&'static str, fn(f64) -> bool);

const FACTOR: Domain = ("at least 0 and below 1", |x| (0.0..1.0).contains(&x));
const SHARE: Domain = ("from 0 to 1", |x| (0.0..=1.0).contains(&x));
const ABOVE: Domain = ("above 0 and at most 1e9", |x| x > 0.0 && x <= 1e9);
const NOT_BELOW: Domain = ("from 0 to 1e9", |x| (0.0..=1e9).contains(&x));

impl TrainConfig {
    /// Checks every number; an error names the key.
    pub fn check(&self) -> Result<()> {
        let (rate, optimizer) = (&self.learning_rate, &self.optimizer);
        for (what, value) in [("steps", self.steps), ("report_every", self.report_every)] {
            // The numbers of samples, which steps count, are below 2^48.
            if !(1..=1 << 32).contains(&value) {
                return Err(Error::setting(what, "from 1 to 4294967296", value));
            }
        }
        for (what, (want, is_within), value) in [
            ("ema_decay", FACTOR, self.ema_decay),
            ("checkpoint_minutes", NOT_BELOW, self.checkpoint_minutes),
            ("learning_rate.peak", ABOVE, rate.peak),
            ("learning_rate.decay_from", SHARE, rate.decay_from),
            ("learning_rate.final_fraction", SHARE, rate.final_fraction),
            ("optimizer.beta_1", FACTOR, optimizer.beta_1),
            ("optimizer.beta_2", FACTOR, optimizer.beta_2),
            ("optimizer.epsilon", ABOVE, optimizer.epsilon),
            ("optimizer.weight_decay", NOT_BELOW, optimizer.weight_decay),
            ("optimizer.clip_norm", ABOVE, optimizer.clip_norm),
        ] {
            crate::error::check(what, want, value, is_within)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_out_of_its_domain_is_refused_by_its_name() {
        TrainConfig::default().check().expect("the defaults are sound");
        type Set = fn(&mut TrainConfig, f64);
        let numbers: [(&str, Set); 10] = [
            ("ema_decay", |c, v| c.ema_decay = v),
            ("checkpoint_minutes", |c, v| c.checkpoint_minutes = v),
            ("learning_rate.peak", |c, v| c.learning_rate.peak = v),
            ("learning_rate.decay_from", |c, v| c.learning_rate.decay_from = v),
            ("learning_rate.final_fraction", |c, v| c.learning_rate.final_fraction = v),
            ("optimizer.beta_1", |c, v| c.optimizer.beta_1 = v),
            ("optimizer.beta_2", |c, v| c.optimizer.beta_2 = v),
            ("optimizer.epsilon", |c, v| c.optimizer.epsilon = v),
            ("optimizer.weight_decay", |c, v| c.optimizer.weight_decay = v),
            ("optimizer.clip_norm", |c, v| c.optimizer.clip_norm = v),
        ];
        for (name, set) in numbers {
            for bad in [-1.0, 1e20, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut config = TrainConfig::default();
                set(&mut config, bad);
                let error = config.check().expect_err(name).to_string();
                assert!(error.starts_with(&format!("{name} must be ")), "{error}");
            }
        }
        for config in [
            TrainConfig { steps: 0, ..TrainConfig::default() },
            TrainConfig { steps: u64::MAX, ..TrainConfig::default() },
            TrainConfig { report_every: 0, ..TrainConfig::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
