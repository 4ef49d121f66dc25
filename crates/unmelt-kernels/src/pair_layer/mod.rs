//! One layer of equivariant message passing over the complete graph of each molecule of a packed batch.
//!
//! With node projections a, b (width D) and values v (heads × width), pair features e (width D), positions x
//! and reference positions x⁰, for every ordered pair (i, j) of one molecule, the pair (i, i) included:
//!
//! ```text
//! z_ij = a_i + b_j + C·norm(e_ij) + D·[d_ij, d⁰_ij]      d = |x_i − x_j|, d⁰ = |x⁰_i − x⁰_j|
//! m_ij = silu(M·silu(z_ij) + c)
//! e_ij ← e_ij + U·m_ij + u
//! [l_ij, w_ij] = H·m_ij                                  one attention logit per head, one coordinate weight
//! messages_i = Σ_j m_ij
//! attended_i = Σ_j softmax_j(l_ij)·v_j
//! shift_i = Σ_j w_ij (x_i − x_j) / (d_ij + 1)
//! ```
//!
//! The pairs of molecule k with n atoms are n² rows, row i·n + j, behind those of the molecules before it.

mod autodiff;
mod backward;
mod forward;
mod tile;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, activation};

use crate::norm::layer_norm;

/// What a layer reads: N atoms, P pairs, pair width D, value width V.
#[derive(Clone, Debug)]
pub struct PairInputs {
    /// a, `[N, D]`.
    pub source: Tensor<2>,
    /// b, `[N, D]`.
    pub target: Tensor<2>,
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
    /// H, `[D, heads + 1]`; the last column is the coordinate weight.
    pub head: Tensor<2>,
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
    /// The coordinate update, `[N, 3]`.
    pub shift: Tensor<2>,
}

/// The layer for molecules of `sizes` atoms, in one fused pass where the device has one.
///
/// # Panics
/// If a shape does not fit the others.
pub fn pair_layer(inputs: PairInputs, weights: PairWeights, sizes: &[usize]) -> PairOutputs {
    if !crate::is_flex(&inputs.pairs.device()) {
        return pair_layer_plain(inputs, weights, sizes);
    }
    let [atoms, width] = inputs.source.dims();
    let value_width = inputs.values.dims()[1];
    let rows = inputs.pairs.dims()[0];
    assert_eq!(atoms, sizes.iter().sum::<usize>(), "atoms and sizes");
    assert_eq!(rows, sizes.iter().map(|n| n * n).sum::<usize>(), "pairs and sizes");
    let packed = Tensor::<1>::from_dispatch(<Dispatch as PairOps>::fused_pair_layer(
        PairTensors {
            source: inputs.source.into_dispatch(),
            target: inputs.target.into_dispatch(),
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
        sizes.to_vec(),
    ));
    let columns = width + value_width + 3;
    let ends = [rows * width, rows * width + atoms * columns];
    let nodes = packed.clone().slice(ends[0]..ends[1]).reshape([atoms, columns]);
    let take = |from: usize, to: usize| nodes.clone().slice([0..atoms, from..to]);
    PairOutputs {
        pairs: packed.slice(0..ends[0]).reshape([rows, width]),
        messages: take(0, width),
        attended: take(width, width + value_width),
        shift: take(width + value_width, columns),
    }
}

/// The layer as a composition of burn operations: its definition, and what devices without a fused pass run.
pub fn pair_layer_plain(inputs: PairInputs, weights: PairWeights, sizes: &[usize]) -> PairOutputs {
    let device = inputs.pairs.device();
    let [atoms, value_width] = inputs.values.dims();
    let heads = weights.head.dims()[1] - 1;
    let (first, second) = pair_indices(sizes, &device);
    let rows = |x: &Tensor<2>, index: &Tensor<1, Int>| x.clone().select(0, index.clone());
    let sum_rows = |x: Tensor<2>| {
        let zeros = Tensor::<2>::zeros([atoms, x.dims()[1]], &device);
        zeros.select_assign(0, first.clone(), x, IndexingUpdateOp::Add)
    };

    let normed = layer_norm(inputs.pairs.clone(), weights.norm_scale, weights.norm_shift);
    let offset = rows(&inputs.positions, &first) - rows(&inputs.positions, &second);
    let length = distance(offset.clone());
    let reference = inputs.reference.detach();
    let distances =
        Tensor::cat(vec![length.clone(), distance(rows(&reference, &first) - rows(&reference, &second))], 1);
    let z = rows(&inputs.source, &first)
        + rows(&inputs.target, &second)
        + normed.matmul(weights.pair)
        + distances.matmul(weights.distance);
    let message =
        activation::silu(activation::silu(z).matmul(weights.message) + weights.message_bias.unsqueeze());
    let pairs = inputs.pairs + message.clone().matmul(weights.update) + weights.update_bias.unsqueeze();
    let head = message.clone().matmul(weights.head);

    // Softmax within each row of a molecule; a constant per row may be subtracted, the mean serves.
    let logits = head.clone().slice([0..head.dims()[0], 0..heads]);
    let counts: Vec<f32> = sizes.iter().flat_map(|&n| std::iter::repeat_n(n as f32, n)).collect();
    let counts = Tensor::<1>::from_data(TensorData::new(counts, [atoms]), &device).unsqueeze_dim::<2>(1);
    let mean = (sum_rows(logits.clone()) / counts).detach();
    let exps = (logits - rows(&mean, &first)).clamp(-60.0, 60.0).exp();
    let total = sum_rows(exps.clone());
    let weights_of_j = exps / rows(&total, &first);
    let per_head = value_width / heads;
    let spread = weights_of_j.unsqueeze_dim::<3>(2).repeat_dim(2, per_head);
    let spread = spread.reshape([-1, value_width as i64]);
    let attended = sum_rows(spread * rows(&inputs.values, &second));

    let coordinate_weight = head.clone().slice([0..head.dims()[0], heads..heads + 1]);
    let shift = sum_rows(offset * (coordinate_weight / (length + 1.0)));
    PairOutputs { pairs, messages: sum_rows(message), attended, shift }
}

/// For every pair row, the packed index of its first and of its second atom.
fn pair_indices(sizes: &[usize], device: &Device) -> (Tensor<1, Int>, Tensor<1, Int>) {
    let (mut first, mut second, mut start) = (Vec::new(), Vec::new(), 0i32);
    for &n in sizes {
        let n = n as i32;
        for i in start..start + n {
            first.extend(std::iter::repeat_n(i, n as usize));
            second.extend(start..start + n);
        }
        start += n;
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
    pub(crate) source: FloatTensor<B>,
    pub(crate) target: FloatTensor<B>,
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
    /// All outputs of the layer in one vector: the pairs `[P, D]`, then messages, attended and shift of each
    /// atom, `[N, D + V + 3]`.
    fn fused_pair_layer(#[extension_type] tensors: PairTensors<Self>, sizes: Vec<usize>)
    -> FloatTensor<Self>;
}

impl PairOps for Flex {
    fn fused_pair_layer(tensors: PairTensors<Self>, sizes: Vec<usize>) -> FlexTensor {
        forward::forward(&tile::Operands::new(tensors), &sizes, None)
    }
}

#[cfg(test)]
mod tests;
