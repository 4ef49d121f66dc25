//! One layer of equivariant message passing over the complete graph of each molecule of a packed batch.
//!
//! Pairs have no direction: what holds for (i, j) holds for (j, i), so each is kept and computed once. With node
//! projections a, b (width D) and values v (heads × width), pair features e (width D), positions x and reference
//! positions x⁰, for every pair i < j of one molecule:
//!
//! ```text
//! z_ij = a_i + a_j + b_i ⊙ b_j + C·norm(e_ij) + D·[d_ij, d⁰_ij]      d = |x_i − x_j|, d⁰ = |x⁰_i − x⁰_j|
//! m_ij = silu(M·silu(z_ij) + c)
//! e_ij ← e_ij + U·m_ij + u
//! [l_ij, w_ij] = H·m_ij                        one attention logit per head, one weight per vector
//! messages_i = Σ_j m_ij
//! attended_i = Σ_j exp(l_ij)·v_j / (1 + Σ_j exp(l_ij))      an atom may attend to nobody; |l| at most 30
//! vectors_ik = Σ_j w_ijk (x_i − x_j) / (d_ij + 1)
//! ```
//!
//! Directions come back through the atoms: they see whose values they attend to, and they weigh the vectors. The
//! pairs of a molecule of n atoms are n(n − 1)/2 rows, (0, 1), (0, 2), … (1, 2), …, behind those of the molecules
//! before it.

mod autodiff;
mod backward;
mod forward;
mod tile;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, activation};

use crate::norm::layer_norm_plain;

/// Attention logits are limited to ± this: eˡ and their sums stay far from the ends of f32.
const MAX_LOGIT: f32 = 30.0;

/// What a layer reads: N atoms, P pairs, pair width D, value width V.
#[derive(Clone, Debug)]
pub struct PairInputs {
    /// a, `[N, D]`.
    pub term: Tensor<2>,
    /// b, `[N, D]`.
    pub factor: Tensor<2>,
    /// v, `[N, V]`; head k owns the k-th of equal blocks of columns.
    pub values: Tensor<2>,
    /// e, `[P, D]`.
    pub pairs: Tensor<2>,
    /// x, `[N, 3]`.
    pub positions: Tensor<2>,
    /// x⁰, `[N, 3]`; a constant, no gradient flows into it.
    pub reference: Tensor<2>,
}

/// The weights of a layer; a weight matrix is stored `[in, out]`.
#[derive(Clone, Debug)]
pub struct PairWeights {
    /// Scale of the layer norm on e, `[D]`.
    pub norm_scale: Tensor<1>,
    /// Shift of the layer norm on e, `[D]`.
    pub norm_shift: Tensor<1>,
    /// C, `[D, D]`.
    pub pair: Tensor<2>,
    /// D, `[2, D]`.
    pub distance: Tensor<2>,
    /// M, `[D, D]`.
    pub message: Tensor<2>,
    /// c, `[D]`.
    pub message_bias: Tensor<1>,
    /// U, `[D, D]`.
    pub update: Tensor<2>,
    /// u, `[D]`.
    pub update_bias: Tensor<1>,
    /// H, `[D, heads + vectors]`.
    pub head: Tensor<2>,
    /// Attention heads.
    pub heads: usize,
}

/// What a layer returns.
#[derive(Clone, Debug)]
pub struct PairOutputs {
    /// The new e, `[P, D]`.
    pub pairs: Tensor<2>,
    /// Σ_j m_ij, `[N, D]`.
    pub messages: Tensor<2>,
    /// The attended values, `[N, V]`.
    pub attended: Tensor<2>,
    /// The vectors, x, y, z of each, `[N, 3·vectors]`.
    pub vectors: Tensor<2>,
}

/// The layer for molecules of `sizes` atoms, in one fused pass where the device has one.
///
/// # Panics
/// If a shape does not fit the others.
pub fn pair_layer(inputs: PairInputs, weights: PairWeights, sizes: &[usize]) -> PairOutputs {
    if !crate::is_flex(&inputs.pairs.device()) {
        return pair_layer_plain(inputs, weights, sizes);
    }
    let [atoms, width] = inputs.term.dims();
    let value_width = inputs.values.dims()[1];
    let vector_width = 3 * (weights.head.dims()[1] - weights.heads);
    let rows = inputs.pairs.dims()[0];
    assert_eq!(atoms, sizes.iter().sum::<usize>(), "atoms and sizes");
    assert_eq!(rows, sizes.iter().map(|n| pair_count(*n)).sum::<usize>(), "pairs and sizes");
    let packed = Tensor::<1>::from_dispatch(<Dispatch as PairOps>::fused_pair_layer(
        PairTensors {
            term: inputs.term.into_dispatch(),
            factor: inputs.factor.into_dispatch(),
            values: inputs.values.into_dispatch(),
            pairs: inputs.pairs.into_dispatch(),
            positions: inputs.positions.into_dispatch(),
            reference: inputs.reference.into_dispatch(),
            norm_scale: weights.norm_scale.into_dispatch(),
            norm_shift: weights.norm_shift.into_dispatch(),
            pair: weights.pair.into_dispatch(),
            distance: weights.distance.into_dispatch(),
            message: weights.message.into_dispatch(),
            message_bias: weights.message_bias.into_dispatch(),
            update: weights.update.into_dispatch(),
            update_bias: weights.update_bias.into_dispatch(),
            head: weights.head.into_dispatch(),
        },
        weights.heads,
        sizes.to_vec(),
    ));
    let columns = width + value_width + vector_width;
    let ends = [rows * width, rows * width + atoms * columns];
    let nodes = packed.clone().slice(ends[0]..ends[1]).reshape([atoms, columns]);
    let take = |from: usize, to: usize| nodes.clone().slice([0..atoms, from..to]);
    PairOutputs {
        pairs: packed.slice(0..ends[0]).reshape([rows, width]),
        messages: take(0, width),
        attended: take(width, width + value_width),
        vectors: take(width + value_width, columns),
    }
}

/// Pairs of a molecule of n atoms.
pub fn pair_count(n: usize) -> usize {
    n * n.saturating_sub(1) / 2
}

/// The layer as a composition of burn operations: its definition, and what devices without a fused pass run.
pub fn pair_layer_plain(inputs: PairInputs, weights: PairWeights, sizes: &[usize]) -> PairOutputs {
    let device = inputs.pairs.device();
    let [atoms, value_width] = inputs.values.dims();
    let heads = weights.heads;
    let vectors = weights.head.dims()[1] - heads;
    if inputs.pairs.dims()[0] == 0 {
        // Atoms alone: nothing to sum. Not every backend takes operations on nothing.
        let zeros = |columns: usize| Tensor::zeros([atoms, columns], &device);
        let (messages, attended, vectors) =
            (zeros(inputs.pairs.dims()[1]), zeros(value_width), zeros(3 * vectors));
        return PairOutputs { pairs: inputs.pairs, messages, attended, vectors };
    }
    let (first, second) = pair_indices(sizes, &device);
    let rows = |x: &Tensor<2>, index: &Tensor<1, Int>| x.clone().select(0, index.clone());
    let sum_at = |x: Tensor<2>, index: &Tensor<1, Int>| {
        let zeros = Tensor::<2>::zeros([atoms, x.dims()[1]], &device);
        zeros.select_assign(0, index.clone(), x, IndexingUpdateOp::Add)
    };

    let normed = layer_norm_plain(inputs.pairs.clone(), weights.norm_scale, weights.norm_shift);
    let offset = rows(&inputs.positions, &first) - rows(&inputs.positions, &second);
    let length = distance(offset.clone());
    let reference = inputs.reference.detach();
    let distances =
        Tensor::cat(vec![length.clone(), distance(rows(&reference, &first) - rows(&reference, &second))], 1);
    let z = rows(&inputs.term, &first)
        + rows(&inputs.term, &second)
        + rows(&inputs.factor, &first) * rows(&inputs.factor, &second)
        + normed.matmul(weights.pair)
        + distances.matmul(weights.distance);
    let message =
        activation::silu(activation::silu(z).matmul(weights.message) + weights.message_bias.unsqueeze());
    let pairs = inputs.pairs + message.clone().matmul(weights.update) + weights.update_bias.unsqueeze();
    let head = message.clone().matmul(weights.head);

    let exps = head.clone().narrow(1, 0, heads).clamp(-MAX_LOGIT, MAX_LOGIT).exp();
    let total = sum_at(exps.clone(), &first) + sum_at(exps.clone(), &second) + 1.0;
    let per_head = value_width / heads;
    let attend = |at: &Tensor<1, Int>, to: &Tensor<1, Int>| {
        let share = exps.clone() / rows(&total, at);
        let spread = share.unsqueeze_dim::<3>(2).repeat_dim(2, per_head);
        sum_at(spread.reshape([-1, value_width as i64]) * rows(&inputs.values, to), at)
    };
    let attended = attend(&first, &second) + attend(&second, &first);

    let weight = head.narrow(1, heads, vectors) / (length + 1.0);
    let arrows = weight.unsqueeze_dim::<3>(2) * offset.unsqueeze_dim::<3>(1);
    let arrows = arrows.reshape([-1, 3 * vectors as i64]);
    PairOutputs {
        pairs,
        messages: sum_at(message.clone(), &first) + sum_at(message, &second),
        attended,
        vectors: sum_at(arrows.clone(), &first) - sum_at(arrows, &second),
    }
}

/// For every pair row, the packed index of its first and of its second atom.
fn pair_indices(sizes: &[usize], device: &Device) -> (Tensor<1, Int>, Tensor<1, Int>) {
    let (mut first, mut second, mut start) = (Vec::new(), Vec::new(), 0i32);
    for &n in sizes {
        let end = start + n as i32;
        for i in start..end {
            first.extend(std::iter::repeat_n(i, (end - i - 1) as usize));
            second.extend(i + 1..end);
        }
        start = end;
    }
    let count = first.len();
    (
        Tensor::from_data(TensorData::new(first, [count]), device),
        Tensor::from_data(TensorData::new(second, [count]), device),
    )
}

/// |offset| per row, `[rows, 1]`, with gradient zero at zero.
fn distance(offset: Tensor<2>) -> Tensor<2> {
    let square = offset.powi_scalar(2).sum_dim(1);
    let zero = square.clone().lower_equal_scalar(1e-18);
    square.mask_fill(zero.clone(), 1.0).sqrt().mask_fill(zero, 0.0)
}

/// The tensors of [`PairInputs`] and [`PairWeights`] of one backend.
#[derive(ExtensionType)]
pub(crate) struct PairTensors<B: Backend> {
    pub(crate) term: FloatTensor<B>,
    pub(crate) factor: FloatTensor<B>,
    pub(crate) values: FloatTensor<B>,
    pub(crate) pairs: FloatTensor<B>,
    pub(crate) positions: FloatTensor<B>,
    pub(crate) reference: FloatTensor<B>,
    pub(crate) norm_scale: FloatTensor<B>,
    pub(crate) norm_shift: FloatTensor<B>,
    pub(crate) pair: FloatTensor<B>,
    pub(crate) distance: FloatTensor<B>,
    pub(crate) message: FloatTensor<B>,
    pub(crate) message_bias: FloatTensor<B>,
    pub(crate) update: FloatTensor<B>,
    pub(crate) update_bias: FloatTensor<B>,
    pub(crate) head: FloatTensor<B>,
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait PairOps: Backend {
    /// All outputs of the layer in one vector: the pairs `[P, D]`, then messages, attended values and vectors
    /// of each atom, `[N, D + V + 3·vectors]`.
    fn fused_pair_layer(
        #[extension_type] tensors: PairTensors<Self>,
        heads: usize,
        sizes: Vec<usize>,
    ) -> FloatTensor<Self>;
}

impl PairOps for Flex {
    fn fused_pair_layer(tensors: PairTensors<Self>, heads: usize, sizes: Vec<usize>) -> FlexTensor {
        forward::forward(&tile::Operands::new(tensors, heads), &sizes, None)
    }
}

#[cfg(test)]
mod tests;
