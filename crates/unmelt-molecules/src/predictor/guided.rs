//! A predictor with the conditions of a request, guided towards them without a classifier (Ho & Salimans 2022).

use unmelt_diffusion::{Denoiser, DenoiserInput, Prediction};

use super::Predictor;

/// The answers of a network to conditions, and beyond them.
pub struct Guided<'a> {
    /// The network.
    pub predictor: &'a dyn Predictor,
    /// The properties that are wanted, normalised; empty where none is.
    pub conditions: &'a [Option<f32>],
    /// 1: the network's own answer to the conditions.
    pub guidance: f64,
}

impl Guided<'_> {
    /// Evaluations of the network for an answer.
    pub fn evaluations(&self) -> usize {
        if self.beyond().is_some() { 2 } else { 1 }
    }

    /// The classes of each feature, where the answers go beyond the network's own.
    fn beyond(&self) -> Option<Vec<usize>> {
        let wanted = !self.conditions.is_empty() && self.guidance != 1.0;
        wanted.then(|| self.predictor.guidable()).flatten()
    }
}

impl Denoiser for Guided<'_> {
    fn predict(&self, inputs: &[DenoiserInput]) -> unmelt_diffusion::Result<Vec<Vec<Prediction<f32>>>> {
        let mut wanted = self.predictor.predict(inputs, self.conditions);
        if let Some(classes) = self.beyond() {
            let free = self.predictor.predict(inputs, &[]);
            for (wanted, free) in wanted.iter_mut().zip(&free) {
                for ((wanted, free), &classes) in wanted.iter_mut().zip(free).zip(&classes) {
                    guide(wanted, free, classes, self.guidance as f32);
                }
            }
        }
        Ok(wanted)
    }
}

/// Moves a prediction from the free one through the wanted one and beyond: numbers on a line, probabilities by their
/// logarithms.
fn guide(wanted: &mut Prediction<f32>, free: &Prediction<f32>, classes: usize, guidance: f32) {
    match (wanted, free) {
        (Prediction::Continuous(x), Prediction::Continuous(y)) => {
            x.iter_mut().zip(y).for_each(|(x, y)| *x = y + guidance * (*x - y));
        }
        (Prediction::Probabilities(p), Prediction::Probabilities(q)) => {
            let log = |p: f32| p.max(1e-9).ln();
            for (p, q) in p.chunks_exact_mut(classes).zip(q.chunks_exact(classes)) {
                p.iter_mut().zip(q).for_each(|(p, q)| *p = log(*q) + guidance * (log(*p) - log(*q)));
                let most = p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                p.iter_mut().for_each(|p| *p = (*p - most).exp());
                let sum: f32 = p.iter().sum();
                p.iter_mut().for_each(|p| *p /= sum);
            }
        }
        _ => panic!("both predictions are of one process"),
    }
}
