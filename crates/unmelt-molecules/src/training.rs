//! Training a graph denoiser on a table or folder of molecules.

use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::checkpoint::{Precision, check_name};
use unmelt_diffusion::domain::Field;
use unmelt_diffusion::files::limits::limits;
use unmelt_diffusion::files::{distinct, write_whole};
use unmelt_diffusion::job::{Job, Measures};
use unmelt_diffusion::train::{Begin, TrainConfig, Trainer, check_folder, open_folder};

use crate::card_check::check_schedule;
use crate::format::{Fault, Preparation, read_prepared};
use crate::graph_model::POSITION_SCALE;
use crate::models::TRAINING_KEYS_FILE;
use crate::network::GraphDenoiserConfig;
use crate::{
    BOND_CLASSES, FeatureSchedules, GraphLoss, GraphModel, GraphObjective, KeySet, NetworkSize, Property,
    PropertySource, Result, TrainingSet, ValidationConfig, Vocabulary, validation,
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
    /// The noise schedule of each feature.
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
    /// How the run begins in its folder.
    pub begin: Begin,
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

impl TrainingConfig {
    /// Checks every number of the settings; an error names the key, "training.learning_rate.peak".
    pub fn check(&self) -> Result<()> {
        Ok(self.check_numbers().map_err(unmelt_diffusion::Error::settings)?)
    }

    fn check_numbers(&self) -> unmelt_diffusion::Result<()> {
        check_name(&self.name)?;
        let all = Field::new("");
        all.limited("batch", self.batch as u64, ("batch", limits().batch))?;
        let size = &self.network;
        let network = GraphDenoiserConfig {
            elements: 1,
            charges: 1,
            bonds: BOND_CLASSES,
            properties: self.properties.len(),
            ..GraphDenoiserConfig::of_size(size)
        };
        network.check(&all.field("network"))?;
        for (name, schedule) in [
            ("positions", &self.schedules.positions),
            ("elements", &self.schedules.elements),
            ("charges", &self.schedules.charges),
            ("bonds", &self.schedules.bonds),
        ] {
            check_schedule(&all.field("schedules").field(name), schedule)?;
        }
        self.loss.check(&all.field("loss"))?;
        self.validation.check(&all.field("validation"))?;
        all.field("training").inside(self.training.check())
    }
}

impl TrainingRun {
    /// Trains; the folder holds a usable model and a checkpoint at any time after the first save.
    pub fn run(&self, device: &Device, job: &Job) -> Result<TrainingSummary> {
        self.config.check()?;
        check_folder(&self.output, self.begin)?;
        distinct(&[&self.data], &[&self.output])?;
        let mut reading = read_prepared(&self.data, Preparation::Training)?;
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
        let keys = KeySet::of(&reading.molecules).to_bytes();
        let objective = GraphObjective::new(&model, data, config.batch, seed)?;
        let validation = match held.is_empty() {
            true => None,
            false => {
                let batch = config.batch.min(held.len());
                Some(GraphObjective::new(&model, TrainingSet::new(&model, &held)?, batch, seed)?)
            }
        };
        Trainer::check(&objective, &config.training)?;
        let mut trainer = match self.begin {
            Begin::Resume => Trainer::resume(&objective, config.training.clone(), device, &self.output)?,
            Begin::Afresh | Begin::Overwrite => Trainer::new(&objective, config.training.clone(), device),
        };
        // Everything is known to be sound; the first byte is written from here on.
        let _claims = open_folder(&self.output, &[&self.data])?;
        let mut keys = Some(keys);
        let write = |t: &Trainer<GraphObjective>| {
            self.write(&model, t, molecules)?;
            keys.take().map_or(Ok(()), |keys| write_whole(self.output.join(TRAINING_KEYS_FILE), &keys))
        };
        let measure = |t: &Trainer<GraphObjective>| {
            self.measure(t, validation.as_ref()).map_err(crate::Error::into_core)
        };
        trainer.run(&self.output, self.limit, job, write, measure)?;
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

#[cfg(test)]
mod tests {
    use unmelt_diffusion::Schedule;
    use unmelt_diffusion::train::LossWeighting;

    use super::*;

    #[test]
    fn settings_outside_of_their_domains_are_named() {
        TrainingConfig::default().check().expect("the defaults");
        type Change = fn(&mut TrainingConfig);
        let cases: [(&str, Change); 21] = [
            ("name", |c| c.name = "two\nlines".into()),
            ("batch", |c| c.batch = 0),
            ("batch", |c| c.batch = usize::MAX / 2),
            ("network.node_width", |c| c.network.node_width = 0),
            ("network.node_width", |c| c.network.node_width = 12),
            ("network.pair_width", |c| c.network.pair_width = usize::MAX / 2),
            ("network.heads", |c| c.network.heads = 0),
            ("network.vectors", |c| c.network.vectors = 1 << 60),
            ("network.layers", |c| c.network.layers = 1_000_000_000),
            ("network.parameters", |c| {
                c.network = NetworkSize { node_width: 4096, pair_width: 4096, layers: 256, ..c.network };
            }),
            ("schedules.positions.power", |c| c.schedules.positions = Schedule::WarpedCosine { power: -1.0 }),
            ("loss.bonds", |c| c.loss.bonds = f64::NAN),
            ("loss.weighting.max", |c| c.loss.weighting = LossWeighting::ClampedSnr { min: 2.0, max: 1.0 }),
            ("validation.share", |c| c.validation.share = 1.0),
            ("validation.share", |c| c.validation.share = f64::NAN),
            ("validation.molecules", |c| c.validation.molecules = 1 << 60),
            ("validation.steps", |c| c.validation.steps = 0),
            ("training.steps must be", |c| c.training.steps = 0),
            ("training.checkpoint_minutes must be", |c| c.training.checkpoint_minutes = f64::NAN),
            ("training.learning_rate.peak must be", |c| c.training.learning_rate.peak = 0.0),
            ("training.optimizer.beta_1 must be", |c| c.training.optimizer.beta_1 = 1.0),
        ];
        for (key, change) in cases {
            let mut config = TrainingConfig::default();
            change(&mut config);
            let sentence = config.check().expect_err(key).to_string();
            assert!(sentence.starts_with(key), "{key}: {sentence}");
        }
    }
}
