//! The models that come with the program.

use std::path::{Path, PathBuf};

use unmelt_diffusion::checkpoint::{CARD_FILE, Card, ModelFiles};

use crate::{Error, KeySet, MoleculeModel, Result};

/// A model inside the program.
struct Embedded {
    name: &'static str,
    card: &'static [u8],
    weights: &'static [u8],
    training_keys: &'static [u8],
}

const MODELS: [Embedded; 1] = [Embedded {
    name: "qm9",
    card: include_bytes!("../../../data/qm9/model.json"),
    weights: include_bytes!("../../../data/qm9/model.safetensors"),
    training_keys: include_bytes!("../../../data/qm9/training_keys.bin"),
}];

/// The names of the models inside the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|m| m.name)
}

/// The files of a model: one inside the program by its name, or one in a folder.
pub fn find(name: &str) -> Result<ModelFiles> {
    if let Some(model) = MODELS.iter().find(|m| m.name == name) {
        let origin = PathBuf::from(format!("the built-in model {name}"));
        return Ok(ModelFiles { card: model.card.to_vec(), weights: model.weights.to_vec(), origin });
    }
    let folder = Path::new(name);
    if folder.join(CARD_FILE).is_file() {
        return Ok(ModelFiles::read(folder)?);
    }
    let known: Vec<&str> = names().collect();
    let what = if folder.is_dir() { "is a folder without a model.json" } else { "is no model" };
    Err(Error::Request(format!(
        "\"{name}\" {what}; give the folder of a trained model or one of: {}",
        known.join(", ")
    )))
}

/// Name of the file of [`KeySet::to_bytes`] beside a model: the molecules that it was trained on.
pub const TRAINING_KEYS_FILE: &str = "training_keys.bin";

/// The molecules that a model was trained on, where that is known.
pub fn training_keys(name: &str) -> Result<Option<KeySet>> {
    let path = match MODELS.iter().find(|m| m.name == name) {
        Some(model) => return Ok(KeySet::from_bytes(model.training_keys)),
        None => Path::new(name).join(TRAINING_KEYS_FILE),
    };
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(Error::file("read", &path))?;
    let fault =
        || Error::Format { kind: "training keys", path, fault: "its length is no multiple of 8".into() };
    KeySet::from_bytes(&bytes).ok_or_else(fault).map(Some)
}

/// The card of a model.
pub fn card(name: &str) -> Result<Card<MoleculeModel>> {
    Ok(find(name)?.card()?)
}
