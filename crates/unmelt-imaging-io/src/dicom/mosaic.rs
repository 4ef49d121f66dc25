//! Siemens mosaics: the slices of a volume as tiles of one image.
//!
//! Number and direction of the slices stand in private elements; the conventions are those of nibabel's `MosaicWrapper`.

use std::path::Path;

use nalgebra::Vector3;

use super::dataset::Dataset;
use super::frame::Frame;
use super::image::fault;
use crate::Result;

/// Most entries of a Siemens header.
const ENTRIES: usize = 1024;

/// Whether a Siemens header says that an image holds several slices, as nibabel asks it.
pub(super) fn is_counted(set: &Dataset) -> bool {
    let header = set.private(0x0029, "SIEMENS CSA HEADER", 0x10).unwrap_or_default();
    csa(header, "NumberOfImagesInMosaic").is_some_and(|v| v[0] > 1.0)
}

/// The tiles of a mosaic, whose position is that of the whole image's corner.
pub(super) fn tiles(frame: Frame, set: &Dataset, path: &Path) -> Result<Vec<Frame>> {
    let fail = |text: String| fault(path, text);
    let header = set.private(0x0029, "SIEMENS CSA HEADER", 0x10).unwrap_or_default();
    let stated = set.private(0x0019, "SIEMENS MR HEADER", 0x0A).and_then(small_number);
    let counted = csa(header, "NumberOfImagesInMosaic").and_then(|v| v.first().copied()).map(|v| v as u64);
    let images = match (stated, counted) {
        (None, None) => {
            return Err(fault(
                path,
                "it is a Siemens mosaic (ImageType says so) without the private elements that say how many slices it has, as \
                 after anonymising; export it with them, or as single slices",
            ));
        }
        (Some(a), Some(b)) if a != b => {
            return Err(fail(format!(
                "it is a Siemens mosaic of {a} slices by one private element and of {b} by another; export it as single slices"
            )));
        }
        (a, b) => a.or(b).unwrap_or(0),
    };
    let [columns, rows] = frame.size;
    let refuse = || {
        fault(
            path,
            format!(
                "it is a Siemens mosaic of {images} slices, which an image of {columns} × {rows} cannot hold; export it as single slices"
            ),
        )
    };
    if images == 0 || images > (columns * rows) as u64 {
        return Err(refuse());
    }
    let across = (1..=columns).find(|n| (n * n) as u64 >= images).ok_or_else(refuse)?;
    if !columns.is_multiple_of(across) || !rows.is_multiple_of(across) {
        return Err(refuse());
    }
    let direction = csa(header, "SliceNormalVector").filter(|v| v.len() >= 3).ok_or_else(|| {
        fault(
            path,
            "it is a Siemens mosaic whose header does not say in which direction its slices follow each other \
             (SliceNormalVector); export it with its private elements, or as single slices",
        )
    })?;
    let normal = frame.axes[0].cross(&frame.axes[1]);
    let along = Vector3::new(direction[0], direction[1], direction[2]).dot(&normal);
    if (along.abs() - 1.0).abs() > 1e-3 {
        return Err(fault(
            path,
            "its SliceNormalVector does not stand upright on its ImageOrientationPatient",
        ));
    }
    let distance = frame.between.clone().map_err(fail)?.or(frame.thickness.clone().map_err(fail)?);
    let distance = distance
        .filter(|d| *d > 0.0)
        .ok_or_else(|| fault(path, "its mosaic has neither SpacingBetweenSlices nor SliceThickness"))?;
    let size = frame.size.map(|n| n / across);
    let shift = |a: usize| frame.axes[a] * (frame.spacing[a] * (frame.size[a] - size[a]) as f64 / 2.0);
    let origin = frame.position + shift(0) + shift(1);
    let tile = |k: usize| Frame {
        tile: Some((k % across * size[0], k / across * size[1])),
        position: origin + normal * (along.signum() * distance * k as f64),
        size,
        ..frame.clone()
    };
    Ok((0..images as usize).map(tile).collect())
}

/// What is wrong with the part of a mosaic behind its last tile, which is empty in a right one.
pub(super) fn fault_behind(
    samples: &[f32],
    columns: usize,
    size: [usize; 2],
    tiles: usize,
) -> Option<String> {
    let across = columns / size[0];
    let filled = (tiles..across * across).any(|k| {
        let (x, y) = (k % across * size[0], k / across * size[1]);
        (0..size[1]).any(|r| samples[(y + r) * columns + x..][..size[0]].iter().any(|v| *v != 0.0))
    });
    filled.then(|| {
        format!(
            "its mosaic says that it has {tiles} slices, and its image holds more; export it as single slices"
        )
    })
}

/// A whole number of two or four bytes.
fn small_number(bytes: &[u8]) -> Option<u64> {
    match *bytes {
        [a, b] => Some(u64::from(u16::from_le_bytes([a, b]))),
        [a, b, c, d] => Some(u64::from(u32::from_le_bytes([a, b, c, d]))),
        _ => String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).parse().ok(),
    }
}

/// The numbers of an entry of a Siemens header, of either kind (CSA1, CSA2).
fn csa(header: &[u8], wanted: &str) -> Option<Vec<f64>> {
    let int = |at: usize| Some(i32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let second = header.starts_with(b"SV10");
    let mut at = if second { 8 } else { 0 };
    let entries = usize::try_from(int(at)?).ok().filter(|n| *n <= ENTRIES)?;
    at += 8;
    let mut first_items = 0;
    for entry in 0..entries {
        let name = header.get(at..at + 64)?;
        let name = name.split(|b| *b == 0).next().unwrap_or_default();
        let values = usize::try_from(int(at + 64)?).ok()?;
        let items = usize::try_from(int(at + 76)?).ok()?;
        at += 84;
        if entry == 0 {
            first_items = items as i64;
        }
        let mut found = Vec::new();
        for item in 0..items {
            let length = if second { i64::from(int(at + 4)?) } else { i64::from(int(at)?) - first_items };
            at += 16;
            let Ok(length) = usize::try_from(length) else {
                // The first kind of header ends its lists so.
                break;
            };
            let text = header.get(at..at.checked_add(length)?)?;
            if item < values.max(1) {
                let text = text.split(|b| *b == 0).next().unwrap_or_default();
                found.extend(std::str::from_utf8(text).ok().and_then(|t| t.trim().parse::<f64>().ok()));
            }
            at += length.next_multiple_of(4);
        }
        if name == wanted.as_bytes() {
            return (!found.is_empty() && found.iter().all(|v| v.is_finite())).then_some(found);
        }
    }
    None
}
