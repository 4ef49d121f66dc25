//! Conditions for properties: what the molecule is like so far, and how far that is from what is wanted.
//!
//! The first layers know of no condition. Behind them a head estimates the properties of the clean molecule from the atoms
//! and from moments Σ qᵢxᵢ of charges that it gives them (a dipole is one). The target, its presence and the difference from
//! the estimate then enter every later layer.

use burn::tensor::Tensor;
use unmelt_diffusion::{Result, Weights};
use unmelt_kernels::silu;

use super::GraphInput;
use super::config::{GraphDenoiserConfig, MOMENTS};
use super::layers::{Linear, Mlp, Norm};
use super::vectors::lengths;

/// Sums over atoms are divided by this, a typical number of them.
const ATOMS: f64 = 20.0;

/// Estimates properties and turns conditions into what the layers add to their atoms.
#[derive(Clone, Debug)]
pub(super) struct PropertyHead {
    norm: Norm,
    atoms: Linear,
    estimate: Mlp,
    condition: Mlp,
    guides: Vec<Linear>,
}

/// What the head found.
pub(super) struct Judgement {
    /// Estimates, normalised, `[molecules, properties]`.
    pub(super) properties: Tensor<2>,
    /// The condition as a vector, `[molecules, node width]`.
    condition: Tensor<2>,
}

impl PropertyHead {
    pub(super) fn bind(config: &GraphDenoiserConfig, weights: &Weights) -> Result<Self> {
        let guide = |k: usize| Linear::bind(weights, &format!("properties.guide.{k}"));
        Ok(Self {
            norm: Norm::bind(weights, "properties.norm")?,
            atoms: Linear::bind(weights, "properties.atoms")?,
            estimate: Mlp::bind(weights, "properties.estimate", None)?,
            condition: Mlp::bind(weights, "properties.wish", None)?,
            guides: (config.first_guided()..config.layers).map(guide).collect::<Result<_>>()?,
        })
    }

    /// Estimates the properties, and compares them with the conditions.
    pub(super) fn judge(&self, nodes: &Tensor<2>, positions: &Tensor<2>, input: &GraphInput) -> Judgement {
        let properties = self.estimate(nodes, positions, input);
        let estimate = properties.clone().detach();
        let [molecules, count] = estimate.dims();
        let conditions = match &input.conditions {
            Some(conditions) => conditions.clone(),
            None => Tensor::zeros([molecules, 2 * count], &estimate.device()),
        };
        let (value, presence) =
            (conditions.clone().narrow(1, 0, count), conditions.clone().narrow(1, count, count));
        let missing = (value - estimate) * presence;
        Judgement { properties, condition: self.condition.forward(Tensor::cat(vec![conditions, missing], 1)) }
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
        self.guides[k].forward(judgement.condition.clone()).select(0, input.molecule.clone())
    }
}
