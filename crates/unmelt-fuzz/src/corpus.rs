//! The inputs that broken ones are made from: a folder of files for each target, in the repository.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::draws::Draws;
use crate::mutate::{Shape, mutate};

/// Inputs that are added because a reader answered them in a new way.
const GROWTH: usize = 512;

/// The folder of a target's inputs.
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The inputs of a target, and those that were found to be answered in a new way.
pub struct Corpus {
    inputs: Vec<Vec<u8>>,
    files: usize,
    /// Digests of the answers: an answer can be as long as the input that it repeats.
    answers: BTreeSet<u64>,
}

impl Corpus {
    /// Reads a target's folder, by name.
    pub fn read(target: &str) -> Result<Self, String> {
        let folder = folder(target);
        let fault = |e: std::io::Error| format!("{}: {e}", folder.display());
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(fault)? {
            paths.push(entry.map_err(fault)?.path());
        }
        paths.sort();
        let inputs = paths.iter().map(std::fs::read).collect::<std::io::Result<Vec<_>>>().map_err(fault)?;
        match inputs.is_empty() {
            true => Err(format!("{} holds no file", folder.display())),
            false => Ok(Self { files: inputs.len(), inputs, answers: BTreeSet::new() }),
        }
    }

    /// Input number k: the files as they are first, then broken copies.
    pub fn input(&self, k: u64, shape: &Shape, draws: &mut Draws) -> Vec<u8> {
        if let Some(whole) = self.inputs[..self.files].get(k as usize) {
            return whole.clone();
        }
        // Whole files as often as what has grown from them.
        let among = |draws: &mut Draws| match draws.chance(0.5) {
            true => draws.below(self.files),
            false => draws.below(self.inputs.len()),
        };
        let (one, other) = (among(draws), among(draws));
        mutate(&self.inputs[one], &self.inputs[other], shape, draws)
    }

    /// Keeps an input that was answered in a new way.
    pub fn learn(&mut self, input: &[u8], answer: &str) {
        let mut digest = DefaultHasher::new();
        answer.hash(&mut digest);
        if self.answers.insert(digest.finish()) && self.inputs.len() < self.files + GROWTH {
            self.inputs.push(input.to_vec());
        }
    }

    /// How many answers there were.
    pub fn answers(&self) -> usize {
        self.answers.len()
    }
}
