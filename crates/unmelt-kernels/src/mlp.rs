//! Two linear layers with SiLU between them, behind a layer norm if wanted, in one pass over blocks of rows.
//!
//! ```text
//! y = silu(norm(x)·W₁ + b₁)·W₂ + b₂
//! ```
//!
//! The hidden rows never leave the processor's cache; the backward pass computes them again.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::norm::{layer_norm_plain, norm_gradient, norm_rows};
use crate::product::{add_column_sums, add_product_at, fill_rows, product, product_bt};
use crate::silu::silu;
use crate::simd;
use crate::tensors::{in_order, values};

/// Rows that are worked on at a time.
const BLOCK: usize = 128;

/// Rows are divided into at most this many parts, whatever the number of threads, so that sums over parts are
/// the same numbers on every machine size.
const PARTS: usize = 16;

/// The weights of the two layers, each `[in, out]` and `[out]`, and of the norm before them, if there is one.
#[derive(Clone, Debug)]
pub struct MlpWeights {
    /// Scale and shift of the layer norm on x.
    pub norm: Option<(Tensor<1>, Tensor<1>)>,
    /// W₁.
    pub first: Tensor<2>,
    /// b₁.
    pub first_bias: Tensor<1>,
    /// W₂.
    pub second: Tensor<2>,
    /// b₂.
    pub second_bias: Tensor<1>,
}

/// The function of the rows of `x` `[rows, in]`, in one fused pass where the device has one.
pub fn mlp(x: Tensor<2>, weights: &MlpWeights) -> Tensor<2> {
    if !crate::is_flex(&x.device()) {
        return mlp_plain(x, weights);
    }
    let w = weights.clone();
    let normalise = w.norm.is_some();
    let device = w.first.device();
    let (scale, shift) = w.norm.unwrap_or_else(|| (Tensor::zeros([1], &device), Tensor::zeros([1], &device)));
    let tensors = MlpTensors {
        x: x.into_dispatch(),
        scale: scale.into_dispatch(),
        shift: shift.into_dispatch(),
        first: w.first.into_dispatch(),
        first_bias: w.first_bias.into_dispatch(),
        second: w.second.into_dispatch(),
        second_bias: w.second_bias.into_dispatch(),
    };
    Tensor::from_dispatch(<Dispatch as MlpOps>::fused_mlp(tensors, normalise))
}

/// The function as a composition of burn operations: its definition, and what devices without a fused pass run.
pub fn mlp_plain(x: Tensor<2>, weights: &MlpWeights) -> Tensor<2> {
    let w = weights.clone();
    let x = match w.norm {
        Some((scale, shift)) => layer_norm_plain(x, scale, shift),
        None => x,
    };
    let hidden = silu(x.matmul(w.first) + w.first_bias.unsqueeze());
    hidden.matmul(w.second) + w.second_bias.unsqueeze()
}

#[derive(ExtensionType)]
pub(crate) struct MlpTensors<B: Backend> {
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    first: FloatTensor<B>,
    first_bias: FloatTensor<B>,
    second: FloatTensor<B>,
    second_bias: FloatTensor<B>,
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait MlpOps: Backend {
    fn fused_mlp(#[extension_type] tensors: MlpTensors<Self>, normalise: bool) -> FloatTensor<Self>;
}

impl MlpOps for Flex {
    fn fused_mlp(t: MlpTensors<Self>, normalise: bool) -> FlexTensor {
        Operands::new(t, normalise).forward()
    }
}

/// The operands, contiguous: x, scale, shift, W₁, b₁, W₂, b₂.
#[derive(Clone, Debug)]
struct Operands {
    tensors: [FlexTensor; 7],
    normalise: bool,
}

/// Widths of x, of the hidden rows and of y.
#[derive(Clone, Copy)]
struct Widths {
    input: usize,
    hidden: usize,
    output: usize,
}

impl Operands {
    fn new(t: MlpTensors<Flex>, normalise: bool) -> Self {
        let tensors = [t.x, t.scale, t.shift, t.first, t.first_bias, t.second, t.second_bias];
        Self { tensors: tensors.map(in_order), normalise }
    }

    fn widths(&self) -> Widths {
        let dims = |k: usize| self.tensors[k].layout().shape().clone();
        Widths { input: dims(3)[0], hidden: dims(3)[1], output: dims(5)[1] }
    }

    fn forward(&self) -> FlexTensor {
        let w = self.widths();
        let x = values(&self.tensors[0]);
        let rows = x.len() / w.input;
        let mut y = vec![0.0; rows * w.output];
        y.par_chunks_mut(BLOCK * w.output).zip(x.par_chunks(BLOCK * w.input)).for_each_init(
            Scratch::default,
            |scratch, (y, x)| {
                self.hidden(x, w, scratch);
                fill_rows(y, values(&self.tensors[6]));
                let m = y.len() / w.output;
                product(y, &scratch.active, values(&self.tensors[5]), [m, w.hidden, w.output], true);
            },
        );
        FlexTensor::from_data(TensorData::new(y, [rows, w.output]))
    }

    /// norm(x), the argument of SiLU and its value for a block of rows.
    fn hidden(&self, x: &[f32], w: Widths, scratch: &mut Scratch) {
        let m = x.len() / w.input;
        scratch.normed.resize(m * w.input, 0.0);
        if self.normalise {
            norm_rows(x, values(&self.tensors[1]), values(&self.tensors[2]), &mut scratch.normed);
        } else {
            scratch.normed.copy_from_slice(x);
        }
        scratch.hidden.resize(m * w.hidden, 0.0);
        scratch.active.resize(m * w.hidden, 0.0);
        fill_rows(&mut scratch.hidden, values(&self.tensors[4]));
        let weight = values(&self.tensors[3]);
        product(&mut scratch.hidden, &scratch.normed, weight, [m, w.input, w.hidden], true);
        simd::silu(&scratch.hidden, &mut scratch.active);
    }

    /// Gradients of all operands; none of x where `of_x` is false.
    fn backward(&self, grad: FlexTensor, of_x: bool) -> [Option<FlexTensor>; 7] {
        let w = self.widths();
        let grad = in_order(grad);
        let (x, grad) = (values(&self.tensors[0]), values(&grad));
        let rows = x.len() / w.input;
        let share = rows.div_ceil(PARTS).max(1);
        let mut grad_x = vec![0.0; if of_x { x.len() } else { 0 }];
        let mut outputs: Vec<&mut [f32]> = if of_x {
            grad_x.chunks_mut(share * w.input).collect()
        } else {
            (0..rows.div_ceil(share)).map(|_| Default::default()).collect()
        };
        let weights: Vec<[Vec<f32>; 6]> = outputs
            .par_iter_mut()
            .zip(x.par_chunks(share * w.input).zip(grad.par_chunks(share * w.output)))
            .map(|(out, (x, grad))| self.backward_part(x, grad, out, w))
            .collect();
        let lengths: [usize; 6] = std::array::from_fn(|k| self.tensors[k + 1].layout().num_elements());
        let mut sums = lengths.map(|n| vec![0.0; n]);
        for part in &weights {
            for (sum, part) in sums.iter_mut().zip(part) {
                sum.iter_mut().zip(part).for_each(|(a, b)| *a += b);
            }
        }
        let tensor = |k: usize, data: Vec<f32>| {
            let shape = self.tensors[k].layout().shape().clone();
            Some(FlexTensor::from_data(TensorData::new(data, shape)))
        };
        let mut gradients: [Option<FlexTensor>; 7] = std::array::from_fn(|_| None);
        for (k, data) in sums.into_iter().enumerate() {
            gradients[k + 1] = tensor(k + 1, data);
        }
        if of_x {
            gradients[0] = tensor(0, grad_x);
        }
        gradients
    }

    /// Gradients of scale, shift, W₁, b₁, W₂, b₂ over some rows, and of those rows where `out` is not empty.
    fn backward_part(&self, x: &[f32], grad: &[f32], out: &mut [f32], w: Widths) -> [Vec<f32>; 6] {
        let mut sums: [Vec<f32>; 6] =
            std::array::from_fn(|k| vec![0.0; self.tensors[k + 1].layout().num_elements()]);
        let mut scratch = Scratch::default();
        let mut slope = Vec::new();
        let blocks = x.chunks(BLOCK * w.input).zip(grad.chunks(BLOCK * w.output));
        for (k, (x, grad)) in blocks.enumerate() {
            let m = x.len() / w.input;
            let [scale, shift, first, first_bias, second, second_bias] = &mut sums;
            self.hidden(x, w, &mut scratch);
            add_product_at(second, &scratch.active, grad, [w.hidden, m, w.output]);
            add_column_sums(grad, second_bias);
            slope.resize(m * w.hidden, 0.0);
            product_bt(&mut slope, grad, values(&self.tensors[5]), [m, w.output, w.hidden], false);
            simd::silu_backward(&scratch.hidden, &mut slope);
            add_product_at(first, &scratch.normed, &slope, [w.input, m, w.hidden]);
            add_column_sums(&slope, first_bias);
            if out.is_empty() && !self.normalise {
                continue;
            }
            let of_normed = &mut scratch.normed;
            product_bt(of_normed, &slope, values(&self.tensors[3]), [m, w.hidden, w.input], false);
            let span = k * BLOCK * w.input..k * BLOCK * w.input + x.len();
            let mut unused = Vec::new();
            let own = if out.is_empty() {
                unused.resize(x.len(), 0.0);
                &mut unused[..]
            } else {
                &mut out[span]
            };
            if self.normalise {
                norm_gradient(x, of_normed, values(&self.tensors[1]), own, scale, shift);
            } else {
                own.copy_from_slice(of_normed);
            }
        }
        sums
    }
}

#[derive(Default)]
struct Scratch {
    normed: Vec<f32>,
    hidden: Vec<f32>,
    active: Vec<f32>,
}

#[derive(Debug)]
struct FusedMlp;

impl Backward<Flex, 7> for FusedMlp {
    type State = Operands;

    fn backward(self, ops: Ops<Self::State, 7>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let gradients = ops.state.backward(grad, ops.parents[0].is_some());
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> MlpOps for Autodiff<Flex, C> {
    fn fused_mlp(t: MlpTensors<Self>, normalise: bool) -> FloatTensor<Self> {
        let nodes = [
            t.x.node(),
            t.scale.node(),
            t.shift.node(),
            t.first.node(),
            t.first_bias.node(),
            t.second.node(),
            t.second_bias.node(),
        ];
        let tensors = MlpTensors {
            x: t.x.into_primitive(),
            scale: t.scale.into_primitive(),
            shift: t.shift.into_primitive(),
            first: t.first.into_primitive(),
            first_bias: t.first_bias.into_primitive(),
            second: t.second.into_primitive(),
            second_bias: t.second_bias.into_primitive(),
        };
        let operands = Operands::new(tensors, normalise);
        let output = operands.forward();
        match FusedMlp.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(operands, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_numbers::tensor;
    use burn::tensor::Device;
    use proptest::prelude::*;

    type Function = fn(Tensor<2>, &MlpWeights) -> Tensor<2>;

    fn run(f: Function, rows: usize, normalise: bool, seed: u64) -> Vec<Vec<f32>> {
        let device = Device::flex().autodiff();
        let (i, h, o) = (19, 33, 5);
        let x = tensor(seed, [rows, i], &device);
        let weights = MlpWeights {
            norm: normalise.then(|| (tensor(seed + 1, [i], &device), tensor(seed + 2, [i], &device))),
            first: tensor(seed + 3, [i, h], &device),
            first_bias: tensor(seed + 4, [h], &device),
            second: tensor(seed + 5, [h, o], &device),
            second_bias: tensor(seed + 6, [o], &device),
        };
        let y = f(x.clone(), &weights);
        let grads = (y.clone() * tensor(seed + 7, [rows, o], &device).detach()).sum().backward();
        let list = |t: Tensor<1>| t.into_data().try_to_vec::<f32>().expect("f32");
        let of2 = |t: &Tensor<2>| list(t.grad(&grads).expect("tracked").flatten(0, 1));
        let of1 = |t: &Tensor<1>| list(t.grad(&grads).expect("tracked"));
        let mut all = vec![
            list(y.flatten(0, 1)),
            of2(&x),
            of2(&weights.first),
            of1(&weights.first_bias),
            of2(&weights.second),
            of1(&weights.second_bias),
        ];
        if let Some((scale, shift)) = &weights.norm {
            all.extend([of1(scale), of1(shift)]);
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

        #[test]
        fn fused_equals_plain_forward_and_gradient(rows in 1usize..700, norm in any::<bool>(), seed in 1u64..1000) {
            for (a, b) in run(mlp, rows, norm, seed).iter().zip(run(mlp_plain, rows, norm, seed)) {
                let scale = b.iter().fold(1.0f32, |m, x| m.max(x.abs()));
                for (x, y) in a.iter().zip(&b) {
                    prop_assert!((x - y).abs() <= 2e-4 * scale, "{} and {} of {}", x, y, scale);
                }
            }
        }
    }

    #[test]
    fn a_row_is_the_same_in_any_batch() {
        let device = Device::flex();
        let weights = MlpWeights {
            norm: None,
            first: tensor(1, [64, 48], &device),
            first_bias: tensor(2, [48], &device),
            second: tensor(3, [48, 4], &device),
            second_bias: tensor(4, [4], &device),
        };
        let x: Tensor<2> = tensor(5, [300, 64], &device);
        let all = mlp(x.clone(), &weights).into_data().try_to_vec::<f32>().expect("f32");
        for (from, to) in [(0, 1), (17, 150), (127, 129), (299, 300), (3, 290)] {
            let part = mlp(x.clone().slice([from..to, 0..64]), &weights);
            let part = part.into_data().try_to_vec::<f32>().expect("f32");
            assert_eq!(part, all[from * 4..to * 4], "rows {from} to {to}");
        }
    }
}
