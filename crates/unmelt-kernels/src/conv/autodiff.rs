//! The fused convolution under automatic differentiation.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{ConvOps, ConvStep, ConvTensors, Convolution, NormSetting};

#[derive(Debug)]
struct FusedConv;

impl<B: Convolution> Backward<B, 5> for FusedConv {
    type State = B::Operands;

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let of_x = ops.parents[..3].iter().any(Option::is_some);
        let gradients = B::gradients(&ops.state, grad, of_x);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: Convolution, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn fused_conv(t: ConvTensors<Self>, norm: NormSetting, step: ConvStep) -> FloatTensor<Self> {
        let nodes = [t.x.node(), t.scale.node(), t.shift.node(), t.kernel.node(), t.bias.node()];
        let tensors = ConvTensors {
            x: t.x.into_primitive(),
            scale: t.scale.into_primitive(),
            shift: t.shift.into_primitive(),
            kernel: t.kernel.into_primitive(),
            bias: t.bias.into_primitive(),
        };
        let operands = B::operands(tensors, norm, step);
        let output = B::output(&operands);
        match FusedConv.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(operands, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}
