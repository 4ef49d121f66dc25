//! The options that the training of molecules and of volumes have in common.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use unmelt_diffusion::checkpoint::{CARD_FILE, ModelFiles};
use unmelt_diffusion::device::DeviceName;
use unmelt_diffusion::files::distinct;
use unmelt_diffusion::train::{Begin, LOSSES_FILE, RunFolder, VALIDATION_FILE};

use crate::failure::Failure;
use crate::settings_file;

/// Where a run lives, how it goes on and when it ends.
#[derive(Debug, clap::Args)]
pub struct RunOptions {
    /// Folder of the run: checkpoint, model and table of losses
    #[arg(long)]
    pub output: PathBuf,
    /// TOML file with the settings of the training; a setting that it does not name keeps its default
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Start from the network and the weights of this model (a name or a folder) instead of random weights
    #[arg(long, value_name = "MODEL", conflicts_with = "resume")]
    pub from: Option<String>,
    /// Continue from the checkpoint in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Start again in a folder that holds a run; the first checkpoint of the new run replaces the old one
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,
    /// Stop, with a checkpoint, after this many minutes
    #[arg(long)]
    pub minutes: Option<f64>,
    /// Where to compute: cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
}

impl RunOptions {
    /// The settings of the configuration file, the defaults without one.
    pub fn settings<C: DeserializeOwned + Default>(&self) -> Result<C, Failure> {
        self.config.as_deref().map_or_else(|| Ok(C::default()), settings_file::read)
    }

    /// The failure of a run. An error of its settings names their file.
    pub fn about(&self, error: unmelt_diffusion::Error) -> Failure {
        match (&self.config, error) {
            (Some(path), error @ unmelt_diffusion::Error::Settings { .. }) => {
                Failure::of(&error).of_file(path)
            }
            (_, other) => other.into(),
        }
    }

    /// The folder of the run; one where the run cannot begin is refused at once. `find` finds a model by its name.
    pub fn folder<E: Into<Failure>>(
        &self,
        find: impl FnOnce(&str) -> Result<ModelFiles, E>,
    ) -> Result<RunFolder, Failure> {
        let mut folder = RunFolder::new(&self.output, Begin::of(self.resume, self.overwrite)?);
        if let Some(name) = &self.from {
            folder = folder.beginning_with(find(name).map_err(Into::into)?)?;
        }
        if let Some(limit) = self.minutes.map(minutes).transpose()? {
            folder = folder.stopping_after(limit);
        }
        folder.check(&[])?;
        let files: Vec<&Path> = self.config.as_deref().into_iter().collect();
        let written = [LOSSES_FILE, VALIDATION_FILE, CARD_FILE].map(|name| self.output.join(name));
        distinct(&files, &written.each_ref().map(|p| p.as_path()))?;
        Ok(folder)
    }
}

/// How a run is said to have stopped, with its checkpoint in the folder.
pub fn stopped(folder: &Path, steps: u64, of_steps: u64) -> String {
    let folder = folder.display();
    format!("Stopped after {steps} of {of_steps} steps; go on with --resume. Model so far: {folder}")
}

/// A time limit as typed.
fn minutes(m: f64) -> Result<Duration, Failure> {
    let sound = Some(m).filter(|m| (0.0..=1e9).contains(m));
    sound
        .map(|m| Duration::from_secs_f64(m * 60.0))
        .ok_or_else(|| Failure::usage(format!("--minutes must be a number from 0 to 1e9, but it is {m}")))
}
