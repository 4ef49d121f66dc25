//! The readers, each with the words that mean something to it.

mod models;
mod molecules;
mod options;
mod training;
mod volumes;

use std::path::{Path, PathBuf};

/// A reader, ready for its first input.
pub trait Read {
    /// What came of an input: accepted with what it holds, or refused with a sentence. Panics where the answer is wrong.
    fn read(&mut self, bytes: &[u8]) -> Result<String, String>;
}

/// What an input is given to.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Its number, which keeps its draws apart from others'.
    pub number: u16,
    /// Whether inputs are text.
    pub text: bool,
    /// Words that mean something in them.
    pub tokens: &'static [&'static str],
    /// Most bytes of an input.
    pub most: usize,
    /// Memory that an input may take, in MiB.
    pub megabytes: usize,
    /// Time of the processor that an input may take, in seconds.
    pub seconds: u64,
    /// Makes it ready; the folder is for its files.
    pub open: fn(&Path) -> Result<Box<dyn Read>, String>,
}

/// A target of text.
const TEXT: Target = Target {
    name: "",
    number: 0,
    text: true,
    tokens: &[],
    most: 1 << 16,
    megabytes: 256,
    seconds: 4,
    open: |_| Err("a target without a reader".into()),
};

/// A target of bytes.
const BINARY: Target = Target { text: false, ..TEXT };

/// All targets.
pub fn all() -> Vec<Target> {
    let mut all = molecules::targets();
    all.extend(volumes::targets());
    all.extend(models::targets());
    all.extend(options::targets());
    all.extend(training::targets());
    all
}

/// The target of a name.
pub fn find(name: &str) -> Result<Target, String> {
    let known = || all().iter().map(|t| t.name).collect::<Vec<_>>().join(", ");
    all()
        .into_iter()
        .find(|t| t.name == name)
        .ok_or_else(|| format!("\"{name}\" is no target; the targets are {}", known()))
}

/// Writes the files that unmelt's own writers make into the corpus.
pub fn write_corpus() -> Result<(), String> {
    molecules::write_corpus()?;
    models::write_corpus()?;
    training::write_corpus()?;
    volumes::write_corpus()
}

/// Writes a file of the corpus.
fn seed(target: &str, name: &str, bytes: &[u8]) -> Result<(), String> {
    let folder = crate::corpus::folder(target);
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), bytes));
    written.map_err(|e| format!("{}: {e}", folder.display()))
}

/// A reader that only takes the path of a file: each input is written to the same one.
struct OfFile {
    path: PathBuf,
    read: fn(&Path) -> Result<String, String>,
}

impl OfFile {
    fn open(
        folder: &Path,
        name: &str,
        read: fn(&Path) -> Result<String, String>,
    ) -> Result<Box<dyn Read>, String> {
        Ok(Box::new(Self { path: folder.join(name), read }))
    }
}

impl Read for OfFile {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        std::fs::write(&self.path, bytes).map_err(|e| e.to_string())?;
        (self.read)(&self.path)
    }
}
