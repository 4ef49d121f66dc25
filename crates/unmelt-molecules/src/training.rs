//! Training a graph denoiser on a table or folder of molecules.

use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::checkpoint::Precision;
use unmelt_diffusion::files::write_whole;
use unmelt_diffusion::train::{Measures, TrainConfig, Trainer, Watcher};

use crate::format::{Fault, read_molecules};
use crate::graph_model::POSITION_SCALE;
use crate::models::TRAINING_KEYS_FILE;
use crate::{
    FeatureSchedules, GraphLoss, GraphModel, GraphObjective, KeySet, NetworkSize, Property, PropertySource,
    Result, TrainingSet, ValidationConfig, Vocabulary, validation,
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
    /// What is measured at every checkpoint.
    pub validation: ValidationConfig,
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
            validation: ValidationConfig::default(),
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
    /// Molecules to train on, and held out.
    pub molecules: (usize, usize),
    /// Records of the data that make no molecule.
    pub faults: Vec<Fault>,
}

impl TrainingRun {
    /// Trains; the folder holds a usable model and a checkpoint at any time after the first save.
    pub fn run(&self, device: &Device, watcher: &mut dyn Watcher) -> Result<TrainingSummary> {
        std::fs::create_dir_all(&self.output).map_err(crate::Error::file("create", &self.output))?;
        let mut reading = read_molecules(&self.data)?;
        let (config, seed) = (&self.config, self.config.training.seed);
        // Classes and sizes are those of all molecules, so that every one of them can be encoded.
        let vocabulary = Vocabulary::of(&reading.molecules, POSITION_SCALE)?;
        let held = config.validation.split.hold_out(&mut reading.molecules, config.validation.share, seed)?;
        let measure = |source| Property::measure(source, &reading.molecules);
        let properties = config.properties.iter().map(measure).collect::<Result<_>>()?;
        let (schedules, loss) = (config.schedules.clone(), config.loss.clone());
        let model = GraphModel::new(vocabulary, config.network, schedules, loss, properties)?;
        let data = TrainingSet::new(&model, &reading.molecules)?;
        let molecules = (data.len(), held.len());
        write_whole(self.output.join(TRAINING_KEYS_FILE), &KeySet::of(&reading.molecules).to_bytes())?;
        let objective = GraphObjective::new(&model, data, config.batch, seed)?;
        let validation = match held.is_empty() {
            true => None,
            false => {
                let batch = config.batch.min(held.len());
                Some(GraphObjective::new(&model, TrainingSet::new(&model, &held)?, batch, seed)?)
            }
        };
        let mut trainer = if self.resume {
            Trainer::resume(&objective, config.training.clone(), device, &self.output)?
        } else {
            Trainer::new(&objective, config.training.clone(), device)
        };
        trainer.run(&self.output, self.limit, watcher, |t| {
            self.write(&model, t, molecules)?;
            self.measure(t, validation.as_ref()).map_err(crate::Error::into_core)
        })?;
        let (steps, of_steps) = (trainer.step(), config.training.steps);
        Ok(TrainingSummary { steps, of_steps, molecules, faults: reading.faults })
    }

    /// How good the model of the folder is by now.
    fn measure(
        &self,
        trainer: &Trainer<GraphObjective>,
        validation: Option<&GraphObjective>,
    ) -> Result<Measures> {
        let device = trainer.device();
        let mut measures = Measures::new();
        if let Some(objective) = validation {
            let loss = validation::loss(objective, &trainer.averaged_weights(), &device)?;
            measures.push(("loss", loss));
        }
        // Early networks may answer with numbers that no molecule is made of; that is no reason to end a training.
        if self.config.validation.molecules > 0
            && let Ok(generated) = validation::generated(&self.output, &self.config.validation, &device)
        {
            measures.extend(generated);
        }
        Ok(measures)
    }

    fn write(
        &self,
        model: &GraphModel,
        trainer: &Trainer<GraphObjective>,
        molecules: (usize, usize),
    ) -> unmelt_diffusion::Result<()> {
        let description = "Graph denoiser for 3D molecules with explicit hydrogens: generates atoms, formal charges, \
                           bonds and positions together.";
        let named = [&self.config.name, description, &self.data_source(molecules)];
        trainer.write_model(&self.output, named, (model, Precision::Half))
    }

    /// What the data is, and how much of it was held out.
    fn data_source(&self, (trained, held): (usize, usize)) -> String {
        let file = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = match self.config.data_source.as_str() {
            "" => file(&self.data),
            source => source.into(),
        };
        let split = self.config.validation.split.name();
        match held {
            0 => format!("{source}; {trained} molecules, none held out"),
            held => format!("{source}; {trained} molecules, {held} others held out ({split} split)"),
        }
    }
}
