//! The models that come with the program.

use std::path::{Path, PathBuf};

use unmelt_diffusion::checkpoint::{CARD_FILE, Card, ModelFiles};

use crate::{Error, Result, VolumeModel};

/// Name, card and weights of each model inside the program.
const MODELS: [(&str, &[u8], &[u8]); 1] = [(
    "brain-mri",
    include_bytes!("../../../data/brain-mri/model.json"),
    include_bytes!("../../../data/brain-mri/model.safetensors"),
)];

/// The names of the models inside the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|(name, _, _)| *name)
}

/// The files of a model: one inside the program by its name, or one in a folder.
pub fn find(name: &str) -> Result<ModelFiles> {
    if let Some((name, card, weights)) = MODELS.iter().find(|(n, _, _)| *n == name) {
        let origin = PathBuf::from(format!("the built-in model {name}"));
        return Ok(ModelFiles { card: card.to_vec(), weights: weights.to_vec(), origin });
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

/// The card of a model.
pub fn card(name: &str) -> Result<Card<VolumeModel>> {
    Ok(find(name)?.card()?)
}
