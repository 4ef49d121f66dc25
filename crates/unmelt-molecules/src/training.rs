//! Training a graph denoiser on a table or folder of molecules.

use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::checkpoint::{CARD_FORMAT, Card, Precision, Provenance, WeightsRecord, write_model};
use unmelt_diffusion::files::write_whole;
use unmelt_diffusion::train::{TrainConfig, Trainer, Watcher};

use crate::format::{Fault, read_molecules};
use crate::graph_model::POSITION_SCALE;
use crate::models::TRAINING_KEYS_FILE;
use crate::{
    FeatureSchedules, GraphLoss, GraphModel, GraphObjective, KeySet, NetworkSize, Property, PropertySource,
    Result, TrainingSet, Vocabulary,
};

/// Settings of a training run, as in its configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Name of the model.
    pub name: String,
    /// What the data is, with source and licence, for the card.
    pub data_source: String,
    /// Molecules per step.
    pub batch: usize,
    /// Size of the network.
    pub network: NetworkSize,
    /// How each feature melts.
    pub schedules: FeatureSchedules,
    /// Weights of the loss.
    pub loss: GraphLoss,
    /// Properties that the model is to be asked for.
    pub properties: Vec<PropertySource>,
    /// Optimiser, steps, checkpoints.
    pub training: TrainConfig,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            name: "custom".into(),
            data_source: String::new(),
            batch: 64,
            network: NetworkSize::default(),
            schedules: FeatureSchedules::default(),
            loss: GraphLoss::default(),
            properties: Vec::new(),
            training: TrainConfig { steps: 20_000, ..TrainConfig::default() },
        }
    }
}

/// What to train on, and where to.
#[derive(Clone, Debug)]
pub struct TrainingRun {
    /// The file of molecules.
    pub data: PathBuf,
    /// The folder of the run.
    pub output: PathBuf,
    /// Settings.
    pub config: TrainingConfig,
    /// Whether to go on from the folder's checkpoint.
    pub resume: bool,
    /// Time limit of this run.
    pub limit: Option<Duration>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSummary {
    /// Steps done.
    pub steps: u64,
    /// Steps wanted.
    pub of_steps: u64,
    /// Molecules to train on.
    pub molecules: usize,
    /// Records of the data that make no molecule.
    pub faults: Vec<Fault>,
}

impl TrainingRun {
    /// Trains; the folder holds a usable model and a checkpoint at any time after the first save.
    pub fn run(&self, device: &Device, watcher: &mut dyn Watcher) -> Result<TrainingSummary> {
        std::fs::create_dir_all(&self.output).map_err(crate::Error::file("create", &self.output))?;
        let reading = read_molecules(&self.data)?;
        let vocabulary = Vocabulary::of(&reading.molecules, POSITION_SCALE)?;
        let measure = |source| Property::measure(source, &reading.molecules);
        let properties = self.config.properties.iter().map(measure).collect::<Result<_>>()?;
        let config = &self.config;
        let (schedules, loss) = (config.schedules.clone(), config.loss.clone());
        let model = GraphModel::new(vocabulary, config.network, schedules, loss, properties)?;
        let data = TrainingSet::new(&model, &reading.molecules)?;
        let molecules = data.len();
        write_whole(self.output.join(TRAINING_KEYS_FILE), &KeySet::of(&reading.molecules).to_bytes())?;
        let (config, seed) = (self.config.training.clone(), self.config.training.seed);
        let objective = GraphObjective::new(&model, data, self.config.batch, seed)?;
        let steps = config.steps;
        let mut trainer = if self.resume {
            Trainer::resume(&objective, config, device, &self.output)?
        } else {
            Trainer::new(&objective, config, device)
        };
        trainer.run(&self.output, self.limit, watcher, |t| self.write(&model, t))?;
        Ok(TrainingSummary { steps: trainer.step(), of_steps: steps, molecules, faults: reading.faults })
    }

    fn write(&self, model: &GraphModel, trainer: &Trainer<GraphObjective>) -> unmelt_diffusion::Result<()> {
        let card = Card {
            format: CARD_FORMAT,
            name: self.config.name.clone(),
            description: "Graph denoiser for 3D molecules with explicit hydrogens: generates atoms, formal \
                          charges, bonds and positions together."
                .into(),
            model: model.clone(),
            provenance: Provenance {
                trained_by: concat!("unmelt ", env!("CARGO_PKG_VERSION")).into(),
                data: self.data_source(),
                samples_seen: trainer.samples(),
                steps: trainer.step(),
                minutes: trainer.elapsed().as_secs_f64() / 60.0,
                ..Provenance::default()
            },
            weights: WeightsRecord::default(),
        };
        write_model(&self.output, &card, trainer.layout(), &trainer.averaged_values(), Precision::Half)
    }

    fn data_source(&self) -> String {
        let file = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match self.config.data_source.as_str() {
            "" => file(&self.data),
            source => source.into(),
        }
    }
}
