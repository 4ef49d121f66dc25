//! The loss of the graph denoiser: noised molecules in, distance of the prediction from the clean ones out.

use std::sync::{Arc, Mutex};

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use rayon::prelude::*;
use unmelt_diffusion::train::{Loss, LossWeighting, Objective};
use unmelt_diffusion::{Layout, Noise, ProductProcess, State, Stream, Weights};

use crate::graph_model::{GraphModel, MoleculePrediction};
use crate::network::{GraphDenoiser, GraphInput, Noisy, pair_index, split_predictions};
use crate::{Molecule, Result};

/// Purposes of the training noise besides the features 0 … 3.
const ORDER: u16 = 100;
const TIME: u16 = 101;
const SELF_CONDITION: u16 = 102;

/// Clean states to train on.
#[derive(Clone, Debug)]
pub struct TrainingSet {
    states: Vec<State<f32>>,
}

impl TrainingSet {
    /// Encodes molecules; empty ones are left out.
    pub fn new(model: &GraphModel, molecules: &[Molecule]) -> Result<Self> {
        let states = molecules
            .par_iter()
            .filter(|m| !m.is_empty())
            .map(|m| model.encode(m))
            .collect::<Result<Vec<_>>>()?;
        if states.is_empty() {
            return Err(crate::Error::Request("there is no molecule to train on".into()));
        }
        Ok(Self { states })
    }

    /// Number of molecules.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

/// Training of a graph denoiser on a set of molecules.
pub struct GraphObjective {
    model: GraphModel,
    process: ProductProcess,
    data: TrainingSet,
    batch: usize,
    noise: Noise,
    order: Mutex<(u64, Arc<Vec<usize>>)>,
}

/// A noised batch with its clean states.
struct Batch<'a> {
    clean: Vec<&'a State<f32>>,
    noisy: Vec<State<f32>>,
    times: Vec<f64>,
}

impl GraphObjective {
    /// Batches of `batch` molecules, in an order and with noise of `seed`.
    pub fn new(model: &GraphModel, data: TrainingSet, batch: usize, seed: u64) -> Result<Self> {
        if batch == 0 {
            return Err(crate::Error::Request("the batch must hold at least one molecule".into()));
        }
        let noise = Noise::new(seed);
        let order = permutation(noise, 0, data.len());
        Ok(Self {
            process: ProductProcess::new(&model.features)?,
            model: model.clone(),
            data,
            batch,
            noise,
            order: Mutex::new((0, order)),
        })
    }

    /// The clean state number `k` of the whole training, epoch after epoch.
    fn state(&self, k: u64) -> &State<f32> {
        let count = self.data.len() as u64;
        let mut order = self.order.lock().unwrap_or_else(|e| e.into_inner());
        if order.0 != k / count {
            *order = (k / count, permutation(self.noise, k / count, self.data.len()));
        }
        &self.data.states[order.1[(k % count) as usize]]
    }

    fn batch(&self, step: u64) -> Batch<'_> {
        let first = step * self.batch as u64;
        let clean: Vec<_> = (0..self.batch as u64).map(|k| self.state(first + k)).collect();
        // Times spread evenly over the batch, with one common shift: less variance than independent ones.
        let shift = self.noise.uniform_one(Stream::new(step, TIME, 0));
        let times: Vec<f64> = (0..self.batch).map(|k| (k as f64 + shift) / self.batch as f64).collect();
        let noisy = clean
            .par_iter()
            .zip(&times)
            .enumerate()
            .map(|(k, (x, &t))| self.process.noise(*x, t, self.noise, first + k as u64, 0))
            .collect();
        Batch { clean, noisy, times }
    }

    fn input(&self, batch: &Batch, previous: Option<&[MoleculePrediction]>, device: &Device) -> GraphInput {
        let levels = &self.process.features()[0].levels;
        let noisy: Vec<Noisy> = batch
            .noisy
            .iter()
            .zip(&batch.times)
            .enumerate()
            .map(|(k, (state, &time))| Noisy {
                state,
                previous: previous.map(|p| p[k].as_slice()),
                time,
                level: levels.at(time),
            })
            .collect();
        GraphInput::new(&self.model.network, &noisy, device)
    }
}

fn permutation(noise: Noise, epoch: u64, count: usize) -> Arc<Vec<usize>> {
    Arc::new(noise.permutation(Stream::new(epoch, ORDER, 0), count))
}

impl Objective for GraphObjective {
    fn layout(&self) -> Layout {
        self.model.network.layout()
    }

    fn loss(&self, weights: &Weights, step: u64, device: &Device) -> unmelt_diffusion::Result<Loss> {
        let config = &self.model.network;
        let batch = self.batch(step);
        let previous = if self.noise.uniform_one(Stream::new(step, SELF_CONDITION, 0)) < 0.5 {
            let input = self.input(&batch, None, device);
            let network = GraphDenoiser::bind(config, &weights.detached())?;
            Some(split_predictions(network.forward(&input), &input.sizes))
        } else {
            None
        };
        let input = self.input(&batch, previous.as_deref(), device);
        let output = GraphDenoiser::bind(config, weights)?.forward(&input);
        let targets = Targets::new(self, &batch, device);
        let loss = &self.model.loss;
        let square = (output.positions - targets.positions).powi_scalar(2).sum_dim(1);
        let positions = (square * targets.position_weights).sum();
        let elements = cross_entropy(output.elements, targets.elements, targets.atom_weights.clone());
        let charges = cross_entropy(output.charges, targets.charges, targets.atom_weights);
        let bonds = cross_entropy(output.bonds, targets.bonds, targets.pair_weights);
        Ok(Loss {
            total: positions.clone() * loss.positions
                + elements.clone() * loss.elements
                + charges.clone() * loss.charges
                + bonds.clone() * loss.bonds,
            parts: vec![
                ("positions", positions),
                ("elements", elements),
                ("charges", charges),
                ("bonds", bonds),
            ],
            samples: self.batch as u64,
        })
    }
}

/// −Σ weight·log p(target).
fn cross_entropy(logits: Tensor<2>, target: Tensor<2, Int>, weights: Tensor<2>) -> Tensor<1> {
    -(activation::log_softmax(logits, 1).gather(1, target) * weights).sum()
}

/// Clean values and weights of a batch, packed as the network's output is.
struct Targets {
    positions: Tensor<2>,
    elements: Tensor<2, Int>,
    charges: Tensor<2, Int>,
    bonds: Tensor<2, Int>,
    /// Weight of the positions by noise level over atoms and molecules, `[N, 1]`.
    position_weights: Tensor<2>,
    /// The same of the classes, `[N, 1]`.
    atom_weights: Tensor<2>,
    /// The same of the bonds, over ordered pairs, half of it each, none for (i, i), `[P, 1]`.
    pair_weights: Tensor<2>,
}

impl Targets {
    fn new(objective: &GraphObjective, batch: &Batch, device: &Device) -> Self {
        let device = &device.clone().inner();
        let levels = &objective.process.features()[0].levels;
        let (mut positions, mut elements, mut charges, mut bonds) = (vec![], vec![], vec![], vec![]);
        let (mut position_weights, mut atom_weights, mut pair_weights) = (vec![], vec![], vec![]);
        for (state, &time) in batch.clean.iter().zip(&batch.times) {
            let n = state[1].classes().len();
            let loss = &objective.model.loss;
            let share = |w: LossWeighting| (w.at(levels.at(time)) / (n * batch.clean.len()) as f64) as f32;
            let weight = share(loss.weighting);
            position_weights.extend(std::iter::repeat_n(share(loss.position_weighting), n));
            positions.extend_from_slice(state[0].continuous());
            elements.extend(state[1].classes().iter().map(|&c| i32::from(c)));
            charges.extend(state[2].classes().iter().map(|&c| i32::from(c)));
            let classes = state[3].classes();
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let other = i != j;
                bonds.push(if other { i32::from(classes[pair_index(n, i.min(j), i.max(j))]) } else { 0 });
                pair_weights.push(if other { 0.5 * weight } else { 0.0 });
            }
            atom_weights.extend(std::iter::repeat_n(weight, n));
        }
        let ints = |values: Vec<i32>| {
            let count = values.len();
            Tensor::<2, Int>::from_data(TensorData::new(values, [count, 1]), device)
        };
        let floats = |values: Vec<f32>, columns: usize| {
            let rows = values.len() / columns;
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
        };
        Self {
            positions: floats(positions, 3),
            elements: ints(elements),
            charges: ints(charges),
            bonds: ints(bonds),
            position_weights: floats(position_weights, 1),
            atom_weights: floats(atom_weights, 1),
            pair_weights: floats(pair_weights, 1),
        }
    }
}
