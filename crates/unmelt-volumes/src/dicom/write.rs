//! A derived series: same patient, study and frame of reference, new series, honest about what it is.

use std::path::Path;

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use unmelt_diffusion::checkpoint::sha256;

use super::DicomSeries;
use super::frame::sentence;
use super::tags::text;
use crate::{Derivation, Error, Grid, Result, Source, Volume};

/// Implementation of this program, below the root for UUIDs.
const IMPLEMENTATION: &str = "2.25.147829330188234907186233109483758261243";

/// Writes a volume that came from a DICOM series as a derived one, a file for each slice, into a new or empty folder.
pub fn write(volume: &Volume, derivation: &Derivation, folder: &Path) -> Result<()> {
    let Source::Dicom(series) = &volume.source else {
        return Err(Error::Request(
            "only what came from a DICOM series can become one: its patient is not known".into(),
        ));
    };
    let occupied = folder.is_file() || std::fs::read_dir(folder).is_ok_and(|mut d| d.next().is_some());
    if occupied {
        let full = std::io::Error::other("it is not empty");
        return Err(Error::file("write", folder)(full));
    }
    let parent = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |e: std::io::Error| Error::file("write", folder)(e.kind().into());
    let aside = tempfile::Builder::new().prefix(".unmelt-").tempdir_in(parent).map_err(failed)?;
    let derived = Derived::new(volume, series, derivation);
    for slice in 0..derived.grid.shape[2] {
        let object = derived.instance(slice);
        let uid = derived.uid(&format!("instance {slice}"));
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .media_storage_sop_class_uid(derived.class.clone())
            .media_storage_sop_instance_uid(uid)
            .implementation_class_uid(IMPLEMENTATION)
            .implementation_version_name("UNMELT");
        let path = aside.path().join(format!("{:05}.dcm", slice + 1));
        let object = object.with_meta(meta).map_err(|e| Error::Request(sentence(&e)))?;
        object.write_to_file(&path).map_err(|e| failed(std::io::Error::other(sentence(&e))))?;
    }
    if folder.is_dir() {
        std::fs::remove_dir(folder).map_err(failed)?;
    }
    std::fs::rename(aside.keep(), folder).map_err(failed)?;
    set_ordinary_permissions(folder);
    Ok(())
}

/// Temporary folders are private to their owner; results are ordinary ones.
#[cfg(unix)]
fn set_ordinary_permissions(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // A file system without permissions is no reason to lose the result.
    let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755));
}

#[cfg(not(unix))]
fn set_ordinary_permissions(_folder: &Path) {}

/// A series to be written.
struct Derived<'a> {
    series: &'a DicomSeries,
    derivation: &'a Derivation,
    grid: Grid,
    voxels: Vec<f32>,
    class: String,
    slope: f64,
    intercept: f64,
    /// What the new UIDs are made from.
    root: String,
}

impl<'a> Derived<'a> {
    fn new(volume: &Volume, series: &'a DicomSeries, derivation: &'a Derivation) -> Self {
        let grid = series.orientation.from_ras(&volume.grid);
        let voxels = series.orientation.scatter(&volume.voxels, grid.shape);
        let bytes: Vec<u8> = voxels.iter().flat_map(|v| v.to_le_bytes()).collect();
        let root = format!("{} {} {} {}", series.uid, derivation.task, derivation.model, sha256(&bytes));
        let (low, high) = voxels.iter().fold((0.0f32, 0.0f32), |(l, h), v| (l.min(*v), h.max(*v)));
        let ct = series.modality == "CT";
        // Whole numbers where they are fine enough, as Hounsfield units are.
        let (slope, intercept) = if ct || (low >= -32_768.0 && (500.0..=32_767.0).contains(&high)) {
            (1.0, 0.0)
        } else {
            let slope = f64::from(high.max(-low)).max(1e-30) / 32_000.0;
            (decimal(slope), 0.0)
        };
        let class = match series.modality.as_str() {
            "CT" => uids::CT_IMAGE_STORAGE,
            "MR" => uids::MR_IMAGE_STORAGE,
            _ => uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
        };
        Self { series, derivation, grid, voxels, class: class.into(), slope, intercept, root }
    }

    /// A UID below 2.25 from what is written: the same result has the same UIDs.
    fn uid(&self, what: &str) -> String {
        let digest = sha256(format!("{} {what}", self.root).as_bytes());
        let number = u128::from_str_radix(&digest[..32], 16).unwrap_or(1);
        format!("2.25.{number}")
    }

    fn instance(&self, slice: usize) -> InMemDicomObject {
        let base = &self.series.base;
        let mut o = Writer { object: base.clone() };
        self.study(&mut o);
        self.provenance(&mut o, slice);
        self.image(&mut o, slice);
        if self.class == uids::MR_IMAGE_STORAGE {
            o.default(tags::SCANNING_SEQUENCE, VR::CS, "RM");
            o.default(tags::SEQUENCE_VARIANT, VR::CS, "NONE");
            for (tag, vr) in [
                (tags::SCAN_OPTIONS, VR::CS),
                (tags::MR_ACQUISITION_TYPE, VR::CS),
                (tags::REPETITION_TIME, VR::DS),
                (tags::ECHO_TIME, VR::DS),
                (tags::ECHO_TRAIN_LENGTH, VR::IS),
            ] {
                o.default(tag, vr, "");
            }
        }
        if self.class == uids::CT_IMAGE_STORAGE {
            o.default(tags::KVP, VR::DS, "");
            o.text(tags::RESCALE_TYPE, VR::LO, "HU");
        }
        if self.class == uids::SECONDARY_CAPTURE_IMAGE_STORAGE {
            o.text(tags::CONVERSION_TYPE, VR::CS, "WSD");
        }
        o.object
    }

    fn study(&self, o: &mut Writer) {
        for (tag, vr) in [
            (tags::PATIENT_NAME, VR::PN),
            (tags::PATIENT_ID, VR::LO),
            (tags::PATIENT_BIRTH_DATE, VR::DA),
            (tags::PATIENT_SEX, VR::CS),
            (tags::STUDY_DATE, VR::DA),
            (tags::STUDY_TIME, VR::TM),
            (tags::STUDY_ID, VR::SH),
            (tags::ACCESSION_NUMBER, VR::SH),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
            (tags::POSITION_REFERENCE_INDICATOR, VR::LO),
            (tags::LATERALITY, VR::CS),
            (tags::MANUFACTURER, VR::LO),
            (tags::ACQUISITION_NUMBER, VR::IS),
        ] {
            o.default(tag, vr, "");
        }
        // A number that a person chose stays; a UID that is missing has to be made.
        let study = text(&o.object, tags::STUDY_INSTANCE_UID).unwrap_or_else(|| self.made_uid("study"));
        let frame = text(&o.object, tags::FRAME_OF_REFERENCE_UID)
            .unwrap_or_else(|| self.made_uid("frame of reference"));
        o.text(tags::STUDY_INSTANCE_UID, VR::UI, &study);
        o.text(tags::FRAME_OF_REFERENCE_UID, VR::UI, &frame);
        o.text(tags::SERIES_INSTANCE_UID, VR::UI, &self.uid("series"));
        let number = text(&o.object, tags::SERIES_NUMBER).and_then(|n| n.parse::<i32>().ok()).unwrap_or(0);
        o.text(tags::SERIES_NUMBER, VR::IS, &number.saturating_mul(100).saturating_add(1).to_string());
    }

    /// The same for all series derived from this one.
    fn made_uid(&self, what: &str) -> String {
        let seed = self.series.instances.first().map_or("", |i| i[1].as_str());
        let digest = sha256(format!("{seed} {what}").as_bytes());
        format!("2.25.{}", u128::from_str_radix(&digest[..32], 16).unwrap_or(1))
    }

    fn provenance(&self, o: &mut Writer, slice: usize) {
        let d = self.derivation;
        let converted = d.task == "convert";
        // The third value is asked for where there is an image of a scanner.
        let kind = match self.class.as_str() {
            uids::CT_IMAGE_STORAGE => "DERIVED\\SECONDARY\\AXIAL",
            uids::MR_IMAGE_STORAGE => "DERIVED\\SECONDARY\\OTHER",
            _ => "DERIVED\\SECONDARY",
        };
        o.text(tags::IMAGE_TYPE, VR::CS, kind);
        let what = if converted {
            format!("converted by unmelt {}", env!("CARGO_PKG_VERSION"))
        } else {
            format!(
                "{} by unmelt {} with the generative model {}",
                d.task,
                env!("CARGO_PKG_VERSION"),
                d.model
            )
        };
        o.text(tags::DERIVATION_DESCRIPTION, VR::ST, &what);
        let description = text(&o.object, tags::SERIES_DESCRIPTION).unwrap_or_default();
        let mark = if converted { " (converted)" } else { " (machine-enhanced)" };
        // An LO holds 64 characters.
        let room: String = description.chars().take(64 - mark.len()).collect();
        o.text(tags::SERIES_DESCRIPTION, VR::LO, format!("{room}{mark}").trim());
        let derived = match d.task.as_str() {
            "denoise" => code("113087", "DCM", "Smoothing"),
            "super-resolve" => code("113085", "DCM", "Spatial resampling"),
            other => code(&other.to_uppercase(), "99UNMELT", other),
        };
        o.sequence(tags::DERIVATION_CODE_SEQUENCE, vec![derived]);
        let at = (slice as f64 + 0.5) / self.grid.shape[2] as f64 * self.series.instances.len() as f64;
        if let Some([class, instance]) = self.series.instances.get(at as usize)
            && !instance.is_empty()
        {
            let mut source = Writer { object: InMemDicomObject::new_empty() };
            source.text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, class);
            source.text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, instance);
            let purpose = code("121322", "DCM", "Source image for image processing operation");
            source.sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![purpose]);
            o.sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![source.object]);
        }
        let mut equipment = Writer { object: InMemDicomObject::new_empty() };
        equipment.text(tags::MANUFACTURER, VR::LO, "unmelt");
        let model = if d.model.is_empty() { "unmelt".into() } else { format!("unmelt {}", d.model) };
        equipment.text(tags::MANUFACTURER_MODEL_NAME, VR::LO, &model);
        equipment.text(tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
        let purpose = code("109102", "DCM", "Processing Equipment");
        equipment.sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![purpose]);
        o.sequence(tags::CONTRIBUTING_EQUIPMENT_SEQUENCE, vec![equipment.object]);
    }

    fn image(&self, o: &mut Writer, slice: usize) {
        let [columns, rows, _] = self.grid.shape;
        let spacing = self.grid.spacing();
        let lps = |v: nalgebra::Vector3<f64>| [-v[0], -v[1], v[2]];
        let direction = |a: usize| {
            let column = self.grid.affine.fixed_view::<3, 1>(0, a).into_owned();
            lps(column / spacing[a])
        };
        o.text(tags::SOP_CLASS_UID, VR::UI, &self.class);
        o.text(tags::SOP_INSTANCE_UID, VR::UI, &self.uid(&format!("instance {slice}")));
        o.text(tags::INSTANCE_NUMBER, VR::IS, &(slice + 1).to_string());
        let position = lps(self.grid.world([0.0, 0.0, slice as f64]));
        o.decimals(tags::IMAGE_POSITION_PATIENT, &position);
        o.decimals(tags::IMAGE_ORIENTATION_PATIENT, &[direction(0), direction(1)].concat());
        o.decimals(tags::PIXEL_SPACING, &[spacing[1], spacing[0]]);
        o.decimals(tags::SLICE_THICKNESS, &[spacing[2]]);
        o.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        for (tag, value) in [
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::ROWS, rows as u16),
            (tags::COLUMNS, columns as u16),
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 16),
            (tags::HIGH_BIT, 15),
            (tags::PIXEL_REPRESENTATION, 1),
        ] {
            o.object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        }
        o.decimals(tags::RESCALE_INTERCEPT, &[self.intercept]);
        o.decimals(tags::RESCALE_SLOPE, &[self.slope]);
        let plane = rows * columns;
        let word = |v: &f32| {
            let value = (f64::from(*v) - self.intercept) / self.slope;
            value.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16 as u16
        };
        let pixels: Vec<u16> = self.voxels[slice * plane..(slice + 1) * plane].iter().map(word).collect();
        o.object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())));
    }
}

/// A number that a DS of 16 characters holds.
fn decimal(v: f64) -> f64 {
    ds(v).parse().unwrap_or(v)
}

/// A number in at most 16 characters.
fn ds(v: f64) -> String {
    let v = if v.abs() < 1e-10 { 0.0 } else { v };
    for digits in (0..=10).rev() {
        let text = format!("{v:.digits$}");
        if text.len() <= 16 && (v == 0.0 || v.abs() > 1e-4) {
            return text;
        }
    }
    format!("{v:.8e}")
}

fn code(value: &str, scheme: &str, meaning: &str) -> InMemDicomObject {
    let mut item = Writer { object: InMemDicomObject::new_empty() };
    item.text(tags::CODE_VALUE, VR::SH, value);
    item.text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme);
    item.text(tags::CODE_MEANING, VR::LO, meaning);
    item.object
}

/// Puts elements.
struct Writer {
    object: InMemDicomObject,
}

impl Writer {
    fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        let value = match value.contains('\\') {
            true => PrimitiveValue::Strs(value.split('\\').map(str::to_string).collect()),
            false if value.is_empty() => PrimitiveValue::Empty,
            false => PrimitiveValue::from(value),
        };
        self.object.put(DataElement::new(tag, vr, value));
    }

    /// A text where the tag is missing.
    fn default(&mut self, tag: Tag, vr: VR, value: &str) {
        if self.object.get(tag).is_none() {
            self.text(tag, vr, value);
        }
    }

    fn decimals(&mut self, tag: Tag, values: &[f64]) {
        let values: Vec<String> = values.iter().map(|v| ds(*v)).collect();
        self.object.put(DataElement::new(tag, VR::DS, PrimitiveValue::Strs(values.into())));
    }

    fn sequence(&mut self, tag: Tag, items: Vec<InMemDicomObject>) {
        self.object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
    }
}
