//! The works that are timed, each on fixed weights and inputs.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use unmelt_diffusion::checkpoint::{Arrays, Precision, values_in_layout, weights_bytes};
use unmelt_diffusion::train::{AdamW, AdamWConfig};
use unmelt_diffusion::{Init, Layout, Noise, Parameters, Stream, Weights, to_vec};
use unmelt_imaging::network::{UNet, UNetConfig};
use unmelt_kernels::{ConvStep, ConvWeights, conv};
use unmelt_molecules::network::{Egnn, EgnnConfig, EgnnInput};

use crate::Failure;

/// The names, in the order of the table.
pub const NAMES: [&str; 6] = ["egnn", "egnn-train", "unet", "unet-train", "conv3d", "conv3d-train"];

/// What a name stands for.
pub fn title(name: &str) -> &'static str {
    match name {
        "egnn" => "EGNN of EDM, 9 layers × 256, 64 molecules of 19 atoms, one evaluation",
        "egnn-train" => "the same, one training step (forward, backward, AdamW)",
        "unet" => "MONAI's 3D U-Net [32, 64, 128], 2 blocks, 64³, one evaluation",
        "unet-train" => "the same, one training step (forward, backward, AdamW)",
        "conv3d" => "conv3d 32 → 32, 3³, 64³",
        _ => "the same, with the gradients of input, kernel and bias",
    }
}

/// A network as a function of weights and inputs.
trait Network {
    /// Names and shapes of the weights.
    fn layout(&self) -> Layout;
    /// Inputs by name, as PyTorch lays them out.
    fn inputs(&self) -> Vec<(&'static str, Vec<usize>)>;
    /// The output, in any order that is the same on both sides.
    fn output(&self, weights: &Weights, inputs: &Inputs) -> Result<Tensor<2>, Failure>;
}

/// Inputs on a device, flat.
struct Inputs(BTreeMap<String, Tensor<1>>);

impl Inputs {
    fn new(arrays: Arrays, device: &Device) -> Self {
        let tensor = |(_, values): (Vec<usize>, Vec<f32>)| {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), device)
        };
        Self(arrays.into_iter().map(|(name, array)| (name, tensor(array))).collect())
    }

    fn get<const D: usize>(&self, name: &str, shape: [usize; D]) -> Tensor<D> {
        self.0[name].clone().reshape(shape)
    }
}

const MOLECULES: usize = 64;
const ATOMS: usize = 19;

struct EgnnNetwork(EgnnConfig);

impl Network for EgnnNetwork {
    fn layout(&self) -> Layout {
        self.0.layout()
    }

    fn inputs(&self) -> Vec<(&'static str, Vec<usize>)> {
        vec![("positions", vec![MOLECULES * ATOMS, 3]), ("features", vec![MOLECULES * ATOMS, 7])]
    }

    fn output(&self, weights: &Weights, inputs: &Inputs) -> Result<Tensor<2>, Failure> {
        let atoms = MOLECULES * ATOMS;
        let input = EgnnInput {
            sizes: vec![ATOMS; MOLECULES],
            positions: inputs.get("positions", [atoms, 3]),
            features: inputs.get("features", [atoms, 7]),
        };
        let (velocity, features) = Egnn::bind(&self.0, weights)?.forward(&input);
        Ok(Tensor::cat(vec![velocity, features], 1))
    }
}

const EDGE: usize = 64;

struct UNetNetwork(UNetConfig);

impl Network for UNetNetwork {
    fn layout(&self) -> Layout {
        self.0.layout()
    }

    fn inputs(&self) -> Vec<(&'static str, Vec<usize>)> {
        vec![("x", vec![1, 1, EDGE, EDGE, EDGE])]
    }

    fn output(&self, weights: &Weights, inputs: &Inputs) -> Result<Tensor<2>, Failure> {
        // One channel in and out: channels first and last are the same.
        let x = inputs.get("x", [1, EDGE, EDGE, EDGE, 1]);
        let out = UNet::bind(&self.0, weights, "")?.forward(x, &[500.0], None)?;
        Ok(out.reshape([1, -1]))
    }
}

const CONV_CHANNELS: usize = 32;

struct Conv;

impl Network for Conv {
    fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        let bound = Init::Uniform(1.0 / (27.0 * CONV_CHANNELS as f64).sqrt());
        layout.add("weight", &[CONV_CHANNELS, CONV_CHANNELS, 3, 3, 3], bound);
        layout.add("bias", &[CONV_CHANNELS], bound);
        layout
    }

    fn inputs(&self) -> Vec<(&'static str, Vec<usize>)> {
        // Channels last here, which the peer's own layout is made from before any time is taken.
        vec![("x", vec![1, EDGE, EDGE, EDGE, CONV_CHANNELS])]
    }

    fn output(&self, weights: &Weights, inputs: &Inputs) -> Result<Tensor<2>, Failure> {
        let mut x = inputs.get("x", [1, EDGE, EDGE, EDGE, CONV_CHANNELS]);
        let kernel = weights.get::<5>("weight")?;
        if kernel.device().is_autodiff() {
            x = x.autodiff().require_grad();
        }
        let bias = weights.get::<1>("bias")?.unsqueeze();
        let y = conv(x, None, &ConvWeights { kernel, bias }, ConvStep::PLAIN);
        Ok(y.reshape([-1, CONV_CHANNELS as i64]))
    }
}

fn network(name: &str) -> Result<Box<dyn Network>, Failure> {
    Ok(match name.trim_end_matches("-train") {
        "egnn" => Box::new(EgnnNetwork(EgnnConfig::default())),
        "unet" => Box::new(UNetNetwork(UNetConfig::default())),
        "conv3d" => Box::new(Conv),
        _ => return Err(Failure::Said(format!("\"{name}\" is no work; there are: {}", NAMES.join(", ")))),
    })
}

/// The bytes of the files of weights and of inputs.
pub fn files(name: &str) -> Result<[Vec<u8>; 2], Failure> {
    let network = network(name)?;
    let layout = network.layout();
    let mut inputs = Layout::default();
    network.inputs().iter().for_each(|(n, shape)| inputs.add(*n, shape, Init::Zeros));
    let mut values = vec![0.0f32; inputs.len()];
    Noise::new(7).normal(Stream::new(0, 0, 0), &mut values);
    // What starts at zero would hide the rest of the network from the comparison.
    let mut weights = vec![0.0f32; layout.len()];
    Noise::new(8).normal(Stream::new(0, 0, 0), &mut weights);
    weights
        .iter_mut()
        .zip(layout.initial_values(3))
        .for_each(|(w, v)| *w = if v == 0.0 { 0.02 * *w } else { v });
    Ok([
        weights_bytes(&layout, &weights, Precision::Single, None)?,
        weights_bytes(&inputs, &values, Precision::Single, None)?,
    ])
}

/// One side's work, ready to run.
pub struct Work {
    network: Box<dyn Network>,
    inputs: Inputs,
    parameters: Parameters,
    /// The optimiser and its steps so far, where training is timed.
    training: Option<(AdamW, u64)>,
}

/// What both sides train with.
const RATE: f64 = 1e-3;

impl Work {
    /// From what the files hold.
    pub fn new(name: &str, weights: &Arrays, inputs: Arrays, device: &Device) -> Result<Self, Failure> {
        let network = network(name)?;
        let layout = std::sync::Arc::new(network.layout());
        let values = values_in_layout(&layout, weights)?;
        let train = name.ends_with("-train");
        let parameters = Parameters::new(layout, values, device);
        let training = train.then(|| (AdamW::new(&parameters.values(), parameters.layout()), 0));
        Ok(Self { network, inputs: Inputs::new(inputs, device), parameters, training })
    }

    /// One run: the output, or the loss.
    pub fn run(&mut self) -> Result<Tensor<1>, Failure> {
        let Some((optimizer, step)) = &mut self.training else {
            return Ok(self.network.output(&self.parameters.weights(), &self.inputs)?.flatten(0, 1));
        };
        let tracked = self.parameters.tracked_weights();
        let loss = self.network.output(&tracked, &self.inputs)?.powi_scalar(2).mean();
        let value = loss.clone().inner();
        let gradient = self.parameters.gradient(&tracked, &loss.backward());
        let config = AdamWConfig { weight_decay: 0.01, clip_norm: f64::INFINITY, ..AdamWConfig::default() };
        let proposal = optimizer.propose(&config, self.parameters.values(), gradient, RATE, *step);
        self.parameters.set(optimizer.accept(proposal));
        *step += 1;
        Ok(value)
    }
}

/// Every k-th value, some thousands in all: what is compared between the sides.
pub fn sample(output: Tensor<1>) -> Vec<f32> {
    let values = to_vec(output);
    let stride = values.len().div_ceil(4096).max(1);
    values.into_iter().step_by(stride).collect()
}
