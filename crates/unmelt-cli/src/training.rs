//! What the training of molecules and of volumes has in common on the command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use unmelt_diffusion::device::DeviceName;

use crate::failure::Failure;

/// Where a run lives, how it goes on and when it ends.
#[derive(Debug, clap::Args)]
pub struct RunOptions {
    /// Folder of the run: checkpoint, model and log
    #[arg(long)]
    pub output: PathBuf,
    /// Settings (TOML); what it does not name keeps its default
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Go on from the checkpoint in the output folder
    #[arg(long)]
    pub resume: bool,
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
        self.config.as_deref().map_or_else(|| Ok(C::default()), read_config)
    }

    /// The time limit as typed.
    pub fn limit(&self) -> Result<Option<Duration>, Failure> {
        self.minutes.map(minutes).transpose()
    }
}

/// Says how a run ended; `learned_from` is what it trained on.
pub fn report(folder: &Path, steps: u64, of_steps: u64, learned_from: &str) {
    let folder = folder.display();
    if steps < of_steps {
        println!("Stopped after {steps} of {of_steps} steps; go on with --resume. Model so far: {folder}");
    } else {
        println!("Trained {steps} steps on {learned_from}. Model: {folder}");
    }
}

/// A time limit as typed.
fn minutes(m: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(m * 60.0)
        .map_err(|_| Failure::usage(format!("--minutes must be a number of at least 0, but it is {m}")))
}

/// The settings of a configuration file.
fn read_config<C: DeserializeOwned>(path: &Path) -> Result<C, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("could not read {}: {e}", path.display())))?;
    toml::from_str(&text).map_err(|e| {
        let place = e
            .span()
            .map_or(String::new(), |s| format!(", line {}", text[..s.start].matches('\n').count() + 1));
        Failure::usage(format!("{}{place}: {}", path.display(), e.message()))
    })
}
