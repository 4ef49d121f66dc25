//! The two files of a model, changed together: whoever reads them sees the model before or the model after, at any moment.
//!
//! A folder has two names, `model.json` and `model.safetensors`, and no file system renames two files at once. So the
//! card is first replaced by one file with the card before and the card after in it, then the weights, then that file by the
//! card after. A reader takes the card that names the digest of the weights it found. That holds after a process was killed
//! between any two renames as well.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Card, Precision, weights_bytes};
use crate::error::{Error, Result};
use crate::files::limits::limits;
use crate::files::{AsideFile, read_bounded, read_whole};
use crate::model_files::{CARD_FILE, ModelFiles, WEIGHTS_FILE, WeightsRecord, sha256};
use crate::parameters::Layout;

/// What stands in the card's place while the weights change.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    before: String,
    after: String,
}

/// The part of a card that names its weights.
#[derive(Deserialize)]
struct Naming {
    weights: WeightsRecord,
}

/// Times that the files are read again where somebody changes them.
const ATTEMPTS: usize = 100;

impl ModelFiles {
    /// Reads both files of a folder, those of one model, even while somebody writes another.
    pub fn read(folder: &Path) -> Result<Self> {
        read(folder)
    }
}

/// Writes a model's folder. Whoever reads it meanwhile finds the model before or this one, never a mixture.
pub fn write_model<M: Serialize + Clone>(
    folder: &Path,
    card: &Card<M>,
    layout: &Layout,
    values: &[f32],
    precision: Precision,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    let bytes = weights_bytes(layout, values, precision, None)?;
    let record = WeightsRecord { sha256: sha256(&bytes), parameters: layout.len() as u64 };
    let card = Card { weights: record, ..card.clone() };
    let json = serde_json::to_vec_pretty(&card).map_err(|e| Error::Model {
        part: "model card",
        path: folder.join(CARD_FILE),
        fault: e.to_string(),
    })?;
    write(folder, &json, &bytes)
}

/// Reads a card and the weights that it names. Where no card names them, the card as it is: its own check says what is wrong.
fn read(folder: &Path) -> Result<ModelFiles> {
    let mut seen = None;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let card = read_bounded(&folder.join(CARD_FILE), limits().card_bytes, "card_bytes")?;
        let weights = read_whole(&folder.join(WEIGHTS_FILE))?;
        let digest = sha256(&weights);
        let files = |card| ModelFiles { card, weights, origin: folder.to_path_buf() };
        let mut cards = cards(&card);
        if let Some(k) = cards.iter().position(|card| digest_named(card).as_ref() == Some(&digest)) {
            return Ok(files(cards.swap_remove(k)));
        }
        // Two files that do not belong together, and nobody is changing them.
        let now = Some((card, digest));
        if now == seen || attempt == ATTEMPTS {
            return Ok(files(cards.swap_remove(0)));
        }
        seen = now;
    }
}

/// The cards that stand in a card's place: one, or those after and before a change.
fn cards(card: &[u8]) -> Vec<Vec<u8>> {
    match serde_json::from_slice::<Change>(card) {
        Ok(Change { before, after }) => vec![after.into_bytes(), before.into_bytes()],
        Err(_) => vec![card.to_vec()],
    }
}

/// The digest of the weights that a card names.
pub(crate) fn digest_named(card: &[u8]) -> Option<String> {
    serde_json::from_slice::<Naming>(card).ok().map(|naming| naming.weights.sha256)
}

/// Writes a card and its weights.
fn write(folder: &Path, card: &[u8], weights: &[u8]) -> Result<()> {
    // All is on the disk before the first of three renames.
    let weights = prepared(folder.join(WEIGHTS_FILE), weights)?;
    let after = prepared(folder.join(CARD_FILE), card)?;
    if let (Some(before), Ok(after)) = (card_of_weights(folder), String::from_utf8(card.to_vec())) {
        let change = serde_json::to_vec(&Change { before, after }).expect("texts become JSON");
        prepared(folder.join(CARD_FILE), &change)?.finish()?;
    }
    weights.finish()?;
    after.finish()
}

/// The card that belongs to the weights of a folder, if it has some.
fn card_of_weights(folder: &Path) -> Option<String> {
    if !folder.join(WEIGHTS_FILE).is_file() {
        return None;
    }
    let card = read_bounded(&folder.join(CARD_FILE), limits().card_bytes, "card_bytes").ok()?;
    let card = match cards(&card).len() {
        1 => card,
        _ => read(folder).ok()?.card,
    };
    String::from_utf8(card).ok()
}

fn prepared(path: PathBuf, bytes: &[u8]) -> Result<AsideFile> {
    let mut file = AsideFile::create(path)?;
    let path = file.path().to_path_buf();
    file.write_all(bytes).and_then(|()| file.file().sync_all()).map_err(Error::file("write", path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card and the weights that it names.
    fn model(number: u8) -> (Vec<u8>, Vec<u8>) {
        let weights = vec![number; 100];
        let record = WeightsRecord { sha256: sha256(&weights), parameters: 1 };
        let card = serde_json::json!({ "format": 1, "name": number.to_string(), "weights": record });
        (card.to_string().into_bytes(), weights)
    }

    #[test]
    fn between_any_two_renames_a_reader_finds_one_model() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let ((old_card, old), (new_card, new)) = (model(1), model(2));
        let found = || read(folder.path()).map(|f| (f.card, f.weights)).expect("readable");
        let put = |name: &str, bytes: &[u8]| std::fs::write(at(name), bytes).expect("room");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let change = Change { before: text(&old_card), after: text(&new_card) };
        let change = serde_json::to_vec(&change).expect("JSON");
        put(WEIGHTS_FILE, &old);
        put(CARD_FILE, &change);
        assert_eq!(found(), (old_card.clone(), old.clone()));
        put(WEIGHTS_FILE, &new);
        assert_eq!(found(), (new_card.clone(), new.clone()));
        // The next change goes on from there.
        let (card, weights) = model(3);
        write(folder.path(), &card, &weights).expect("room");
        assert_eq!(found(), (card.clone(), weights));
        assert_eq!(std::fs::read(at(CARD_FILE)).expect("there"), card);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
        // Files that do not belong together are given as they are.
        put(WEIGHTS_FILE, &old);
        assert_eq!(found(), (card, old));
    }

    #[test]
    fn a_reader_beside_a_writer_never_sees_a_mixture() {
        let folder = tempfile::tempdir().expect("a folder");
        let models: Vec<_> = (0..4).map(model).collect();
        write(folder.path(), &models[0].0, &models[0].1).expect("room");
        let is_done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for k in 0..300 {
                    let (card, weights) = &models[k % 4];
                    write(folder.path(), card, weights).expect("room");
                }
                is_done.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            let mut reads = 0;
            while !is_done.load(std::sync::atomic::Ordering::SeqCst) {
                let files = read(folder.path()).expect("readable");
                assert!(models.contains(&(files.card, files.weights)), "read {reads}");
                reads += 1;
            }
            assert!(reads > 10);
        });
    }
}
