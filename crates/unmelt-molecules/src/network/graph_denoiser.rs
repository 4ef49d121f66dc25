//! The graph denoiser: an E(3)-equivariant network over the complete graph that carries atoms, pairs and
//! positions, and predicts the clean atoms, charges, bonds and positions together.
//!
//! A layer is [`unmelt_kernels::pair_layer`] followed by a small network on each atom. Positions enter through
//! distances and through the lengths of each atom's vectors, which are sums of offsets; they leave through the vectors
//! themselves. So rotations, reflections and translations of the input do the same to the output. A pair is one row
//! for both directions, so bonds are symmetric.

use burn::tensor::{Tensor, activation};
use unmelt_diffusion::{Prediction, Result, Weights, to_vec};
use unmelt_kernels::{PairInputs, PairWeights, pair_count, pair_layer};

use super::GraphInput;
use super::config::GraphDenoiserConfig;
use super::layers::{Linear, Mlp, Norm};
use super::properties::PropertyHead;
use super::vectors::lengths;

/// Sums of messages are divided by this, so that they are of order one.
const MESSAGE_SCALE: f64 = 0.125;

/// Largest coordinate between layers. Rare states that no training has seen, such as those that guidance leads to, would
/// otherwise drive positions from layer to layer until they are infinite.
const FARTHEST: f32 = 40.0;

/// The network with weights.
#[derive(Clone, Debug)]
pub struct GraphDenoiser {
    config: GraphDenoiserConfig,
    nodes: Mlp,
    pairs: Mlp,
    layers: Vec<Layer>,
    properties: Option<PropertyHead>,
    out_nodes: Mlp,
    out_pairs: Mlp,
}

/// What the network predicts of the clean molecules.
#[derive(Clone, Debug)]
pub struct GraphOutput {
    /// Positions without centre of mass, in units of the position scale, `[N, 3]`.
    pub positions: Tensor<2>,
    /// Logits of the elements, `[N, elements]`.
    pub elements: Tensor<2>,
    /// Logits of the charges, `[N, charges]`.
    pub charges: Tensor<2>,
    /// Logits of the bonds, `[P, bonds]`.
    pub bonds: Tensor<2>,
    /// Properties of the clean molecules, normalised, as they would be without any condition, `[molecules, properties]`;
    /// none of a network without properties.
    pub properties: Option<Tensor<2>>,
}

impl GraphDenoiser {
    /// The network with these weights.
    pub fn bind(config: &GraphDenoiserConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            nodes: Mlp::bind(weights, "nodes", None)?,
            pairs: Mlp::bind(weights, "pairs", None)?,
            layers: (0..config.layers).map(|k| Layer::bind(config, weights, k)).collect::<Result<_>>()?,
            properties: (config.properties > 0).then(|| PropertyHead::bind(config, weights)).transpose()?,
            out_nodes: Mlp::bind(weights, "out.nodes", Some("out.norm"))?,
            out_pairs: Mlp::bind(weights, "out.pairs", Some("out.pair_norm"))?,
        })
    }

    /// Predicts the clean molecules.
    pub fn forward(&self, input: &GraphInput) -> GraphOutput {
        let mut nodes = self.nodes.forward(input.nodes.clone());
        let mut pairs = self.pairs.forward(input.pairs.clone());
        // The posterior mean of unit-variance data is α·x_t; the layers add what it misses, in units of σ, so that
        // the positions they see come closer to the clean ones from layer to layer.
        let mut positions = input.positions.clone() * input.alpha.clone();
        let mut judged = None;
        for (k, layer) in self.layers.iter().enumerate() {
            if let Some(head) = &self.properties
                && k >= self.config.first_guided()
            {
                let judgement = judged.get_or_insert_with(|| head.judge(&nodes, &positions, input));
                nodes = nodes + head.guidance(judgement, k - self.config.first_guided(), input);
            }
            (nodes, pairs, positions) = layer.forward(nodes, pairs, positions, input);
        }
        let classes = self.out_nodes.forward(nodes);
        let (e, c, atoms) = (self.config.elements, self.config.charges, classes.dims()[0]);
        GraphOutput {
            positions: input.without_mean(positions, &input.centring),
            elements: classes.clone().slice([0..atoms, 0..e]),
            charges: classes.slice([0..atoms, e..e + c]),
            bonds: self.out_pairs.forward(pairs),
            properties: judged.map(|j| j.properties),
        }
    }
}

impl GraphOutput {
    /// Probabilities instead of logits.
    pub fn into_probabilities(self) -> Self {
        Self {
            positions: self.positions,
            elements: activation::softmax(self.elements, 1),
            charges: activation::softmax(self.charges, 1),
            bonds: activation::softmax(self.bonds, 1),
            properties: self.properties,
        }
    }
}

#[derive(Clone, Debug)]
struct Layer {
    norm: Norm,
    project: Linear,
    pair: PairWeights,
    node: Mlp,
}

impl Layer {
    fn bind(config: &GraphDenoiserConfig, weights: &Weights, k: usize) -> Result<Self> {
        let name = |part: &str| format!("layers.{k}.{part}");
        Ok(Self {
            norm: Norm::bind(weights, &name("norm"))?,
            project: Linear::bind(weights, &name("project"))?,
            pair: PairWeights {
                norm_scale: weights.get(&name("pair_norm.weight"))?,
                norm_shift: weights.get(&name("pair_norm.bias"))?,
                pair: weights.get(&name("pair.weight"))?,
                distance: weights.get(&name("distance.weight"))?,
                message: weights.get(&name("message.weight"))?,
                message_bias: weights.get(&name("message.bias"))?,
                update: weights.get(&name("update.weight"))?,
                update_bias: weights.get(&name("update.bias"))?,
                head: weights.get(&name("head.weight"))?,
                heads: config.heads,
            },
            node: Mlp::bind(weights, &name("node"), None)?,
        })
    }

    fn forward(
        &self,
        nodes: Tensor<2>,
        pairs: Tensor<2>,
        positions: Tensor<2>,
        input: &GraphInput,
    ) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
        let normed = self.norm.forward(nodes.clone());
        let projected = self.project.forward(normed.clone());
        let (atoms, d) = (projected.dims()[0], pairs.dims()[1]);
        let columns = |from: usize, to: usize| projected.clone().slice([0..atoms, from..to]);
        let inputs = PairInputs {
            term: columns(0, d),
            factor: columns(d, 2 * d),
            values: columns(2 * d, projected.dims()[1]),
            pairs,
            positions: positions.clone(),
            reference: input.positions.clone(),
        };
        let out = pair_layer(inputs, self.pair.clone(), &input.sizes);
        let messages = out.messages.mul_scalar(MESSAGE_SCALE);
        let columns = out.vectors.dims()[1];
        let vectors: Tensor<3> = out.vectors.reshape([atoms, columns / 3, 3]);
        let update =
            self.node.forward(Tensor::cat(vec![normed, messages, out.attended, lengths(vectors.clone())], 1));
        let width = nodes.dims()[1];
        let gates = update.clone().narrow(1, width, columns / 3).unsqueeze_dim::<3>(2);
        let shift = (vectors * gates).sum_dim(1).reshape([atoms, 3]);
        let positions = (positions + shift * input.sigma.clone()).clamp(-FARTHEST, FARTHEST);
        (nodes + update.narrow(1, 0, width), out.pairs, positions)
    }
}

/// The prediction of each molecule of a batch, on the host: positions, and probabilities of atoms, charges and
/// pairs i < j.
pub fn split_predictions(output: GraphOutput, sizes: &[usize]) -> Vec<Vec<Prediction<f32>>> {
    let output = output.into_probabilities();
    let columns = [output.elements.dims()[1], output.charges.dims()[1], output.bonds.dims()[1]];
    let (positions, bonds) = (to_vec(output.positions), to_vec(output.bonds));
    let (elements, charges) = (to_vec(output.elements), to_vec(output.charges));
    let (mut atom, mut row) = (0, 0);
    sizes
        .iter()
        .map(|&n| {
            let of_atoms = |x: &[f32], width: usize| x[atom * width..(atom + n) * width].to_vec();
            let pairs = row * columns[2]..(row + pair_count(n)) * columns[2];
            let prediction = vec![
                Prediction::Continuous(of_atoms(&positions, 3)),
                Prediction::Probabilities(of_atoms(&elements, columns[0])),
                Prediction::Probabilities(of_atoms(&charges, columns[1])),
                Prediction::Probabilities(bonds[pairs].to_vec()),
            ];
            atom += n;
            row += pair_count(n);
            prediction
        })
        .collect()
}
