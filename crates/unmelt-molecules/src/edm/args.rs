//! `args.pickle`: the settings of a training run of EDM. The pickle is read as data; nothing of it is ever called.

use std::path::Path;

use serde::Deserialize;
use unmelt_diffusion::Schedule;
use unmelt_diffusion::files::read_bounded;

use super::pickle;
use crate::network::EgnnConfig;
use crate::{Error, Result};

/// Name of the file beside a checkpoint.
pub const ARGS_FILE: &str = "args.pickle";

/// Real ones have a thousand bytes.
const MOST_BYTES: u64 = 1 << 16;

/// The settings that say what the network is. Those that older runs lack have EDM's defaults.
#[derive(Clone, Debug, Deserialize)]
pub struct Args {
    model: String,
    probabilistic_model: String,
    /// Steps of the diffusion.
    diffusion_steps: usize,
    diffusion_noise_schedule: String,
    diffusion_noise_precision: f64,
    condition_time: bool,
    n_layers: usize,
    #[serde(default = "one")]
    inv_sublayers: usize,
    nf: usize,
    tanh: bool,
    attention: bool,
    norm_constant: f64,
    #[serde(default)]
    sin_embedding: bool,
    #[serde(default = "unity")]
    normalization_factor: f64,
    #[serde(default = "sum")]
    aggregation_method: String,
    /// The data set's name.
    pub dataset: String,
    /// Whether hydrogens were left out.
    #[serde(default)]
    pub remove_h: bool,
    /// Whether atomic numbers are a feature.
    pub include_charges: bool,
    /// What positions, one-hot vectors and atomic numbers are divided by.
    pub normalize_factors: [f64; 3],
    /// Properties that are given.
    #[serde(default)]
    pub conditioning: Vec<String>,
    #[serde(default)]
    context_node_nf: usize,
    #[serde(default)]
    ema_decay: f64,
    /// Epochs trained.
    #[serde(default)]
    pub current_epoch: u64,
}

fn one() -> usize {
    1
}

fn unity() -> f64 {
    1.0
}

fn sum() -> String {
    "sum".into()
}

impl Args {
    /// Reads the file of a folder, and refuses what the network here cannot be.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(ARGS_FILE);
        let fault = |fault: String| Error::Format { kind: "EDM settings", path: path.clone(), fault };
        let length = std::fs::metadata(&path).map_or(0, |m| m.len());
        if length > MOST_BYTES {
            return Err(fault(format!("it has {length} bytes, far more than the settings of a run")));
        }
        let bytes = read_bounded(&path, MOST_BYTES, "card_bytes")?;
        let value = pickle::parse(&bytes).map_err(&fault)?;
        let args: Self = serde_path_to_error::deserialize(value).map_err(|e| fault(e.to_string()))?;
        args.check().map_err(|what| fault(format!("{what}, which unmelt's EDM network does not have")))?;
        Ok(args)
    }

    fn check(&self) -> std::result::Result<(), String> {
        let say = |what: &str, value: &str| Err(format!("its {what} is \"{value}\""));
        match () {
            () if self.model != "egnn_dynamics" => say("model", &self.model),
            () if self.probabilistic_model != "diffusion" => {
                say("probabilistic_model", &self.probabilistic_model)
            }
            () if self.aggregation_method != "sum" => say("aggregation_method", &self.aggregation_method),
            () if self.diffusion_noise_schedule == "learned" => say("diffusion_noise_schedule", "learned"),
            () if self.sin_embedding => Err("it embeds distances as sines (sin_embedding)".into()),
            () if !self.condition_time => Err("it is not told the time (condition_time)".into()),
            () if self.context_node_nf != self.conditioning.len() => Err(format!(
                "it has {} columns of context for the {} properties that it names",
                self.context_node_nf,
                self.conditioning.len()
            )),
            () if self.nf == 0 || self.n_layers == 0 || self.diffusion_steps == 0 => {
                Err("it has no layers, no width or no steps".into())
            }
            () if !self.normalize_factors.iter().all(|f| f.is_finite() && *f > 0.0) => {
                Err("its normalize_factors are not all above 0".into())
            }
            () => Ok(()),
        }
    }

    /// The files that may hold the weights, the one to use first.
    pub fn checkpoints(&self) -> [&'static str; 2] {
        let [averaged, last] = ["generative_model_ema.npy", "generative_model.npy"];
        if self.ema_decay > 0.0 { [averaged, last] } else { [last, averaged] }
    }

    /// The network, for so many elements.
    pub fn network(&self, elements: usize) -> EgnnConfig {
        EgnnConfig {
            features: elements + usize::from(self.include_charges),
            context: self.conditioning.len(),
            hidden: self.nf,
            layers: self.n_layers,
            sublayers: self.inv_sublayers,
            attention: self.attention,
            tanh: self.tanh,
            norm_constant: self.norm_constant,
            normalization_factor: self.normalization_factor,
            ..EgnnConfig::default()
        }
    }

    /// The schedule by its name, where it is one of EDM's polynomials.
    pub fn named_schedule(&self) -> Option<Schedule> {
        let power = self.diffusion_noise_schedule.strip_prefix("polynomial_")?.parse().ok()?;
        let (precision, steps) = (self.diffusion_noise_precision, self.diffusion_steps);
        Some(Schedule::Polynomial { power, precision, steps })
    }
}
