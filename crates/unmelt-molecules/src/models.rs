//! The models that come with the program.

use std::path::Path;

use unmelt_diffusion::built_in::{self, BuiltIn};
use unmelt_diffusion::checkpoint::{Card, ModelFiles};
use unmelt_diffusion::files::read_whole;

use crate::{Error, KeySet, MoleculeModel, Result};

const MODELS: [BuiltIn; 1] = [BuiltIn {
    name: "qm9",
    card: include_bytes!("../../../data/qm9/model.json"),
    weights: include_bytes!("../../../data/qm9/model.safetensors"),
}];

/// The molecules that each of them was trained on.
const TRAINING_KEYS: [&[u8]; 1] = [include_bytes!("../../../data/qm9/training_keys.bin")];

/// The names of the models inside the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|m| m.name)
}

/// The files of a model: one inside the program by its name, or one in a folder.
pub fn find(name: &str) -> Result<ModelFiles> {
    Ok(built_in::find(name, &MODELS)?)
}

/// The files of a model inside the program; a folder is never looked at, so the name may come from a file.
pub fn built_in(name: &str) -> Result<ModelFiles> {
    match names().any(|known| known == name) {
        true => find(name),
        false => Err(Error::Request(format!(
            "the model {} is not inside the program; name its folder",
            unmelt_diffusion::files::plain(name)
        ))),
    }
}

/// Name of the file of [`KeySet::to_bytes`] beside a model: the molecules that it was trained on.
pub const TRAINING_KEYS_FILE: &str = "training_keys.bin";

/// The molecules that a model was trained on, where that is known.
pub fn training_keys(name: &str) -> Result<Option<KeySet>> {
    if let Some(k) = names().position(|n| n == name) {
        return Ok(KeySet::from_bytes(TRAINING_KEYS[k]));
    }
    let path = Path::new(name).join(TRAINING_KEYS_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = read_whole(&path)?;
    let fault =
        || Error::Format { kind: "training keys", path, fault: "its length is no multiple of 8".into() };
    KeySet::from_bytes(&bytes).ok_or_else(fault).map(Some)
}

/// The molecules that the model of these files was trained on, where that is known.
pub fn training_keys_of(files: &ModelFiles) -> Result<Option<KeySet>> {
    match MODELS.iter().find(|m| m.weights == files.weights) {
        Some(model) => training_keys(model.name),
        None => training_keys(&files.origin.to_string_lossy()),
    }
}

/// The card of a model.
pub fn card(name: &str) -> Result<Card<MoleculeModel>> {
    MoleculeModel::card(&find(name)?)
}
