//! The input that is being read, in a file: it outlives a process that ends at it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The file of the process that reads.
pub struct State {
    file: File,
    buffer: Vec<u8>,
}

impl State {
    /// Makes the file.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file: File::create(path)?, buffer: Vec::new() })
    }

    /// Notes an input.
    pub fn note(&mut self, input: u64, bytes: &[u8]) -> std::io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        self.buffer.clear();
        self.buffer.extend_from_slice(&input.to_le_bytes());
        self.buffer.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.buffer.extend_from_slice(bytes);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&self.buffer)
    }

    /// The input that was noted last, and its number; none if there was none.
    pub fn last(path: &Path) -> Option<(u64, Vec<u8>)> {
        let mut file = File::open(path).ok()?;
        let mut word = [0; 8];
        file.read_exact(&mut word).ok()?;
        let input = u64::from_le_bytes(word);
        file.read_exact(&mut word).ok()?;
        let mut bytes = Vec::new();
        file.take(u64::from_le_bytes(word)).read_to_end(&mut bytes).ok()?;
        Some((input, bytes))
    }
}
