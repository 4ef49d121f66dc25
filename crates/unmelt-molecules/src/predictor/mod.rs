//! What stands between the sampler and a network: questions in, predictions of clean molecules out.

mod edm;
mod graph;
mod guided;

use burn::tensor::Device;
use unmelt_diffusion::checkpoint::{Card, ModelFiles, WEIGHTS_FILE};
use unmelt_diffusion::{Question, State};

pub use edm::EdmPredictor;
pub use graph::GraphPredictor;
pub use guided::Guided;

use crate::graph_model::MoleculePrediction;
use crate::{MoleculeModel, Result};

/// A network that is ready to answer.
pub trait Predictor: Send + Sync {
    /// The clean molecules that it predicts; `wishes` are the properties that are wanted, normalised, in the model's order,
    /// or empty where none is.
    fn predict(&self, questions: &[Question], wishes: &[Option<f32>]) -> Vec<MoleculePrediction>;

    /// The properties of clean states as the network estimates them, normalised; empty for a network that does not.
    fn estimates(&self, states: &[State<f32>]) -> Vec<Vec<f32>>;

    /// Classes of each feature, 0 where it holds numbers; none for a network that has no answer without wishes, and so
    /// cannot be guided.
    fn guidable(&self) -> Option<Vec<usize>>;
}

/// The network of a model's files.
pub fn load(card: &Card<MoleculeModel>, files: &ModelFiles, device: &Device) -> Result<Box<dyn Predictor>> {
    let weights = files.weights(card, device)?;
    let bound: unmelt_diffusion::Result<Box<dyn Predictor>> = match &card.model {
        MoleculeModel::Graph(model) => GraphPredictor::new(model, &weights, device).map(|p| Box::new(p) as _),
        MoleculeModel::Edm(model) => EdmPredictor::new(model, &weights, device).map(|p| Box::new(p) as _),
    };
    bound.map_err(|e| match e {
        unmelt_diffusion::Error::Weights { name, fault } => crate::Error::Format {
            kind: "weights",
            path: files.origin.join(WEIGHTS_FILE),
            fault: format!("the weights {fault} for {name}, which the card's network wants"),
        },
        other => other.into(),
    })
}
