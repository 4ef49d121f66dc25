//! Means between two reports. They are part of a checkpoint, so that a run that goes on reports what it would have reported
//! without the break.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::step_report::StepReport;
use crate::job::Event;

/// Sums since the last report.
#[derive(Debug)]
pub(super) struct Window {
    sums: Sums,
    /// Names of the parts of the loss, known after the first step.
    names: Vec<&'static str>,
    begin: Instant,
}

/// What a checkpoint keeps of a window. Sums are kept as text, which gives back every bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sums {
    /// Finite steps that were added.
    steps: u64,
    #[serde(with = "exact")]
    loss: f64,
    #[serde(with = "exact_list")]
    parts: Vec<f64>,
    #[serde(with = "exact")]
    gradient_norm: f64,
    #[serde(with = "exact")]
    learning_rate: f64,
    /// Samples of all steps, finite or not.
    samples: u64,
    /// Time before the last break.
    seconds: f64,
}

impl Window {
    /// An empty one, or one that goes on.
    pub fn new(sums: Sums) -> Self {
        Self { sums, names: Vec::new(), begin: Instant::now() }
    }

    /// Its clock begins now.
    pub fn begin(&mut self) {
        self.begin = Instant::now();
    }

    /// Adds a step.
    pub fn add(&mut self, report: &StepReport, samples: u64) {
        let sums = &mut self.sums;
        sums.samples = sums.samples.saturating_add(samples);
        self.names = report.parts.iter().map(|(name, _)| *name).collect();
        if !report.is_finite() {
            return;
        }
        sums.steps += 1;
        sums.loss += report.loss;
        sums.gradient_norm += report.gradient_norm;
        sums.learning_rate = report.learning_rate;
        sums.parts.resize(report.parts.len(), 0.0);
        sums.parts.iter_mut().zip(&report.parts).for_each(|(sum, (_, value))| *sum += value);
    }

    /// What a checkpoint keeps.
    pub fn sums(&self) -> Sums {
        Sums { seconds: self.seconds(), ..self.sums.clone() }
    }

    fn seconds(&self) -> f64 {
        self.sums.seconds + self.begin.elapsed().as_secs_f64()
    }

    /// The means, and a new window.
    pub fn report(&mut self, step: u64) -> Event {
        let sums = &self.sums;
        let count = sums.steps.max(1) as f64;
        let event = Event::Trained {
            step,
            loss: sums.loss / count,
            gradient_norm: sums.gradient_norm / count,
            learning_rate: sums.learning_rate,
            parts: self.names.iter().copied().zip(sums.parts.iter().map(|sum| sum / count)).collect(),
            samples_per_second: sums.samples as f64 / self.seconds().max(1e-9),
        };
        *self = Self::new(Sums::default());
        event
    }
}

impl Sums {
    /// Whether the numbers can be those of a run.
    pub fn is_sound(&self) -> bool {
        let all = [self.loss, self.gradient_norm, self.learning_rate, self.seconds];
        let finite = all.iter().chain(&self.parts).all(|x| x.is_finite());
        finite && self.seconds >= 0.0 && Duration::try_from_secs_f64(self.seconds).is_ok()
    }
}

/// A number as text.
mod exact {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Numbers as texts.
mod exact_list {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        values.iter().map(ToString::to_string).collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|t| t.parse().map_err(D::Error::custom)).collect()
    }
}
