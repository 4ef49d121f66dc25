//! The models that come with the program.

use unmelt_diffusion::built_in::{self, BuiltIn};
use unmelt_diffusion::checkpoint::{Card, ModelFiles};

use crate::{Result, VolumeModel};

const MODELS: [BuiltIn; 1] = [BuiltIn {
    name: "brain-mri",
    card: include_bytes!("../../../data/brain-mri/model.json"),
    weights: include_bytes!("../../../data/brain-mri/model.safetensors"),
}];

/// The names of the models inside the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|m| m.name)
}

/// The files of a model: one inside the program by its name, or one in a folder.
pub fn find(name: &str) -> Result<ModelFiles> {
    Ok(built_in::find(name, &MODELS)?)
}

/// The card of a model.
pub fn card(name: &str) -> Result<Card<VolumeModel>> {
    Ok(find(name)?.card()?)
}
