//! Images without a place in the patient: radiographs (CR, DX), ultrasound, photographs. They are pictures whose pixels may have a
//! length.

use std::path::Path;
use std::sync::Arc;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_imaging::{Acquisition, Lattice, Orientation, Series};

use super::dataset::Dataset;
use super::file::open;
use super::image::{Image, Samples, fault};
use super::pixels::Pixels;
use super::tags::{array, count, number, text};
use crate::finite::make_finite;
use crate::picture::{Depth, PictureKind, PictureSource, stored_grid};
use crate::scan_series::{ScanSeries, SeriesReading};
use crate::{Result, Source};

/// Reads the image of a file that has no place in the patient, gray or red, green and blue; its frames are those of a series.
pub(super) fn read(path: &Path) -> Result<SeriesReading> {
    let opened = open(path)?;
    let set = &opened.set;
    let fail = |text: String| fault(path, text);
    if let Some(text) = &opened.fault {
        return Err(fault(path, text));
    }
    let channels = channels(set, path)?;
    let mut image = Image::of(&opened, path)?;
    let [columns, rows] = image.size;
    if channels == 3 {
        let eight = matches!(image.samples, Samples::Integers { allocated: 8, stored: 8, .. });
        let Some(length) = image.place.length.filter(|_| eight) else {
            let text = "its colours are compressed or have other than 8 bits; decompress it first, as by gdcmconv --raw";
            return Err(fault(path, text));
        };
        image.size[0] *= 3;
        let needed = (image.frame_length() * image.frames) as u64;
        if length.min(opened.length.saturating_sub(image.place.offset)) < needed {
            return Err(fault(path, "its pixel data are cut off"));
        }
        within(limits().voxels, "voxels", needed, &path.display().to_string())?;
    }
    let slope = number(set, tags::RESCALE_SLOPE).map_err(fail)?.filter(|s| *s != 0.0).unwrap_or(1.0);
    let intercept = number(set, tags::RESCALE_INTERCEPT).map_err(fail)?.unwrap_or(0.0);
    let spacing = spacing(set).map_err(fail)?;
    let planar = count(set, tags::PLANAR_CONFIGURATION).map_err(fail)? == Some(1);
    let orientation = Orientation { axes: [0, 1, 2], flips: [true, true, false] };
    let stored = stored_grid([columns, rows], spacing.unwrap_or([1.0; 2]));
    let mut values = Vec::with_capacity(image.frame_length() * image.frames);
    let pixels = Pixels::open(&image)?;
    for frame in 0..image.frames {
        let samples = pixels.frame(frame)?;
        for channel in 0..channels {
            let value = |v: &f32| (f64::from(*v) * slope + intercept) as f32;
            let plane: Vec<f32> = match planar {
                true => samples[channel * columns * rows..][..columns * rows].iter().map(value).collect(),
                false => samples.iter().skip(channel).step_by(channels).map(value).collect(),
            };
            values.extend(orientation.gather(&plane, stored.shape));
        }
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut warnings = Vec::new();
    if make_finite(&mut values) > 0 {
        warnings.push(format!("some values of {name} are not finite and are taken as 0"));
    }
    if image.inverted {
        warnings.push(format!(
            "{name} is MONOCHROME1: dark and bright are exchanged, so that more signal is brighter"
        ));
    }
    let length = match spacing {
        Some(_) => "",
        None => ", and a pixel is taken to be 1 mm long",
    };
    warnings.push(format!("{name} has no place in the patient: it is read as a picture{length}"));
    let grid = orientation.to_ras(&stored);
    let frame_step =
        number(set, tags::FRAME_TIME).ok().flatten().filter(|t| *t > 0.0).map_or(0.0, |t| t * 1e-3);
    let lattice = Lattice { grid, channels, frames: image.frames, frame_step };
    let modality = text(set, tags::MODALITY).unwrap_or_default();
    let acquisition = Acquisition { orientation, modality, ..Acquisition::default() };
    let series = Series::new(values, lattice).acquired(acquisition);
    let source =
        PictureSource { kind: PictureKind::Dicom, depth: depth(&image, slope, intercept), path: path.into() };
    Ok(SeriesReading { scan: ScanSeries { series, source: Source::Picture(Arc::new(source)) }, warnings })
}

/// Whether the image of a file says nowhere where it lies in the patient.
pub(super) fn is_placeless(path: &Path) -> bool {
    let Ok(opened) = open(path) else { return false };
    let set = &opened.set;
    opened.fault.is_none()
        && super::frames::has_image(&opened)
        && [
            tags::IMAGE_POSITION_PATIENT,
            tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
            tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
        ]
        .iter()
        .all(|tag| set.get(*tag).is_none())
}

/// 1 for gray, 3 for red, green and blue.
fn channels(set: &Dataset, path: &Path) -> Result<usize> {
    let photometric = text(set, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
    let samples = count(set, tags::SAMPLES_PER_PIXEL).map_err(|text| fault(path, text))?.unwrap_or(1);
    match (photometric.as_str(), samples) {
        ("" | "MONOCHROME1" | "MONOCHROME2", 1) => Ok(1),
        ("RGB", 3) => Ok(3),
        (other, _) => {
            let shown: String = other.chars().take(32).collect();
            let shown = unmelt_diffusion::files::plain(&shown);
            Err(fault(path, format!("its pixels are of {shown}; gray and RGB are what can be read")))
        }
    }
}

/// Millimetres between columns and between rows, where the image says them: at the patient, at the detector, of an ultrasound region.
fn spacing(set: &Dataset) -> std::result::Result<Option<[f64; 2]>, String> {
    let pair = |tag: Tag| Ok::<_, String>(array::<2>(set, tag)?.map(|[rows, columns]| [columns, rows]));
    let lengths = [
        pair(tags::PIXEL_SPACING)?,
        pair(tags::IMAGER_PIXEL_SPACING)?,
        pair(tags::NOMINAL_SCANNED_PIXEL_SPACING)?,
        of_ultrasound(set),
    ];
    let possible = |lengths: &[f64; 2]| lengths.iter().all(|l| *l > 1e-6 && *l < 1e3);
    Ok(lengths.into_iter().flatten().find(possible))
}

/// Of the first region of an ultrasound image whose units are centimetres.
fn of_ultrasound(set: &Dataset) -> Option<[f64; 2]> {
    let region = set.item(tags::SEQUENCE_OF_ULTRASOUND_REGIONS, 0)?;
    let value = |tag| number(region, tag).ok().flatten();
    let centimetres = |tag| value(tag) == Some(3.0);
    if !centimetres(tags::PHYSICAL_UNITS_X_DIRECTION) || !centimetres(tags::PHYSICAL_UNITS_Y_DIRECTION) {
        return None;
    }
    Some([10.0 * value(tags::PHYSICAL_DELTA_X)?.abs(), 10.0 * value(tags::PHYSICAL_DELTA_Y)?.abs()])
}

/// How exactly the values are stored.
fn depth(image: &Image, slope: f64, intercept: f64) -> Depth {
    match image.samples {
        Samples::Integers { stored, signed: false, .. } if slope == 1.0 && intercept == 0.0 => {
            if stored <= 8 { Depth::Eight } else { Depth::Sixteen }
        }
        _ => Depth::Float,
    }
}
