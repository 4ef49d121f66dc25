use super::*;
use crate::test_numbers::tensor;
use burn::tensor::Device;
use proptest::prelude::*;

type Function = fn(MessageInputs, MessageWeights, &Arc<EdgeGraph>, Reduction) -> Tensor<2>;

fn plain(i: MessageInputs, w: MessageWeights, g: &Arc<EdgeGraph>, r: Reduction) -> Tensor<2> {
    messages_plain(i, w, g, r)
}

const REDUCTIONS: [Reduction; 4] = [
    Reduction::Sum,
    Reduction::Gated,
    Reduction::Moves { bound: Some(15.0), offset: 1.0 },
    Reduction::Moves { bound: None, offset: 0.5 },
];

/// The output, and the gradients of all operands of a scalar made from it.
fn run(f: Function, graph: EdgeGraph, d: usize, reduction: Reduction, seed: u64) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let (n, s) = (graph.atoms(), seed * 100);
    let inputs = MessageInputs {
        // a transposed view is read through its strides
        source: tensor::<2>(s + 1, [d, n], &device).transpose(),
        target: tensor(s + 2, [n, d], &device),
        positions: tensor(s + 3, [n, 3], &device),
        reference: tensor(s + 4, [n, 3], &device),
    };
    let scale = 1.0 / (d as f32).sqrt();
    let weights = MessageWeights {
        distance: tensor(s + 5, [2, d], &device),
        message: tensor(s + 6, [d, d], &device) * scale,
        message_bias: tensor(s + 7, [d], &device),
        head: tensor(s + 8, [d, 1], &device) * scale,
        head_bias: tensor(s + 9, [1], &device),
    };
    let leaves = [
        inputs.source.clone(),
        inputs.target.clone(),
        inputs.positions.clone(),
        inputs.reference.clone(),
        weights.distance.clone(),
        weights.message.clone(),
        weights.message_bias.clone().unsqueeze(),
        weights.head.clone(),
        weights.head_bias.clone().unsqueeze(),
    ];
    let tracked = leaves.clone().map(|t| t.detach().require_grad());
    let [source, target, positions, reference, distance, message, message_bias, head, head_bias] =
        tracked.clone();
    let out = f(
        MessageInputs { source, target, positions, reference },
        MessageWeights {
            distance,
            message,
            message_bias: message_bias.squeeze_dim(0),
            head,
            head_bias: head_bias.squeeze_dim(0),
        },
        &Arc::new(graph),
        reduction,
    );
    let grads = (out.clone() * tensor(s + 10, out.dims(), &device).detach()).sum().backward();
    let list = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().expect("f32");
    let mut all = vec![list(out)];
    all.extend(tracked.iter().map(|t| t.grad(&grads).map(list).unwrap_or_default()));
    all
}

fn compare(graph: EdgeGraph, d: usize, reduction: Reduction, seed: u64) {
    let fused = run(messages, graph.clone(), d, reduction, seed);
    for (k, (a, b)) in fused.iter().zip(run(plain, graph, d, reduction, seed)).enumerate() {
        // what has no gradient in the plain composition has zeros in the fused one
        let b = if b.is_empty() { vec![0.0; a.len()] } else { b };
        let scale = b.iter().fold(1.0f32, |m, x| m.max(x.abs()));
        assert_eq!(a.len(), b.len());
        for (x, y) in a.iter().zip(&b) {
            assert!((x - y).abs() <= 3e-4 * scale, "{reduction:?}, number {k}: {x} and {y} of {scale}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn fused_equals_plain_over_complete_graphs(
        sizes in prop::collection::vec(1usize..14, 1..6),
        d in 1usize..40,
        kind in 0usize..4,
        seed in 1u64..1000,
    ) {
        compare(EdgeGraph::complete(&sizes), d, REDUCTIONS[kind], seed);
    }

    #[test]
    fn fused_equals_plain_over_given_edges(
        edges in prop::collection::vec((0usize..30, 0usize..30), 0..200),
        d in 1usize..40,
        kind in 0usize..4,
        seed in 1u64..1000,
    ) {
        // an edge from an atom to itself has no direction to move along
        let edges: Vec<_> = edges.into_iter().filter(|(i, j)| i != j).collect();
        compare(EdgeGraph::new(30, &edges), d, REDUCTIONS[kind], seed);
    }

    #[test]
    fn parts_are_closed_and_cover_all_atoms(edges in prop::collection::vec((0usize..50, 0usize..50), 0..80)) {
        let graph = EdgeGraph::new(50, &edges);
        let mut next = 0;
        for part in graph.parts() {
            prop_assert_eq!(part.start, next);
            next = part.end;
            for i in part.clone() {
                prop_assert!(graph.of(i).all(|e| part.contains(&graph.sender(e))));
            }
        }
        prop_assert_eq!(next, 50);
        prop_assert_eq!(graph.edges(), edges.len());
    }
}

#[test]
fn a_molecule_is_the_same_in_any_batch() {
    let device = Device::flex();
    let d = 64;
    let atoms = |n: usize| MessageInputs {
        source: tensor::<2>(1, [30, d], &device).slice([0..n, 0..d]),
        target: tensor::<2>(2, [30, d], &device).slice([0..n, 0..d]),
        positions: tensor::<2>(3, [30, 3], &device).slice([0..n, 0..3]),
        reference: tensor::<2>(4, [30, 3], &device).slice([0..n, 0..3]),
    };
    let weights = MessageWeights {
        distance: tensor(5, [2, d], &device),
        message: tensor(6, [d, d], &device),
        message_bias: tensor(7, [d], &device),
        head: tensor(8, [d, 1], &device),
        head_bias: tensor(9, [1], &device),
    };
    for reduction in REDUCTIONS {
        let list = |sizes: &[usize]| {
            let graph = Arc::new(EdgeGraph::complete(sizes));
            let out = messages(atoms(sizes.iter().sum()), weights.clone(), &graph, reduction);
            out.into_data().try_to_vec::<f32>().expect("f32")
        };
        let (all, alone) = (list(&[7, 3, 19]), list(&[7]));
        assert_eq!(alone, all[..alone.len()]);
    }
}
