//! SiLU at memory speed.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, activation};

use crate::blocks::{BLOCK, map, map_gradient};
use crate::simd;

/// x · sigmoid(x), element by element, of any shape.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if crate::is_flex(&x.device()) {
        Tensor::from_dispatch(<Dispatch as SiluOps>::fused_silu(x.into_dispatch()))
    } else {
        activation::silu(x)
    }
}

#[backend_extension(Flex, Autodiff)]
pub(crate) trait SiluOps: Backend {
    fn fused_silu(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl SiluOps for Flex {
    fn fused_silu(x: FlexTensor) -> FlexTensor {
        map(x, BLOCK, simd::silu)
    }
}

#[derive(Debug)]
struct FusedSilu;

impl Backward<Flex, 1> for FusedSilu {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |grad| {
            map_gradient(ops.state, grad, BLOCK, simd::silu_backward)
        });
    }
}

impl<C: CheckpointStrategy> SiluOps for Autodiff<Flex, C> {
    fn fused_silu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let node = x.node();
        let input = x.into_primitive();
        let output = Flex::fused_silu(input.clone());
        match FusedSilu.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(input, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn fused_equals_plain_with_gradient() {
        let device = Device::flex().autodiff();
        let data: Vec<f32> = (0..999).map(|i| (i as f32 - 500.0) * 0.02).collect();
        let data = TensorData::new(data, [37, 27]);
        let run = |f: fn(Tensor<2>) -> Tensor<2>| {
            let x = Tensor::<2>::from_data(data.clone(), &device).require_grad();
            let weight = Tensor::<2>::from_data(data.clone(), &device) * 0.3 + 1.0;
            let y = f(x.clone());
            // a transposed view is read through its strides
            let transposed = f(x.clone().transpose());
            let grads = ((y.clone() * weight).sum() + transposed.clone().sum()).backward();
            (y, transposed, x.grad(&grads).expect("x is tracked"))
        };
        let ((y1, t1, g1), (y2, t2, g2)) = (run(silu), run(activation::silu));
        assert!((y1 - y2).abs().max().into_scalar::<f32>() < 1e-5);
        assert!((t1 - t2).abs().max().into_scalar::<f32>() < 1e-5);
        assert!((g1 - g2).abs().max().into_scalar::<f32>() < 1e-5);
    }
}
