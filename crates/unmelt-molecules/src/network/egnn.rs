//! The E(n)-equivariant network of EDM (Hoogeboom et al. 2022; Satorras et al. 2021), by its own tensor names.
//!
//! Tensors are `dynamics.egnn.…` as in EDM's checkpoints, linear weights `[out, in]` as PyTorch stores them. The
//! first edge layer is factored: W·[h_i, h_j, d², d₀²] = W₁h_i + W₂h_j + w₃d² + w₄d₀², the first two per atom.

use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};
use unmelt_diffusion::{Init, Layout, Result, Weights};
use unmelt_kernels::silu;

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
    coord_first: EdgeLinear,
    coord_second: Linear,
    coord_out: Tensor<2>,
}

#[derive(Clone, Debug)]
struct Gcl {
    edge_first: EdgeLinear,
    edge_second: Linear,
    gate: Option<Linear>,
    node_first: Linear,
    node_second: Linear,
}

/// x·Wᵀ + b.
#[derive(Clone, Debug)]
struct Linear {
    weight: Tensor<2>,
    bias: Tensor<1>,
}

/// A linear layer on [h_i, h_j, d², d₀²], in its four parts.
#[derive(Clone, Debug)]
struct EdgeLinear {
    source: Linear,
    target: Tensor<2>,
    distances: Tensor<2>,
}

impl Linear {
    fn bind(weights: &Weights, name: &str) -> Result<Self> {
        let weight = weights.get::<2>(&format!("{name}.weight"))?.transpose();
        Ok(Self { weight, bias: weights.get(&format!("{name}.bias"))? })
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.clone()) + self.bias.clone().unsqueeze()
    }
}

impl EdgeLinear {
    fn bind(weights: &Weights, name: &str, h: usize) -> Result<Self> {
        let all = Linear::bind(weights, name)?;
        let rows = |from: usize, to: usize| all.weight.clone().slice([from..to, 0..h]);
        Ok(Self {
            source: Linear { weight: rows(0, h), bias: all.bias.clone() },
            target: rows(h, 2 * h),
            distances: rows(2 * h, 2 * h + 2),
        })
    }

    fn forward(&self, nodes: &Tensor<2>, distances: &Tensor<2>, edges: &Edges) -> Tensor<2> {
        let source = self.source.forward(nodes.clone()).select(0, edges.first.clone());
        let target = nodes.clone().matmul(self.target.clone()).select(0, edges.second.clone());
        source + target + distances.clone().matmul(self.distances.clone())
    }
}

/// Ordered pairs of different atoms of one molecule.
struct Edges {
    first: Tensor<1, Int>,
    second: Tensor<1, Int>,
}

impl Edges {
    fn complete(sizes: &[usize], device: &Device) -> Self {
        let (mut first, mut second, mut start) = (Vec::new(), Vec::new(), 0);
        for &n in sizes {
            for i in 0..n {
                for j in (0..n).filter(|&j| j != i) {
                    first.push((start + i) as i32);
                    second.push((start + j) as i32);
                }
            }
            start += n;
        }
        let tensor = |values: Vec<i32>| {
            let count = values.len();
            Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device)
        };
        Self { first: tensor(first), second: tensor(second) }
    }

    /// x_i − x_j.
    fn differences(&self, x: &Tensor<2>) -> Tensor<2> {
        x.clone().select(0, self.first.clone()) - x.clone().select(0, self.second.clone())
    }

    /// Sums of edge rows over the first atom.
    fn sum(&self, rows: Tensor<2>, atoms: usize) -> Tensor<2> {
        let zeros = Tensor::<2>::zeros([atoms, rows.dims()[1]], &rows.device());
        zeros.select_assign(0, self.first.clone(), rows, IndexingUpdateOp::Add)
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
            let coord = format!("{name}.gcl_equiv.coord_mlp");
            Ok(Block {
                messages,
                coord_first: EdgeLinear::bind(weights, &format!("{coord}.0"), config.hidden)?,
                coord_second: Linear::bind(weights, &format!("{coord}.2"))?,
                coord_out: weights.get::<2>(&format!("{coord}.4.weight"))?.transpose(),
            })
        };
        Ok(Self {
            config: config.clone(),
            embedding: Linear::bind(weights, "dynamics.egnn.embedding")?,
            embedding_out: Linear::bind(weights, "dynamics.egnn.embedding_out")?,
            blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
        })
    }

    /// The velocity of the positions without centre of mass `[N, 3]`, and the features `[N, features]`.
    pub fn forward(&self, input: &EgnnInput) -> (Tensor<2>, Tensor<2>) {
        let edges = Edges::complete(&input.sizes, &input.positions.device());
        let mut positions = input.positions.clone();
        let first = squares(&edges.differences(&positions));
        let mut nodes = self.embedding.forward(input.features.clone());
        if edges.first.dims()[0] > 0 {
            for block in &self.blocks {
                (nodes, positions) = block.forward(&self.config, nodes, positions, &first, &edges);
            }
        } else {
            // Single atoms have no messages; only their own features pass.
            for block in &self.blocks {
                nodes = block.without_edges(nodes);
            }
        }
        let velocity = centred(positions - input.positions.clone(), &input.sizes);
        let out = self.embedding_out.forward(nodes);
        let atoms = out.dims()[0];
        (velocity, out.slice([0..atoms, 0..self.config.features]))
    }
}

fn squares(differences: &Tensor<2>) -> Tensor<2> {
    differences.clone().powi_scalar(2).sum_dim(1)
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
    fn forward(
        &self,
        config: &EgnnConfig,
        mut nodes: Tensor<2>,
        positions: Tensor<2>,
        first: &Tensor<2>,
        edges: &Edges,
    ) -> (Tensor<2>, Tensor<2>) {
        let differences = edges.differences(&positions);
        let square = squares(&differences);
        let length = (square.clone() + 1e-8).sqrt() + config.norm_constant;
        let distances = Tensor::cat(vec![square, first.clone()], 1);
        for layer in &self.messages {
            nodes = layer.forward(config, nodes, &distances, edges);
        }
        let hidden = silu(self.coord_first.forward(&nodes, &distances, edges));
        let weight = silu(self.coord_second.forward(hidden)).matmul(self.coord_out.clone());
        let weight = match config.tanh {
            true => weight.tanh() * config.coords_range,
            false => weight,
        };
        let moved = edges.sum(differences / length * weight, nodes.dims()[0]);
        (nodes, positions + moved / config.normalization_factor)
    }

    fn without_edges(&self, nodes: Tensor<2>) -> Tensor<2> {
        self.messages.iter().fold(nodes, |nodes, layer| layer.update(nodes.clone(), nodes.zeros_like()))
    }
}

impl Gcl {
    fn bind(config: &EgnnConfig, weights: &Weights, name: &str) -> Result<Self> {
        let linear = |part: &str| Linear::bind(weights, &format!("{name}.{part}"));
        Ok(Self {
            edge_first: EdgeLinear::bind(weights, &format!("{name}.edge_mlp.0"), config.hidden)?,
            edge_second: linear("edge_mlp.2")?,
            gate: config.attention.then(|| linear("att_mlp.0")).transpose()?,
            node_first: linear("node_mlp.0")?,
            node_second: linear("node_mlp.2")?,
        })
    }

    fn forward(
        &self,
        config: &EgnnConfig,
        nodes: Tensor<2>,
        distances: &Tensor<2>,
        edges: &Edges,
    ) -> Tensor<2> {
        let hidden = silu(self.edge_first.forward(&nodes, distances, edges));
        let mut message = silu(self.edge_second.forward(hidden));
        if let Some(gate) = &self.gate {
            message = message.clone() * activation::sigmoid(gate.forward(message));
        }
        let sums = edges.sum(message, nodes.dims()[0]) / config.normalization_factor;
        self.update(nodes, sums)
    }

    fn update(&self, nodes: Tensor<2>, sums: Tensor<2>) -> Tensor<2> {
        let hidden = silu(self.node_first.forward(Tensor::cat(vec![nodes.clone(), sums], 1)));
        nodes + self.node_second.forward(hidden)
    }
}
