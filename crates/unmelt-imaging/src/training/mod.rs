//! Training a prior on folders of volumes and label maps.

pub(crate) mod clean_patches;
mod deformation;
pub(crate) mod degraded_patches;
pub(crate) mod objective;
pub(crate) mod patch_sampling;
pub mod synthesize;
pub(crate) mod volume_source;

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::Fault;
use unmelt_diffusion::checkpoint::{Card, ModelFiles, Precision, check_name};
use unmelt_diffusion::domain::Field;
use unmelt_diffusion::files::limits::limits;
use unmelt_diffusion::job::Job;
use unmelt_diffusion::train::{
    Begin, Initial, Label, LearningRate, RunFolder, TrainConfig, Trainer, TrainingSummary,
};

use crate::prior::trained_on::{TrainedOn, is_below_zero};
use crate::training::objective::PatchObjective;
use crate::training::patch_sampling::PatchSampling;
use crate::training::synthesize::LabelMap;
use crate::training::volume_source::VolumeSource;
use crate::{Error, Result, VolumeModel};

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
    /// Channels of each level of the U-Net; the first works on 2×2×2 voxels. Those of the model where a run begins with one.
    pub channels: Vec<usize>,
    /// Residual blocks of each level; those of the model where a run begins with one.
    pub blocks: Vec<usize>,
    /// Whether noise and everything else that is wrong get a network each; both begin as that of the model where a run begins with one.
    pub experts: bool,
    /// Patches and noise levels.
    pub sampling: PatchSampling,
    /// Optimiser, steps, checkpoints.
    pub training: TrainConfig,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            name: "custom".into(),
            data_source: String::new(),
            description: "Prior of 3D patches of scans, for denoising and for every measurement of a scan."
                .into(),
            channels: vec![64, 64],
            blocks: vec![2, 2],
            experts: false,
            sampling: PatchSampling::default(),
            training: TrainConfig {
                steps: 10_000,
                learning_rate: LearningRate { warmup_steps: 200, ..LearningRate::default() },
                ..TrainConfig::default()
            },
        }
    }
}

impl TrainingConfig {
    /// Checks every number of the settings; an error names the key, "training.learning_rate.peak". The patches are held against the
    /// model that the run trains as well, which may be another than the settings name.
    ///
    /// # Errors
    /// [`unmelt_diffusion::Error::Settings`]: the first number that is out of its range.
    pub fn check(&self) -> Result<()> {
        let all = Field::new("");
        check_name(&self.name).map_err(of_settings)?;
        all.field("training").inside(self.training.check()).map_err(of_settings)?;
        let limits = limits();
        if self.blocks.len() != self.channels.len() {
            let fault = format!(
                "must name as many levels as channels, {}, but they name {}",
                self.channels.len(),
                self.blocks.len()
            );
            return Err(of_settings(all.field("blocks").fault(fault)));
        }
        for (k, &channels) in self.channels.iter().enumerate() {
            all.field("channels")
                .limited(k, channels as u64, ("width", limits.width))
                .map_err(of_settings)?;
        }
        for (k, &blocks) in self.blocks.iter().enumerate() {
            all.field("blocks").limited(k, blocks as u64, ("layers", limits.layers)).map_err(of_settings)?;
        }
        self.model().map(drop)
    }

    /// The model that the settings describe, checked.
    fn model(&self) -> Result<VolumeModel> {
        let model = VolumeModel::new(self.channels.clone(), self.blocks.clone());
        model.and_then(|m| m.check_numbers().map(|()| m)).map_err(of_settings)
    }
}

/// An error about a number of the settings.
fn of_settings(error: impl Fault) -> Error {
    unmelt_diffusion::Error::settings(error).into()
}

/// What to train on, and where to.
pub struct TrainingRun<'a> {
    /// Real volumes.
    pub volumes: &'a dyn VolumeSource,
    /// Label maps.
    pub labels: &'a dyn VolumeSource,
    /// Settings.
    pub config: TrainingConfig,
    /// The folder of the run, and how the run begins in it.
    pub folder: RunFolder,
}

impl TrainingRun<'_> {
    /// Trains; the folder holds a usable model and a checkpoint at any time after the first save.
    pub fn run(&self, device: &Device, job: &Job) -> Result<TrainingSummary> {
        self.config.check()?;
        let paths = [self.volumes.paths(), self.labels.paths()].concat();
        let inputs: Vec<&Path> = paths.iter().map(|p| p.as_path()).collect();
        self.folder.check(&inputs)?;
        let card = self.card()?;
        let mut model = match &card {
            Some(card) => card.model.clone(),
            None => self.config.model()?,
        };
        model.experts |= self.config.experts;
        model.check()?;
        self.config.sampling.check(&model).map_err(of_settings)?;
        let real = self.volumes.read()?;
        let labels = self.labels.read()?;
        let (scans, mut warnings) = (real.volumes, real.warnings);
        warnings.extend(labels.warnings);
        let maps: Vec<LabelMap> = labels.volumes.iter().map(LabelMap::of).collect();
        drop(labels.volumes);
        let counts = (scans.len(), maps.len());
        if let ((0, 0), false) = (counts, warnings.is_empty()) {
            // Why every file was left out is all that there is to say.
            return Err(Error::Request(format!("there is nothing to train on: {}", warnings.join("; "))));
        }
        // Other weights want other factors.
        model.forget_calibration();
        let of_scans = scans.iter().map(|s| (s.grid.spacing(), is_below_zero(&s.voxels)));
        let seen = of_scans.chain(maps.iter().map(|m| (m.grid.spacing(), false)));
        model.trained_on = TrainedOn::of(seen, model.trained_on.as_ref());
        let config = self.config.training.clone();
        let objective = PatchObjective::new(&model, &scans, maps, self.config.sampling.clone(), config.seed)?;
        drop(scans);
        let initial = match (self.folder.model(), &card) {
            (Some(files), Some(card)) => {
                let mut initial = Initial::of(files, card, &card.model.layout())?;
                // Experts begin as the one network that there was.
                initial.values = initial.values.repeat(model.networks().len() / card.model.networks().len());
                Some(initial)
            }
            _ => None,
        };
        let mut trainer = Trainer::of_run(&self.folder, objective, config, device, initial)?;
        let label = Label {
            name: self.config.name.clone(),
            description: self.config.description.clone(),
            data: self.config.data_source.clone(),
            conditions: Vec::new(),
        };
        // Everything is known to be sound; the first byte is written from here on.
        let _claims = self.folder.claim(&inputs)?;
        let folder = self.folder.path();
        let write = |t: &Trainer<PatchObjective>| t.write_model(folder, &label, &model, Precision::Byte);
        trainer.run(folder, self.folder.limit(), job, write, |_| Ok(Vec::new()))?;
        let data = vec![(counts.0, "volumes"), (counts.1, "label maps")];
        Ok(trainer.summary(data, warnings))
    }

    /// The card of the model that the run begins with, or of the one that its folder holds by now.
    fn card(&self) -> Result<Option<Card<VolumeModel>>> {
        let card: Card<VolumeModel> = match (self.folder.model(), self.folder.begin()) {
            (Some(files), _) => files.card()?,
            (None, Begin::Resume) => ModelFiles::read(self.folder.path())?.card()?,
            (None, _) => return Ok(None),
        };
        card.model.check()?;
        Ok(Some(card))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_outside_of_their_domains_are_named() {
        TrainingConfig::default().check().expect("the defaults");
        type Change = fn(&mut TrainingConfig);
        let cases: [(&str, Change); 10] = [
            ("name must be", |c| c.name = "two\nlines".into()),
            ("training.steps must be", |c| c.training.steps = 0),
            ("training.learning_rate.peak must be", |c| c.training.learning_rate.peak = f64::NAN),
            ("channels.1: ", |c| c.channels[1] = 1 << 60),
            ("channels.0 must be at least 1", |c| c.channels[0] = 0),
            ("blocks.1: ", |c| c.blocks[1] = usize::MAX),
            ("blocks must name as many levels as channels, 2, but they name 1", |c| c.blocks = vec![1]),
            ("the U-Net's channels", |c| c.channels = vec![3, 5]),
            ("the U-Net's channels, levels", |c| (c.channels, c.blocks) = (vec![], vec![])),
            ("channels has 9 levels", |c| (c.channels, c.blocks) = (vec![32; 9], vec![1; 9])),
        ];
        for (begin, change) in cases {
            let mut config = TrainingConfig::default();
            change(&mut config);
            let sentence = config.check().expect_err(begin).to_string();
            assert!(sentence.starts_with(begin), "{begin}: {sentence}");
        }
    }
}
