//! What stands between the sampler and a network: inputs in, predictions of clean molecules out.

mod conditioned;
mod edm;
mod graph;

use std::collections::BTreeSet;

use burn::tensor::Device;
use unmelt_diffusion::checkpoint::{Card, ModelFiles, WEIGHTS_FILE};
use unmelt_diffusion::{DenoiserInput, State};

pub use conditioned::Conditioned;
pub use edm::EdmPredictor;
pub use graph::GraphPredictor;

use crate::graph_model::MoleculePrediction;
use crate::{MoleculeModel, Result};

/// A network that is ready to answer.
pub trait Predictor: Send + Sync {
    /// The clean molecules that it predicts; `conditions` are the properties that are wanted, normalised, in the model's order,
    /// or empty where none is.
    fn predict(&self, inputs: &[DenoiserInput], conditions: &[Option<f32>]) -> Vec<MoleculePrediction>;

    /// The properties of clean states as the network estimates them, normalised; empty for a network that does not.
    fn estimates(&self, states: &[State<f32>]) -> Vec<Vec<f32>>;

    /// Classes of each feature, 0 where it holds numbers; none for a network that has no answer without conditions, and so
    /// cannot be guided.
    fn guidable(&self) -> Option<Vec<usize>>;
}

/// The network of a model's files: the weights hold every tensor of the card's network in its shape, and no other.
pub fn load(card: &Card<MoleculeModel>, files: &ModelFiles, device: &Device) -> Result<Box<dyn Predictor>> {
    let (path, layout) = (files.origin.join(WEIGHTS_FILE), card.model.layout());
    let fault =
        |fault: String| unmelt_diffusion::Error::Model { part: "weights file", path: path.clone(), fault };
    let weights = files.weights(card, device)?;
    let wanted: BTreeSet<&str> = layout.entries().iter().map(|e| e.name.as_str()).collect();
    if let Some(name) = weights.names().find(|name| !wanted.contains(name)) {
        return Err(fault(format!("it has the tensor {name}, which the card's network does not want")).into());
    }
    let bound: unmelt_diffusion::Result<Box<dyn Predictor>> =
        weights.check(&layout).and_then(|()| match &card.model {
            MoleculeModel::Graph(model) => {
                GraphPredictor::new(model, &weights, device).map(|p| Box::new(p) as _)
            }
            MoleculeModel::Edm(model) => EdmPredictor::new(model, &weights, device).map(|p| Box::new(p) as _),
        });
    bound.map_err(|e| match e {
        unmelt_diffusion::Error::Weights { name, fault: what } => {
            fault(format!("the weights {what} for {name}, which the card's network wants")).into()
        }
        other => other.into(),
    })
}
