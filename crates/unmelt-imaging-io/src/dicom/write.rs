//! A derived series: same patient, study and frame of reference, new series, honest about what it is.

use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use nalgebra::Vector3;
use unmelt_diffusion::checkpoint::sha256;
use unmelt_diffusion::files::AsideFolder;
use unmelt_imaging::{Grid, Volume};

use super::DicomSeries;
use super::charset::{put_right, shortened};
use super::dataset::Dataset;
use super::decimal::ds;
use super::pet;
use super::source::{SourceSlice, at_height};
use super::stored::Stored;
use super::tags::text;
use super::uid::{IMPLEMENTATION, is_valid, made};
use crate::{Derivation, Error, Result, Scan, Source};

/// Body parts of which there is one.
const UNPAIRED: [&str; 14] = [
    "HEAD",
    "BRAIN",
    "SKULL",
    "NECK",
    "CHEST",
    "HEART",
    "ABDOMEN",
    "LIVER",
    "PELVIS",
    "CSPINE",
    "TSPINE",
    "LSPINE",
    "SPINE",
    "WHOLEBODY",
];

/// Writes a volume that came from a DICOM series as a derived one, a file for each slice, into a new or empty folder.
pub fn write(scan: &Scan, derivation: &Derivation, folder: &Path) -> Result<()> {
    let Source::Dicom(series) = &scan.source else {
        return Err(Error::Request(
            "only what came from a DICOM series can become one: its patient is not known".into(),
        ));
    };
    let aside = AsideFolder::create(folder)?;
    let derived = Derived::new(&scan.volume, series, derivation);
    let [columns, rows, slices] = derived.grid.shape;
    if columns.max(rows) > usize::from(u16::MAX) {
        return Err(Error::Request(format!(
            "a DICOM image has at most 65,535 rows and columns, and these are {rows} and {columns}; write NIfTI"
        )));
    }
    for slice in 0..slices {
        aside.write(&format!("{:05}.dcm", slice + 1), &derived.file(slice))?;
    }
    if let Some(source) = &series.file {
        aside.no_more_readable_than(source);
    }
    aside.finish()?;
    Ok(())
}

/// A series to be written.
struct Derived<'a> {
    series: &'a DicomSeries,
    derivation: &'a Derivation,
    grid: Grid,
    voxels: Vec<f32>,
    class: &'static str,
    stored: Stored,
    /// For each slice by itself, where a scale for all would cost its weak ones their precision.
    slices: Vec<Stored>,
    /// What the new UIDs are made from.
    root: String,
    /// Heights of the source slices along their normal.
    heights: Vec<f64>,
}

impl<'a> Derived<'a> {
    fn new(volume: &Volume, series: &'a DicomSeries, derivation: &'a Derivation) -> Self {
        let grid = volume.orientation().from_ras(&volume.grid);
        let voxels = volume.orientation().scatter(&volume.voxels, grid.shape);
        let bytes: Vec<u8> = voxels.iter().flat_map(|v| v.to_le_bytes()).collect();
        let root = format!("{} {} {} {}", series.uid, derivation.task, derivation.model, sha256(&bytes));
        let class = match series.modality.as_str() {
            "CT" => uids::CT_IMAGE_STORAGE,
            "MR" => uids::MR_IMAGE_STORAGE,
            "PT" if pet::is_whole(&series.base, &series.sources) => {
                uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE
            }
            _ => uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
        };
        let window = series.window.filter(|_| series.modality == "CT");
        let stored = Stored::of(&voxels, window, derivation.is_conversion());
        let heights = series.sources.iter().map(|s| s.position.dot(&series.normal)).collect();
        let slices = Vec::new();
        let mut derived = Self { series, derivation, grid, voxels, class, stored, slices, root, heights };
        if pet::is_pet(&series.modality) {
            let slope = |slice: usize| derived.source_at(slice).map_or(0.0, |s| s.slope);
            let plane = grid.shape[0] * grid.shape[1];
            derived.slices = Stored::of_slices(&derived.voxels, plane, derived.stored.window, slope);
        }
        derived
    }

    /// How the values of a slice are stored.
    fn stored(&self, slice: usize) -> &Stored {
        self.slices.get(slice).unwrap_or(&self.stored)
    }

    /// Height of a slice along the normal of the source.
    fn height(&self, slice: usize) -> f64 {
        lps(self.grid.world([0.0, 0.0, slice as f64])).dot(&self.series.normal)
    }

    /// The source slice at the place of a slice, or the first of those around it.
    fn source_at(&self, slice: usize) -> Option<&SourceSlice> {
        self.series.sources.get(*at_height(&self.heights, self.height(slice)).start())
    }

    /// A UID from what is written: the same result has the same UIDs.
    fn uid(&self, what: &str) -> String {
        made(&format!("{} {what}", self.root))
    }

    /// A file: preamble, meta header, data set.
    fn file(&self, slice: usize) -> Vec<u8> {
        let mut meta = Writer::default();
        meta.set.put_bytes(tags::FILE_META_INFORMATION_VERSION, VR::OB, [0, 1]);
        meta.text(tags::MEDIA_STORAGE_SOP_CLASS_UID, VR::UI, self.class);
        meta.text(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, VR::UI, &self.instance(slice));
        meta.text(tags::TRANSFER_SYNTAX_UID, VR::UI, uids::EXPLICIT_VR_LITTLE_ENDIAN);
        meta.text(tags::IMPLEMENTATION_CLASS_UID, VR::UI, IMPLEMENTATION);
        meta.text(tags::IMPLEMENTATION_VERSION_NAME, VR::SH, "UNMELT");
        let length = meta.set.encode().len() as u32;
        meta.set.put_bytes(tags::FILE_META_INFORMATION_GROUP_LENGTH, VR::UL, length.to_le_bytes());
        let mut out = vec![0; 128];
        out.extend_from_slice(b"DICM");
        out.extend(meta.set.encode());
        out.extend(self.data_set(slice).encode());
        out
    }

    fn instance(&self, slice: usize) -> String {
        self.uid(&format!("instance {slice}"))
    }

    fn data_set(&self, slice: usize) -> Dataset {
        let mut o = Writer { set: self.series.base.clone() };
        if let Some(source) = self.source_at(slice) {
            o.set.put_all(&source.own);
        }
        put_right(&mut o.set);
        self.study(&mut o);
        self.provenance(&mut o, slice);
        self.image(&mut o, slice);
        match self.class {
            uids::MR_IMAGE_STORAGE => {
                o.text_if_missing(tags::PATIENT_POSITION, VR::CS, "");
                o.text_if_missing(tags::SCANNING_SEQUENCE, VR::CS, "RM");
                o.text_if_missing(tags::SEQUENCE_VARIANT, VR::CS, "NONE");
                for (tag, vr) in [
                    (tags::SCAN_OPTIONS, VR::CS),
                    (tags::MR_ACQUISITION_TYPE, VR::CS),
                    (tags::REPETITION_TIME, VR::DS),
                    (tags::ECHO_TIME, VR::DS),
                    (tags::ECHO_TRAIN_LENGTH, VR::IS),
                ] {
                    o.text_if_missing(tag, vr, "");
                }
            }
            uids::CT_IMAGE_STORAGE => {
                o.text_if_missing(tags::PATIENT_POSITION, VR::CS, "");
                o.text_if_missing(tags::KVP, VR::DS, "");
                o.text(tags::RESCALE_TYPE, VR::LO, "HU");
            }
            uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE => {
                pet::complete(&mut o.set, slice, self.grid.shape[2]);
            }
            _ => {
                o.text(tags::CONVERSION_TYPE, VR::CS, "WSD");
                o.text_if_missing(tags::PATIENT_ORIENTATION, VR::CS, "");
            }
        }
        o.set
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
            (tags::MANUFACTURER, VR::LO),
            (tags::ACQUISITION_NUMBER, VR::IS),
        ] {
            o.text_if_missing(tag, vr, "");
        }
        // Of a body part that may be paired it is asked which side.
        let part = text(&o.set, tags::BODY_PART_EXAMINED).unwrap_or_default();
        if !UNPAIRED.contains(&part.as_str()) {
            o.text_if_missing(tags::LATERALITY, VR::CS, "");
        }
        let modality = if self.series.modality.is_empty() { "OT" } else { &self.series.modality };
        o.text(tags::MODALITY, VR::CS, modality);
        // A number that a person chose stays; a UID that is missing or none has to be made.
        for (tag, what) in
            [(tags::STUDY_INSTANCE_UID, "study"), (tags::FRAME_OF_REFERENCE_UID, "frame of reference")]
        {
            let kept = text(&o.set, tag).filter(|uid| is_valid(uid));
            o.text(tag, VR::UI, &kept.unwrap_or_else(|| self.made_uid(what)));
        }
        o.text(tags::SERIES_INSTANCE_UID, VR::UI, &self.uid("series"));
        let number = text(&o.set, tags::SERIES_NUMBER).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
        o.text(
            tags::SERIES_NUMBER,
            VR::IS,
            &(number as i32).saturating_mul(100).saturating_add(1).to_string(),
        );
    }

    /// The same for all series derived from this one.
    fn made_uid(&self, what: &str) -> String {
        let seed = self.series.sources.first().map_or("", |s| s.instance[1].as_str());
        made(&format!("{seed} {what}"))
    }

    fn provenance(&self, o: &mut Writer, slice: usize) {
        let d = self.derivation;
        let converted = d.is_conversion();
        // The third value is asked for where there is an image of a scanner.
        let kind = match self.class {
            uids::CT_IMAGE_STORAGE => "DERIVED\\SECONDARY\\AXIAL",
            uids::MR_IMAGE_STORAGE => "DERIVED\\SECONDARY\\OTHER",
            // An image of PET is a primary one by definition, whatever was done to it.
            uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE => "DERIVED\\PRIMARY",
            _ => "DERIVED\\SECONDARY",
        };
        o.text(tags::IMAGE_TYPE, VR::CS, kind);
        let version = env!("CARGO_PKG_VERSION");
        let what = match (converted, d.model.as_str()) {
            (true, _) => format!("converted by unmelt {version}"),
            (false, "") => format!("{} by unmelt {version} without a model", d.task),
            (false, model) => format!("{} by unmelt {version} with the generative model {model}", d.task),
        };
        o.text(tags::DERIVATION_DESCRIPTION, VR::ST, &what);
        o.mark_description(if converted { " (converted)" } else { " (machine-enhanced)" });
        let derived = match d.task.as_str() {
            "denoise" => code("113087", "DCM", "Smoothing"),
            "super-resolve" => code("113085", "DCM", "Spatial resampling"),
            other => code(&other.to_uppercase(), "99UNMELT", other),
        };
        o.set.put_items(tags::DERIVATION_CODE_SEQUENCE, vec![derived]);
        let sources = self.sources(slice);
        if !sources.is_empty() {
            o.set.put_items(tags::SOURCE_IMAGE_SEQUENCE, sources);
        }
        let kept = || if converted { self.series.record.clone() } else { None };
        if let Some(record) = d.record.as_ref().map(|r| r.to_json()).or_else(kept) {
            let (group, creator, element) = PRIVATE;
            o.text(Tag(group, 0x0010), VR::LO, creator);
            o.text(Tag(group, 0x1000 | u16::from(element)), VR::UT, &record);
        }
        let mut equipment = Writer::default();
        equipment.text(tags::MANUFACTURER, VR::LO, "unmelt");
        let model = if d.model.is_empty() { "unmelt".into() } else { format!("unmelt {}", d.model) };
        equipment.text(tags::MANUFACTURER_MODEL_NAME, VR::LO, &model);
        equipment.text(tags::SOFTWARE_VERSIONS, VR::LO, version);
        if d.record.is_some() {
            let what = "The request is in the private block UNMELT (0099,xx01), as JSON.";
            equipment.text(tags::CONTRIBUTION_DESCRIPTION, VR::ST, what);
        }
        let purpose = code("109102", "DCM", "Processing Equipment");
        equipment.set.put_items(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![purpose]);
        o.set.put_items(tags::CONTRIBUTING_EQUIPMENT_SEQUENCE, vec![equipment.set]);
    }

    /// References to the source slices at the place of a slice.
    fn sources(&self, slice: usize) -> Vec<Dataset> {
        if self.heights.is_empty() {
            return Vec::new();
        }
        let references = at_height(&self.heights, self.height(slice)).filter_map(|k| {
            let source = &self.series.sources[k];
            let [class, instance] = &source.instance;
            if !is_valid(instance) {
                return None;
            }
            let mut item = Writer::default();
            item.text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, class);
            item.text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, instance);
            if let Some(frame) = source.frame {
                item.text(tags::REFERENCED_FRAME_NUMBER, VR::IS, &frame.to_string());
            }
            let purpose = code("121322", "DCM", "Source image for image processing operation");
            item.set.put_items(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![purpose]);
            Some(item.set)
        });
        references.collect()
    }

    fn image(&self, o: &mut Writer, slice: usize) {
        let [columns, rows, _] = self.grid.shape;
        let spacing = self.grid.spacing();
        let direction = |a: usize| {
            let column = self.grid.affine.fixed_view::<3, 1>(0, a).into_owned();
            lps(column / spacing[a])
        };
        o.text(tags::SOP_CLASS_UID, VR::UI, self.class);
        o.text(tags::SOP_INSTANCE_UID, VR::UI, &self.instance(slice));
        o.text(tags::INSTANCE_NUMBER, VR::IS, &(slice + 1).to_string());
        o.decimals(tags::IMAGE_POSITION_PATIENT, lps(self.grid.world([0.0, 0.0, slice as f64])).as_slice());
        o.decimals(
            tags::IMAGE_ORIENTATION_PATIENT,
            &[direction(0), direction(1)].map(<[f64; 3]>::from).concat(),
        );
        o.decimals(tags::PIXEL_SPACING, &[spacing[1], spacing[0]]);
        self.thickness(o, spacing[2]);
        o.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        for (tag, value) in [
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::ROWS, rows as u16),
            (tags::COLUMNS, columns as u16),
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 16),
            (tags::HIGH_BIT, 15),
            (tags::PIXEL_REPRESENTATION, u16::from(self.stored(slice).signed)),
        ] {
            o.set.put_bytes(tag, VR::US, value.to_le_bytes());
        }
        // MR images have no rescale in the standard; where the values are not whole numbers it is the only way to keep them.
        let stored = self.stored(slice);
        if self.class != uids::MR_IMAGE_STORAGE || stored.slope != 1.0 {
            o.decimals(tags::RESCALE_INTERCEPT, &[0.0]);
            o.decimals(tags::RESCALE_SLOPE, &[stored.slope]);
            // The class of PET has Units for that.
            if self.class != uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE {
                o.text(tags::RESCALE_TYPE, VR::LO, "US");
            }
        }
        let [centre, width] = stored.window;
        o.decimals(tags::WINDOW_CENTER, &[centre]);
        o.decimals(tags::WINDOW_WIDTH, &[width]);
        if width < 1.0 {
            o.text(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
        }
        let plane = rows * columns;
        let words = self.voxels[slice * plane..(slice + 1) * plane].iter().map(|v| stored.word(*v));
        let pixels: Vec<u8> = words.flat_map(u16::to_le_bytes).collect();
        o.set.put_bytes(tags::PIXEL_DATA, VR::OW, pixels);
    }

    /// SliceThickness is over how much a slice was averaged, SpacingBetweenSlices how far slices lie apart. Where the slices
    /// are those of the source, so is their thickness; new ones are as thick as they lie apart.
    fn thickness(&self, o: &mut Writer, apart: f64) {
        let same = (apart - self.series.distance).abs() <= 1e-3 * apart;
        match if same { self.series.thickness } else { Some(apart) } {
            Some(thickness) => o.decimals(tags::SLICE_THICKNESS, &[thickness]),
            None => o.text(tags::SLICE_THICKNESS, VR::DS, ""),
        }
        o.decimals(tags::SPACING_BETWEEN_SLICES, &[apart]);
    }
}

/// The private block that says how values were made: its group, its creator and the element of the record.
const PRIVATE: (u16, &str, u8) = (0x0099, "UNMELT", 0x01);

/// The record of how the values of a series were made, as JSON, if it has one.
pub(super) fn record(set: &Dataset) -> Option<String> {
    let (group, creator, element) = PRIVATE;
    let text = std::str::from_utf8(set.private(group, creator, element)?).ok()?;
    Some(text.trim_end_matches([' ', '\0']).to_owned())
}

/// From RAS to LPS, and back.
fn lps(v: Vector3<f64>) -> Vector3<f64> {
    Vector3::new(-v[0], -v[1], v[2])
}

fn code(value: &str, scheme: &str, meaning: &str) -> Dataset {
    let mut item = Writer::default();
    item.text(tags::CODE_VALUE, VR::SH, value);
    item.text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme);
    item.text(tags::CODE_MEANING, VR::LO, meaning);
    item.set
}

/// Puts elements. Texts that are made here are ASCII, which every character set begins with.
#[derive(Default)]
struct Writer {
    set: Dataset,
}

impl Writer {
    fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        self.set.put_bytes(tag, vr, value);
    }

    /// A text where the tag is missing.
    fn text_if_missing(&mut self, tag: Tag, vr: VR, value: &str) {
        if self.set.get(tag).is_none() {
            self.text(tag, vr, value);
        }
    }

    fn decimals(&mut self, tag: Tag, values: &[f64]) {
        let values: Vec<String> = values.iter().map(|v| ds(*v)).collect();
        self.text(tag, VR::DS, &values.join("\\"));
    }

    /// Says behind the description of the series what became of it.
    fn mark_description(&mut self, mark: &str) {
        let set = text(&self.set, tags::SPECIFIC_CHARACTER_SET).unwrap_or_default();
        let description = self.set.bytes(tags::SERIES_DESCRIPTION).unwrap_or_default();
        let end = description.iter().rposition(|b| !matches!(b, 0 | b' ')).map_or(0, |k| k + 1);
        // An LO holds 64 characters.
        let mut marked = shortened(&description[..end], &set, 64 - mark.len());
        let mark = if marked.is_empty() { mark.trim_start() } else { mark };
        marked.extend_from_slice(mark.as_bytes());
        self.set.put_bytes(tags::SERIES_DESCRIPTION, VR::LO, marked);
    }
}
