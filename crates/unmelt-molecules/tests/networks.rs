//! Properties of the networks: equivariance, and independence of the batch.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use nalgebra::{Matrix3, Rotation3, Vector3};
use proptest::prelude::*;
use unmelt_diffusion::{Level, Mask, Noise, Parameters, Prediction, Previous, Stream, Value, to_vec};
use unmelt_molecules::network::{
    Egnn, EgnnConfig, EgnnInput, GraphDenoiser, GraphDenoiserConfig, GraphInput, Noisy, split_predictions,
};

/// Largest difference of a transformed output, in units of its largest value, in f32.
const TOLERANCE: f32 = 2e-4;

fn graph_config() -> GraphDenoiserConfig {
    GraphDenoiserConfig {
        elements: 4,
        charges: 3,
        bonds: 4,
        node_width: 32,
        pair_width: 16,
        heads: 4,
        vectors: 5,
        layers: 3,
        distance_features: 8,
        time_features: 8,
        properties: 2,
    }
}

fn graph_network(seed: u64) -> GraphDenoiser {
    let layout = graph_config().layout();
    let mut values = layout.initial_values(seed);
    // Starting values leave attention, coordinates and conditions at zero; a test needs them awake.
    let noise = Noise::new(seed);
    let asleep = |name: &str| name.ends_with("head.weight") || name.starts_with("properties.guide");
    for (k, entry) in layout.entries().iter().enumerate().filter(|(_, e)| asleep(&e.name)) {
        let part = &mut values[entry.offset..entry.offset + entry.len()];
        noise.uniform(Stream::new(k as u64, 9, 0), part);
        part.iter_mut().for_each(|x| *x = (*x - 0.5) * 0.6);
    }
    let parameters = Parameters::new(Arc::new(layout), values, &Device::flex());
    GraphDenoiser::bind(&graph_config(), &parameters.weights()).expect("own layout")
}

/// A random noisy molecule of n atoms.
fn molecule(n: usize, seed: u64) -> Vec<Value<f32>> {
    let noise = Noise::new(seed);
    let mut positions = vec![0.0f32; 3 * n];
    noise.normal(Stream::new(0, 0, 0), &mut positions);
    unmelt_diffusion::Subspace::CentredPoints.project(&mut positions);
    let classes = |feature: u16, count: usize, of: usize| {
        let mut u = vec![0.0f64; count];
        noise.uniform(Stream::new(0, feature, 0), &mut u);
        Value::Classes(u.into_iter().map(|u| (u * of as f64) as u8).collect())
    };
    vec![Value::Continuous(positions), classes(1, n, 4), classes(2, n, 3), classes(3, n * (n - 1) / 2, 4)]
}

fn predict(
    network: &GraphDenoiser,
    states: &[&Vec<Value<f32>>],
    previous: Option<&[Vec<Prediction<f32>>]>,
) -> Vec<Vec<Prediction<f32>>> {
    predict_with(network, states, previous, None, &[])
}

fn predict_with(
    network: &GraphDenoiser,
    states: &[&Vec<Value<f32>>],
    previous: Option<&[Vec<Prediction<f32>>]>,
    given: Option<&Mask>,
    properties: &[Option<f32>],
) -> Vec<Vec<Prediction<f32>>> {
    let noisy: Vec<Noisy> = states
        .iter()
        .enumerate()
        .map(|(k, state)| Noisy {
            state,
            previous: previous.map(|p| Previous { prediction: &p[k], time: 0.45 }),
            time: 0.4,
            level: Level::variance_preserving(0.6),
            given,
            properties,
        })
        .collect();
    let input = GraphInput::new(&graph_config(), &noisy, &Device::flex());
    split_predictions(network.forward(&input), &input.sizes)
}

fn numbers(p: &Prediction<f32>) -> &[f32] {
    match p {
        Prediction::Continuous(x) | Prediction::Probabilities(x) => x,
    }
}

fn near(a: &[f32], b: &[f32]) -> Result<(), TestCaseError> {
    let largest = b.iter().fold(1.0f32, |m, x| m.max(x.abs()));
    for (x, y) in a.iter().zip(b) {
        prop_assert!((x - y).abs() <= TOLERANCE * largest, "{} and {}", x, y);
    }
    Ok(())
}

/// A rotation, or a rotation with a reflection.
fn orthogonal(angles: [f64; 3], reflect: bool) -> Matrix3<f64> {
    let rotation = Rotation3::from_euler_angles(angles[0], angles[1], angles[2]).into_inner();
    if reflect { rotation * Matrix3::from_diagonal(&Vector3::new(-1.0, 1.0, 1.0)) } else { rotation }
}

fn turned(x: &[f32], by: &Matrix3<f64>, shift: [f64; 3]) -> Vec<f32> {
    x.chunks_exact(3)
        .flat_map(|p| {
            let v = by * Vector3::new(p[0].into(), p[1].into(), p[2].into()) + Vector3::from(shift);
            [v.x as f32, v.y as f32, v.z as f32]
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn graph_denoiser_is_equivariant(
        n in 1usize..9,
        seed in 0u64..1000,
        angles in prop::array::uniform3(-3.0f64..3.0),
        reflect in any::<bool>(),
        shift in prop::array::uniform3(-2.0f64..2.0),
    ) {
        let network = graph_network(seed);
        let state = molecule(n, seed);
        let by = orthogonal(angles, reflect);
        let mut other = state.clone();
        other[0] = Value::Continuous(turned(state[0].continuous(), &by, shift));
        let first = predict(&network, &[&state, &other], None);
        // Once more with the first prediction as input, as in sampling.
        let p = predict(&network, &[&state, &other], Some(&first));
        near(numbers(&p[1][0]), &turned(numbers(&p[0][0]), &by, [0.0; 3]))?;
        for (a, b) in p[1].iter().zip(&p[0]).skip(1) {
            near(numbers(a), numbers(b))?;
        }
    }

    #[test]
    fn graph_denoiser_follows_permutations(n in 2usize..8, seed in 0u64..1000) {
        let network = graph_network(seed);
        let state = molecule(n, seed);
        let order = Noise::new(seed).permutation(Stream::new(3, 3, 3), n);
        let pair = |i: usize, j: usize| {
            let (i, j) = (i.min(j), i.max(j));
            i * (2 * n - i - 1) / 2 + (j - i - 1)
        };
        let pairs: Vec<(usize, usize)> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
        let atoms = |x: &[u8]| order.iter().map(|&k| x[k]).collect::<Vec<_>>();
        let other = vec![
            Value::Continuous(order.iter().flat_map(|&k| state[0].continuous()[3 * k..3 * k + 3].to_vec()).collect()),
            Value::Classes(atoms(state[1].classes())),
            Value::Classes(atoms(state[2].classes())),
            Value::Classes(pairs.iter().map(|&(i, j)| state[3].classes()[pair(order[i], order[j])]).collect()),
        ];
        let p = predict(&network, &[&state, &other], None);
        for (k, width) in [(0, 3), (1, 4), (2, 3)] {
            let want: Vec<f32> = order.iter().flat_map(|&a| numbers(&p[0][k])[a * width..(a + 1) * width].to_vec()).collect();
            near(numbers(&p[1][k]), &want)?;
        }
        let want: Vec<f32> = pairs.iter().flat_map(|&(i, j)| {
            let at = 4 * pair(order[i], order[j]);
            numbers(&p[0][3])[at..at + 4].to_vec()
        }).collect();
        near(numbers(&p[1][3]), &want)?;
    }

    #[test]
    fn egnn_is_equivariant(
        n in 1usize..8,
        seed in 0u64..1000,
        angles in prop::array::uniform3(-3.0f64..3.0),
        reflect in any::<bool>(),
        shift in prop::array::uniform3(-2.0f64..2.0),
    ) {
        let config = EgnnConfig { hidden: 24, layers: 2, ..EgnnConfig::default() };
        let layout = config.layout();
        let values = layout.initial_values(seed);
        let device = Device::flex();
        let network = Egnn::bind(&config, &Parameters::new(Arc::new(layout), values, &device).weights()).expect("own layout");
        let mut x = vec![0.0f32; 3 * n];
        let mut h = vec![0.0f32; 7 * n];
        let noise = Noise::new(seed);
        noise.normal(Stream::new(0, 0, 0), &mut x);
        noise.normal(Stream::new(0, 1, 0), &mut h);
        let run = |x: Vec<f32>| {
            let (v, f) = network.forward(&EgnnInput {
                sizes: vec![n],
                positions: Tensor::from_data(TensorData::new(x, [n, 3]), &device),
                features: Tensor::from_data(TensorData::new(h.clone(), [n, 7]), &device),
            });
            (to_vec(v), to_vec(f))
        };
        let by = orthogonal(angles, reflect);
        let (v, f) = run(x.clone());
        let (v2, f2) = run(turned(&x, &by, shift));
        near(&v2, &turned(&v, &by, [0.0; 3]))?;
        near(&f2, &f)?;
    }
}

#[test]
fn given_atoms_stay_and_the_rest_turns_around_them() {
    let network = graph_network(5);
    let state = molecule(6, 5);
    let by = orthogonal([0.3, -1.2, 2.0], true);
    let mut other = state.clone();
    other[0] = Value::Continuous(turned(state[0].continuous(), &by, [0.0; 3]));
    let mut mask: Mask = vec![vec![false; 18], vec![false; 6], vec![false; 6], vec![false; 15]];
    mask[0][..6].fill(true);
    let p = predict_with(&network, &[&state, &other], None, Some(&mask), &[]);
    near(numbers(&p[1][0]), &turned(numbers(&p[0][0]), &by, [0.0; 3])).expect("equivariant");
    assert_eq!(numbers(&p[0][0])[..6], state[0].continuous()[..6], "bit for bit");
    let free = predict(&network, &[&state], None);
    assert_ne!(numbers(&free[0][3]), numbers(&p[0][3]), "the network sees what is given");
}

#[test]
fn wanted_properties_change_the_prediction() {
    let network = graph_network(6);
    let state = molecule(6, 6);
    let of = |conditions: &[Option<f32>]| predict_with(&network, &[&state], None, None, conditions).remove(0);
    assert_eq!(of(&[]), of(&[None, None]));
    assert_ne!(of(&[Some(0.0), None]), of(&[None, None]), "a mean value is a condition as well");
    assert_ne!(of(&[Some(1.0), None]), of(&[None, Some(1.0)]));
}

#[test]
fn a_molecule_is_predicted_the_same_in_any_batch() {
    let network = graph_network(3);
    let states: Vec<_> =
        [5, 1, 9, 18, 3, 1, 12].iter().enumerate().map(|(k, &n)| molecule(n, k as u64)).collect();
    let refs: Vec<&Vec<Value<f32>>> = states.iter().collect();
    let together = predict(&network, &refs, None);
    for (k, state) in refs.iter().enumerate() {
        assert_eq!(predict(&network, &[state], None)[0], together[k], "molecule {k} alone");
    }
    assert_eq!(predict(&network, &refs[2..5], None)[..], together[2..5]);
}
