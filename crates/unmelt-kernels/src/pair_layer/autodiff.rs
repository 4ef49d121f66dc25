//! The fused layer under automatic differentiation.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::forward::{Saved, forward};
use super::tile::Operands;
use super::{PairOps, PairTensors, backward};

#[derive(Debug)]
struct FusedPairLayer;

impl Backward<Flex, 15> for FusedPairLayer {
    type State = (Operands, Vec<usize>, Saved);

    fn backward(self, ops: Ops<Self::State, 15>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (operands, sizes, saved) = ops.state;
        let gradients = backward::backward(&operands, &sizes, &saved, &grad);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> PairOps for Autodiff<Flex, C> {
    fn fused_pair_layer(t: PairTensors<Self>, heads: usize, sizes: Vec<usize>) -> FloatTensor<Self> {
        let nodes = [
            t.term.node(),
            t.factor.node(),
            t.values.node(),
            t.pairs.node(),
            t.positions.node(),
            t.reference.node(),
            t.norm_scale.node(),
            t.norm_shift.node(),
            t.pair.node(),
            t.distance.node(),
            t.message.node(),
            t.message_bias.node(),
            t.update.node(),
            t.update_bias.node(),
            t.head.node(),
        ];
        let operands = Operands::new(
            PairTensors {
                term: t.term.into_primitive(),
                factor: t.factor.into_primitive(),
                values: t.values.into_primitive(),
                pairs: t.pairs.into_primitive(),
                positions: t.positions.into_primitive(),
                reference: t.reference.into_primitive(),
                norm_scale: t.norm_scale.into_primitive(),
                norm_shift: t.norm_shift.into_primitive(),
                pair: t.pair.into_primitive(),
                distance: t.distance.into_primitive(),
                message: t.message.into_primitive(),
                message_bias: t.message_bias.into_primitive(),
                update: t.update.into_primitive(),
                update_bias: t.update_bias.into_primitive(),
                head: t.head.into_primitive(),
            },
            heads,
        );
        match FusedPairLayer.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let mut saved = Saved::default();
                let output = forward(&operands, &sizes, Some(&mut saved));
                prep.finish((operands, sizes, saved), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(&operands, &sizes, None)),
        }
    }
}
