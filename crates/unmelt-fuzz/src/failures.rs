//! Inputs that were not survived, as files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use unmelt_diffusion::checkpoint::sha256;
use unmelt_diffusion::files::plain;

/// Inputs kept of one failure.
const KEPT: usize = 3;

/// Something that a reader must not do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The target.
    pub target: String,
    /// Seed and number of the input.
    pub seed: u64,
    /// Number of the input.
    pub input: u64,
    /// What names the failure: the place of a panic, the function that asked for memory.
    pub key: String,
    /// What was said.
    pub message: String,
}

impl Failure {
    /// Writes the input and what is known about it; none if enough inputs of the same failure are there.
    pub fn save(&self, bytes: &[u8], folder: &Path) -> std::io::Result<Option<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let name = &sha256(format!("{} {}", self.target, self.key).as_bytes())[..8];
        let path = |n: usize| folder.join(format!("{}-{name}-{n}", self.target));
        let Some(path) = (0..KEPT).map(path).find(|p| !p.exists()) else { return Ok(None) };
        let Self { target, seed, input, key, message } = self;
        let text = format!("target {target}, seed {seed}, input {input}\n{key}\n{message}\n");
        std::fs::write(path.with_extension("txt"), text)?;
        std::fs::write(&path, bytes)?;
        Ok(Some(path))
    }
}

/// A sentence without what changes from input to input: numbers, and what stands in quotation marks.
pub fn template(sentence: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    for c in sentence.chars().take(400) {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            c => text.push(c),
        }
    }
    plain(&text.chars().take(160).collect::<String>())
}

/// The innermost of unmelt's own functions in a backtrace; empty if there is none.
pub fn own_function(backtrace: &str) -> &str {
    let own = |line: &&str| line.contains("unmelt_") && !line.contains("unmelt_fuzz");
    let of_name = |c: char| c.is_ascii_alphabetic() || c == '<';
    backtrace.lines().find(own).map_or("", |l| l.trim_start_matches(|c| !of_name(c)).trim())
}
