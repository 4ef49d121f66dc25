//! Layer norm over the last dimension at memory speed.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::blocks::{BLOCK, map};
use crate::norm::{layer_norm_plain, norm_gradient, norm_rows};
use crate::tensors::{in_order, values};

/// Rows are divided into at most this many parts, whatever the number of threads, so that sums over parts are the same
/// numbers on every machine size.
const PARTS: usize = 16;

/// (x − mean)/√(variance + 10⁻⁵)·scale + shift over the last dimension (Ba et al. 2016), with scale and shift `[d]`, of any
/// shape that ends in d.
pub fn layer_norm<const D: usize>(x: Tensor<D>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<D> {
    let shape = x.dims();
    let columns = scale.dims()[0];
    if !crate::is_flex(&x.device()) || shape.contains(&0) {
        let rows = shape[..D - 1].iter().product();
        return layer_norm_plain(x.reshape([rows, columns]), scale, shift).reshape(shape);
    }
    let (x, scale, shift) = (x.into_dispatch(), scale.into_dispatch(), shift.into_dispatch());
    Tensor::from_dispatch(<Dispatch as LayerNormOps>::fused_layer_norm(x, scale, shift))
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait LayerNormOps: Backend {
    fn fused_layer_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl LayerNormOps for Flex {
    fn fused_layer_norm(x: FlexTensor, scale: FlexTensor, shift: FlexTensor) -> FlexTensor {
        let (scale, shift) = (in_order(scale), in_order(shift));
        let (scale, shift) = (values(&scale), values(&shift));
        let block = (BLOCK / scale.len()).max(1) * scale.len();
        map(x, block, |x, y| norm_rows(x, scale, shift, y))
    }
}

#[derive(Debug)]
struct FusedLayerNorm;

impl Backward<Flex, 3> for FusedLayerNorm {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (x, scale) = ops.state;
        for (node, gradient) in ops.parents.into_iter().zip(gradients(&x, &scale, &in_order(grad))) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// Gradients of input, scale and shift.
fn gradients(x: &FlexTensor, scale: &FlexTensor, grad: &FlexTensor) -> [FlexTensor; 3] {
    let (input, weight, grad) = (values(x), values(scale), values(grad));
    let d = weight.len();
    let part = (input.len() / d).div_ceil(PARTS).max(1) * d;
    let mut own = vec![0.0f32; input.len()];
    let sums: Vec<(Vec<f32>, Vec<f32>)> = own
        .par_chunks_mut(part)
        .zip(input.par_chunks(part))
        .zip(grad.par_chunks(part))
        .map(|((out, x), g)| {
            let (mut of_scale, mut of_shift) = (vec![0.0; d], vec![0.0; d]);
            norm_gradient(x, g, weight, out, &mut of_scale, &mut of_shift);
            (of_scale, of_shift)
        })
        .collect();
    let mut total = (vec![0.0f32; d], vec![0.0f32; d]);
    for (of_scale, of_shift) in &sums {
        total.0.iter_mut().zip(of_scale).for_each(|(t, s)| *t += s);
        total.1.iter_mut().zip(of_shift).for_each(|(t, s)| *t += s);
    }
    let vector = |values: Vec<f32>| FlexTensor::from_data(TensorData::new(values, [d]));
    [
        FlexTensor::from_data(TensorData::new(own, x.layout().shape().clone())),
        vector(total.0),
        vector(total.1),
    ]
}

impl<C: CheckpointStrategy> LayerNormOps for Autodiff<Flex, C> {
    fn fused_layer_norm(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), scale.node(), shift.node()];
        let (x, scale) = (in_order(x.into_primitive()), in_order(scale.into_primitive()));
        let output = Flex::fused_layer_norm(x.clone(), scale.clone(), shift.into_primitive());
        match FusedLayerNorm.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, scale), output),
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

    type Norm = fn(Tensor<2>, Tensor<1>, Tensor<1>) -> Tensor<2>;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn fused_equals_plain_with_gradients(rows in 0usize..70, columns in 1usize..70, seed in 0u64..99) {
            let device = Device::flex().autodiff();
            let run = |f: Norm| {
                let x = tensor::<2>(seed, [columns, rows], &device);
                let (scale, shift) = (tensor::<1>(seed + 1, [columns], &device), tensor::<1>(seed + 2, [columns], &device));
                let weight = tensor::<2>(seed + 3, [rows, columns], &device).detach();
                // A transposed view is read through its strides.
                let y = f(x.clone().transpose() * 3.0 + 0.5, scale.clone(), shift.clone());
                let grads = (y.clone() * weight).sum().backward();
                let list = |t: burn::tensor::TensorData| t.iter::<f32>().collect::<Vec<_>>();
                let gradients = [
                    x.grad(&grads).map(|g| list(g.into_data())),
                    scale.grad(&grads).map(|g| list(g.into_data())),
                    shift.grad(&grads).map(|g| list(g.into_data())),
                ];
                (list(y.into_data()), gradients)
            };
            let ((y1, g1), (y2, g2)) = (run(layer_norm), run(layer_norm_plain));
            let close = |a: &[f32], b: &[f32], bound: f32| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= bound * (1.0 + b.abs()));
            prop_assert!(close(&y1, &y2, 2e-4));
            for (a, b) in g1.into_iter().zip(g2) {
                let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
                // A column of one is nothing but its shift; the rounding of its variance is blown up by 1/√ε.
                prop_assert!(columns < 3 || close(&a, &b, 2e-3), "{a:?} {b:?}");
            }
        }
    }
}
