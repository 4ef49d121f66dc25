//! The graph denoiser as a predictor.

use burn::tensor::Device;
use unmelt_diffusion::{DenoiserInput, Level, Levels, Result, State, Weights, to_vec};

use super::Predictor;
use crate::GraphModel;
use crate::graph_model::MoleculePrediction;
use crate::network::{GraphDenoiser, GraphDenoiserConfig, GraphInput, Noisy, split_predictions};

/// A graph denoiser with weights.
pub struct GraphPredictor {
    config: GraphDenoiserConfig,
    /// Levels of the positions.
    levels: Levels,
    network: GraphDenoiser,
    device: Device,
}

impl GraphPredictor {
    /// The network with these weights.
    pub fn new(model: &GraphModel, weights: &Weights, device: &Device) -> Result<Self> {
        Ok(Self {
            config: model.network.clone(),
            levels: model.features[0].schedule.build()?,
            network: GraphDenoiser::bind(&model.network, weights)?,
            device: device.clone(),
        })
    }
}

impl Predictor for GraphPredictor {
    fn predict(&self, inputs: &[DenoiserInput], conditions: &[Option<f32>]) -> Vec<MoleculePrediction> {
        let noisy = inputs.iter().map(|q| Noisy {
            state: q.state,
            previous: q.previous,
            time: q.time,
            level: self.levels.at(q.time),
            given: q.given,
            properties: conditions,
        });
        let input = GraphInput::new(&self.config, &noisy.collect::<Vec<_>>(), &self.device);
        split_predictions(self.network.forward(&input), &input.sizes)
    }

    fn estimates(&self, states: &[State<f32>]) -> Vec<Vec<f32>> {
        let clean = |state| Noisy {
            state,
            previous: None,
            time: 0.0,
            level: Level::CLEAN,
            given: None,
            properties: &[],
        };
        let noisy: Vec<Noisy> = states.iter().map(|s| clean(s.as_slice())).collect();
        let input = GraphInput::new(&self.config, &noisy, &self.device);
        match self.network.forward(&input).properties {
            Some(properties) => {
                let columns = properties.dims()[1];
                to_vec(properties).chunks_exact(columns).map(<[f32]>::to_vec).collect()
            }
            None => vec![Vec::new(); states.len()],
        }
    }

    fn guidable(&self) -> Option<Vec<usize>> {
        Some(vec![0, self.config.elements, self.config.charges, self.config.bonds])
    }
}
