//! The two files of a model: their names, their bytes, and what ties them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Name of the card within a model's folder.
pub const CARD_FILE: &str = "model.json";
/// Name of the weights within a model's folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// The weights file that a card belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsRecord {
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Number of parameters.
    pub parameters: u64,
}

/// A card and its weights as bytes, from a folder or from inside the program.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// The bytes of `model.json`.
    pub card: Vec<u8>,
    /// The bytes of `model.safetensors`.
    pub weights: Vec<u8>,
    /// The folder, for messages.
    pub origin: PathBuf,
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
