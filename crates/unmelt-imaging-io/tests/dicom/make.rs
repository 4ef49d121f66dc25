//! Series of files as scanners write them, made with dicom-object.

use std::path::{Path, PathBuf};

use dicom_core::value::{DataSetSequence, PixelFragmentSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use unmelt_imaging::Volume;
use unmelt_imaging_io::{Choice, Reading, Scan};

pub const COLUMNS: usize = 6;
pub const ROWS: usize = 5;

/// A slice of an MR image: 6 × 5 pixels of 0.8 × 0.9 mm at `height` mm, each value 10 (k + 1) + its number.
pub struct Slice {
    pub object: InMemDicomObject,
    pub syntax: &'static str,
}

impl Slice {
    pub fn new(k: usize, height: f64) -> Self {
        let mut slice =
            Self { object: InMemDicomObject::new_empty(), syntax: uids::EXPLICIT_VR_LITTLE_ENDIAN };
        for (tag, vr, value) in [
            (tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\ND"),
            (tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE),
            (tags::STUDY_DATE, VR::DA, "20200101"),
            (tags::MODALITY, VR::CS, "MR"),
            (tags::SERIES_DESCRIPTION, VR::LO, "T1"),
            (tags::PATIENT_NAME, VR::PN, "Test^Case"),
            (tags::PATIENT_ID, VR::LO, "0000"),
            (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3"),
            (tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4"),
            (tags::SERIES_NUMBER, VR::IS, "3"),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.3.5"),
            (tags::SLICE_THICKNESS, VR::DS, "2"),
            (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0"),
            (tags::PIXEL_SPACING, VR::DS, "0.9\\0.8"),
            (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        ] {
            slice.text(tag, vr, value);
        }
        slice.text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.4.{}", k + 1));
        slice.text(tags::INSTANCE_NUMBER, VR::IS, &(k + 1).to_string());
        slice.position([-10.0, -8.0, height]);
        for (tag, value) in [
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::ROWS, ROWS as u16),
            (tags::COLUMNS, COLUMNS as u16),
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 16),
            (tags::HIGH_BIT, 15),
            (tags::PIXEL_REPRESENTATION, 0),
        ] {
            slice.number(tag, value);
        }
        slice.pixels(&pixels(k));
        slice
    }

    pub fn text(&mut self, tag: Tag, vr: VR, value: &str) -> &mut Self {
        let value = match value.contains('\\') {
            true => PrimitiveValue::Strs(value.split('\\').map(str::to_string).collect()),
            false if value.is_empty() => PrimitiveValue::Empty,
            false => PrimitiveValue::from(value),
        };
        self.object.put(DataElement::new(tag, vr, value));
        self
    }

    /// Bytes as they are, which dicom-object would encode otherwise.
    pub fn bytes(&mut self, tag: Tag, vr: VR, bytes: &[u8]) -> &mut Self {
        let mut bytes = bytes.to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(b' ');
        }
        self.object.put(DataElement::new(tag, vr, PrimitiveValue::U8(bytes.into())));
        self
    }

    pub fn number(&mut self, tag: Tag, value: u16) -> &mut Self {
        self.object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        self
    }

    pub fn position(&mut self, [x, y, z]: [f64; 3]) -> &mut Self {
        self.text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("{x}\\{y}\\{z}"))
    }

    pub fn pixels(&mut self, words: &[u16]) -> &mut Self {
        let value = PrimitiveValue::U16(words.to_vec().into());
        self.object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, value));
        self
    }

    pub fn items(&mut self, tag: Tag, items: Vec<InMemDicomObject>) -> &mut Self {
        self.object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
        self
    }

    pub fn remove(&mut self, tag: Tag) -> &mut Self {
        self.object.remove_element(tag);
        self
    }

    /// Compressed samples, a fragment each.
    pub fn fragments(&mut self, syntax: &'static str, fragments: Vec<Vec<u8>>) -> &mut Self {
        self.syntax = syntax;
        let value = PixelFragmentSequence::new(Vec::<u32>::new(), fragments);
        self.object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, value));
        self
    }

    pub fn save(&self, path: &Path) {
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(self.syntax)
            .media_storage_sop_class_uid(uids::MR_IMAGE_STORAGE)
            .media_storage_sop_instance_uid("1.2.3.4.99");
        let object = self.object.clone().with_meta(meta).expect("a meta header");
        object.write_to_file(path).expect("written");
    }
}

/// Values of slice k, row by row.
pub fn pixels(k: usize) -> Vec<u16> {
    (0..COLUMNS * ROWS).map(|i| (100 * (k + 1) + i) as u16).collect()
}

/// An item of a sequence.
pub fn item(elements: &[(Tag, VR, &str)]) -> InMemDicomObject {
    let mut slice = Slice { object: InMemDicomObject::new_empty(), syntax: "" };
    for (tag, vr, value) in elements {
        slice.text(*tag, *vr, value);
    }
    slice.object
}

/// A new folder with slices at these heights, each changed by `change`.
pub fn series(heights: &[f64], change: impl Fn(usize, &mut Slice)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    add(folder.path(), "", heights, change);
    folder
}

/// More slices in a folder, their names beginning with `prefix`.
pub fn add(folder: &Path, prefix: &str, heights: &[f64], change: impl Fn(usize, &mut Slice)) {
    for (k, height) in heights.iter().enumerate() {
        let mut slice = Slice::new(k, *height);
        change(k, &mut slice);
        slice.save(&folder.join(format!("{prefix}{k:03}.dcm")));
    }
}

/// A file with one slice.
pub fn single(change: impl Fn(&mut Slice)) -> (tempfile::TempDir, PathBuf) {
    let folder = series(&[5.0], |_, slice| change(slice));
    let path = folder.path().join("000.dcm");
    (folder, path)
}

pub fn read(path: &Path) -> Reading {
    Scan::read(path, &Choice::default()).expect("readable")
}

pub fn read_series(path: &Path, series: &str) -> unmelt_imaging_io::Result<Reading> {
    Scan::read(path, &Choice { series: Some(series.into()), ..Choice::default() })
}

/// The sentence of a refusal.
pub fn refusal(path: &Path) -> String {
    Scan::read(path, &Choice::default()).expect_err("refused").to_string()
}

/// Values of a volume as its slices were stored: rows of columns of slices, for axial series read to the right, front, top.
pub fn stored(volume: &Volume) -> Vec<f32> {
    volume.orientation().scatter(&volume.voxels, volume.orientation().from_ras(&volume.grid).shape)
}

/// Heights of the planes of an axial volume, by its affine.
pub fn planes(volume: &Volume) -> Vec<f64> {
    (0..volume.grid.shape[2]).map(|k| volume.grid.world([0.0, 0.0, k as f64])[2]).collect()
}
