//! The logistic function at memory speed.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, activation};

use crate::blocks::{BLOCK, map, map_gradient};
use crate::simd::{self, multiversion};

/// 1/(1 + e⁻ˣ), element by element, of any shape.
pub fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if crate::is_flex(&x.device()) {
        Tensor::from_dispatch(<Dispatch as SigmoidOps>::fused_sigmoid(x.into_dispatch()))
    } else {
        activation::sigmoid(x)
    }
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait SigmoidOps: Backend {
    fn fused_sigmoid(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl SigmoidOps for Flex {
    fn fused_sigmoid(x: FlexTensor) -> FlexTensor {
        map(x, BLOCK, forward)
    }
}

multiversion! {
    fn forward(x: &[f32], y: &mut [f32]) = forward_body
}

#[inline(always)]
fn forward_body(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = simd::sigmoid(*x));
}

multiversion! {
    /// `grad *= y·(1 − y)`.
    fn backward(y: &[f32], grad: &mut [f32]) = backward_body
}

#[inline(always)]
fn backward_body(y: &[f32], grad: &mut [f32]) {
    grad.iter_mut().zip(y).for_each(|(g, y)| *g *= y * (1.0 - y));
}

#[derive(Debug)]
struct FusedSigmoid;

impl Backward<Flex, 1> for FusedSigmoid {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |grad| map_gradient(ops.state, grad, BLOCK, backward));
    }
}

impl<C: CheckpointStrategy> SigmoidOps for Autodiff<Flex, C> {
    fn fused_sigmoid(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let node = x.node();
        let output = Flex::fused_sigmoid(x.into_primitive());
        match FusedSigmoid.prepare::<C>([node]).compute_bound().stateful() {
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
        for shape in [[3, 5, 37], [0, 4, 2], [1, 1, 1]] {
            let run = |f: fn(Tensor<3>) -> Tensor<3>| {
                let x = tensor::<3>(1, shape, &device);
                let weight = tensor::<3>(2, [shape[2], shape[1], shape[0]], &device).detach();
                // A transposed view is read through its strides.
                let y = f((x.clone() * 20.0).swap_dims(0, 2));
                let grads = (y.clone() * weight).sum().backward();
                (y, x.grad(&grads).expect("tracked"))
            };
            let ((y1, g1), (y2, g2)) = (run(sigmoid), run(activation::sigmoid));
            let far = |a: Tensor<3>, b: Tensor<3>| {
                (a - b).into_data().iter::<f32>().fold(0.0, |m: f32, v| m.max(v.abs()))
            };
            assert!(far(y1, y2) < 1e-6);
            assert!(far(g1.clone(), g2.clone()) < 1e-5);
        }
    }
}
