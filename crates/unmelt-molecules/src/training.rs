//! Training a graph denoiser on a table or folder of molecules.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::checkpoint::{Card, ModelFiles, Precision, check_name};
use unmelt_diffusion::domain::Field;
use unmelt_diffusion::files::limits::limits;
use unmelt_diffusion::files::write_whole;
use unmelt_diffusion::job::{Job, Measures};
use unmelt_diffusion::train::{
    Begin, Initial, Label, RunFolder, TrainConfig, Trainer, TrainingSummary, began_with,
};

use crate::card_check::check_schedule;
use crate::fine_tuning::{fitted, trainable};
use crate::format::{Preparation, read_prepared};
use crate::graph_model::POSITION_SCALE;
use crate::models::{TRAINING_KEYS_FILE, training_keys_of};
use crate::network::GraphDenoiserConfig;
use crate::{
    BOND_CLASSES, FeatureSchedules, GraphLoss, GraphModel, GraphObjective, KeySet, Molecule, NetworkSize,
    Property, PropertySource, Result, TrainingSet, ValidationConfig, Vocabulary, validation,
};

/// Settings of a training run, as in its configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Name of the model.
    pub name: String,
    /// What the data is, with source and licence, for the card.
    pub data_source: String,
    /// What the model is for, for the card.
    pub description: String,
    /// Molecules per step.
    pub batch: usize,
    /// Size of the network. If not given, that of the model that the run begins with, or else the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSize>,
    /// The noise schedule of each feature. If not given, those of the model that the run begins with, or else the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedules: Option<FeatureSchedules>,
    /// Weights of the loss.
    pub loss: GraphLoss,
    /// Properties that the model is to be asked for. If not given, those of the model that the run begins with, or else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<Vec<PropertySource>>,
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
            description: "Graph denoiser for 3D molecules with explicit hydrogens: generates atoms, formal charges, bonds and \
                          positions together."
                .into(),
            batch: 64,
            network: None,
            schedules: None,
            loss: GraphLoss::default(),
            properties: None,
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
    /// Settings.
    pub config: TrainingConfig,
    /// The folder of the run, and how the run begins in it.
    pub folder: RunFolder,
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
        let network = GraphDenoiserConfig {
            elements: 1,
            charges: 1,
            bonds: BOND_CLASSES,
            properties: self.properties.as_ref().map_or(0, Vec::len),
            ..GraphDenoiserConfig::of_size(&self.network.unwrap_or_default())
        };
        network.check(&all.field("network"))?;
        let schedules = self.schedules.clone().unwrap_or_default();
        for (name, schedule) in [
            ("positions", &schedules.positions),
            ("elements", &schedules.elements),
            ("charges", &schedules.charges),
            ("bonds", &schedules.bonds),
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
        self.folder.check(&[&self.data])?;
        let known = self.known_model()?;
        let mut reading = read_prepared(&self.data, Preparation::Training)?;
        let (config, seed) = (&self.config, self.config.training.seed);
        // Classes and sizes are those of all molecules, so that every one of them can be encoded.
        let vocabulary = Vocabulary::of(&reading.molecules, POSITION_SCALE)?;
        let held = config.validation.split.hold_out(&mut reading.molecules, config.validation.share, seed)?;
        let model = match &known {
            Some((_, card)) => fitted(card, config, vocabulary, &reading.molecules)?,
            None => self.new_model(vocabulary, &reading.molecules)?,
        };
        let data = TrainingSet::new(&model, &reading.molecules)?;
        let molecules = (data.len(), held.len());
        let mut keys = KeySet::of(&reading.molecules);
        if let Some((files, _)) = &known
            && let Some(seen) = training_keys_of(files)?
        {
            keys.extend(&seen);
        }
        let objective = GraphObjective::new(&model, data, config.batch, seed)?;
        let validation = match held.is_empty() {
            true => None,
            false => {
                let batch = config.batch.min(held.len());
                Some(GraphObjective::new(&model, TrainingSet::new(&model, &held)?, batch, seed)?)
            }
        };
        let initial = match &known {
            Some((files, card)) if self.folder.begin() != Begin::Resume => {
                Some(Initial::of(files, card, &model.network.layout())?)
            }
            _ => None,
        };
        let mut trainer = Trainer::of_run(&self.folder, objective, config.training.clone(), device, initial)?;
        // Everything is known to be sound; the first byte is written from here on.
        let _claims = self.folder.claim(&[&self.data])?;
        let mut keys = Some(keys.to_bytes());
        let write = |t: &Trainer<GraphObjective>| {
            self.write(&model, t, molecules)?;
            keys.take().map_or(Ok(()), |keys| write_whole(self.folder.path().join(TRAINING_KEYS_FILE), &keys))
        };
        let measure = |t: &Trainer<GraphObjective>| {
            self.measure(t, validation.as_ref()).map_err(crate::Error::into_core)
        };
        trainer.run(self.folder.path(), self.folder.limit(), job, write, measure)?;
        let data = vec![(molecules.0, "molecules"), (molecules.1, "held out")];
        let warnings = reading.faults.iter().map(ToString::to_string).collect();
        Ok(trainer.summary(data, warnings))
    }

    /// The model that the run begins with, or that it began with and that its folder holds by now.
    fn known_model(&self) -> Result<Option<(ModelFiles, Card<GraphModel>)>> {
        let folder = &self.folder;
        let files = match (folder.model(), folder.begin()) {
            (Some(files), _) => files.clone(),
            (None, Begin::Resume) if began_with(folder.path())?.is_some() => ModelFiles::read(folder.path())?,
            (None, _) => return Ok(None),
        };
        let card = trainable(&files)?;
        Ok(Some((files, card)))
    }

    /// A model for data, as the settings describe it.
    fn new_model(&self, vocabulary: Vocabulary, molecules: &[Molecule]) -> Result<GraphModel> {
        let config = &self.config;
        let measure = |source| Property::measure(source, molecules);
        let properties = config.properties.iter().flatten().map(measure).collect::<Result<_>>()?;
        let size = config.network.unwrap_or_default();
        let schedules = config.schedules.clone().unwrap_or_default();
        GraphModel::new(vocabulary, size, schedules, config.loss.clone(), properties)
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
            && let Ok(generated) = validation::generated(self.folder.path(), &self.config.validation, &device)
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
        let label = Label {
            name: self.config.name.clone(),
            description: self.config.description.clone(),
            data: self.data_source(molecules),
            conditions: model.conditions(),
        };
        trainer.write_model(self.folder.path(), &label, model, Precision::Half)
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
            ("network.node_width", |c| c.network.get_or_insert_default().node_width = 0),
            ("network.node_width", |c| c.network.get_or_insert_default().node_width = 12),
            ("network.pair_width", |c| c.network.get_or_insert_default().pair_width = usize::MAX / 2),
            ("network.heads", |c| c.network.get_or_insert_default().heads = 0),
            ("network.vectors", |c| c.network.get_or_insert_default().vectors = 1 << 60),
            ("network.layers", |c| c.network.get_or_insert_default().layers = 1_000_000_000),
            ("network.parameters", |c| {
                c.network = Some(NetworkSize {
                    node_width: 4096,
                    pair_width: 4096,
                    layers: 256,
                    ..NetworkSize::default()
                });
            }),
            ("schedules.positions.power", |c| {
                c.schedules.get_or_insert_default().positions = Schedule::WarpedCosine { power: -1.0 }
            }),
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
