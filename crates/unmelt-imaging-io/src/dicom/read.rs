//! Reading a file, a folder or a tree of folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dicom_dictionary_std::tags;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_imaging::{Acquisition, Orientation, Series, SliceGeometry, Volume};

use super::DicomSeries;
use super::dataset::Dataset;
use super::file::{Opened, begins_as_dicom, open};
use super::flat;
use super::frame::Frame;
use super::frames::{frames, has_image, other_kind, slope_name};
use super::geometry::{Stack, stack};
use super::image::fault;
use super::mosaic;
use super::pet;
use super::pixels::{Pixels, rescaled};
use super::place::file;
use super::series::{Group, Problem, choose, groups, times};
use super::source::SourceSlice;
use super::tags::{WHITELIST, number, number_name, text};
use crate::finite::make_finite;
use crate::scan_series::{ScanSeries, SeriesReading};
use crate::{Choice, Error, Reading, Result, Scan, Source};

/// Most folders below a folder.
const DEPTH: usize = 16;

/// Reads the one series of a file or tree; of several the one that `series` names: its number in the list, or its
/// SeriesInstanceUID.
pub fn read(path: &Path, series: Option<&str>) -> Result<Reading> {
    let mut found = find(path)?;
    if found.is_empty() {
        return Err(Error::format("DICOM folder", path, "it holds no DICOM image"));
    }
    let (group, warnings) = choose(&mut found, series, path)?;
    assembled(group, warnings, path)
}

/// Reads the same with all its times as frames, and images that have no place in the patient as pictures.
///
/// # Errors
/// What [`read`] finds, and a choice that DICOM does not have.
pub fn read_series(path: &Path, choice: &Choice) -> Result<SeriesReading> {
    if choice.force {
        return Err(no_choice(path, "is DICOM, which has no checksum that could be passed over"));
    }
    if choice.index.is_some() {
        let why = "is DICOM, and an index chooses among the volumes of a 4D NIfTI file";
        return Err(no_choice(path, why));
    }
    if let Some(file) = alone(path)
        && choice.series.is_none()
        && flat::is_placeless(&file)
    {
        return flat::read(&file);
    }
    let mut found = find(path)?;
    if found.is_empty() {
        return Err(Error::format("DICOM folder", path, "it holds no DICOM image"));
    }
    let times = if choice.series.is_none() { times(&mut found) } else { None };
    let Some(times) = times else {
        let (group, warnings) = choose(&mut found, choice.series.as_deref(), path)?;
        let Reading { scan, warnings } = assembled(group, warnings, path)?;
        return Ok(SeriesReading { scan: ScanSeries::of(scan), warnings });
    };
    let (mut volumes, mut warnings, mut source): (Vec<Volume>, Vec<String>, _) =
        (Vec::new(), Vec::new(), None);
    let mut voxels = 0;
    for mut group in times {
        let said = std::mem::take(&mut group.warnings);
        let Reading { scan, warnings: more } = assembled(group, said, path)?;
        for text in more.into_iter().filter(|text| !warnings.contains(text)).collect::<Vec<_>>() {
            warnings.push(text);
        }
        voxels += scan.volume.voxels.len() as u64;
        within(limits().voxels, "voxels", voxels, &format!("voxels of {}", path.display()))?;
        if let Some(first) = volumes.first()
            && !first.grid.same_as(&scan.volume.grid)
        {
            let text = "the volumes of its times lie at different places, so they make no series; choose one of them";
            return Err(Error::format("DICOM series", path, text));
        }
        let grid = volumes.first().map_or(scan.volume.grid, |v: &Volume| v.grid);
        volumes.push(Volume { grid, ..scan.volume });
        source.get_or_insert(scan.source);
    }
    let series = Series::joined(volumes, 1, 0.0);
    let source = source.unwrap_or(Source::Memory);
    Ok(SeriesReading { scan: ScanSeries { series, source }, warnings })
}

/// A choice that DICOM does not have.
fn no_choice(path: &Path, why: &str) -> Error {
    Error::Request(format!("{} {why}", path.display()))
}

/// The file itself, or the only one of a folder.
fn alone(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.into());
    }
    let mut files = std::fs::read_dir(path).ok()?.filter_map(|e| e.ok().map(|e| e.path()));
    let only = files.next().filter(|p| p.is_file())?;
    files.next().is_none().then_some(only)
}

/// The volume of a group.
fn assembled(group: Group, mut warnings: Vec<String>, path: &Path) -> Result<Reading> {
    let Group { frames, kind, .. } = group;
    let stacked = stack(frames, path).map_err(|error| match (error, warnings.first()) {
        // What was left out may be what is missing.
        (Error::Format { kind, path, fault }, Some(said)) => {
            Error::Format { kind, path, fault: format!("{fault} ({said})") }
        }
        (error, _) => error,
    });
    let Stack { frames, grid, blends, warnings: more } = stacked?;
    warnings.extend(more);
    if let Some(first) = frames.iter().find(|f| f.no_slope) {
        let (name, file) = (slope_name(), file(first, path));
        let count = frames.iter().filter(|f| f.no_slope).count();
        warnings.push(format!("{name} is 0 or empty in {count} slices and taken for 1; the first: {file}"));
    }
    let images = decode(&frames)?;
    if frames.iter().any(|f| f.image.inverted) {
        warnings.push(
            "the images are MONOCHROME1: dark and bright are exchanged, so that more signal is brighter"
                .into(),
        );
    }
    let mut voxels = match &blends {
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
    let (file, root) = first_of(&frames)?;
    let mut base = root.only(WHITELIST);
    if pet::is_pet(&kind.modality) {
        base.put_all(&pet::of_series(&root));
    }
    let source = DicomSeries {
        modality: code(&kind.modality),
        uid: kind.uid,
        base,
        sources: frames.iter().map(SourceSlice::of).collect(),
        normal: frames[0].axes[0].cross(&frames[0].axes[1]),
        thickness: frames[0].thickness.clone().ok().flatten().filter(|t| *t > 0.0),
        distance: grid.spacing()[2],
        window: window(&root),
        file: Some(file),
        path: path.into(),
        record: super::write::record(&root),
    };
    let along = orientation.axes.iter().position(|stored| *stored == 2);
    let slices = along.zip(source.thickness).map(|(axis, thickness)| SliceGeometry {
        axis,
        thickness,
        distance: source.distance,
    });
    let acquisition =
        Acquisition { orientation, modality: source.modality.clone(), slices, ..Acquisition::default() };
    let volume = Volume { voxels, grid: orientation.to_ras(&grid), acquisition };
    Ok(Reading { scan: Scan { volume, source: Source::Dicom(Arc::new(source)) }, warnings })
}

/// The first of the files by name, and its header.
fn first_of(frames: &[Frame]) -> Result<(PathBuf, Dataset)> {
    let path = frames.iter().map(|f| &f.image.path).min().cloned().unwrap_or_default();
    let set = open(&path)?.set;
    Ok((path, set))
}

/// Centre and width of the first window.
fn window(set: &Dataset) -> Option<[f64; 2]> {
    let centre = number(set, tags::WINDOW_CENTER).ok()??;
    let width = number(set, tags::WINDOW_WIDTH).ok()?.filter(|w| *w >= 1.0)?;
    Some([centre, width])
}

/// A code string without what none may hold.
fn code(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | ' '))
        .take(16)
        .collect()
}

/// All series below a path, in groups.
fn find(path: &Path) -> Result<Vec<Group>> {
    let alone = !path.is_dir();
    let mut files = Vec::new();
    if alone {
        files.push(path.to_path_buf());
    } else {
        walk(path, DEPTH, &mut BTreeSet::new(), &mut files)?;
    }
    let mut all = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let opened = match open(&file) {
            Ok(opened) => opened,
            Err(e) if alone => return Err(e),
            Err(_) if !is_meant_for_dicom(&file) => continue,
            Err(error) => {
                problems.push(Problem { series: None, error, other_kind: false });
                continue;
            }
        };
        // Directories of discs, reports and plans lie beside images.
        if !alone && opened.fault.is_none() && !has_image(&opened) {
            continue;
        }
        match one(&opened, &file) {
            Ok(list) => all.extend(list),
            Err(problem) if alone => return Err(problem.error),
            Err(problem) => problems.push(*problem),
        }
        within(limits().frames, "frames", all.len() as u64, &path.display().to_string())?;
    }
    groups(all, problems, path)
}

/// The frames of a file that was opened.
fn one(opened: &Opened, path: &Path) -> std::result::Result<Vec<Frame>, Box<Problem>> {
    let known = opened.set.get(tags::SERIES_INSTANCE_UID).is_some();
    let get = |tag| text(&opened.set, tag).unwrap_or_default();
    let number = || number_name(&opened.set, tags::SERIES_NUMBER);
    let series = known.then(|| [get(tags::SERIES_INSTANCE_UID), number()]);
    if let Some(text) = other_kind(opened) {
        return Err(Box::new(Problem { series, error: fault(path, text), other_kind: true }));
    }
    if let Some(text) = &opened.fault {
        return Err(Box::new(Problem { series, error: fault(path, text), other_kind: false }));
    }
    frames(opened, path).map_err(|error| {
        // Pictures of a screen have no place in the patient, and belong to no volume.
        let class = text(&opened.set, tags::SOP_CLASS_UID).unwrap_or_default();
        let other_kind = class.starts_with("1.2.840.10008.5.1.4.1.1.7")
            && opened.set.get(tags::IMAGE_POSITION_PATIENT).is_none();
        Box::new(Problem { series, error, other_kind })
    })
}

/// Whether a file of a folder says that it is DICOM, by its beginning or its name.
fn is_meant_for_dicom(path: &Path) -> bool {
    // Copies from Macs bring files of their own along.
    let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("._"));
    !hidden && super::is_dicom(path)
}

/// Whether the beginning of a file is DICOM's.
pub(super) fn has_beginning(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(132).read_to_end(&mut start));
    read.is_ok() && begins_as_dicom(&start)
}

fn walk(folder: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, files: &mut Vec<PathBuf>) -> Result<()> {
    // Links may lead back to a folder above.
    if !std::fs::canonicalize(folder).is_ok_and(|real| seen.insert(real)) {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).map_err(Error::file("read", folder))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && depth > 0 {
            walk(&path, depth - 1, seen, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// The images of the frames, each file read once.
fn decode(frames: &[Frame]) -> Result<Vec<Vec<f32>>> {
    let mut order: Vec<usize> = (0..frames.len()).collect();
    order.sort_by(|a, b| {
        let key = |k: &usize| (&frames[*k].image.path, frames[*k].index);
        key(a).cmp(&key(b))
    });
    let mut images = vec![Vec::new(); frames.len()];
    let mut open: Option<Pixels> = None;
    let mut samples: (u32, Vec<f32>) = (0, Vec::new());
    for k in order {
        let frame = &frames[k];
        let is_open = open.as_ref().is_some_and(|p| p.path() == frame.image.path);
        let pixels = match open.take() {
            Some(pixels) if is_open => pixels,
            _ => Pixels::open(&frame.image)?,
        };
        // The tiles of a mosaic are cut from one image.
        if !is_open || samples.0 != frame.index {
            samples = (frame.index, pixels.frame(frame.index as usize)?);
            if frame.tile.is_some() && !frame.image.inverted {
                let of_it = frames.iter().filter(|f| f.image.path == frame.image.path).count();
                if let Some(text) = mosaic::fault_behind(&samples.1, frame.image.size[0], frame.size, of_it) {
                    return Err(fault(&frame.image.path, text));
                }
            }
        }
        images[k] = rescaled(frame, &samples.1);
        open = Some(pixels);
    }
    Ok(images)
}
