//! How good a model is on the way: its loss on molecules held out, and what it generates.

use std::path::Path;

use burn::tensor::Device;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::Weights;
use unmelt_diffusion::domain::Field;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::job::{Job, Measures};
use unmelt_diffusion::train::Objective;

use crate::{GenerateRequest, Generator, GraphObjective, Molecule, Result, Split, is_valid};

/// Molecules generated at a time.
const AT_A_TIME: u64 = 64;

/// Batches of the loss.
const BATCHES: u64 = 8;

/// What is measured at every checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// Share of the molecules that are held out; 0 for none.
    pub share: f64,
    /// How they are chosen.
    pub split: Split,
    /// Molecules to generate; 0 for none.
    pub molecules: u64,
    /// Steps of their generation.
    pub steps: usize,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self { share: 0.05, split: Split::Random, molecules: 64, steps: 25 }
    }
}

impl ValidationConfig {
    /// Checks every number; `part` is where the settings stand.
    pub(crate) fn check(&self, part: &Field) -> unmelt_diffusion::Result<()> {
        if !(0.0..1.0).contains(&self.share) {
            let fault = format!("must be at least 0 and below 1, but it is {}", self.share);
            return Err(part.field("share").fault(fault));
        }
        within(limits().batch, "batch", self.molecules, &part.name("molecules"))?;
        part.limited("steps", self.steps as u64, ("steps", limits().steps))
    }
}

/// The loss of weights on held-out molecules, with the same noise every time.
pub(crate) fn loss(objective: &GraphObjective, weights: &Weights, device: &Device) -> Result<f64> {
    let mut sum = 0.0;
    let mut parts: Vec<_> = (0..objective.parts()).map(|part| objective.batches(part, 0)).collect();
    for _ in 0..BATCHES {
        for batch in parts.iter_mut().filter_map(Iterator::next) {
            let loss = objective.loss(weights, batch, device)?;
            sum += f64::from(loss.total.into_scalar::<f32>());
        }
    }
    Ok(sum / BATCHES as f64)
}

/// Shares of valid molecules, and of those in one piece too, that the model in a folder generates.
pub(crate) fn generated(folder: &Path, config: &ValidationConfig, device: &Device) -> Result<Measures> {
    let generator = Generator::open(folder, device)?;
    let request = GenerateRequest { steps: config.steps, ..GenerateRequest::default() };
    let mut molecules = Vec::new();
    for first in (0..config.molecules).step_by(AT_A_TIME as usize) {
        let numbers = first..config.molecules.min(first + AT_A_TIME);
        molecules.extend(generator.generate(&request, numbers, &Job::new(), &mut |_| ())?);
    }
    let share = |f: &(dyn Fn(&Molecule) -> bool + Sync)| {
        molecules.par_iter().filter(|m| f(m)).count() as f64 / molecules.len() as f64
    };
    Ok(vec![
        ("valid", share(&is_valid)),
        ("valid_and_connected", share(&|m| is_valid(m) && m.components() == 1)),
    ])
}
