//! A file up to its samples: preamble, meta header, transfer syntax, data set.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::files::{bounded, unpacked_bound};

use super::dataset::Dataset;
use super::parse::{Coding, Parser, PixelPlace, Stop};
use super::tags::text;
use crate::{Error, Result};

/// Bytes that are read first; where the header is longer, twice as many each time.
const FIRST: u64 = 64 << 10;

/// What stands before the samples of a file.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub set: Dataset,
    /// Transfer syntax UID.
    pub syntax: String,
    /// SOP class and instance of the meta header.
    pub meta: [String; 2],
    pub pixels: Option<PixelPlace>,
    /// Bytes of the file, unpacked if it is deflated.
    pub length: u64,
    /// Why the header could not be read to its end; what stood before is there.
    pub fault: Option<String>,
}

/// Whether the beginning of a file is that of a DICOM file, with or without its preamble.
pub(super) fn begins_as_dicom(start: &[u8]) -> bool {
    start.get(128..132) == Some(b"DICM") || bare(start).is_some()
}

/// How a file without a preamble begins to be written; none if it is no DICOM file.
fn bare(start: &[u8]) -> Option<Coding> {
    let start: [u8; 8] = start.get(..8)?.try_into().ok()?;
    let vr =
        start[4..6].iter().all(u8::is_ascii_uppercase) && VR::from_binary([start[4], start[5]]).is_some();
    let big = start[0] == 0;
    let pair = |at: usize| {
        let bytes = [start[at], start[at + 1]];
        if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    };
    let (group, element) = (pair(0), pair(2));
    // The first tags of a meta header and of a data set are these; a length is short.
    let small = !big && start[6..8] == [0, 0] && start[5] < 2;
    let first = matches!((group, element), (2, 0..=0x16) | (8, 0..=0x18));
    (first && (vr || small)).then_some(Coding { explicit: vr, big })
}

/// Reads a file up to its samples. What is no DICOM file is an error; a header that breaks off is not, its fault is told.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let mut file = std::fs::File::open(path).map_err(Error::file("read", path))?;
    let total = file.metadata().map_err(Error::file("read", path))?.len();
    within(limits().input_bytes, "input_bytes", total, &path.display().to_string())?;
    let mut bytes = Vec::new();
    let mut want = FIRST.min(total);
    loop {
        let missing = want.saturating_sub(bytes.len() as u64);
        file.by_ref().take(missing).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
        if !begins_as_dicom(&bytes) {
            return Err(Error::format("DICOM file", path, "it does not begin as one"));
        }
        match attempt(&bytes, total, path)? {
            Some(opened) => return Ok(opened),
            // A file that became shorter in the meantime has no more.
            None if (bytes.len() as u64) < want || want == total => {
                return Err(Error::format("DICOM file", path, "it is cut off"));
            }
            None => want = want.saturating_mul(2).min(total),
        }
    }
}

/// The file from its first bytes; none if more are needed.
fn attempt(bytes: &[u8], total: u64, path: &Path) -> Result<Option<Opened>> {
    let at = if bytes.get(128..132) == Some(b"DICM") { 132 } else { 0 };
    let mut meta = Dataset::default();
    let place = match Parser::new(bytes, total, at, Coding::EXPLICIT).meta(&mut meta) {
        Ok(place) => place,
        Err(Stop::More) => return Ok(None),
        Err(Stop::Fault(text)) => return Err(Error::format("DICOM file", path, text)),
    };
    let syntax = text(&meta, tags::TRANSFER_SYNTAX_UID).unwrap_or_default();
    let mut opened = Opened { syntax, length: total, ..Opened::default() };
    opened.meta = [tags::MEDIA_STORAGE_SOP_CLASS_UID, tags::MEDIA_STORAGE_SOP_INSTANCE_UID]
        .map(|tag| text(&meta, tag).unwrap_or_default());
    let mut coding = match opened.syntax.as_str() {
        "1.2.840.10008.1.2" | "1.2.840.113619.5.2" => Coding::IMPLICIT,
        "1.2.840.10008.1.2.2" => Coding { explicit: true, big: true },
        _ => Coding::EXPLICIT,
    };
    let unpacked;
    let (mut data, mut start) = (bytes, place);
    if opened.syntax == "1.2.840.10008.1.2.1.99" {
        if (bytes.len() as u64) < total {
            return Ok(None);
        }
        unpacked = inflate(&bytes[place.min(bytes.len())..], path)?;
        (data, start) = (&unpacked, 0);
        opened.length = unpacked.len() as u64;
    }
    // What the first element looks like tells more than a transfer syntax that is missing or wrong.
    let first = data.get(start..start + 8);
    if let Some(looks) =
        first.and_then(bare).filter(|looks| looks.explicit != coding.explicit || opened.syntax.is_empty())
        && (opened.syntax.is_empty() || looks.explicit)
    {
        coding = looks;
    }
    if opened.syntax.is_empty() {
        opened.syntax = match (coding.explicit, coding.big) {
            (false, _) => "1.2.840.10008.1.2",
            (true, false) => "1.2.840.10008.1.2.1",
            (true, true) => "1.2.840.10008.1.2.2",
        }
        .into();
    }
    match Parser::new(data, opened.length, start, coding).image(&mut opened.set) {
        Ok(pixels) => opened.pixels = pixels,
        Err(Stop::More) => return Ok(None),
        Err(Stop::Fault(text)) => opened.fault = Some(text),
    }
    Ok(Some(opened))
}

/// The data set of a deflated file.
fn inflate(bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let reader = flate2::read::DeflateDecoder::new(bytes);
    let what = path.display().to_string();
    bounded(reader, unpacked_bound(bytes.len() as u64), what)
        .read_to_end(&mut out)
        .map_err(|e| Error::format("DICOM file", path, format!("its deflated data cannot be read ({e})")))?;
    Ok(out)
}

/// Bytes of a file from `offset` on, at most `length`.
pub(super) fn bytes_at(path: &Path, deflated: bool, offset: u64, length: u64) -> Result<Vec<u8>> {
    let failed = || Error::file("read", path);
    let mut file = std::fs::File::open(path).map_err(failed())?;
    if !deflated {
        let total = file.metadata().map_err(failed())?.len();
        file.seek(SeekFrom::Start(offset)).map_err(failed())?;
        let length = length.min(total.saturating_sub(offset));
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(length).read_to_end(&mut bytes).map_err(failed())?;
        return Ok(bytes);
    }
    let total = file.metadata().map_err(failed())?.len();
    within(limits().input_bytes, "input_bytes", total, &path.display().to_string())?;
    let mut packed = Vec::new();
    file.take(limits().input_bytes).read_to_end(&mut packed).map_err(failed())?;
    let at = if packed.get(128..132) == Some(b"DICM") { 132 } else { 0 };
    let place = Parser::new(&packed, packed.len() as u64, at, Coding::EXPLICIT).meta(&mut Dataset::default());
    let place = place.map_err(|_| Error::format("DICOM file", path, "its meta header is broken"))?;
    let mut data = inflate(&packed[place..], path)?;
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
    data.drain(..start);
    data.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    Ok(data)
}
