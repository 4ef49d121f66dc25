//! Message passing of E(n)-equivariant networks (Satorras et al. 2021), over complete graphs or given edges.
//!
//! With projections a, b of the atoms (width D), positions x and reference positions x⁰, for every edge from j to i:
//!
//! ```text
//! z_ij = a_i + b_j + C·[d², d⁰²]       d = |x_i − x_j|, d⁰ = |x⁰_i − x⁰_j|
//! m_ij = silu(M·silu(z_ij) + c)
//! s_ij = h·m_ij + g
//! ```
//!
//! and for every atom i, by [`Reduction`], Σ_j m_ij, Σ_j sigmoid(s_ij)·m_ij or Σ_j f(s_ij)·(x_i − x_j)/(d_ij + k).
//! The first layer on [h_i, h_j, d², d⁰²] is factored into a and b, which are made per atom: the same function with a
//! third of the arithmetic. The fused pass keeps no tensor of the size of the edges, and its gradient makes them again.

mod autodiff;
mod backward;
mod forward;
mod graph;
mod tile;

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData, activation};

pub use graph::EdgeGraph;

/// What messages are made of: N atoms, width D.
#[derive(Clone, Debug)]
pub struct MessageInputs {
    /// a, `[N, D]`.
    pub source: Tensor<2>,
    /// b, `[N, D]`.
    pub target: Tensor<2>,
    /// x, `[N, 3]`.
    pub positions: Tensor<2>,
    /// x⁰, `[N, 3]`.
    pub reference: Tensor<2>,
}

/// Weights of the messages; a matrix is stored `[in, out]`.
#[derive(Clone, Debug)]
pub struct MessageWeights {
    /// C, `[2, D]`.
    pub distance: Tensor<2>,
    /// M, `[D, D]`.
    pub message: Tensor<2>,
    /// c, `[D]`.
    pub message_bias: Tensor<1>,
    /// h, `[D, 1]`.
    pub head: Tensor<2>,
    /// g, `[1]`.
    pub head_bias: Tensor<1>,
}

/// How messages become something of an atom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reduction {
    /// Σ_j m_ij, `[N, D]`; the head is not used.
    Sum,
    /// Σ_j sigmoid(s_ij)·m_ij, `[N, D]`.
    Gated,
    /// Σ_j f(s_ij)·(x_i − x_j)/(√(d² + 10⁻⁸) + k), `[N, 3]`.
    Moves {
        /// f(s) = bound·tanh(s); f(s) = s without.
        bound: Option<f32>,
        /// k.
        offset: f32,
    },
}

impl Reduction {
    fn width(self, d: usize) -> usize {
        match self {
            Self::Sum | Self::Gated => d,
            Self::Moves { .. } => 3,
        }
    }
}

/// Added to d² under the root, as EDM's network does.
const SQUARE_OFFSET: f32 = 1e-8;

/// The messages of all atoms, reduced, in one fused pass where the device has one.
///
/// # Panics
/// If a shape does not fit the others.
pub fn messages(
    inputs: MessageInputs,
    weights: MessageWeights,
    graph: &Arc<EdgeGraph>,
    reduction: Reduction,
) -> Tensor<2> {
    let [atoms, d] = inputs.source.dims();
    assert_eq!(atoms, graph.atoms(), "atoms and graph");
    assert!(inputs.target.dims() == [atoms, d] && weights.message.dims() == [d, d], "widths of messages");
    if !crate::is_flex(&inputs.source.device()) {
        return messages_plain(inputs, weights, graph, reduction);
    }
    let tensors = MessageTensors {
        source: inputs.source.into_dispatch(),
        target: inputs.target.into_dispatch(),
        positions: inputs.positions.into_dispatch(),
        reference: inputs.reference.into_dispatch(),
        distance: weights.distance.into_dispatch(),
        message: weights.message.into_dispatch(),
        message_bias: weights.message_bias.into_dispatch(),
        head: weights.head.into_dispatch(),
        head_bias: weights.head_bias.into_dispatch(),
    };
    Tensor::from_dispatch(<Dispatch as MessageOps>::fused_messages(tensors, graph.clone(), reduction))
}

/// The same as a composition of burn operations: its definition, and what devices without a fused pass run.
pub fn messages_plain(
    inputs: MessageInputs,
    weights: MessageWeights,
    graph: &EdgeGraph,
    reduction: Reduction,
) -> Tensor<2> {
    let device = inputs.source.device();
    let [atoms, d] = inputs.source.dims();
    if graph.edges() == 0 {
        return Tensor::zeros([atoms, reduction.width(d)], &device);
    }
    let index = |ends: Vec<i32>| {
        let count = ends.len();
        Tensor::<1, Int>::from_data(TensorData::new(ends, [count]), &device)
    };
    let (first, second) = graph.ends();
    let (first, second) = (index(first), index(second));
    let differences =
        |x: &Tensor<2>| x.clone().select(0, first.clone()) - x.clone().select(0, second.clone());
    let square = |x: Tensor<2>| x.powi_scalar(2).sum_dim(1);
    let moved = differences(&inputs.positions);
    let now = square(moved.clone());
    let distances = Tensor::cat(vec![now.clone(), square(differences(&inputs.reference))], 1);
    let z = inputs.source.select(0, first.clone())
        + inputs.target.select(0, second.clone())
        + distances.matmul(weights.distance);
    let message =
        activation::silu(activation::silu(z).matmul(weights.message) + weights.message_bias.unsqueeze());
    let score = || message.clone().matmul(weights.head.clone()) + weights.head_bias.clone().unsqueeze();
    let rows = match reduction {
        Reduction::Sum => message,
        Reduction::Gated => message.clone() * activation::sigmoid(score()),
        Reduction::Moves { bound, offset } => {
            let weight = match bound {
                Some(bound) => score().tanh() * bound,
                None => score(),
            };
            moved / ((now + SQUARE_OFFSET).sqrt() + offset) * weight
        }
    };
    let zeros = Tensor::<2>::zeros([atoms, reduction.width(d)], &device);
    zeros.select_assign(0, first, rows, IndexingUpdateOp::Add)
}

/// The tensors of [`MessageInputs`] and [`MessageWeights`] of one backend.
#[derive(ExtensionType)]
pub(crate) struct MessageTensors<B: Backend> {
    pub(crate) source: FloatTensor<B>,
    pub(crate) target: FloatTensor<B>,
    pub(crate) positions: FloatTensor<B>,
    pub(crate) reference: FloatTensor<B>,
    pub(crate) distance: FloatTensor<B>,
    pub(crate) message: FloatTensor<B>,
    pub(crate) message_bias: FloatTensor<B>,
    pub(crate) head: FloatTensor<B>,
    pub(crate) head_bias: FloatTensor<B>,
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait MessageOps: Backend {
    fn fused_messages(
        #[extension_type] tensors: MessageTensors<Self>,
        graph: Arc<EdgeGraph>,
        reduction: Reduction,
    ) -> FloatTensor<Self>;
}

impl MessageOps for Flex {
    fn fused_messages(
        tensors: MessageTensors<Self>,
        graph: Arc<EdgeGraph>,
        reduction: Reduction,
    ) -> FlexTensor {
        forward::forward(&tile::Operands::new(tensors), &graph, reduction)
    }
}

#[cfg(test)]
mod tests;
