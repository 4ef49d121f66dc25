//! EDM's network as a predictor: it answers with the noise, from which the clean values follow.

use burn::tensor::{Device, Tensor, TensorData};
use unmelt_diffusion::{DenoiserInput, Levels, Prediction, Result, State, Target, Weights, to_vec};

use super::Predictor;
use crate::edm::EdmModel;
use crate::graph_model::MoleculePrediction;
use crate::network::{Egnn, EgnnInput};

/// EDM's network with weights.
pub struct EdmPredictor {
    /// Columns of an atom, without time and context.
    features: usize,
    levels: Levels,
    network: Egnn,
    device: Device,
}

impl EdmPredictor {
    /// The network with these weights.
    pub fn new(model: &EdmModel, weights: &Weights, device: &Device) -> Result<Self> {
        Ok(Self {
            features: model.network.features,
            levels: model.schedule.build()?,
            network: Egnn::bind(&model.network, weights)?,
            device: device.clone(),
        })
    }

    /// Packs noisy molecules: the features of each atom, the time and the context.
    fn input(&self, inputs: &[DenoiserInput], conditions: &[Option<f32>]) -> EgnnInput {
        let context: Vec<f32> = conditions.iter().map(|w| w.unwrap_or(0.0)).collect();
        let (mut positions, mut atoms, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for sample in inputs {
            let (x, h) = (sample.state[0].continuous(), sample.state[1].continuous());
            positions.extend_from_slice(x);
            sizes.push(x.len() / 3);
            for row in h.chunks_exact(self.features) {
                atoms.extend_from_slice(row);
                atoms.push(sample.time as f32);
                atoms.extend_from_slice(&context);
            }
        }
        let tensor = |values: Vec<f32>, columns: usize| {
            let rows = values.len() / columns;
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &self.device)
        };
        EgnnInput {
            sizes,
            positions: tensor(positions, 3),
            features: tensor(atoms, self.features + 1 + context.len()),
        }
    }
}

impl Predictor for EdmPredictor {
    fn predict(&self, inputs: &[DenoiserInput], conditions: &[Option<f32>]) -> Vec<MoleculePrediction> {
        let input = self.input(inputs, conditions);
        let (positions, features) = self.network.forward(&input);
        let noise = [(to_vec(positions), 3), (to_vec(features), self.features)];
        let mut atom = 0;
        let mut molecule = |sample: &DenoiserInput, n: usize| {
            let level = self.levels.at(sample.time);
            let parts = noise.iter().zip(sample.state).map(|((noise, width), value)| {
                let noise = &noise[atom * width..(atom + n) * width];
                Prediction::Continuous(Target::Epsilon.clean(value.continuous(), noise, level))
            });
            let prediction = parts.collect();
            atom += n;
            prediction
        };
        inputs.iter().zip(&input.sizes).map(|(q, &n)| molecule(q, n)).collect()
    }

    fn estimates(&self, states: &[State<f32>]) -> Vec<Vec<f32>> {
        vec![Vec::new(); states.len()]
    }

    fn guidable(&self) -> Option<Vec<usize>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde::Deserialize;
    use unmelt_diffusion::Value;
    use unmelt_diffusion::checkpoint::ModelFiles;

    use super::*;
    use crate::edm::EdmImport;
    use crate::predictor;

    /// What EDM's own code says of a noisy molecule with the network of a checkpoint.
    #[derive(Deserialize)]
    struct Expected {
        time: f64,
        condition: Option<f32>,
        positions: Vec<f32>,
        atoms: Vec<f32>,
        clean_positions: Vec<f32>,
        clean_atoms: Vec<f32>,
    }

    fn agrees_with_edm(checkpoint: &str, norms: &[&str]) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/edm").join(checkpoint);
        let norms = norms.iter().map(|n| n.parse().expect("a norm")).collect();
        let output = tempfile::tempdir().expect("a folder");
        let card = EdmImport { folder: folder.clone(), norms }.write(output.path()).expect("an import");
        let files = ModelFiles::read(output.path()).expect("a model");
        let predictor = predictor::load(&card, &files, &Device::flex()).expect("a network");
        let text = std::fs::read_to_string(folder.join("expected.json")).expect("a file");
        let expected: Expected = serde_json::from_str(&text).expect("expected values");
        let state = vec![Value::Continuous(expected.positions), Value::Continuous(expected.atoms)];
        let conditions: Vec<Option<f32>> = expected.condition.iter().map(|w| Some(*w)).collect();
        let sample = DenoiserInput { state: &state, previous: None, given: None, time: expected.time };
        let found = predictor.predict(&[sample], &conditions).remove(0);
        for (found, expected) in found.iter().zip([expected.clean_positions, expected.clean_atoms]) {
            let Prediction::Continuous(found) = found else { panic!("numbers") };
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 2e-5 * b.abs().max(1.0), "{a} and {b}");
            }
        }
    }

    #[test]
    fn predictions_are_those_of_edm() {
        agrees_with_edm("plain", &[]);
    }

    #[test]
    fn predictions_of_a_conditional_network_are_those_of_edm() {
        agrees_with_edm("conditional", &["alpha=75.3,6.3"]);
    }
}
