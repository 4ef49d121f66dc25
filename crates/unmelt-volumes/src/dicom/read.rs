//! Reading a file, a folder or a tree of folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject, OpenFileOptions};

use super::DicomSeries;
use super::frame::{Frame, Samples, fault, frames, sentence};
use super::geometry::{Stack, stack};
use super::tags::{WHITELIST, name_unknown, text};
use crate::volume::make_finite;
use crate::{Error, Orientation, Reading, Result, Source, Volume};

/// Most folders below a folder.
const DEPTH: usize = 16;

/// The files of a series.
#[derive(Default)]
struct Found {
    frames: Vec<Frame>,
    base: Option<InMemDicomObject>,
    modality: String,
    /// Why a file of the series could not be used.
    faults: Vec<Error>,
}

/// Reads the one series of a file or tree, or the one of that SeriesInstanceUID.
pub fn read(path: &Path, series: Option<&str>) -> Result<Reading> {
    let mut found = find(path)?;
    if found.is_empty() {
        return Err(Error::format("DICOM folder", path, "it holds no DICOM image"));
    }
    let uid = choose(&found, series, path)?;
    let Some(chosen) = found.remove(&uid) else {
        return Err(Error::format("DICOM folder", path, "the series is gone"));
    };
    let mut warnings: Vec<String> = Vec::new();
    let skipped = chosen.faults.len();
    if chosen.frames.is_empty()
        && let Some(fault) = chosen.faults.into_iter().next()
    {
        return Err(fault);
    }
    let Stack { frames, grid, blends, warnings: more } = stack(chosen.frames, path)?;
    if skipped > 0 {
        warnings
            .push(format!("{skipped} files of the series have no usable place or pixels and are left out"));
    }
    warnings.extend(more);
    let (images, inverted) = decode(&frames)?;
    if inverted {
        warnings.push(
            "the images are MONOCHROME1: dark and bright are exchanged, so that more signal is brighter"
                .into(),
        );
    }
    let mut voxels = match blends {
        None => images.concat(),
        Some(blends) => {
            let outside = images.iter().flatten().copied().fold(f32::INFINITY, f32::min);
            let shape = [grid.shape[0], grid.shape[1]];
            let slices = blends
                .iter()
                .map(|b| b.slice(b.frames.map(|k| images[k].as_slice()), frames[0].size, shape, outside));
            slices.collect::<Vec<_>>().concat()
        }
    };
    if make_finite(&mut voxels) > 0 {
        warnings.push("some voxels are not finite after the rescale and are taken as 0".into());
    }
    let orientation = Orientation::of(&grid.affine)
        .ok_or_else(|| Error::format("DICOM series", path, "its slices span no volume"))?;
    let voxels = orientation.gather(&voxels, grid.shape);
    let source = DicomSeries {
        modality: chosen.modality,
        uid,
        orientation,
        base: chosen.base.unwrap_or_else(InMemDicomObject::new_empty),
        instances: frames.into_iter().map(|f| f.instance).collect(),
    };
    let volume = Volume { voxels, grid: orientation.to_ras(&grid), source: Source::Dicom(Arc::new(source)) };
    Ok(Reading { volume, warnings })
}

/// All series below a path.
fn find(path: &Path) -> Result<BTreeMap<String, Found>> {
    let alone = !path.is_dir();
    let mut files = Vec::new();
    if alone {
        files.push(path.to_path_buf());
    } else {
        walk(path, DEPTH, &mut files)?;
    }
    let mut series: BTreeMap<String, Found> = BTreeMap::new();
    for file in files {
        let mut object = match OpenFileOptions::new().read_until(tags::PIXEL_DATA).open_file(&file) {
            Ok(object) => object,
            Err(e) if alone => return Err(fault(&file, sentence(&e))),
            // Readmes and directories of disks lie beside images.
            Err(_) => continue,
        };
        name_unknown(&mut object);
        if object.get(tags::ROWS).is_none() && !alone {
            continue;
        }
        let uid = text(&object, tags::SERIES_INSTANCE_UID).unwrap_or_default();
        let entry = series.entry(uid).or_default();
        match frames(&object, &file) {
            Ok(list) => entry.frames.extend(list),
            Err(e) => entry.faults.push(e),
        }
        if entry.base.is_none() {
            entry.base = Some(whitelisted(&object));
            entry.modality = text(&object, tags::MODALITY).unwrap_or_default();
        }
    }
    Ok(series)
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::file("read", folder))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && depth > 0 {
            walk(&path, depth - 1, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn choose(found: &BTreeMap<String, Found>, wanted: Option<&str>, path: &Path) -> Result<String> {
    let lines = || {
        let line = |(uid, f): (&String, &Found)| format!("{uid}  {} {} slices", f.modality, f.frames.len());
        found.iter().map(line).collect::<Vec<_>>()
    };
    match wanted {
        Some(uid) if found.contains_key(uid) => Ok(uid.into()),
        None if found.len() == 1 => Ok(found.keys().next().cloned().unwrap_or_default()),
        _ => Err(Error::SeveralSeries { path: path.into(), series: lines() }),
    }
}

fn whitelisted(object: &DefaultDicomObject) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(WHITELIST.iter().filter_map(|tag| object.get(*tag).cloned()))
}

/// The images of the frames, each file decoded once; and whether any was inverted.
fn decode(frames: &[Frame]) -> Result<(Vec<Vec<f32>>, bool)> {
    let mut images = Vec::with_capacity(frames.len());
    let mut open: Option<(PathBuf, Samples)> = None;
    let mut inverted = false;
    for frame in frames {
        let samples = match open.take() {
            Some((path, samples)) if path == frame.path => samples,
            _ => Samples::read(&frame.path)?,
        };
        inverted |= samples.inverted;
        images.push(samples.frame(frame)?);
        open = Some((frame.path.clone(), samples));
    }
    Ok((images, inverted))
}
