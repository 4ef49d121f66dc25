//! AdamW on one flat vector (Loshchilov & Hutter 2019), with the gradient clipped by its norm; matrices by Muon where wanted.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::muon::Matrices;
use crate::parameters::Layout;

/// Settings of AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay, per unit of learning rate.
    pub weight_decay: f64,
    /// Largest norm of the gradient; larger ones are scaled down to it.
    pub clip_norm: f64,
    /// Whether matrices and kernels are moved by Muon, at the same learning rate.
    pub muon: bool,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 1e-4, clip_norm: 1.0, muon: false }
    }
}

/// Learning rate over a run: linear warm-up, then the peak, then a cosine down to a fraction of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearningRate {
    /// Highest rate.
    pub peak: f64,
    /// Steps of the warm-up.
    pub warmup_steps: u64,
    /// The part of the run, 0 to 1, after which the cosine begins.
    pub decay_from: f64,
    /// Rate at the end, as a fraction of the peak.
    pub final_fraction: f64,
}

impl Default for LearningRate {
    fn default() -> Self {
        Self { peak: 1e-3, warmup_steps: 500, decay_from: 0.0, final_fraction: 0.01 }
    }
}

impl LearningRate {
    /// The rate of `step` (from 0) of a run of `steps`.
    pub fn at(&self, step: u64, steps: u64) -> f64 {
        let warm = ((step + 1) as f64 / self.warmup_steps.max(1) as f64).min(1.0);
        let done = step as f64 / steps.max(1) as f64;
        let u = ((done - self.decay_from) / (1.0 - self.decay_from).max(1e-9)).clamp(0.0, 1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * u).cos());
        self.peak * warm * (self.final_fraction + (1.0 - self.final_fraction) * cosine)
    }
}

/// AdamW's moments.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// First moment.
    pub first: Tensor<1>,
    /// Second moment.
    pub second: Tensor<1>,
    matrices: Matrices,
}

impl AdamW {
    /// Zero moments for the parameters of a network, `values`.
    pub fn new(values: &Tensor<1>, layout: &Layout) -> Self {
        Self::from_moments([values.zeros_like(), values.zeros_like()], layout)
    }

    /// With these moments.
    pub fn from_moments([first, second]: [Tensor<1>; 2], layout: &Layout) -> Self {
        Self { first, second, matrices: Matrices::of(layout) }
    }

    /// What step number `step` (from 0) would make of `values`. Nothing is read from the device: the next operations can be
    /// begun while it works on these.
    pub fn propose(
        &self,
        config: &AdamWConfig,
        values: Tensor<1>,
        gradient: Tensor<1>,
        rate: f64,
        step: u64,
    ) -> Proposal {
        let norm = gradient.clone().powi_scalar(2).sum().sqrt();
        let scale = norm.clone().clamp_min(1e-12).recip().mul_scalar(config.clip_norm).clamp_max(1.0);
        let gradient = gradient * scale;
        let (b1, b2) = (config.beta_1, config.beta_2);
        let first = self.first.clone().mul_scalar(b1) + gradient.clone().mul_scalar(1.0 - b1);
        let second =
            self.second.clone().mul_scalar(b2) + gradient.clone().powi_scalar(2).mul_scalar(1.0 - b2);
        let count = (step + 1) as f64;
        let (c1, c2) = (1.0 - b1.powf(count), 1.0 - b2.powf(count));
        let root = second.clone().sqrt().div_scalar(c2.sqrt()).add_scalar(config.epsilon);
        let mut update = first.clone().div_scalar(c1) / root;
        if config.muon {
            // Nesterov's: the momentum as it will be if the gradient stays.
            let ahead = first.clone().mul_scalar(b1) + gradient.mul_scalar(1.0 - b1);
            update = self.matrices.orthogonalized(update, &ahead);
        }
        let decayed = values.mul_scalar(1.0 - rate * config.weight_decay);
        Proposal { values: decayed - update.mul_scalar(rate), norm, moments: [first, second] }
    }

    /// Takes a proposal over and returns its values.
    pub fn accept(&mut self, proposal: Proposal) -> Tensor<1> {
        [self.first, self.second] = proposal.moments;
        proposal.values
    }
}

/// A step that was worked out and not yet taken.
pub struct Proposal {
    values: Tensor<1>,
    moments: [Tensor<1>; 2],
    /// Norm of the gradient before clipping, `[1]`.
    pub norm: Tensor<1>,
}
