//! Wishes for properties: what the molecule is like so far, and how far that is from what is wanted.
//!
//! The first layers know of no wish. Behind them a head estimates the properties of the clean molecule from the atoms
//! and from moments Σ qᵢxᵢ of charges that it gives them (a dipole is one). Wish, presence and their difference from
//! the estimate then enter every later layer.

use burn::tensor::Tensor;
use unmelt_diffusion::{Init, Layout, Result, Weights};
use unmelt_kernels::silu;

use super::GraphInput;
use super::graph_denoiser::{GraphDenoiserConfig, lengths};
use super::layers::{Linear, Mlp, Norm};

/// Moments of each molecule.
const MOMENTS: usize = 8;

/// Sums over atoms are divided by this, a typical number of them.
const ATOMS: f64 = 20.0;

/// Adds the parameters of the head.
pub(super) fn add_to(layout: &mut Layout, config: &GraphDenoiserConfig) {
    let (h, p) = (config.node_width, config.properties);
    layout.add_norm("properties.norm", h);
    layout.add_linear("properties.atoms", h, h + MOMENTS);
    layout.add_linear("properties.estimate.0", h + MOMENTS, h);
    layout.add_linear("properties.estimate.1", h, p);
    layout.add_linear("properties.wish.0", 3 * p, h);
    layout.add_linear("properties.wish.1", h, h);
    for k in config.first_guided()..config.layers {
        layout.add(format!("properties.guide.{k}.weight"), &[h, h], Init::Zeros);
        layout.add(format!("properties.guide.{k}.bias"), &[h], Init::Zeros);
    }
}

/// Estimates properties and turns wishes into what the layers add to their atoms.
#[derive(Clone, Debug)]
pub(super) struct PropertyHead {
    norm: Norm,
    atoms: Linear,
    estimate: Mlp,
    wish: Mlp,
    guides: Vec<Linear>,
}

/// What the head found.
pub(super) struct Judgement {
    /// Estimates, normalised, `[molecules, properties]`.
    pub(super) properties: Tensor<2>,
    /// The wish as a vector, `[molecules, node width]`.
    wish: Tensor<2>,
}

impl PropertyHead {
    pub(super) fn bind(config: &GraphDenoiserConfig, weights: &Weights) -> Result<Self> {
        let guide = |k: usize| Linear::bind(weights, &format!("properties.guide.{k}"));
        Ok(Self {
            norm: Norm::bind(weights, "properties.norm")?,
            atoms: Linear::bind(weights, "properties.atoms")?,
            estimate: Mlp::bind(weights, "properties.estimate", None)?,
            wish: Mlp::bind(weights, "properties.wish", None)?,
            guides: (config.first_guided()..config.layers).map(guide).collect::<Result<_>>()?,
        })
    }

    /// Estimates the properties, and compares them with the wishes.
    pub(super) fn judge(&self, nodes: &Tensor<2>, positions: &Tensor<2>, input: &GraphInput) -> Judgement {
        let properties = self.estimate(nodes, positions, input);
        let estimate = properties.clone().detach();
        let [molecules, count] = estimate.dims();
        let wishes = match &input.wishes {
            Some(wishes) => wishes.clone(),
            None => Tensor::zeros([molecules, 2 * count], &estimate.device()),
        };
        let (value, presence) = (wishes.clone().narrow(1, 0, count), wishes.clone().narrow(1, count, count));
        let missing = (value - estimate) * presence;
        Judgement { properties, wish: self.wish.forward(Tensor::cat(vec![wishes, missing], 1)) }
    }

    fn estimate(&self, nodes: &Tensor<2>, positions: &Tensor<2>, input: &GraphInput) -> Tensor<2> {
        let of_atoms = self.atoms.forward(self.norm.forward(nodes.clone()));
        let [atoms, columns] = of_atoms.dims();
        let width = columns - MOMENTS;
        let pooled = input.sums(silu(of_atoms.clone().narrow(1, 0, width))) / ATOMS;
        let charges = input.without_mean(of_atoms.narrow(1, width, MOMENTS), &input.inverse_size);
        let moments = charges.unsqueeze_dim::<3>(2) * positions.clone().unsqueeze_dim::<3>(1);
        let moments = input.sums(moments.reshape([atoms, 3 * MOMENTS]));
        let lengths = lengths(moments.reshape([input.sizes.len(), MOMENTS, 3]));
        self.estimate.forward(Tensor::cat(vec![pooled, lengths], 1))
    }

    /// What the guided layer number `k` adds to its atoms.
    pub(super) fn guidance(&self, judgement: &Judgement, k: usize, input: &GraphInput) -> Tensor<2> {
        self.guides[k].forward(judgement.wish.clone()).select(0, input.molecule.clone())
    }
}
