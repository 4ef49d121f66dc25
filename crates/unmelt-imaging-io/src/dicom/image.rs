//! What a file says of its samples, checked against the bytes that are there before any of them is read.

use std::path::{Path, PathBuf};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::files::unpacked_bound;

use super::file::Opened;
use super::parse::PixelPlace;
use super::tags::{count, text};
use crate::{Error, Result};

/// Samples of a file: how many, how written, where.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub path: PathBuf,
    /// Transfer syntax UID.
    pub syntax: String,
    /// Columns and rows.
    pub size: [usize; 2],
    pub frames: usize,
    pub samples: Samples,
    /// Whether the lowest number is to be shown white.
    pub inverted: bool,
    pub place: PixelPlace,
}

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Samples {
    /// Whole numbers.
    Integers { allocated: u32, stored: u32, high: u32, signed: bool },
    /// Single precision.
    Floats,
    /// Double precision.
    Doubles,
}

impl Samples {
    pub fn bytes(self) -> usize {
        match self {
            Self::Integers { allocated, .. } => allocated as usize / 8,
            Self::Floats => 4,
            Self::Doubles => 8,
        }
    }
}

pub(super) fn fault(path: &Path, text: impl Into<String>) -> Error {
    Error::format("DICOM file", path, text)
}

impl Image {
    /// The image of a file; an error says what about it cannot be read.
    pub fn of(opened: &Opened, path: &Path) -> Result<Self> {
        let fail = |text: String| fault(path, text);
        let get = |tag| count(&opened.set, tag).map_err(fail);
        let (rows, columns) = (get(tags::ROWS)?, get(tags::COLUMNS)?);
        let (Some(rows), Some(columns)) = (rows, columns) else {
            return Err(fault(path, "it has no image, or is cut off before it"));
        };
        if rows == 0 || columns == 0 {
            return Err(fail(format!(
                "its image has {rows} rows and {columns} columns, so there is nothing to read; leave it out"
            )));
        }
        let Some(place) = opened.pixels else {
            return Err(fault(path, "it has no pixel data: it may be cut off"));
        };
        let frames = get(tags::NUMBER_OF_FRAMES)?.unwrap_or(1).max(1);
        let samples = samples(opened, place, path)?;
        let voxels = rows.saturating_mul(columns).saturating_mul(frames);
        let needed = voxels.saturating_mul(samples.bytes() as u64);
        let there = opened.length.saturating_sub(place.offset);
        match place.length {
            Some(_)
                if opened.syntax.starts_with("1.2.840.10008.1.2.4.")
                    || opened.syntax == "1.2.840.10008.1.2.5" =>
            {
                return Err(fault(
                    path,
                    "its pixel data are to be compressed by its transfer syntax, and are not",
                ));
            }
            Some(length) if length.min(there) < needed => {
                return Err(fail(format!(
                    "its pixel data are cut off: {} of {needed} bytes are there (frames: {frames}, of {columns} × {rows}); copy the file again from where it came",
                    length.min(there)
                )));
            }
            Some(_) => {}
            None => {
                within(unpacked_bound(opened.length), "unpacked_ratio", needed, &path.display().to_string())?;
            }
        }
        within(limits().frames, "frames", frames, &path.display().to_string())?;
        within(limits().voxels, "voxels", voxels, &path.display().to_string())?;
        let measured = text(&opened.set, tags::MODALITY).is_some_and(|m| m == "CT" || m == "PT");
        let photometric = text(&opened.set, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
        Ok(Self {
            path: path.into(),
            syntax: opened.syntax.clone(),
            size: [columns as usize, rows as usize],
            frames: frames as usize,
            samples,
            // Hounsfield units and activities are what the rescale says, however they are to be shown.
            inverted: photometric == "MONOCHROME1"
                && !measured
                && matches!(samples, Samples::Integers { .. }),
            place,
        })
    }

    /// Samples of a frame.
    pub fn frame_length(&self) -> usize {
        self.size[0] * self.size[1]
    }

    pub fn is_deflated(&self) -> bool {
        self.syntax == "1.2.840.10008.1.2.1.99"
    }

    /// Whether the high byte of a sample comes first in the file.
    pub fn is_big(&self) -> bool {
        matches!(self.syntax.as_str(), "1.2.840.10008.1.2.2" | "1.2.840.113619.5.2")
    }

    /// Whether bytes lie in words whose high byte comes first.
    pub fn has_swapped_bytes(&self) -> bool {
        self.is_big() && self.samples.bytes() == 1 && self.place.vr == VR::OW
    }
}

fn samples(opened: &Opened, place: PixelPlace, path: &Path) -> Result<Samples> {
    match place.tag {
        tags::FLOAT_PIXEL_DATA => return Ok(Samples::Floats),
        tags::DOUBLE_FLOAT_PIXEL_DATA => return Ok(Samples::Doubles),
        _ => {}
    }
    let get = |tag| count(&opened.set, tag).map_err(|text| fault(path, text));
    let allocated = get(tags::BITS_ALLOCATED)?.unwrap_or(16);
    if !matches!(allocated, 8 | 16 | 32) {
        return Err(fault(path, format!("its samples take {allocated} bits, not 8, 16 or 32")));
    }
    let stored = get(tags::BITS_STORED)?.filter(|n| *n > 0).unwrap_or(allocated);
    let high = get(tags::HIGH_BIT)?.unwrap_or(stored - 1);
    if stored > allocated || high >= allocated || high + 1 < stored {
        return Err(fault(
            path,
            format!(
                "its BitsStored {stored} and HighBit {high} do not go together with BitsAllocated {allocated}"
            ),
        ));
    }
    let signed = get(tags::PIXEL_REPRESENTATION)?.unwrap_or(0) == 1;
    let [allocated, stored, high] = [allocated, stored, high].map(|n| n as u32);
    Ok(Samples::Integers { allocated, stored, high, signed })
}
