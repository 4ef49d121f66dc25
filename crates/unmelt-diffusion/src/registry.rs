//! Models by name, by digest and by folder, each loaded once and shared.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::built_in::BuiltIn;
use crate::checkpoint::CARD_FILE;
use crate::error::{Error, Result};
use crate::model_files::{ModelFiles, sha256};
use crate::model_folder::digest_named;

/// Fewest hexadecimal digits of a digest that name a model.
const FEWEST_DIGITS: usize = 12;

/// What a digest may begin with.
const PREFIX: &str = "sha256:";

/// The models that a program knows. `T` is what is made of a model's files, such as a network with its weights.
///
/// ```
/// use unmelt_diffusion::built_in::BuiltIn;
/// use unmelt_diffusion::registry::Registry;
///
/// static MODELS: [BuiltIn; 1] = [BuiltIn { name: "small", card: b"{}", weights: b"1" }];
/// let registry: Registry<String> = Registry::new(&MODELS);
/// let files = registry.named("small")?;
/// let load = || Ok::<_, unmelt_diffusion::Error>("a network".to_string());
/// let (one, other) = (registry.load(&files, "cpu", load)?, registry.load(&files, "cpu", load)?);
/// assert!(std::sync::Arc::ptr_eq(&one, &other));
/// assert!(registry.named("/etc").is_err());
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
pub struct Registry<T> {
    built_in: &'static [BuiltIn],
    /// Folders that were registered, by the digest of their weights.
    folders: Mutex<BTreeMap<String, PathBuf>>,
    /// What is loaded and still in use, by the digests of card and weights and a variant.
    loaded: Mutex<HashMap<[String; 3], Weak<T>>>,
}

impl<T> Registry<T> {
    /// A registry that knows the models inside the program.
    pub fn new(built_in: &'static [BuiltIn]) -> Self {
        Self { built_in, folders: Mutex::default(), loaded: Mutex::default() }
    }

    /// The names of the models inside the program.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<T> {
        self.built_in.iter().map(|m| m.name)
    }

    /// Makes the model of a folder known by the digest of its weights, which is returned.
    ///
    /// # Errors
    /// The folder holds no model.
    pub fn register(&self, folder: &Path) -> Result<String> {
        let files = ModelFiles::read(folder)?;
        let digest = digest_named(&files.card).unwrap_or_else(|| sha256(&files.weights));
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone(), folder.into());
        Ok(digest)
    }

    /// The files of a model: one inside the program by its name, one in a folder, or a known one by its digest, `sha256:` with 12 or
    /// more hexadecimal digits, or these alone.
    ///
    /// # Errors
    /// There is no such model, or its files cannot be read.
    pub fn find(&self, name: &str) -> Result<ModelFiles> {
        if let Some(files) = self.built_in(name) {
            return Ok(files);
        }
        let folder = Path::new(name);
        if folder.join(CARD_FILE).is_file() {
            return ModelFiles::read(folder);
        }
        if let Some(files) = self.of_digest(name)? {
            return Ok(files);
        }
        let what = match (folder.is_dir(), digits(name).is_some()) {
            (true, _) => "is a folder without a model.json",
            (false, true) => "is the digest of no model that is known here",
            (false, false) => "is no model",
        };
        Err(self.unknown(name, what))
    }

    /// The files of a model inside the program by its name, or of a known one by its digest. Whatever the name is, it is never taken
    /// for a path, so it may come from a file or from another machine.
    ///
    /// # Errors
    /// There is no such model, or its files cannot be read.
    pub fn named(&self, name: &str) -> Result<ModelFiles> {
        if let Some(files) = self.built_in(name) {
            return Ok(files);
        }
        self.of_digest(name)?.ok_or_else(|| self.unknown(name, "is no model that is known here by its name"))
    }

    /// What `load` makes of a model's files, or what it made of them before and is still in use. `variant` tells apart what is made of
    /// the same files, such as networks on several devices.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn load<E>(
        &self,
        files: &ModelFiles,
        variant: &str,
        load: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<Arc<T>, E> {
        let key = [sha256(&files.card), sha256(&files.weights), variant.into()];
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = loaded.get(&key).and_then(Weak::upgrade) {
            return Ok(model);
        }
        let model = Arc::new(load()?);
        loaded.retain(|_, other| other.strong_count() > 0);
        loaded.insert(key, Arc::downgrade(&model));
        Ok(model)
    }

    fn built_in(&self, name: &str) -> Option<ModelFiles> {
        self.built_in.iter().find(|m| m.name == name).map(BuiltIn::files)
    }

    /// The known model whose weights have a digest that begins so, if `name` is one.
    fn of_digest(&self, name: &str) -> Result<Option<ModelFiles>> {
        let Some(digits) = digits(name) else { return Ok(None) };
        let of_built_in =
            |m: &&BuiltIn| digest_named(m.card).is_some_and(|digest| digest.starts_with(&digits));
        if let Some(model) = self.built_in.iter().find(of_built_in) {
            return Ok(Some(model.files()));
        }
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let found = folders.range(digits.clone()..).next().filter(|(digest, _)| digest.starts_with(&digits));
        let Some((_, folder)) = found else { return Ok(None) };
        let files = ModelFiles::read(folder)?;
        // A training may have put other weights there since.
        let is_still = digest_named(&files.card).is_some_and(|digest| digest.starts_with(&digits));
        Ok(is_still.then_some(files))
    }

    fn unknown(&self, name: &str, what: &'static str) -> Error {
        Error::UnknownModel { name: name.into(), what, known: self.names().collect::<Vec<_>>().join(", ") }
    }
}

/// The digits of a digest, in lower case, if a name is one.
fn digits(name: &str) -> Option<String> {
    let digits = name.strip_prefix(PREFIX).unwrap_or(name);
    let is_one =
        (FEWEST_DIGITS..=64).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
    is_one.then(|| digits.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::WEIGHTS_FILE;

    fn card(weights: &[u8]) -> String {
        format!("{{\"weights\": {{\"sha256\": \"{}\", \"parameters\": 1}}}}", sha256(weights))
    }

    fn registry() -> Registry<u64> {
        let card: &'static [u8] = Box::leak(card(b"built in").into_bytes().into_boxed_slice());
        let models = vec![BuiltIn { name: "own", card, weights: b"built in" }];
        Registry::new(Box::leak(models.into_boxed_slice()))
    }

    fn model(folder: &Path, weights: &[u8]) {
        std::fs::create_dir_all(folder).expect("room");
        std::fs::write(folder.join(CARD_FILE), card(weights)).expect("room");
        std::fs::write(folder.join(WEIGHTS_FILE), weights).expect("room");
    }

    #[test]
    fn models_are_found_by_name_folder_and_digest() {
        let (registry, place) = (registry(), tempfile::tempdir().expect("a folder"));
        let folder = place.path().join("mine");
        model(&folder, b"mine");
        let path = folder.to_string_lossy().into_owned();
        let (own, mine) = (sha256(b"built in"), sha256(b"mine"));
        let weights = |name: &str| registry.find(name).map(|f| f.weights);
        for name in ["own", &own, &format!("sha256:{own}"), &own[..12], &own[..12].to_uppercase()] {
            assert_eq!(weights(name).expect(name), b"built in");
            assert_eq!(registry.named(name).expect(name).weights, b"built in");
        }
        assert_eq!(weights(&path).expect("a folder"), b"mine");
        assert!(
            weights(&mine).expect_err("not known yet").to_string().contains("no model that is known here")
        );
        assert_eq!(registry.register(&folder).expect("a model"), mine);
        assert_eq!(weights(&mine).expect("registered"), b"mine");
        assert_eq!(registry.named(&mine[..16]).expect("registered").weights, b"mine");
        // Names that are no names.
        for name in ["", "gone", &own[..11], "sha256:", "sha256:zz", &"0".repeat(12)] {
            assert!(weights(name).is_err(), "{name}");
        }
        assert!(registry.named(&path).is_err(), "a name is never a path");
        assert!(
            weights(&place.path().to_string_lossy())
                .expect_err("empty")
                .to_string()
                .contains("without a model.json")
        );
        // Other weights in the folder are another model.
        model(&folder, b"later");
        assert!(weights(&mine).is_err());
    }

    #[test]
    fn models_are_loaded_once_while_they_are_in_use() {
        let registry = registry();
        let files = registry.named("own").expect("built in");
        let mut loads = 0;
        let mut load = |variant: &str| {
            registry.load(&files, variant, || {
                loads += 1;
                Ok::<u64, Error>(loads)
            })
        };
        let (one, other, third) =
            (load("cpu").expect("1"), load("cpu").expect("1"), load("cuda").expect("2"));
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!((*one, *third), (1, 2));
        drop((one, other));
        assert_eq!(*load("cpu").expect("3"), 3);
        assert!(registry.load(&files, "broken", || Err(Error::Stopped)).is_err());
    }
}
