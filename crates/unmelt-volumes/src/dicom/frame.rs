//! One frame: where it lies and how its samples become values.

use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject};
use dicom_pixeldata::{DecodedPixelData, PhotometricInterpretation, PixelDecoder, PixelRepresentation};
use nalgebra::Vector3;

use super::tags::{array, item, name_unknown, number, text};
use crate::{Error, Result};

/// Siemens' NumberOfImagesInMosaic.
const MOSAIC_IMAGES: Tag = Tag(0x0019, 0x100A);

/// A slice that can be read: geometry in LPS mm.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub path: PathBuf,
    /// Number of the frame within its file.
    pub index: u32,
    /// Number of the tile within a mosaic.
    pub tile: Option<(usize, usize)>,
    /// Centre of the first voxel.
    pub position: Vector3<f64>,
    /// Direction along a row, and along a column.
    pub axes: [Vector3<f64>; 2],
    /// Distance between columns, and between rows.
    pub spacing: [f64; 2],
    /// Columns and rows.
    pub size: [usize; 2],
    pub slope: f64,
    pub intercept: f64,
    pub number: i64,
    /// SOP class and instance.
    pub instance: [String; 2],
}

pub(super) fn fault(path: &Path, text: impl Into<String>) -> Error {
    Error::format("DICOM file", path, text)
}

/// The frames of a file, from its header.
pub(super) fn frames(object: &DefaultDicomObject, path: &Path) -> Result<Vec<Frame>> {
    let fail = |text: String| fault(path, text);
    let get = |tag| number(object, tag).map_err(fail);
    let (Some(rows), Some(columns)) = (get(tags::ROWS)?, get(tags::COLUMNS)?) else {
        return Err(fault(path, "it has no pixel data"));
    };
    if get(tags::SAMPLES_PER_PIXEL)?.unwrap_or(1.0) != 1.0 {
        return Err(fault(path, "its pixels are colours; scalar images are what can be read"));
    }
    let instance = [
        text(object, tags::SOP_CLASS_UID)
            .unwrap_or_else(|| clean(object.meta().media_storage_sop_class_uid())),
        text(object, tags::SOP_INSTANCE_UID)
            .unwrap_or_else(|| clean(object.meta().media_storage_sop_instance_uid())),
    ];
    let count = get(tags::NUMBER_OF_FRAMES)?.unwrap_or(1.0).max(1.0) as usize;
    let shared = item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0);
    let mut all = Vec::new();
    for index in 0..count.min(100_000) {
        let own = item(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, index);
        let groups = Groups { own, shared, root: object };
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
        if axes.iter().any(|v| (v.norm() - 1.0).abs() > 1e-2) || axes[0].dot(&axes[1]).abs() > 1e-2 {
            return Err(fault(path, "its ImageOrientationPatient is no pair of perpendicular directions"));
        }
        if !(between_rows > 0.0 && between_columns > 0.0) {
            return Err(fault(path, "its PixelSpacing is not above 0"));
        }
        let transform = |tag| groups.value(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tag).map_err(fail);
        all.push(Frame {
            path: path.into(),
            index: index as u32,
            tile: None,
            position: Vector3::from(position),
            axes: axes.map(|v| v.normalize()),
            spacing: [between_columns, between_rows],
            size: [columns as usize, rows as usize],
            slope: transform(tags::RESCALE_SLOPE)?.unwrap_or(1.0),
            intercept: transform(tags::RESCALE_INTERCEPT)?.unwrap_or(0.0),
            number: get(tags::INSTANCE_NUMBER)?.unwrap_or(0.0) as i64 + index as i64,
            instance: instance.clone(),
        });
    }
    match mosaic_images(object) {
        Some(images) if all.len() == 1 => {
            tiles(all.remove(0), images, get(tags::SPACING_BETWEEN_SLICES)?, path)
        }
        _ => Ok(all),
    }
}

fn clean(uid: &str) -> String {
    uid.trim_matches(['\0', ' ']).to_string()
}

/// Images of a Siemens mosaic; none if the file is not one.
fn mosaic_images(object: &DefaultDicomObject) -> Option<usize> {
    if !text(object, tags::IMAGE_TYPE)?.contains("MOSAIC") {
        return None;
    }
    let element = object.get(MOSAIC_IMAGES)?;
    let images = match element.to_int::<usize>() {
        Ok(n) => n,
        // Without a VR it is two bytes.
        Err(_) => usize::from(u16::from_le_bytes(element.to_bytes().ok()?.get(..2)?.try_into().ok()?)),
    };
    (images > 1).then_some(images)
}

/// The slices of a mosaic: tiles of the image, whose position is that of the whole image's corner.
fn tiles(frame: Frame, images: usize, spacing: Option<f64>, path: &Path) -> Result<Vec<Frame>> {
    let across = (images as f64).sqrt().ceil() as usize;
    let size = frame.size.map(|n| n / across);
    let step = spacing.ok_or_else(|| fault(path, "its mosaic has no SpacingBetweenSlices"))?;
    let normal = frame.axes[0].cross(&frame.axes[1]);
    let shift = |a: usize| frame.axes[a] * (frame.spacing[a] * (frame.size[a] - size[a]) as f64 / 2.0);
    let origin = frame.position + shift(0) + shift(1);
    let tile = |k: usize| Frame {
        tile: Some((k % across * size[0], k / across * size[1])),
        position: origin + normal * (step * k as f64),
        size,
        ..frame.clone()
    };
    Ok((0..images).map(tile).collect())
}

/// A frame's own functional groups, those of all frames, and the tags of a classic image.
struct Groups<'a> {
    own: Option<&'a InMemDicomObject>,
    shared: Option<&'a InMemDicomObject>,
    root: &'a InMemDicomObject,
}

impl Groups<'_> {
    fn places(&self, sequence: Tag) -> impl Iterator<Item = &InMemDicomObject> {
        let inner = [self.own, self.shared].into_iter().flatten();
        inner.filter_map(move |g| item(g, sequence, 0)).chain([self.root])
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
}

/// Decoded samples of a file, as numbers before the rescale.
pub(super) struct Samples {
    values: Vec<f32>,
    size: [usize; 2],
    /// Whether dark and bright were exchanged, since the file has them so.
    pub inverted: bool,
}

impl Samples {
    pub fn read(path: &Path) -> Result<Self> {
        let mut object = dicom_object::open_file(path).map_err(|e| fault(path, sentence(&e)))?;
        name_unknown(&mut object);
        let decoded = object.decode_pixel_data().map_err(|e| {
            let syntax = object.meta().transfer_syntax().trim_end_matches('\0').to_string();
            let hint = if syntax.starts_with("1.2.840.10008.1.2.4.8") && !cfg!(feature = "jpeg-ls") {
                "; build with --features jpeg-ls to read JPEG-LS".to_string()
            } else {
                String::new()
            };
            fault(path, format!("its pixel data cannot be decoded ({}){hint}", sentence(&e)))
        })?;
        Self::of(&decoded, path)
    }

    fn of(decoded: &DecodedPixelData, path: &Path) -> Result<Self> {
        let (stored, high) = (u32::from(decoded.bits_stored()), u32::from(decoded.high_bit()));
        let allocated = decoded.bits_allocated();
        let data = decoded.data();
        let words: Vec<u32> = match allocated {
            8 => data.iter().map(|b| u32::from(*b)).collect(),
            16 => data.chunks_exact(2).map(|b| u32::from(u16::from_ne_bytes([b[0], b[1]]))).collect(),
            32 => data.chunks_exact(4).map(|b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect(),
            other => return Err(fault(path, format!("its samples take {other} bits, not 8, 16 or 32"))),
        };
        if stored == 0 || stored > 32 || high + 1 < stored || high > 31 {
            return Err(fault(
                path,
                format!("its BitsStored {stored} and HighBit {high} do not go together"),
            ));
        }
        let signed = decoded.pixel_representation() == PixelRepresentation::Signed;
        let inverted = *decoded.photometric_interpretation() == PhotometricInterpretation::Monochrome1;
        let number = |word: u32| {
            let word = word >> (high + 1 - stored);
            let left = 32 - stored;
            let value = if signed {
                f64::from((word << left) as i32 >> left)
            } else {
                f64::from(word << left >> left)
            };
            let top = if signed { -1.0 } else { (2.0f64).powi(stored as i32) - 1.0 };
            (if inverted { top - value } else { value }) as f32
        };
        let size = [decoded.columns() as usize, decoded.rows() as usize];
        Ok(Self { values: words.into_iter().map(number).collect(), size, inverted })
    }

    /// The values of a frame, rescaled.
    pub fn frame(&self, frame: &Frame) -> Result<Vec<f32>> {
        let [columns, rows] = self.size;
        let start = frame.index as usize * columns * rows;
        let image = self
            .values
            .get(start..start + columns * rows)
            .ok_or_else(|| fault(&frame.path, "its pixel data are shorter than its header says"))?;
        let rescale = |v: &f32| (f64::from(*v) * frame.slope + frame.intercept) as f32;
        let Some((x, y)) = frame.tile else { return Ok(image.iter().map(rescale).collect()) };
        let row = |r: usize| image[(y + r) * columns + x..][..frame.size[0]].iter();
        Ok((0..frame.size[1]).flat_map(row).map(rescale).collect())
    }
}

/// The innermost cause of an error: what a person can use.
pub(super) fn sentence(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string().trim_end_matches('.').to_string()
}
