//! What the graph denoiser reads: noisy molecules, packed, as node and pair features.

use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use rayon::prelude::*;
use unmelt_diffusion::{Level, Mask, Prediction, Previous, Value};
use unmelt_kernels::pair_count;

use super::GraphDenoiserConfig;

/// Largest coordinate, in units of the position scale; pure noise stays below 6.
const FARTHEST: f32 = 20.0;

/// One noisy molecule: positions in units of the position scale, classes of atoms, charges and pairs i < j.
#[derive(Clone, Copy, Debug)]
pub struct Noisy<'a> {
    /// Positions, atoms, charges and bonds, in the order of the features.
    pub state: &'a [Value<f32>],
    /// The prediction of the evaluation before, if there was one.
    pub previous: Option<Previous<'a>>,
    /// Time in [0, 1].
    pub time: f64,
    /// Level of the positions at that time.
    pub level: Level,
    /// What of the state is given, if anything is; it is clean.
    pub given: Option<&'a Mask>,
    /// The properties that are wanted, normalised; empty where none is.
    pub properties: &'a [Option<f32>],
}

impl Noisy<'_> {
    /// Number of atoms.
    pub fn len(&self) -> usize {
        self.state[1].classes().len()
    }

    /// How old the prediction before is, in time, stretched where steps are short: what the network is shown may be the
    /// answer to this very state or to one much noisier, and is worth accordingly.
    fn age(&self) -> f32 {
        self.previous.map_or(0.0, |p| (10.0 * (p.time - self.time).max(0.0)).sqrt() as f32)
    }

    /// Whether there is no atom.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an element of a feature is given.
    fn is_given(&self, feature: usize, element: usize) -> bool {
        self.given.is_some_and(|mask| mask[feature][element])
    }

    /// Whether some atom's place is given.
    fn is_anchored(&self) -> bool {
        self.given.is_some_and(|mask| mask[0].contains(&true))
    }
}

/// The place of the pair i < j among the pairs of a molecule of n atoms.
pub(crate) fn pair_index(n: usize, i: usize, j: usize) -> usize {
    i * (2 * n - i - 1) / 2 + (j - i - 1)
}

/// Packed features of a batch on a device.
#[derive(Clone, Debug)]
pub struct GraphInput {
    /// Atoms of each molecule.
    pub sizes: Vec<usize>,
    /// `[N, node features]`.
    pub nodes: Tensor<2>,
    /// `[P, pair features]`.
    pub pairs: Tensor<2>,
    /// `[N, 3]`.
    pub positions: Tensor<2>,
    /// α of each atom's position, `[N, 1]`; 1 where it is given.
    pub alpha: Tensor<2>,
    /// σ of each atom's position, `[N, 1]`; 0 where it is given.
    pub sigma: Tensor<2>,
    /// Number of each atom's molecule, `[N]`.
    pub molecule: Tensor<1, Int>,
    /// 1 over the atoms of each molecule, `[molecules, 1]`.
    pub inverse_size: Tensor<2>,
    /// The same, but 0 where given atoms say where the molecule is.
    pub centring: Tensor<2>,
    /// Value and presence of each wanted property, `[molecules, 2 · properties]`; none where none is wanted.
    pub conditions: Option<Tensor<2>>,
}

impl GraphInput {
    /// Packs molecules.
    pub fn new(config: &GraphDenoiserConfig, molecules: &[Noisy], device: &Device) -> Self {
        let device = &device.clone().inner();
        let sizes: Vec<usize> = molecules.iter().map(Noisy::len).collect();
        let features: Vec<Features> = molecules.par_iter().map(|m| Features::of(config, m)).collect();
        let atoms: usize = sizes.iter().sum();
        let rows: usize = sizes.iter().map(|n| pair_count(*n)).sum();
        let tensor = |values: Vec<f32>, rows: usize| {
            let columns = values.len() / rows.max(1);
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
        };
        let per_atom = |f: &dyn Fn(&Noisy) -> f64, given: f32| -> Vec<f32> {
            let of = |m: &Noisy, k: usize| if m.is_given(0, 3 * k) { given } else { f(m) as f32 };
            molecules.iter().flat_map(|m| (0..m.len()).map(move |k| of(m, k))).collect()
        };
        let centring = |m: &Noisy| if m.is_anchored() { 0.0 } else { 1.0 / m.len() as f32 };
        let ints = |values: Vec<i32>| {
            let count = values.len();
            Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device)
        };
        let concat = |f: &dyn Fn(&Features) -> &[f32]| -> Vec<f32> {
            let mut all = Vec::with_capacity(features.iter().map(|x| f(x).len()).sum());
            features.iter().for_each(|x| all.extend_from_slice(f(x)));
            all
        };
        let owner = sizes.iter().enumerate().flat_map(|(k, &n)| std::iter::repeat_n(k as i32, n));
        Self {
            nodes: tensor(concat(&|f| &f.nodes), atoms),
            pairs: tensor(concat(&|f| &f.pairs), rows),
            positions: tensor(
                molecules.iter().flat_map(|m| m.state[0].continuous().iter().map(|x| limited(*x))).collect(),
                atoms,
            ),
            alpha: tensor(per_atom(&|m| m.level.alpha, 1.0), atoms),
            sigma: tensor(per_atom(&|m| m.level.sigma, 0.0), atoms),
            molecule: ints(owner.collect()),
            inverse_size: tensor(sizes.iter().map(|n| 1.0 / *n as f32).collect(), sizes.len()),
            centring: tensor(molecules.iter().map(centring).collect(), sizes.len()),
            conditions: molecules
                .iter()
                .any(|m| m.properties.iter().any(Option::is_some))
                .then(|| tensor(conditions(config, molecules), sizes.len())),
            sizes,
        }
    }

    /// Sums over the atoms of each molecule, `[N, columns]` to `[molecules, columns]`.
    pub(super) fn sums(&self, x: Tensor<2>) -> Tensor<2> {
        let sums = Tensor::zeros([self.sizes.len(), x.dims()[1]], &x.device());
        sums.select_assign(0, self.molecule.clone(), x, IndexingUpdateOp::Add)
    }

    /// Subtracts from each atom's row the sum over its molecule times the molecule's factor, `[molecules, 1]`.
    pub(super) fn without_mean(&self, x: Tensor<2>, factor: &Tensor<2>) -> Tensor<2> {
        let means = self.sums(x.clone()) * factor.clone();
        x - means.select(0, self.molecule.clone())
    }
}

/// Value and presence of each property of each molecule.
fn conditions(config: &GraphDenoiserConfig, molecules: &[Noisy]) -> Vec<f32> {
    let mut all = vec![0.0; 2 * config.properties * molecules.len()];
    for (row, m) in all.chunks_exact_mut(2 * config.properties).zip(molecules) {
        let (values, presence) = row.split_at_mut(config.properties);
        for (k, condition) in m.properties.iter().enumerate() {
            values[k] = condition.unwrap_or(0.0);
            presence[k] = f32::from(condition.is_some());
        }
    }
    all
}

/// A coordinate as the network sees it. Solvers of higher order that are given too few steps throw atoms far away; from
/// there the network, which has never seen such distances, would answer with infinities.
fn limited(x: f32) -> f32 {
    x.clamp(-FARTHEST, FARTHEST)
}

/// Features of one molecule.
struct Features {
    nodes: Vec<f32>,
    pairs: Vec<f32>,
}

impl Features {
    fn of(config: &GraphDenoiserConfig, m: &Noisy) -> Self {
        let time = time_features(m.time, config.time_features);
        Self { nodes: nodes(config, m, &time), pairs: pairs(config, m, &time) }
    }
}

/// Sines and cosines of t at octaves.
fn time_features(t: f64, count: usize) -> Vec<f32> {
    (0..count / 2)
        .flat_map(|k| {
            let angle = std::f64::consts::FRAC_PI_2 * t * 2f64.powi(k as i32);
            [angle.sin() as f32, angle.cos() as f32]
        })
        .collect()
}

fn probabilities<'a>(m: &Noisy<'a>, feature: usize) -> Option<&'a [f32]> {
    m.previous.map(|p| match &p.prediction[feature] {
        Prediction::Probabilities(p) => p.as_slice(),
        Prediction::Continuous(_) => panic!("a categorical feature is predicted as probabilities"),
    })
}

fn previous_positions<'a>(m: &Noisy<'a>) -> Option<&'a [f32]> {
    m.previous.map(|p| match &p.prediction[0] {
        Prediction::Continuous(x) => x.as_slice(),
        Prediction::Probabilities(_) => panic!("positions are predicted as numbers"),
    })
}

fn nodes(config: &GraphDenoiserConfig, m: &Noisy, time: &[f32]) -> Vec<f32> {
    let width = config.node_features();
    let mut out = vec![0.0; m.len() * width];
    let sizes = [config.elements, config.charges];
    for (i, row) in out.chunks_exact_mut(width).enumerate() {
        let mut at = 0;
        for (k, &classes) in sizes.iter().enumerate() {
            row[at + usize::from(m.state[k + 1].classes()[i])] = 1.0;
            at += classes;
            if let Some(p) = probabilities(m, k + 1) {
                row[at..at + classes].copy_from_slice(&p[i * classes..(i + 1) * classes]);
            }
            at += classes;
        }
        for (feature, element) in [(0, 3 * i), (1, i), (2, i)] {
            row[at] = f32::from(m.is_given(feature, element));
            at += 1;
        }
        row[at] = m.age();
        row[at + 1..].copy_from_slice(time);
    }
    out
}

fn pairs(config: &GraphDenoiserConfig, m: &Noisy, time: &[f32]) -> Vec<f32> {
    let (n, width, bonds, distances) =
        (m.len(), config.pair_features(), config.bonds, config.distance_features);
    let mut out = vec![0.0; pair_count(n) * width];
    let classes = m.state[3].classes();
    let predicted = probabilities(m, 3);
    let before = previous_positions(m);
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    for (k, ((i, j), row)) in pairs.zip(out.chunks_exact_mut(width)).enumerate() {
        let (own, rest) = row.split_at_mut(2 * bonds);
        own[usize::from(classes[k])] = 1.0;
        if let Some(p) = predicted {
            own[bonds..].copy_from_slice(&p[k * bonds..(k + 1) * bonds]);
        }
        let (now, rest) = rest.split_at_mut(distances + 1);
        distance_features(m.state[0].continuous(), i, j, now);
        let (previous, rest) = rest.split_at_mut(distances + 1);
        if let Some(x) = before {
            distance_features(x, i, j, previous);
        }
        rest[0] = f32::from(m.is_given(3, k));
        rest[1] = f32::from(before.is_some());
        rest[2] = m.age();
        rest[3..].copy_from_slice(time);
    }
    out
}

/// The distance, and bumps in exp(−distance), which are narrow where bonds are (as in PhysNet, Unke & Meuwly 2019).
fn distance_features(x: &[f32], i: usize, j: usize, out: &mut [f32]) {
    let d2: f32 = (0..3).map(|k| (x[3 * i + k] - x[3 * j + k]).powi(2)).sum();
    let d = d2.sqrt().min(2.0 * FARTHEST);
    out[0] = d;
    let count = out.len() - 1;
    let u = (-d).exp();
    for (k, y) in out[1..].iter_mut().enumerate() {
        let offset = (u - k as f32 / (count - 1) as f32) * count as f32;
        *y = (-0.5 * offset * offset).exp();
    }
}
