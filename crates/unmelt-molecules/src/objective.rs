//! The loss of the graph denoiser: noised molecules in, distance of the prediction from the clean ones out.

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use rayon::prelude::*;
use unmelt_diffusion::train::{Loss, LossWeighting, Objective};
use unmelt_diffusion::{Layout, Mask, Noise, Previous, ProductProcess, State, Stream, Weights};

use crate::graph_model::{GraphModel, MoleculePrediction};
use crate::network::{GraphDenoiser, GraphInput, Noisy, split_predictions};
use crate::tasks::{centre_on_given, draw_given, draw_properties};
use crate::{Element, Molecule, Result};

/// Purposes of the training noise besides the features 0 … 3.
const ORDER: u16 = 100;
const TIME: u16 = 101;
const SELF_CONDITION: u16 = 102;

/// Parts that a batch is worked on in.
const PARTS: usize = 2;

/// Clean states to train on, with their properties.
#[derive(Clone, Debug)]
pub struct TrainingSet {
    examples: Vec<Example>,
}

/// A molecule to train on.
#[derive(Clone, Debug)]
struct Example {
    state: State<f32>,
    /// The properties of the model, normalised; none where the data lacks one.
    properties: Vec<Option<f32>>,
}

impl TrainingSet {
    /// Encodes molecules; empty ones are left out.
    pub fn new(model: &GraphModel, molecules: &[Molecule]) -> Result<Self> {
        let properties = |m: &Molecule| {
            model.properties.iter().map(|p| p.source.of(m).map(|value| p.normalised(value))).collect()
        };
        let examples = molecules
            .par_iter()
            .filter(|m| !m.is_empty())
            .map(|m| Ok(Example { state: model.encode(m)?, properties: properties(m) }))
            .collect::<Result<Vec<_>>>()?;
        if examples.is_empty() {
            return Err(crate::Error::Request("there is no molecule to train on".into()));
        }
        Ok(Self { examples })
    }

    /// Number of molecules.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }
}

/// Training of a graph denoiser on a set of molecules.
pub struct GraphObjective {
    model: GraphModel,
    process: ProductProcess,
    data: TrainingSet,
    batch: usize,
    noise: Noise,
    /// The class of hydrogen.
    hydrogen: Option<u8>,
}

/// The order of an epoch.
struct Order {
    epoch: u64,
    places: Vec<usize>,
}

/// A noised batch.
pub struct GraphBatch {
    questions: Vec<TrainingQuestion>,
    times: Vec<f64>,
    /// Whether the network is shown its prediction of a step before.
    is_self_conditioned: bool,
}

/// One molecule of a batch: what the network is shown, and the clean state.
struct TrainingQuestion {
    clean: State<f32>,
    noisy: State<f32>,
    /// Number within the whole training.
    number: u64,
    given: Option<Mask>,
    /// What the network is told of the properties.
    conditions: Vec<Option<f32>>,
    /// The properties, as far as they are known.
    properties: Vec<Option<f32>>,
}

impl GraphObjective {
    /// Batches of `batch` molecules, in an order and with noise of `seed`.
    pub fn new(model: &GraphModel, data: TrainingSet, batch: usize, seed: u64) -> Result<Self> {
        if batch == 0 {
            return Err(crate::Error::Request("the batch must hold at least one molecule".into()));
        }
        Ok(Self {
            process: ProductProcess::new(&model.features)?,
            hydrogen: model.vocabulary.element_class(Element::H).map(|k| k as u8),
            model: model.clone(),
            data,
            batch,
            noise: Noise::new(seed),
        })
    }

    /// The order of an epoch.
    fn order(&self, epoch: u64) -> Order {
        Order { epoch, places: self.noise.permutation(Stream::new(epoch, ORDER, 0), self.data.len()) }
    }

    /// The example number `k` of the whole training, epoch after epoch. `order` is kept between examples.
    fn example(&self, k: u64, order: &mut Option<Order>) -> &Example {
        let count = self.data.len() as u64;
        let epoch = k / count;
        let kept = order.take().filter(|order| order.epoch == epoch);
        let order = order.insert(kept.unwrap_or_else(|| self.order(epoch)));
        &self.data.examples[order.places[(k % count) as usize]]
    }

    /// Every so-manyth molecule of a step's batch, so that each part has all times.
    fn batch(&self, step: u64, part: usize, order: &mut Option<Order>) -> GraphBatch {
        let first = step * self.batch as u64;
        let numbers: Vec<usize> = (part..self.batch).step_by(self.parts()).collect();
        let examples: Vec<_> = numbers.iter().map(|k| self.example(first + *k as u64, order)).collect();
        // Times spread evenly over the batch, with one common shift: less variance than independent ones.
        let shift = self.noise.uniform_one(Stream::new(step, TIME, 0));
        let times: Vec<f64> = numbers.iter().map(|k| (*k as f64 + shift) / self.batch as f64).collect();
        let questions = examples
            .par_iter()
            .zip(&times)
            .zip(&numbers)
            .map(|((example, &t), &k)| self.question(example, t, first + k as u64))
            .collect();
        // In a walk the prediction shown is of the step before.
        let is_self_conditioned = self.noise.uniform_one(Stream::new(step, SELF_CONDITION, 0)) < 0.5;
        GraphBatch { questions, times, is_self_conditioned }
    }

    fn question(&self, example: &Example, t: f64, k: u64) -> TrainingQuestion {
        let mut clean = example.state.clone();
        let given = draw_given(&clean, self.hydrogen, self.noise, k);
        if let Some(mask) = &given {
            centre_on_given(&mut clean, mask);
        }
        let noisy = self.process.noise(&clean, given.as_ref(), t, self.noise, (k, 0));
        TrainingQuestion {
            number: k,
            noisy,
            clean,
            given,
            conditions: draw_properties(&example.properties, self.noise, k),
            properties: example.properties.clone(),
        }
    }

    /// What the network is shown: the states, with the predictions before them.
    fn input(&self, batch: &GraphBatch, previous: Option<&Earlier>, device: &Device) -> GraphInput {
        let view = |k: usize| View {
            state: &batch.questions[k].noisy,
            time: batch.times[k],
            previous: previous.map(|p| Previous { prediction: &p.predictions[k], time: p.times[k] }),
        };
        self.shown(batch, view, device)
    }

    /// What a network predicts a step earlier in a walk.
    fn earlier(&self, network: &GraphDenoiser, batch: &GraphBatch, device: &Device) -> Earlier {
        let questions = batch.questions.par_iter().zip(&batch.times);
        let (states, times): (Vec<State<f32>>, Vec<f64>) =
            questions.map(|(q, &t)| self.step_before(q, t)).unzip();
        let view = |k: usize| View { state: &states[k], time: times[k], previous: None };
        let input = self.shown(batch, view, device);
        Earlier { predictions: split_predictions(network.forward(&input), &input.sizes), times }
    }

    /// A question's state noised on from its time t to a later one, and that time.
    fn step_before(&self, question: &TrainingQuestion, t: f64) -> (State<f32>, f64) {
        let (k, given) = (question.number, question.given.as_ref());
        let u = self.noise.uniform_one(Stream::new(k, SELF_CONDITION, 1));
        let before = (t + self.model.loss.staleness * u).min(1.0);
        (self.process.noise_on(&question.noisy, given, (t, before), self.noise, (k, 1)), before)
    }

    fn shown<'a>(&self, batch: &GraphBatch, view: impl Fn(usize) -> View<'a>, device: &Device) -> GraphInput {
        let levels = &self.process.features()[0].levels;
        let questions = batch.questions.iter().enumerate();
        let noisy = questions.map(|(k, question)| {
            let View { state, time, previous } = view(k);
            Noisy {
                state,
                previous,
                time,
                level: levels.at(time),
                given: question.given.as_ref(),
                properties: &question.conditions,
            }
        });
        GraphInput::new(&self.model.network, &noisy.collect::<Vec<_>>(), device)
    }
}

/// A molecule as the network sees it at some time.
struct View<'a> {
    state: &'a State<f32>,
    time: f64,
    previous: Option<Previous<'a>>,
}

/// The predictions of a step earlier, and their times.
struct Earlier {
    predictions: Vec<MoleculePrediction>,
    times: Vec<f64>,
}

impl Objective for GraphObjective {
    type Batch = GraphBatch;

    fn layout(&self) -> Layout {
        self.model.network.layout()
    }

    fn parts(&self) -> usize {
        PARTS.min(self.batch)
    }

    fn batches(&self, part: usize, step: u64) -> impl Iterator<Item = GraphBatch> + Send {
        let mut order = None;
        (step..).map(move |step| self.batch(step, part, &mut order))
    }

    fn loss(&self, weights: &Weights, batch: GraphBatch, device: &Device) -> unmelt_diffusion::Result<Loss> {
        let config = &self.model.network;
        let previous = if batch.is_self_conditioned {
            let network = GraphDenoiser::bind(config, &weights.detached())?;
            Some(self.earlier(&network, &batch, device))
        } else {
            None
        };
        let input = self.input(&batch, previous.as_ref(), device);
        let output = GraphDenoiser::bind(config, weights)?.forward(&input);
        let targets = Targets::new(self, &batch, device);
        let loss = &self.model.loss;
        let square = (output.positions - targets.positions).powi_scalar(2).sum_dim(1);
        let positions = (square * targets.position_weights).sum();
        let elements = cross_entropy(output.elements, targets.elements, targets.element_weights);
        let charges = cross_entropy(output.charges, targets.charges, targets.charge_weights);
        let bonds = cross_entropy(output.bonds, targets.bonds, targets.pair_weights);
        let mut total = positions.clone() * loss.positions
            + elements.clone() * loss.elements
            + charges.clone() * loss.charges
            + bonds.clone() * loss.bonds;
        let mut parts =
            vec![("positions", positions), ("elements", elements), ("charges", charges), ("bonds", bonds)];
        if let Some(estimate) = output.properties {
            let square = (estimate - targets.properties).powi_scalar(2);
            let properties = (square * targets.property_weights).sum();
            total = total + properties.clone() * loss.properties;
            parts.push(("properties", properties));
        }
        Ok(Loss { total, parts, samples: batch.times.len() as u64 })
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
    /// Weight of the positions by noise level over atoms and molecules, none where they are given, `[N, 1]`.
    position_weights: Tensor<2>,
    /// The same of the elements, `[N, 1]`.
    element_weights: Tensor<2>,
    /// The same of the charges, `[N, 1]`.
    charge_weights: Tensor<2>,
    /// The same of the bonds, `[P, 1]`.
    pair_weights: Tensor<2>,
    /// Properties, normalised, `[molecules, properties]`.
    properties: Tensor<2>,
    /// Weight of the properties by the noise of the positions, over molecules and properties; none where the data
    /// lacks them.
    property_weights: Tensor<2>,
}

impl Targets {
    fn new(objective: &GraphObjective, batch: &GraphBatch, device: &Device) -> Self {
        let device = &device.clone().inner();
        let loss = &objective.model.loss;
        let mut positions = Vec::new();
        let mut classes: [Vec<i32>; 3] = Default::default();
        let mut weights: [Vec<f32>; 4] = Default::default();
        let (mut properties, mut property_weights) = (Vec::new(), Vec::new());
        for (question, &time) in batch.questions.iter().zip(&batch.times) {
            let state = &question.clean;
            let n = state[1].classes().len();
            let levels = objective.process.levels_at(time);
            let share = |feature: usize, weighting: LossWeighting| {
                (weighting.at(levels[feature]) / (n * objective.batch) as f64) as f32
            };
            positions.extend_from_slice(state[0].continuous());
            for (all, value) in classes.iter_mut().zip(&state[1..]) {
                all.extend(value.classes().iter().map(|&c| i32::from(c)));
            }
            for (feature, all) in weights.iter_mut().enumerate() {
                let (weighting, stride) =
                    if feature == 0 { (loss.position_weighting, 3) } else { (loss.weighting, 1) };
                let weight = share(feature, weighting);
                let count = if feature == 3 { state[3].classes().len() } else { n };
                let given = |k: usize| question.given.as_ref().is_some_and(|m| m[feature][stride * k]);
                all.extend((0..count).map(|k| if given(k) { 0.0 } else { weight }));
            }
            let known = &question.properties;
            let weight = loss.weighting.at(levels[0]) / (known.len() * objective.batch) as f64;
            properties.extend(known.iter().map(|p| p.unwrap_or(0.0)));
            property_weights.extend(known.iter().map(|p| if p.is_some() { weight as f32 } else { 0.0 }));
        }
        let ints = |values: Vec<i32>| {
            let count = values.len();
            Tensor::<2, Int>::from_data(TensorData::new(values, [count, 1]), device)
        };
        let floats = |values: Vec<f32>, columns: usize| {
            let rows = values.len() / columns.max(1);
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
        };
        let [elements, charges, bonds] = classes.map(ints);
        let [position_weights, element_weights, charge_weights, pair_weights] = weights.map(|w| floats(w, 1));
        Self {
            positions: floats(positions, 3),
            elements,
            charges,
            bonds,
            position_weights,
            element_weights,
            charge_weights,
            pair_weights,
            properties: floats(properties, objective.model.properties.len()),
            property_weights: floats(property_weights, objective.model.properties.len()),
        }
    }
}
