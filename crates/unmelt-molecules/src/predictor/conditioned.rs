//! A predictor with the conditions of a request, as a denoiser.

use unmelt_diffusion::{Denoiser, DenoiserInput, Prediction};

use super::Predictor;

/// The answers of a network to conditions.
pub struct Conditioned<'a> {
    /// The network.
    pub predictor: &'a dyn Predictor,
    /// The properties that are wanted, normalised; empty where none is.
    pub conditions: &'a [Option<f32>],
}

impl Denoiser for Conditioned<'_> {
    fn predict(&self, inputs: &[DenoiserInput]) -> unmelt_diffusion::Result<Vec<Vec<Prediction<f32>>>> {
        Ok(self.predictor.predict(inputs, self.conditions))
    }
}
