//! What is trained: a network's parameters, the batches that it learns from, and the loss of a batch.

use burn::tensor::{Device, Tensor};

use crate::error::Result;
use crate::parameters::{Layout, Weights};

/// What is trained.
pub trait Objective: Send + Sync + 'static {
    /// What a part of a step learns from.
    type Batch: Send + 'static;

    /// Names and shapes of the parameters.
    fn layout(&self) -> Layout;

    /// Parts that a step's loss is the sum of. They are worked on at the same time, each on a thread of its own, which keeps
    /// all cores busy where a part alone would not; their number must not depend on the machine.
    fn parts(&self) -> usize {
        1
    }

    /// The batches of a part, from that of `step` on, one for each step, without end. A batch must depend on its step and its
    /// part alone: that is what makes a resume exact. The trainer takes them on a thread of its own, one step ahead.
    fn batches(&self, part: usize, step: u64) -> impl Iterator<Item = Self::Batch> + Send;

    /// The loss of a batch. It must depend on the weights and the batch alone.
    ///
    /// # Errors
    /// Weights that do not fit, numbers that are not finite.
    fn loss(&self, weights: &Weights, batch: Self::Batch, device: &Device) -> Result<Loss>;
}

/// A loss and what it is made of.
pub struct Loss {
    /// The scalar to minimise, `[1]`.
    pub total: Tensor<1>,
    /// Named parts, for display.
    pub parts: Vec<(&'static str, Tensor<1>)>,
    /// Training samples in this step.
    pub samples: u64,
}
