//! SiLU at memory speed.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData, activation};
use rayon::prelude::*;

use crate::simd;
use crate::tensors::{in_order, values};

/// Elements that one thread works on at a time.
const BLOCK: usize = 1 << 15;

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
        let x = in_order(x);
        let shape = x.layout().shape().clone();
        let input = values(&x);
        let mut output = vec![0.0; input.len()];
        output.par_chunks_mut(BLOCK).zip(input.par_chunks(BLOCK)).for_each(|(y, x)| simd::silu(x, y));
        FlexTensor::from_data(TensorData::new(output, shape))
    }
}

#[derive(Debug)]
struct FusedSilu;

impl Backward<Flex, 1> for FusedSilu {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |grad| {
            let x = in_order(ops.state);
            let grad = in_order(grad);
            let shape = grad.layout().shape().clone();
            let mut g = values(&grad).to_vec();
            g.par_chunks_mut(BLOCK)
                .zip(values(&x).par_chunks(BLOCK))
                .for_each(|(g, x)| simd::silu_backward(x, g));
            FlexTensor::from_data(TensorData::new(g, shape))
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
    use burn::tensor::Device;

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
