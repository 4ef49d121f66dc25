//! One frame: where it lies, how its samples become values, and what it belongs together with.

use std::path::Path;
use std::sync::Arc;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use nalgebra::Vector3;

use super::dataset::{Dataset, name};
use super::file::Opened;
use super::frame::{Frame, Kind, Moment};
use super::image::{Image, fault};
use super::mosaic;
use super::pet;
use super::tags::{array, count, number, number_name, text};
use crate::Result;

/// No patient is farther than this from the scanner's origin, in mm.
const FARTHEST: f64 = 1e6;

/// The frames of a file, from its header.
pub(super) fn frames(opened: &Opened, path: &Path) -> Result<Vec<Frame>> {
    let fail = |text: String| fault(path, text);
    let root = &opened.set;
    let image = Arc::new(Image::of(opened, path)?);
    let own_items = root.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    if own_items > image.frames || image.frames > 1 && own_items < image.frames {
        return Err(match own_items {
            0 => fail(format!(
                "its {} frames have no places of their own, so they make no volume",
                image.frames
            )),
            n => fail(format!(
                "its NumberOfFrames is {}, and {n} frames have places of their own",
                image.frames
            )),
        });
    }
    let uid = |tag, meta: usize| text(root, tag).unwrap_or_else(|| opened.meta[meta].clone());
    let instance = Arc::new([uid(tags::SOP_CLASS_UID, 0), uid(tags::SOP_INSTANCE_UID, 1)]);
    let is_pet = text(root, tags::MODALITY).is_some_and(|m| pet::is_pet(&m));
    let of_slice = Arc::new(if is_pet { pet::of_slice(root) } else { Dataset::default() });
    let shared = root.item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0);
    let mut all = Vec::with_capacity(image.frames);
    for index in 0..image.frames {
        let own = root.item(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, index);
        let groups = Groups { own, shared, root };
        let place = place(&groups, path)?;
        let (slope, no_slope) = slope(&groups).map_err(fail)?;
        let measures = |tag| groups.value(tags::PIXEL_MEASURES_SEQUENCE, tag);
        all.push(Frame {
            image: image.clone(),
            index: index as u32,
            tile: None,
            position: place.position,
            axes: place.axes,
            spacing: place.spacing,
            size: image.size,
            thickness: measures(tags::SLICE_THICKNESS),
            between: measures(tags::SPACING_BETWEEN_SLICES).map(|v| v.map(f64::abs)),
            slope,
            intercept: groups
                .value(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_INTERCEPT)
                .map_err(fail)?
                .unwrap_or(0.0),
            no_slope,
            instance: instance.clone(),
            kind: Arc::new(kind(&groups)),
            echo: echo(&groups),
            moment: Arc::new(moment(&groups, index)),
            own: of_slice.clone(),
        });
    }
    let is_mosaic = text(root, tags::IMAGE_TYPE).is_some_and(|t| t.split('\\').any(|v| v.trim() == "MOSAIC"));
    if (is_mosaic || mosaic::is_counted(root)) && own_items == 0 {
        return mosaic::tiles(all.remove(0), root, path);
    }
    Ok(all)
}

/// Where a frame lies.
struct Place {
    position: Vector3<f64>,
    axes: [Vector3<f64>; 2],
    spacing: [f64; 2],
}

fn place(groups: &Groups, path: &Path) -> Result<Place> {
    let fail = |text: String| fault(path, text);
    let missing =
        |what: &str| fault(path, format!("it has no {what}, so its place in the patient is unknown"));
    let position = groups
        .array::<3>(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT)
        .map_err(fail)?
        .ok_or_else(|| missing("ImagePositionPatient"))?;
    let [a, b, c, d, e, f] = groups
        .array::<6>(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT)
        .map_err(fail)?
        .ok_or_else(|| missing("ImageOrientationPatient"))?;
    let [between_rows, between_columns] = groups
        .array::<2>(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING)
        .map_err(fail)?
        .ok_or_else(|| missing("PixelSpacing"))?;
    let axes = [Vector3::new(a, b, c), Vector3::new(d, e, f)];
    let unit = |v: &Vector3<f64>| (v.norm() - 1.0).abs() <= 1e-2;
    if !axes.iter().all(unit) || axes[0].dot(&axes[1]).abs() > 1e-2 {
        return Err(fault(path, "its ImageOrientationPatient is no pair of perpendicular directions"));
    }
    if !(between_rows > 0.0 && between_columns > 0.0 && between_rows.max(between_columns) < FARTHEST) {
        return Err(fail(format!(
            "its PixelSpacing is {between_rows} and {between_columns} mm, which cannot be"
        )));
    }
    if position.iter().any(|v| v.abs() > FARTHEST) {
        let [x, y, z] = position;
        return Err(fail(format!(
            "its ImagePositionPatient is {x:e}, {y:e}, {z:e} mm, which no patient reaches; correct it or leave the file out"
        )));
    }
    Ok(Place {
        position: Vector3::from(position),
        axes: axes.map(|v| v.normalize()),
        spacing: [between_columns, between_rows],
    })
}

/// The slope of the rescale, and whether what stood there was empty or 0 and is taken for 1. A table in its place is an error.
fn slope(groups: &Groups) -> std::result::Result<(f64, bool), String> {
    if groups.root.items(tags::MODALITY_LUT_SEQUENCE) > 0 {
        let name = name(tags::MODALITY_LUT_SEQUENCE);
        return Err(format!(
            "its values come from a table, {name}, and only slopes and intercepts are read; convert it to RescaleSlope first"
        ));
    }
    let sequence = tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE;
    match groups.value(sequence, tags::RESCALE_SLOPE)? {
        Some(slope) if slope != 0.0 => Ok((slope, false)),
        Some(_) => Ok((1.0, true)),
        None => Ok((1.0, groups.places(sequence).any(|place| place.get(tags::RESCALE_SLOPE).is_some()))),
    }
}

fn echo(groups: &Groups) -> f64 {
    let root = || number(groups.root, tags::ECHO_TIME).ok().flatten();
    groups
        .value(tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME)
        .ok()
        .flatten()
        .or_else(root)
        .unwrap_or(0.0)
}

fn kind(groups: &Groups) -> Kind {
    let get = |tag| text(groups.root, tag).unwrap_or_default();
    let inner = |sequence, tag| groups.text(sequence, tag);
    let mut image = [
        tags::MR_IMAGE_FRAME_TYPE_SEQUENCE,
        tags::CT_IMAGE_FRAME_TYPE_SEQUENCE,
        tags::PET_FRAME_TYPE_SEQUENCE,
    ]
    .into_iter()
    .find_map(|sequence| inner(sequence, tags::FRAME_TYPE))
    .unwrap_or_else(|| get(tags::IMAGE_TYPE));
    let component = inner(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::COMPLEX_IMAGE_COMPONENT)
        .or_else(|| text(groups.root, tags::COMPLEX_IMAGE_COMPONENT));
    if let Some(component) = component {
        image = format!("{image}\\{component}");
    }
    Kind {
        study: get(tags::STUDY_INSTANCE_UID),
        uid: get(tags::SERIES_INSTANCE_UID),
        number: number_name(groups.root, tags::SERIES_NUMBER),
        modality: get(tags::MODALITY),
        image,
        echo: number_name(groups.root, tags::ECHO_NUMBERS),
    }
}

fn moment(groups: &Groups, index: usize) -> Moment {
    let root = |tag| text(groups.root, tag).unwrap_or_default();
    let content = tags::FRAME_CONTENT_SEQUENCE;
    let inner = |sequence, tag| groups.text(sequence, tag).unwrap_or_else(|| root(tag));
    let time = |date, time| format!("{} {}", root(date), root(time));
    let number = number(groups.root, tags::INSTANCE_NUMBER).ok().flatten().unwrap_or(f64::INFINITY);
    Moment {
        marks: [
            groups.number_text(content, tags::TEMPORAL_POSITION_INDEX),
            root(tags::TEMPORAL_POSITION_IDENTIFIER),
            groups.number_text(tags::MR_DIFFUSION_SEQUENCE, tags::DIFFUSION_B_VALUE),
            root(tags::ACQUISITION_NUMBER),
            inner(content, tags::FRAME_ACQUISITION_DATE_TIME),
            time(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME),
        ],
        number: number + index as f64,
    }
}

/// A frame's own functional groups, those of all frames, and the tags of a classic image.
struct Groups<'a> {
    own: Option<&'a Dataset>,
    shared: Option<&'a Dataset>,
    root: &'a Dataset,
}

impl Groups<'_> {
    fn places(&self, sequence: Tag) -> impl Iterator<Item = &Dataset> {
        let inner = [self.own, self.shared].into_iter().flatten();
        inner.filter_map(move |g| g.item(sequence, 0)).chain([self.root])
    }

    fn array<const N: usize>(
        &self,
        sequence: Tag,
        tag: Tag,
    ) -> std::result::Result<Option<[f64; N]>, String> {
        for place in self.places(sequence) {
            if let Some(found) = array(place, tag)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn value(&self, sequence: Tag, tag: Tag) -> std::result::Result<Option<f64>, String> {
        for place in self.places(sequence) {
            if let Some(found) = number(place, tag)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn text(&self, sequence: Tag, tag: Tag) -> Option<String> {
        let inner = [self.own, self.shared].into_iter().flatten();
        inner.filter_map(move |g| g.item(sequence, 0)).find_map(|g| text(g, tag))
    }

    /// A number as text that sorts as the number does.
    fn number_text(&self, sequence: Tag, tag: Tag) -> String {
        self.value(sequence, tag).ok().flatten().map(|v| format!("{v:020.6}")).unwrap_or_default()
    }
}

/// What a file holds that is no scalar image of a patient, by its name; none where it may be one.
pub(super) fn other_kind(opened: &Opened) -> Option<String> {
    let set = &opened.set;
    let class = text(set, tags::SOP_CLASS_UID).unwrap_or_else(|| opened.meta[0].clone());
    let modality = text(set, tags::MODALITY).unwrap_or_default();
    let named = match (class.as_str(), modality.as_str()) {
        ("1.2.840.10008.1.3.10", _) => "a DICOMDIR, the directory of a disc; name the folder that it lies in",
        ("1.2.840.10008.5.1.4.1.1.66.4" | "1.2.840.10008.5.1.4.1.1.66.7", _) | (_, "SEG") => {
            "a segmentation (SEG), and scans are what can be read"
        }
        ("1.2.840.10008.5.1.4.1.1.481.2", _) | (_, "RTDOSE") => {
            "an RT dose (RTDOSE), and scans are what can be read"
        }
        ("1.2.840.10008.5.1.4.1.1.20", _) | (_, "NM") => {
            "a nuclear medicine image (NM, SPECT), whose slices have no places of their own"
        }
        (_, "RTSTRUCT" | "RTPLAN" | "RTRECORD" | "RTIMAGE" | "REG" | "SR" | "PR" | "KO" | "DOC" | "ECG") => {
            return Some(format!("it is of modality {modality}, and scans are what can be read"));
        }
        _ => {
            let photometric = text(set, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
            let samples = count(set, tags::SAMPLES_PER_PIXEL).ok().flatten().unwrap_or(1);
            let grey = matches!(photometric.as_str(), "" | "MONOCHROME1" | "MONOCHROME2");
            if grey && samples == 1 {
                return None;
            }
            let shown: String = photometric.chars().take(32).collect();
            let shown = unmelt_diffusion::files::plain(&shown);
            return Some(format!("its pixels are colours ({shown}); scalar images are what can be read"));
        }
    };
    Some(format!("it is {named}"))
}

/// Whether a file has an image, or was meant to have one by its SOP class: reports and plans have none.
pub(super) fn has_image(opened: &Opened) -> bool {
    let class = text(&opened.set, tags::SOP_CLASS_UID).unwrap_or_else(|| opened.meta[0].clone());
    let of_images = class.strip_prefix("1.2.840.10008.5.1.4.1.1.").is_some_and(|rest| {
        let first = rest.split('.').next().unwrap_or_default();
        rest != "4.2"
            && matches!(
                first,
                "1" | "2" | "3" | "4" | "5" | "6" | "7" | "12" | "20" | "30" | "77" | "128" | "130"
            )
    });
    opened.pixels.is_some() || opened.set.get(tags::ROWS).is_some() || of_images
}

/// "RescaleSlope (0028,1053)", for warnings.
pub(super) fn slope_name() -> String {
    name(tags::RESCALE_SLOPE)
}
