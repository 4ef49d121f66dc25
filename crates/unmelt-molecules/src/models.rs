//! The models that come with the program.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use unmelt_diffusion::built_in::BuiltIn;
use unmelt_diffusion::checkpoint::{Card, ModelFiles};
use unmelt_diffusion::device::DeviceName;
use unmelt_diffusion::files::read_whole;
use unmelt_diffusion::registry::Registry;

use crate::{Error, Generator, KeySet, MoleculeModel, Result};

static MODELS: [BuiltIn; 1] = [BuiltIn {
    name: "qm9",
    card: include_bytes!("../../../data/qm9/model.json"),
    weights: include_bytes!("../../../data/qm9/model.safetensors"),
}];

/// The molecules that each of them was trained on.
const TRAINING_KEYS: [&[u8]; 1] = [include_bytes!("../../../data/qm9/training_keys.bin")];

/// The models that are known, and those that are loaded.
static REGISTRY: LazyLock<Registry<Generator>> = LazyLock::new(|| Registry::new(&MODELS));

/// The names of the models inside the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|m| m.name)
}

/// The files of a model: one inside the program by its name, one in a folder, or a known one by the digest of its weights.
///
/// ```
/// use unmelt_molecules::models;
///
/// let files = models::find("qm9")?;
/// assert_eq!(models::find("sha256:4f97f1fb0ddf")?.weights, files.weights);
/// assert!(models::find("no such model").is_err());
/// # Ok::<(), unmelt_molecules::Error>(())
/// ```
///
/// # Errors
/// There is no such model, or its files cannot be read.
pub fn find(name: &str) -> Result<ModelFiles> {
    Ok(REGISTRY.find(name)?)
}

/// The files of a model inside the program by its name, or of a known one by its digest. A name is never taken for a path, so it may
/// come from a file or from another machine.
///
/// # Errors
/// There is no such model.
pub fn named(name: &str) -> Result<ModelFiles> {
    Ok(REGISTRY.named(name)?)
}

/// Makes the model of a folder known by the digest of its weights, which is returned.
///
/// # Errors
/// The folder holds no model.
pub fn register(folder: &Path) -> Result<String> {
    Ok(REGISTRY.register(folder)?)
}

/// A model on a device, loaded once: while it is in use, everybody who asks for it gets the same.
///
/// ```
/// use unmelt_diffusion::device::DeviceName;
/// use unmelt_molecules::models;
///
/// let files = models::find("qm9")?;
/// let (one, other) = (models::load(&files, DeviceName::Cpu)?, models::load(&files, DeviceName::Cpu)?);
/// assert!(std::sync::Arc::ptr_eq(&one, &other));
/// # Ok::<(), unmelt_molecules::Error>(())
/// ```
///
/// # Errors
/// Files that cannot be used, a device that the program was not built for.
pub fn load(files: &ModelFiles, device: DeviceName) -> Result<Arc<Generator>> {
    REGISTRY.load(files, &device.to_string(), || Generator::load(files, &device.open()?))
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
