//! Models inside the program, and how a model is found by its name.

use std::path::{Path, PathBuf};

use crate::checkpoint::{CARD_FILE, ModelFiles};
use crate::error::{Error, Result};

/// The program and its version, as cards name it.
pub const PROGRAM: &str = concat!("unmelt ", env!("CARGO_PKG_VERSION"));

/// A model inside the program.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// The bytes of its card.
    pub card: &'static [u8],
    /// The bytes of its weights.
    pub weights: &'static [u8],
}

impl BuiltIn {
    /// Its card and its weights.
    pub fn files(&self) -> ModelFiles {
        let origin = PathBuf::from(format!("the built-in model {}", self.name));
        ModelFiles { card: self.card.to_vec(), weights: self.weights.to_vec(), origin }
    }
}

/// The files of a model: one of those inside the program by its name, or one in a folder.
pub fn find(name: &str, built_in: &[BuiltIn]) -> Result<ModelFiles> {
    if let Some(model) = built_in.iter().find(|m| m.name == name) {
        return Ok(model.files());
    }
    let folder = Path::new(name);
    if folder.join(CARD_FILE).is_file() {
        return ModelFiles::read(folder);
    }
    let known: Vec<&str> = built_in.iter().map(|m| m.name).collect();
    let what = if folder.is_dir() { "is a folder without a model.json" } else { "is no model" };
    Err(Error::UnknownModel { name: name.into(), what, known: known.join(", ") })
}
