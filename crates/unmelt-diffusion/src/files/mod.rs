//! What every reader and writer of files shares: bounds, packed input, foreign decoders, output that is whole or not there.
//!
//! No reader trusts the word of a file. A size from a header is checked against [`limits()`] before memory is taken, packed
//! input is read through readers that end at a bound, and decoders of other projects run [`contained`].

mod aside;
mod aside_folder;
mod claims;
mod contained;
pub mod limits;
mod packed;
mod pending;
mod permissions;
mod temporary;
mod text;

use std::io::Read;
use std::path::Path;

pub use aside::{AsideFile, write_whole};
pub use aside_folder::AsideFolder;
pub use claims::{Claims, claim, claim_folder, distinct, lies_within};
pub use contained::{contained, contained_with_stack};
pub use packed::{Bounded, GzipReader, bounded, gunzip, is_gzip, unpacked_bound};
pub use pending::abandon;
pub use text::plain;

use crate::error::{Error, Result};
use limits::{limits, within};

/// Reads a whole file of at most [`Limits::input_bytes`](limits::Limits) bytes. Memory is taken as the bytes arrive.
pub fn read_whole(path: &Path) -> Result<Vec<u8>> {
    read_bounded(path, limits().input_bytes, "input_bytes")
}

/// Reads a whole file of at most `limit` bytes; `name` is that of the limit, for the sentence of the error.
///
/// Pipes and devices, whose length is not known beforehand, are read up to the limit.
pub fn read_bounded(path: &Path, limit: u64, name: &'static str) -> Result<Vec<u8>> {
    let failed = || Error::file("read", path);
    let file = std::fs::File::open(path).map_err(failed())?;
    let length = file.metadata().map_err(failed())?.len();
    let subject = || path.display().to_string();
    within(limit, name, length, &subject())?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed())?;
    within(limit, name, bytes.len() as u64, &subject())?;
    Ok(bytes)
}
