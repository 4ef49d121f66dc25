//! Settings of training runs, as TOML, and the checkpoints that runs go on from.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use burn::tensor::Device;
use unmelt_diffusion::job::Job;
use unmelt_diffusion::train::{Loss, Objective, TrainConfig, Trainer};
use unmelt_diffusion::{Layout, Weights};
use unmelt_imaging::TrainingConfig as VolumeSettings;
use unmelt_molecules::TrainingConfig as MoleculeSettings;

use super::{BINARY, Read, TEXT, Target, seed};

/// Words of TOML and of settings.
const SETTINGS: [&str; 30] = [
    "[",
    "]",
    "=",
    "\n",
    "[training]\n",
    "[training.learning_rate]\n",
    "peak = ",
    "steps = ",
    "checkpoint_minutes = ",
    "[network]\n",
    "node_width = ",
    "heads = ",
    "layers = ",
    "batch = ",
    "name = ",
    "[loss]\n",
    "[validation]\n",
    "share = ",
    "[[properties]]\n",
    "[schedules]\n",
    "positions = { kind = \"warped-cosine\", power = 2.5 }",
    "channels = [",
    "blocks = [",
    "[sampling]\n",
    "sizes = [",
    "nan",
    "inf",
    "-1",
    "1e300",
    "18446744073709551615",
];

/// Words of a checkpoint.
const CHECKPOINT: [&str; 10] = [
    "{\"",
    "\":{\"dtype\":\"F32\",\"shape\":[",
    "\"data_offsets\":[",
    "]},",
    "__metadata__",
    "\\\"step\\\":",
    "\\\"samples\\\":",
    "\\\"seconds\\\":",
    "1e300",
    "-1",
];

/// The name of a checkpoint in the folder of a run.
const FILE: &str = "training.safetensors";

pub fn targets() -> Vec<Target> {
    vec![
        Target {
            name: "molecule-settings",
            number: 46,
            tokens: &SETTINGS,
            most: 1 << 13,
            open: |_| {
                Ok(Box::new(Settings(|text| {
                    let settings: MoleculeSettings =
                        toml::from_str(text).map_err(|e| e.message().to_string())?;
                    settings.check().map_err(|e| e.to_string())
                })))
            },
            ..TEXT
        },
        Target {
            name: "volume-settings",
            number: 47,
            tokens: &SETTINGS,
            most: 1 << 13,
            open: |_| {
                Ok(Box::new(Settings(|text| {
                    let settings: VolumeSettings =
                        toml::from_str(text).map_err(|e| e.message().to_string())?;
                    settings.check().map_err(|e| e.to_string())
                })))
            },
            ..TEXT
        },
        Target {
            name: "checkpoint",
            number: 48,
            tokens: &CHECKPOINT,
            open: |folder| Ok(Box::new(Checkpoint { folder: folder.join("run") })),
            ..BINARY
        },
    ]
}

/// Reads settings, and holds their numbers against their domains.
struct Settings(fn(&str) -> Result<(), String>);

impl Read for Settings {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        (self.0)(&String::from_utf8_lossy(bytes)).map(|()| "settings".into())
    }
}

/// A loss of a few parameters.
struct Square;

impl Objective for Square {
    type Batch = ();

    fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        layout.add_linear("square", 3, 2);
        layout
    }

    fn batches(&self, _part: usize, _step: u64) -> impl Iterator<Item = ()> + Send {
        std::iter::repeat(())
    }

    fn loss(&self, weights: &Weights, (): (), _: &Device) -> unmelt_diffusion::Result<Loss> {
        let total = (weights.get::<2>("square.weight")? - 1.0).powi_scalar(2).mean()
            + weights.get::<1>("square.bias")?.powi_scalar(2).mean();
        Ok(Loss { total, parts: Vec::new(), samples: 1 })
    }
}

fn config() -> TrainConfig {
    TrainConfig { steps: 1 << 20, ..TrainConfig::default() }
}

/// Goes on from checkpoints, by a step.
struct Checkpoint {
    folder: PathBuf,
}

impl Read for Checkpoint {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        let written = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(self.folder.join(FILE), bytes));
        written.map_err(|e| e.to_string())?;
        let resumed = Trainer::resume(Arc::new(Square), config(), &Device::flex(), &self.folder);
        let mut trainer = resumed.map_err(|e| e.to_string())?;
        let step = trainer.step();
        let report = trainer.advance().map_err(|e| e.to_string())?;
        assert_eq!(trainer.step(), step + 1, "one step");
        let kind = if report.loss.is_finite() { "finite" } else { "infinite" };
        Ok(format!("a run of {kind} loss"))
    }
}

/// The bytes of a checkpoint after some steps.
fn checkpoint(folder: &Path, steps: usize) -> Result<Vec<u8>, String> {
    let mut trainer = Trainer::new(Arc::new(Square), config(), &Device::flex());
    for _ in 0..steps {
        trainer.advance().map_err(|e| e.to_string())?;
    }
    let run = trainer.run(folder, Some(Duration::ZERO), &Job::new(), |_| Ok(()), |_| Ok(Vec::new()));
    run.map_err(|e| e.to_string())?;
    std::fs::read(folder.join(FILE)).map_err(|e| e.to_string())
}

pub fn write_corpus() -> Result<(), String> {
    let text = |settings: Result<String, toml::ser::Error>| settings.map_err(|e| e.to_string());
    seed("molecule-settings", "own.toml", text(toml::to_string(&MoleculeSettings::default()))?.as_bytes())?;
    seed("volume-settings", "own.toml", text(toml::to_string(&VolumeSettings::default()))?.as_bytes())?;
    for steps in [0, 3] {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        seed("checkpoint", &format!("{steps}.safetensors"), &checkpoint(folder.path(), steps)?)?;
    }
    Ok(())
}
