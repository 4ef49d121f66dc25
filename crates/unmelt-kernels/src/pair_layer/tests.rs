use super::*;
use crate::test_numbers::tensor;
use proptest::prelude::*;

const WIDTH: usize = 24;
const HEADS: usize = 2;
const VALUES: usize = 10;
const VECTORS: usize = 3;

fn case(sizes: &[usize], seed: u64, device: &Device) -> (PairInputs, PairWeights) {
    let atoms: usize = sizes.iter().sum();
    let rows: usize = sizes.iter().map(|n| pair_count(*n)).sum();
    let d = WIDTH;
    let s = seed * 100;
    (
        PairInputs {
            term: tensor(s + 1, [atoms, d], device),
            factor: tensor(s + 2, [atoms, d], device),
            values: tensor(s + 3, [atoms, VALUES], device),
            pairs: tensor(s + 4, [rows, d], device),
            positions: tensor(s + 5, [atoms, 3], device),
            reference: tensor(s + 6, [atoms, 3], device),
        },
        PairWeights {
            norm_scale: tensor(s + 7, [d], device),
            norm_shift: tensor(s + 8, [d], device),
            pair: tensor(s + 9, [d, d], device),
            distance: tensor(s + 10, [2, d], device),
            message: tensor(s + 11, [d, d], device),
            message_bias: tensor(s + 12, [d], device),
            update: tensor(s + 13, [d, d], device),
            update_bias: tensor(s + 14, [d], device),
            head: tensor(s + 15, [d, HEADS + VECTORS], device),
            heads: HEADS,
        },
    )
}

/// Some rows of a matrix.
fn rows(x: Tensor<2>, range: std::ops::Range<usize>) -> Tensor<2> {
    let columns = x.dims()[1];
    x.slice([range, 0..columns])
}

type Layer = fn(PairInputs, PairWeights, &[usize]) -> PairOutputs;

/// Outputs and gradients of all operands of a scalar made from all outputs.
fn run(layer: Layer, sizes: &[usize], seed: u64) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let (inputs, weights) = case(sizes, seed, &device);
    let out = layer(inputs.clone(), weights.clone(), sizes);
    let score = |x: &Tensor<2>, seed: u64| {
        let w = tensor(seed, x.dims(), &device).detach();
        (x.clone() * w).sum()
    };
    let loss =
        score(&out.pairs, 91) + score(&out.messages, 92) + score(&out.attended, 93) + score(&out.vectors, 94);
    let grads = loss.backward();
    let vec2 = |x: Tensor<2>| x.into_data().try_to_vec::<f32>().expect("f32");
    let of2 = |x: &Tensor<2>| vec2(x.grad(&grads).expect("tracked"));
    let of1 = |x: &Tensor<1>| vec2(x.grad(&grads).expect("tracked").unsqueeze());
    vec![
        vec2(out.pairs),
        vec2(out.messages),
        vec2(out.attended),
        vec2(out.vectors),
        of2(&inputs.term),
        of2(&inputs.factor),
        of2(&inputs.values),
        of2(&inputs.pairs),
        of2(&inputs.positions),
        of1(&weights.norm_scale),
        of1(&weights.norm_shift),
        of2(&weights.pair),
        of2(&weights.distance),
        of2(&weights.message),
        of1(&weights.message_bias),
        of2(&weights.update),
        of1(&weights.update_bias),
        of2(&weights.head),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn fused_equals_plain_forward_and_gradient(
        sizes in prop::collection::vec(1usize..9, 1..6),
        seed in 1u64..1000,
    ) {
        // At least one pair: without any there is no gradient to compare.
        let sizes = [sizes, vec![2]].concat();
        let fused = run(pair_layer, &sizes, seed);
        let plain = run(pair_layer_plain, &sizes, seed);
        for (k, (a, b)) in fused.iter().zip(&plain).enumerate() {
            prop_assert_eq!(a.len(), b.len());
            let scale = b.iter().fold(1.0f32, |m, x| m.max(x.abs()));
            for (x, y) in a.iter().zip(b) {
                prop_assert!((x - y).abs() <= 2e-4 * scale, "array {}: {} and {} of {}", k, x, y, scale);
            }
        }
    }
}

#[test]
fn atoms_alone_get_nothing() {
    let device = Device::flex();
    for layer in [pair_layer as Layer, pair_layer_plain] {
        let (inputs, weights) = case(&[1, 1, 1], 3, &device);
        let out = layer(inputs, weights, &[1, 1, 1]);
        assert_eq!((out.pairs.dims(), out.messages.dims()), ([0, WIDTH], [3, WIDTH]));
        for x in [out.messages, out.attended, out.vectors] {
            assert_eq!(x.abs().max().into_scalar::<f32>(), 0.0);
        }
    }
}

#[test]
fn a_molecule_is_the_same_in_any_batch() {
    let device = Device::flex();
    let (inputs, weights) = case(&[5, 7, 3], 4, &device);
    let all = pair_layer(inputs.clone(), weights.clone(), &[5, 7, 3]);
    let alone = pair_layer(
        PairInputs {
            term: rows(inputs.term, 5..12),
            factor: rows(inputs.factor, 5..12),
            values: rows(inputs.values, 5..12),
            pairs: rows(inputs.pairs, 10..31),
            positions: rows(inputs.positions, 5..12),
            reference: rows(inputs.reference, 5..12),
        },
        weights,
        &[7],
    );
    let same = |a: Tensor<2>, b: Tensor<2>| {
        assert_eq!(
            a.into_data().try_to_vec::<f32>().expect("f32"),
            b.into_data().try_to_vec::<f32>().expect("f32")
        );
    };
    same(rows(all.pairs, 10..31), alone.pairs);
    same(rows(all.messages, 5..12), alone.messages);
    same(rows(all.attended, 5..12), alone.attended);
    same(rows(all.vectors, 5..12), alone.vectors);
}
