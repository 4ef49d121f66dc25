//! The size of the graph denoiser, and the names and shapes of its parameters.

use serde::{Deserialize, Serialize};
use unmelt_diffusion::{Init, Layout};

use crate::NetworkSize;

/// Moments of each molecule.
pub(super) const MOMENTS: usize = 8;

/// Size of the network and of what it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphDenoiserConfig {
    /// Classes of elements.
    pub elements: usize,
    /// Classes of charges.
    pub charges: usize,
    /// Classes of bonds, none included.
    pub bonds: usize,
    /// Width of atoms.
    pub node_width: usize,
    /// Width of pairs.
    pub pair_width: usize,
    /// Attention heads; they share the node width.
    pub heads: usize,
    /// Vectors of each atom.
    pub vectors: usize,
    /// Layers.
    pub layers: usize,
    /// Bumps that a distance is written in.
    pub distance_features: usize,
    /// Sines and cosines that the time is written in.
    pub time_features: usize,
    /// Properties that may be asked for.
    pub properties: usize,
}

impl GraphDenoiserConfig {
    /// The network of a size, for no classes and no properties yet.
    pub(crate) fn of_size(size: &NetworkSize) -> Self {
        Self {
            elements: 0,
            charges: 0,
            bonds: 0,
            node_width: size.node_width,
            pair_width: size.pair_width,
            heads: size.heads,
            vectors: size.vectors,
            layers: size.layers,
            distance_features: 20,
            time_features: 16,
            properties: 0,
        }
    }

    /// Columns of the node features: both class vectors, now and predicted before; whether place, element and
    /// charge are given; age of the prediction before; time.
    pub fn node_features(&self) -> usize {
        2 * (self.elements + self.charges) + 4 + self.time_features
    }

    /// The layer that is the first to hear of conditions: those before it say what the molecule is like without them.
    pub(super) fn first_guided(&self) -> usize {
        self.layers / 2
    }

    /// Columns of the pair features: bonds and distances, now and predicted before; two flags; age of the
    /// prediction before; time.
    pub fn pair_features(&self) -> usize {
        2 * self.bonds + 2 * (self.distance_features + 1) + 3 + self.time_features
    }

    /// Names and shapes of the parameters.
    pub fn layout(&self) -> Layout {
        let (h, d) = (self.node_width, self.pair_width);
        let mut layout = Layout::default();
        layout.add_linear("nodes.0", self.node_features(), h);
        layout.add_linear("nodes.1", h, h);
        layout.add_linear("pairs.0", self.pair_features(), d);
        layout.add_linear("pairs.1", d, d);
        for k in 0..self.layers {
            let name = |part: &str| format!("layers.{k}.{part}");
            let bound = Init::Uniform(1.0 / (d as f64).sqrt());
            layout.add_norm(&name("norm"), h);
            layout.add_linear(&name("project"), h, 2 * d + h);
            layout.add_norm(&name("pair_norm"), d);
            layout.add(name("pair.weight"), &[d, d], bound);
            layout.add(name("distance.weight"), &[2, d], Init::Uniform(0.5));
            layout.add_linear(&name("message"), d, d);
            layout.add_linear(&name("update"), d, d);
            layout.add(name("head.weight"), &[d, self.heads + self.vectors], Init::Zeros);
            layout.add_linear(&name("node.0"), 2 * h + d + self.vectors, h);
            layout.add_linear(&name("node.1"), h, h + self.vectors);
        }
        if self.properties > 0 {
            add_property_head(&mut layout, self);
        }
        layout.add_norm("out.norm", h);
        layout.add_linear("out.nodes.0", h, h);
        layout.add_linear("out.nodes.1", h, self.elements + self.charges);
        layout.add_norm("out.pair_norm", d);
        layout.add_linear("out.pairs.0", d, d);
        layout.add_linear("out.pairs.1", d, self.bonds);
        layout
    }
}

/// Adds the parameters of the head that estimates properties.
fn add_property_head(layout: &mut Layout, config: &GraphDenoiserConfig) {
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
