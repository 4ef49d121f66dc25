//! What a run goes on from.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::folder::{Begin, Initial, RunFolder, STATE_FILE};
use super::objective::Objective;
use super::optimizer::AdamW;
use super::run::Trainer;
use super::window::{Sums, Window};
use crate::checkpoint::{BeganWith, Precision, read_arrays, values_in_layout, weights_bytes};
use crate::error::{Error, Result};
use crate::files::{read_whole, write_whole};
use crate::parameters::{Layout, Parameters, to_vec};

/// What a checkpoint says besides its tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    step: u64,
    samples: u64,
    seconds: f64,
    seed: u64,
    #[serde(default)]
    began_with: Option<BeganWith>,
    #[serde(default)]
    left_out: u32,
    /// Sums since the last report.
    #[serde(default)]
    window: Sums,
}

impl Record {
    /// Reads and checks the record of a checkpoint.
    fn read(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let record = metadata.metadata().as_ref().and_then(|m| m.get("record"));
        let record: Self =
            serde_json::from_str(record.ok_or("it has no record of a run")?).map_err(|e| e.to_string())?;
        let sound = Duration::try_from_secs_f64(record.seconds).is_ok() && record.window.is_sound();
        match sound && record.step <= 1 << 48 && record.samples <= 1 << 62 {
            true => Ok(record),
            false => Err("its record holds numbers that no run has".into()),
        }
    }
}

/// The model that the run in a folder began with, if any, as its checkpoint says.
///
/// # Errors
/// The folder has no checkpoint that can be read.
pub fn began_with(folder: &Path) -> Result<Option<BeganWith>> {
    let path = folder.join(STATE_FILE);
    let record = Record::read(&read_whole(&path)?);
    let fault = |fault: String| Error::Format { kind: "training checkpoint", path, fault };
    Ok(record.map_err(fault)?.began_with)
}

impl<O: Objective> Trainer<O> {
    /// The run of a folder, its settings and its network checked: after its last checkpoint where it is resumed, else with `initial`
    /// weights, or with those of a network that has learned nothing. Nothing is written.
    ///
    /// # Errors
    /// A setting out of its domain, a network above the limits, a checkpoint of something else.
    pub fn of_run(
        folder: &RunFolder,
        objective: O,
        config: TrainConfig,
        device: &Device,
        initial: Option<Initial>,
    ) -> Result<Self> {
        Self::check(&objective, &config)?;
        let objective = Arc::new(objective);
        match (folder.begin(), initial) {
            (Begin::Resume, _) => Self::resume(objective, config, device, folder.path()),
            (_, Some(initial)) => Ok(Self::fine_tune(objective, config, device, initial)),
            (_, None) => Ok(Self::new(objective, config, device)),
        }
    }

    /// A run from the checkpoint in `folder`.
    pub fn resume(objective: Arc<O>, config: TrainConfig, device: &Device, folder: &Path) -> Result<Self> {
        let path = folder.join(STATE_FILE);
        let bytes = read_whole(&path)?;
        let fault = |fault: String| Error::Format { kind: "training checkpoint", path: path.clone(), fault };
        let record = Record::read(&bytes).map_err(fault)?;
        if record.seed != config.seed {
            let seeds = format!("it is of a run with seed {}, not {}", record.seed, config.seed);
            return Err(fault(seeds));
        }
        let mut trainer = Self::new(objective, config, device);
        let layout = state_layout(trainer.parameters.layout());
        let values = read_arrays(&bytes, &path)
            .and_then(|arrays| values_in_layout(&layout, &arrays))
            .map_err(|e| fault(e.to_string()))?;
        let count = trainer.parameters.layout().len();
        let part = |k: usize| {
            let values = values[k * count..(k + 1) * count].to_vec();
            Parameters::new(trainer.parameters.layout().clone(), values, device).values()
        };
        trainer.average = part(1);
        trainer.optimizer = AdamW::from_moments([part(2), part(3)], trainer.parameters.layout());
        let own = part(0);
        trainer.parameters.set(own);
        trainer.step = record.step;
        trainer.samples = record.samples;
        trainer.elapsed = Duration::from_secs_f64(record.seconds);
        trainer.left_out = record.left_out;
        trainer.window = Window::new(record.window);
        trainer.began_with = record.began_with;
        Ok(trainer)
    }

    /// Writes the checkpoint that [`resume`](Self::resume) reads; returns its path.
    pub fn save(&self, folder: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let record = Record {
            step: self.step,
            samples: self.samples,
            seconds: self.elapsed.as_secs_f64(),
            seed: self.config.seed,
            began_with: self.began_with.clone(),
            left_out: self.left_out,
            window: self.window.sums(),
        };
        let record = serde_json::to_string(&record).expect("numbers become JSON");
        let mut values = self.parameters.to_vec();
        for part in [&self.average, &self.optimizer.first, &self.optimizer.second] {
            values.extend(to_vec(part.clone()));
        }
        let layout = state_layout(self.parameters.layout());
        let metadata = HashMap::from([("record".to_string(), record)]);
        let bytes = weights_bytes(&layout, &values, Precision::Single, Some(metadata))?;
        let path = folder.join(STATE_FILE);
        write_whole(&path, &bytes)?;
        Ok(path)
    }
}

/// Layout of a checkpoint: the parameters, their average and the two moments, each under a prefix.
fn state_layout(layout: &Layout) -> Layout {
    let mut all = Layout::default();
    for prefix in ["parameters", "average", "first_moment", "second_moment"] {
        all.add_all(prefix, layout);
    }
    all
}
