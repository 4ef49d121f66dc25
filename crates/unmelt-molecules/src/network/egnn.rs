//! The E(n)-equivariant network of EDM (Hoogeboom et al. 2022; Satorras et al. 2021), by its own tensor names.
//!
//! Tensors are `dynamics.egnn.…` as in EDM's checkpoints, linear weights `[out, in]` as PyTorch stores them. The
//! first edge layer is factored: W·[h_i, h_j, d², d₀²] = W₁h_i + W₂h_j + w₃d² + w₄d₀², the first two per atom.

use std::sync::Arc;

use super::layers::Linear;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::{Init, Layout, Result, Weights};
use unmelt_kernels::{EdgeGraph, MessageInputs, MessageWeights, MlpWeights, Reduction, messages, mlp};

/// Size and settings of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgnnConfig {
    /// Features of an atom, without time and context.
    pub features: usize,
    /// Values of the context of an atom.
    pub context: usize,
    /// Width.
    pub hidden: usize,
    /// Equivariant blocks.
    pub layers: usize,
    /// Message-passing layers within a block.
    pub sublayers: usize,
    /// Whether messages are gated.
    pub attention: bool,
    /// Whether coordinate weights are bounded by tanh.
    pub tanh: bool,
    /// Bound of the coordinate weights of a block. EDM computes a share of it per block, and does not use it.
    pub coords_range: f64,
    /// Added to the distance that differences are divided by.
    pub norm_constant: f64,
    /// What sums over neighbours are divided by.
    pub normalization_factor: f64,
}

impl Default for EgnnConfig {
    /// EDM's own for QM9 with hydrogens.
    fn default() -> Self {
        Self {
            features: 6,
            context: 0,
            hidden: 256,
            layers: 9,
            sublayers: 1,
            attention: true,
            tanh: true,
            coords_range: 15.0,
            norm_constant: 1.0,
            normalization_factor: 1.0,
        }
    }
}

impl EgnnConfig {
    /// Columns of the embedding: features, time, context.
    fn inputs(&self) -> usize {
        self.features + 1 + self.context
    }

    /// Names and shapes of the parameters.
    pub fn layout(&self) -> Layout {
        let h = self.hidden;
        let mut layout = Layout::default();
        let mut linear = |name: String, inputs: usize, outputs: usize, bias: bool| {
            let bound = Init::Uniform(1.0 / (inputs as f64).sqrt());
            layout.add(format!("{name}.weight"), &[outputs, inputs], bound);
            if bias {
                layout.add(format!("{name}.bias"), &[outputs], bound);
            }
        };
        linear("dynamics.egnn.embedding".into(), self.inputs(), h, true);
        linear("dynamics.egnn.embedding_out".into(), h, self.inputs(), true);
        for k in 0..self.layers {
            let block = format!("dynamics.egnn.e_block_{k}");
            for s in 0..self.sublayers {
                let name = |part: &str| format!("{block}.gcl_{s}.{part}");
                linear(name("edge_mlp.0"), 2 * h + 2, h, true);
                linear(name("edge_mlp.2"), h, h, true);
                linear(name("node_mlp.0"), 2 * h, h, true);
                linear(name("node_mlp.2"), h, h, true);
                if self.attention {
                    linear(name("att_mlp.0"), h, 1, true);
                }
            }
            let name = |part: &str| format!("{block}.gcl_equiv.coord_mlp.{part}");
            linear(name("0"), 2 * h + 2, h, true);
            linear(name("2"), h, h, true);
            linear(name("4"), h, 1, false);
        }
        layout
    }
}

/// A packed batch for the network.
#[derive(Clone, Debug)]
pub struct EgnnInput {
    /// Atoms of each molecule.
    pub sizes: Vec<usize>,
    /// Positions, `[N, 3]`.
    pub positions: Tensor<2>,
    /// Features, then time, then context of each atom, `[N, features + 1 + context]`.
    pub features: Tensor<2>,
}

/// The network with weights.
#[derive(Clone, Debug)]
pub struct Egnn {
    config: EgnnConfig,
    embedding: Linear,
    embedding_out: Linear,
    blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
struct Block {
    messages: Vec<Gcl>,
    coordinates: Edges,
}

#[derive(Clone, Debug)]
struct Gcl {
    edges: Edges,
    node: MlpWeights,
}

/// x·Wᵀ + b.
/// Two layers on [h_i, h_j, d², d₀²] and a score of what comes out; the first in its parts.
#[derive(Clone, Debug)]
struct Edges {
    source: Linear,
    target: Tensor<2>,
    weights: MessageWeights,
}

/// Where the atoms are, where they were at first, and who sends to whom.
struct Places<'a> {
    positions: Tensor<2>,
    reference: &'a Tensor<2>,
    graph: &'a Arc<EdgeGraph>,
}

impl Edges {
    /// From the two layers of these names, and the weight and bias of the score.
    fn bind(
        weights: &Weights,
        [first, second]: [&str; 2],
        h: usize,
        (head, head_bias): (Tensor<2>, Tensor<1>),
    ) -> Result<Self> {
        let all = Linear::bind_transposed(weights, first)?;
        let rows = |from: usize, to: usize| all.weight.clone().slice([from..to, 0..h]);
        let second = Linear::bind_transposed(weights, second)?;
        Ok(Self {
            source: Linear { weight: rows(0, h), bias: all.bias.clone() },
            target: rows(h, 2 * h),
            weights: MessageWeights {
                distance: rows(2 * h, 2 * h + 2),
                message: second.weight,
                message_bias: second.bias,
                head,
                head_bias,
            },
        })
    }

    fn reduced(&self, nodes: &Tensor<2>, places: &Places, reduction: Reduction) -> Tensor<2> {
        let inputs = MessageInputs {
            source: self.source.forward(nodes.clone()),
            target: nodes.clone().matmul(self.target.clone()),
            positions: places.positions.clone(),
            reference: places.reference.clone(),
        };
        messages(inputs, self.weights.clone(), places.graph, reduction)
    }
}

impl Egnn {
    /// The network with these weights.
    pub fn bind(config: &EgnnConfig, weights: &Weights) -> Result<Self> {
        let block = |k: usize| {
            let name = format!("dynamics.egnn.e_block_{k}");
            let messages = (0..config.sublayers)
                .map(|s| Gcl::bind(config, weights, &format!("{name}.gcl_{s}")))
                .collect::<Result<_>>()?;
            let coord = |part: &str| format!("{name}.gcl_equiv.coord_mlp.{part}");
            let head = weights.get::<2>(&coord("4.weight"))?.transpose();
            let no_bias = Tensor::zeros([1], &head.device());
            let layers = [&*coord("0"), &*coord("2")];
            let coordinates = Edges::bind(weights, layers, config.hidden, (head, no_bias))?;
            Ok(Block { messages, coordinates })
        };
        Ok(Self {
            config: config.clone(),
            embedding: Linear::bind_transposed(weights, "dynamics.egnn.embedding")?,
            embedding_out: Linear::bind_transposed(weights, "dynamics.egnn.embedding_out")?,
            blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
        })
    }

    /// The velocity of the positions without centre of mass `[N, 3]`, and the features `[N, features]`.
    pub fn forward(&self, input: &EgnnInput) -> (Tensor<2>, Tensor<2>) {
        let graph = Arc::new(EdgeGraph::complete(&input.sizes));
        let mut positions = input.positions.clone();
        let mut nodes = self.embedding.forward(input.features.clone());
        for block in &self.blocks {
            let places = Places { positions, reference: &input.positions, graph: &graph };
            (nodes, positions) = block.forward(&self.config, nodes, places);
        }
        let velocity = centred(positions - input.positions.clone(), &input.sizes);
        let out = self.embedding_out.forward(nodes);
        let atoms = out.dims()[0];
        (velocity, out.slice([0..atoms, 0..self.config.features]))
    }
}

/// Subtracts each molecule's mean.
fn centred(x: Tensor<2>, sizes: &[usize]) -> Tensor<2> {
    let mut start = 0;
    let parts = sizes.iter().map(|&n| {
        let part = x.clone().slice([start..start + n, 0..3]);
        start += n;
        part.clone() - part.mean_dim(0)
    });
    Tensor::cat(parts.collect(), 0)
}

impl Block {
    fn forward(&self, config: &EgnnConfig, mut nodes: Tensor<2>, places: Places) -> (Tensor<2>, Tensor<2>) {
        for layer in &self.messages {
            nodes = layer.forward(config, nodes, &places);
        }
        let reduction = Reduction::Moves {
            bound: config.tanh.then_some(config.coords_range as f32),
            offset: config.norm_constant as f32,
        };
        let moved = self.coordinates.reduced(&nodes, &places, reduction);
        (nodes, places.positions + moved / config.normalization_factor)
    }
}

impl Gcl {
    fn bind(config: &EgnnConfig, weights: &Weights, name: &str) -> Result<Self> {
        let part = |part: &str| format!("{name}.{part}");
        let layers = [&*part("edge_mlp.0"), &*part("edge_mlp.2")];
        let (first, second) = (
            Linear::bind_transposed(weights, &part("node_mlp.0"))?,
            Linear::bind_transposed(weights, &part("node_mlp.2"))?,
        );
        let device = first.bias.device();
        let gate = match config.attention {
            true => Linear::bind_transposed(weights, &part("att_mlp.0"))?,
            false => Linear {
                weight: Tensor::zeros([config.hidden, 1], &device),
                bias: Tensor::zeros([1], &device),
            },
        };
        Ok(Self {
            edges: Edges::bind(weights, layers, config.hidden, (gate.weight, gate.bias))?,
            node: MlpWeights {
                norm: None,
                first: first.weight,
                first_bias: first.bias,
                second: second.weight,
                second_bias: second.bias,
            },
        })
    }

    fn forward(&self, config: &EgnnConfig, nodes: Tensor<2>, places: &Places) -> Tensor<2> {
        let reduction = if config.attention { Reduction::Gated } else { Reduction::Sum };
        let sums = self.edges.reduced(&nodes, places, reduction) / config.normalization_factor;
        nodes.clone() + mlp(Tensor::cat(vec![nodes, sums], 1), &self.node)
    }
}
