//! What one step of a training reports.

use burn::tensor::Tensor;

use crate::parameters::to_vec;

/// What one step reports.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Loss.
    pub loss: f64,
    /// Its parts.
    pub parts: Vec<(&'static str, f64)>,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate.
    pub learning_rate: f64,
}

impl StepReport {
    /// From the loss with its parts and the norm of the gradient, read from the device in one go.
    pub(super) fn read(
        names: Vec<&'static str>,
        numbers: Tensor<1>,
        norm: Tensor<1>,
        learning_rate: f64,
    ) -> Self {
        let mut numbers = to_vec(Tensor::cat(vec![norm, numbers], 0)).into_iter().map(f64::from);
        let mut next = || numbers.next().unwrap_or(f64::NAN);
        let (gradient_norm, loss) = (next(), next());
        let parts = names.into_iter().zip(numbers).collect();
        Self { loss, parts, gradient_norm, learning_rate }
    }

    pub(super) fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient_norm.is_finite()
    }
}
