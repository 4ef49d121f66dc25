//! Softmax over the last dimension at memory speed.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, activation};

use crate::blocks::{map, map_gradient};
use crate::norm::{dot, lane_sum};
use crate::simd::{self, multiversion};

/// exp(x)/Σexp(x) over the last dimension, of any shape.
pub fn softmax_rows<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if crate::is_flex(&x.device()) {
        Tensor::from_dispatch(<Dispatch as SoftmaxOps>::fused_softmax(x.into_dispatch()))
    } else {
        activation::softmax(x, D - 1)
    }
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait SoftmaxOps: Backend {
    fn fused_softmax(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl SoftmaxOps for Flex {
    fn fused_softmax(x: FlexTensor) -> FlexTensor {
        let row = row_length(&x);
        map(x, row, softmax)
    }
}

fn row_length(x: &FlexTensor) -> usize {
    x.layout().shape().iter().last().copied().unwrap_or(1).max(1)
}

multiversion! {
    fn softmax(x: &[f32], y: &mut [f32]) = softmax_body
}

#[inline(always)]
fn softmax_body(x: &[f32], y: &mut [f32]) {
    let largest = x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    for (y, x) in y.iter_mut().zip(x) {
        *y = simd::exp(x - largest);
    }
    let scale = 1.0 / lane_sum(y, |v| v);
    y.iter_mut().for_each(|y| *y *= scale);
}

multiversion! {
    /// `grad = y·(grad − Σ grad·y)`.
    fn softmax_backward(y: &[f32], grad: &mut [f32]) = softmax_backward_body
}

#[inline(always)]
fn softmax_backward_body(y: &[f32], grad: &mut [f32]) {
    let mean = dot(y, grad);
    grad.iter_mut().zip(y).for_each(|(g, y)| *g = y * (*g - mean));
}

#[derive(Debug)]
struct FusedSoftmax;

impl Backward<Flex, 1> for FusedSoftmax {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |grad| {
            let row = row_length(&ops.state);
            map_gradient(ops.state, grad, row, softmax_backward)
        });
    }
}

impl<C: CheckpointStrategy> SoftmaxOps for Autodiff<Flex, C> {
    fn fused_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let node = x.node();
        let output = Flex::fused_softmax(x.into_primitive());
        match FusedSoftmax.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(output.clone(), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_numbers::tensor;
    use burn::tensor::Device;

    #[test]
    fn fused_equals_plain_with_gradient() {
        let device = Device::flex().autodiff();
        let run = |f: fn(Tensor<3>) -> Tensor<3>| {
            let x = tensor::<3>(1, [3, 5, 37], &device);
            let weight = tensor::<3>(2, [3, 5, 37], &device).detach();
            let y = f(x.clone() * 6.0);
            let grads = (y.clone() * weight).sum().backward();
            (y, x.grad(&grads).expect("tracked"))
        };
        let ((y1, g1), (y2, g2)) = (run(softmax_rows), run(|x| activation::softmax(x, 2)));
        assert!((y1 - y2).abs().max().into_scalar::<f32>() < 1e-6);
        assert!((g1 - g2).abs().max().into_scalar::<f32>() < 1e-5);
    }
}
