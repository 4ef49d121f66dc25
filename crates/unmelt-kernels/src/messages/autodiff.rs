//! The fused messages under automatic differentiation.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::forward::forward;
use super::tile::Operands;
use super::{EdgeGraph, MessageOps, MessageTensors, Reduction, backward};

#[derive(Debug)]
struct FusedMessages;

impl Backward<Flex, 9> for FusedMessages {
    type State = (Operands, Arc<EdgeGraph>, Reduction);

    fn backward(self, ops: Ops<Self::State, 9>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (operands, graph, reduction) = ops.state;
        let gradients = backward::backward(&operands, &graph, reduction, &grad);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> MessageOps for Autodiff<Flex, C> {
    fn fused_messages(
        t: MessageTensors<Self>,
        graph: Arc<EdgeGraph>,
        reduction: Reduction,
    ) -> FloatTensor<Self> {
        let nodes = [
            t.source.node(),
            t.target.node(),
            t.positions.node(),
            t.reference.node(),
            t.distance.node(),
            t.message.node(),
            t.message_bias.node(),
            t.head.node(),
            t.head_bias.node(),
        ];
        let operands = Operands::new(MessageTensors {
            source: t.source.into_primitive(),
            target: t.target.into_primitive(),
            positions: t.positions.into_primitive(),
            reference: t.reference.into_primitive(),
            distance: t.distance.into_primitive(),
            message: t.message.into_primitive(),
            message_bias: t.message_bias.into_primitive(),
            head: t.head.into_primitive(),
            head_bias: t.head_bias.into_primitive(),
        });
        let output = forward(&operands, &graph, reduction);
        match FusedMessages.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((operands, graph, reduction), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}
