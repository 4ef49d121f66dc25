//! New molecules from a trained model.

use std::path::Path;

use burn::tensor::Device;
use unmelt_diffusion::checkpoint::{Card, ModelFiles, WEIGHTS_FILE};
use unmelt_diffusion::solver::Solver;
use unmelt_diffusion::{
    Denoiser, Draw, Grid, Noise, Prediction, ProductProcess, Question, Sampler, SamplerConfig, Stream,
};

use crate::network::{GraphDenoiser, GraphInput, Noisy, split_predictions};
use crate::{Error, GraphModel, Molecule, Result};

/// Purpose of the noise that draws the number of atoms.
const SIZE: u16 = 103;

/// A loaded model, ready to generate.
pub struct Generator {
    card: Card<GraphModel>,
    process: ProductProcess,
    network: GraphDenoiser,
    device: Device,
}

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateRequest {
    /// Steps.
    pub steps: usize,
    /// Solver of the positions.
    pub solver: Solver,
    /// Times to visit.
    pub grid: Grid,
    /// Seed.
    pub seed: u64,
    /// Atoms per molecule; drawn from the sizes of the training data where there is none.
    pub atoms: Option<usize>,
}

impl Default for GenerateRequest {
    fn default() -> Self {
        Self { steps: 100, solver: Solver::ANCESTRAL, grid: Grid::Power { power: 1.5 }, seed: 0, atoms: None }
    }
}

/// Most atoms of a molecule; the network's memory grows with their square.
pub const MAX_ATOMS: usize = 500;

impl Generator {
    /// Loads a model from its files.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self> {
        let card: Card<GraphModel> = files.card()?;
        let weights = files.weights(&card, device)?;
        let network = GraphDenoiser::bind(&card.model.network, &weights).map_err(|e| match e {
            unmelt_diffusion::Error::Weights { name, fault } => unmelt_diffusion::Error::Format {
                kind: "weights file",
                path: files.origin.join(WEIGHTS_FILE),
                fault: format!("the weights {fault} for {name}, which the card's network wants"),
            },
            other => other,
        })?;
        Ok(Self {
            network,
            process: ProductProcess::new(&card.model.features)?,
            card,
            device: device.clone(),
        })
    }

    /// Loads a model from a folder.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        Self::load(&ModelFiles::read(folder)?, device)
    }

    /// The model's card.
    pub fn card(&self) -> &Card<GraphModel> {
        &self.card
    }

    /// Evaluations of the network per molecule for a request.
    pub fn evaluations(&self, request: &GenerateRequest) -> Result<usize> {
        Ok(self.sampler(request)?.evaluations())
    }

    fn sampler(&self, request: &GenerateRequest) -> Result<Sampler<'_>> {
        if let Some(n) = request.atoms.filter(|n| !(1..=MAX_ATOMS).contains(n)) {
            return Err(Error::Request(format!(
                "a molecule must have between 1 and {MAX_ATOMS} atoms, but {n} were asked for"
            )));
        }
        let config = SamplerConfig {
            solver: request.solver,
            grid: request.grid,
            steps: request.steps,
            seed: request.seed,
        };
        Ok(Sampler::new(&self.process, &config)?)
    }

    /// Generates the samples with these numbers; each is the same whatever it is generated with. `tick` is called
    /// after every evaluation and may stop the work by returning false.
    pub fn generate(
        &self,
        request: &GenerateRequest,
        numbers: std::ops::Range<u64>,
        tick: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<Molecule>> {
        let sampler = self.sampler(request)?;
        let noise = Noise::new(request.seed);
        let draws: Vec<Draw> = numbers
            .map(|number| {
                let size = || {
                    let u = noise.uniform_one(Stream::new(number, SIZE, 0));
                    self.card.model.vocabulary.draw_size(u)
                };
                let n = request.atoms.unwrap_or_else(size);
                Draw { number, lengths: self.card.model.lengths(n).to_vec() }
            })
            .collect();
        if draws.is_empty() {
            return Ok(Vec::new());
        }
        let states = sampler.draw(&draws, self, tick)?;
        states.iter().map(|state| self.card.model.decode(state)).collect()
    }
}

impl Denoiser for Generator {
    fn predict(&self, questions: &[Question]) -> unmelt_diffusion::Result<Vec<Vec<Prediction<f32>>>> {
        let levels = &self.process.features()[0].levels;
        let noisy: Vec<Noisy> = questions
            .iter()
            .map(|q| Noisy { state: q.state, previous: q.previous, time: q.time, level: levels.at(q.time) })
            .collect();
        let input = GraphInput::new(&self.card.model.network, &noisy, &self.device);
        Ok(split_predictions(self.network.forward(&input), &input.sizes))
    }
}
