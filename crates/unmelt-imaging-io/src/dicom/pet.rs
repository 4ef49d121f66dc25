//! Positron emission tomography: what makes its numbers activities or uptake values, carried into a derived series.
//!
//! A derived series is of the PET class where its source has what that class asks for (PS3.3, C.8.9); otherwise it is a secondary
//! capture, which has the same units and the same values.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};

use super::dataset::Dataset;
use super::source::SourceSlice;
use super::tags::text;

/// Tags of a series that a derived one takes over.
const OF_SERIES: [Tag; 14] = [
    tags::SERIES_DATE,
    tags::SERIES_TIME,
    tags::PATIENT_SIZE,
    tags::UNITS,
    tags::SUV_TYPE,
    tags::COUNTS_SOURCE,
    tags::SERIES_TYPE,
    tags::DECAY_CORRECTION,
    tags::CORRECTED_IMAGE,
    tags::COLLIMATOR_TYPE,
    tags::RANDOMS_CORRECTION_METHOD,
    tags::ATTENUATION_CORRECTION_METHOD,
    tags::SCATTER_CORRECTION_METHOD,
    tags::RECONSTRUCTION_METHOD,
];

/// Tags of a slice that the derived slice at its place takes over: bed positions have times of their own.
const OF_SLICE: [Tag; 7] = [
    tags::ACQUISITION_DATE,
    tags::ACQUISITION_TIME,
    tags::FRAME_REFERENCE_TIME,
    tags::ACTUAL_FRAME_DURATION,
    tags::DECAY_FACTOR,
    tags::DOSE_CALIBRATION_FACTOR,
    tags::SCATTER_FRACTION_FACTOR,
];

/// What is told of a tracer: what uptake values are computed from.
const OF_TRACER: [Tag; 11] = [
    tags::RADIOPHARMACEUTICAL,
    tags::RADIOPHARMACEUTICAL_VOLUME,
    tags::RADIOPHARMACEUTICAL_START_TIME,
    tags::RADIOPHARMACEUTICAL_STOP_TIME,
    tags::RADIOPHARMACEUTICAL_START_DATE_TIME,
    tags::RADIOPHARMACEUTICAL_STOP_DATE_TIME,
    tags::RADIONUCLIDE_TOTAL_DOSE,
    tags::RADIONUCLIDE_HALF_LIFE,
    tags::RADIONUCLIDE_POSITRON_FRACTION,
    tags::RADIOPHARMACEUTICAL_SPECIFIC_ACTIVITY,
    tags::RADIOPHARMACEUTICAL_ROUTE,
];

/// Codes of a tracer.
const CODES: [Tag; 2] = [tags::RADIONUCLIDE_CODE_SEQUENCE, tags::RADIOPHARMACEUTICAL_CODE_SEQUENCE];

const OF_CODE: [Tag; 3] = [tags::CODE_VALUE, tags::CODING_SCHEME_DESIGNATOR, tags::CODE_MEANING];

/// What a series of PET cannot do without, and does not follow from its voxels.
const NEEDED: [Tag; 6] = [
    tags::SERIES_DATE,
    tags::SERIES_TIME,
    tags::UNITS,
    tags::COUNTS_SOURCE,
    tags::SERIES_TYPE,
    tags::DECAY_CORRECTION,
];

/// Whether a modality is PET.
pub(super) fn is_pet(modality: &str) -> bool {
    modality == "PT"
}

/// What a derived series takes over from the header of a file.
pub(super) fn of_series(set: &Dataset) -> Dataset {
    let mut own = set.only(&OF_SERIES);
    let sequence = tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE;
    let tracers =
        (0..set.items(sequence)).filter_map(|k| set.item(sequence, k)).map(tracer).collect::<Vec<_>>();
    if !tracers.is_empty() {
        own.put_items(sequence, tracers);
    }
    own
}

fn tracer(item: &Dataset) -> Dataset {
    let mut own = item.only(&OF_TRACER);
    for sequence in CODES {
        let codes = (0..item.items(sequence)).filter_map(|k| item.item(sequence, k));
        let codes: Vec<Dataset> = codes.map(|code| code.only(&OF_CODE)).collect();
        if !codes.is_empty() {
            own.put_items(sequence, codes);
        }
    }
    own
}

/// What the derived slice at the place of a slice takes over from its header.
pub(super) fn of_slice(set: &Dataset) -> Dataset {
    set.only(&OF_SLICE)
}

/// Whether a derived series can be of the PET class.
pub(super) fn is_whole(base: &Dataset, sources: &[SourceSlice]) -> bool {
    NEEDED.iter().all(|tag| text(base, *tag).is_some())
        && sources.iter().all(|s| {
            s.instance[0] == uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE
                && text(&s.own, tags::FRAME_REFERENCE_TIME).is_some()
        })
}

/// Completes a data set of the PET class: slice `slice` of so many.
pub(super) fn complete(set: &mut Dataset, slice: usize, slices: usize) {
    // One volume of a series over time or over a gated cycle is a series by itself.
    let kind = text(set, tags::SERIES_TYPE).unwrap_or_default();
    if let Some((time, of)) = kind.split_once('\\')
        && matches!(time.trim(), "DYNAMIC" | "GATED")
    {
        let still = format!("STATIC\\{of}");
        set.put_bytes(tags::SERIES_TYPE, VR::CS, still);
    }
    for (tag, count) in [(tags::NUMBER_OF_SLICES, slices), (tags::IMAGE_INDEX, slice + 1)] {
        set.put_bytes(tag, VR::US, u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    }
    for (tag, vr) in [
        (tags::CORRECTED_IMAGE, VR::CS),
        (tags::COLLIMATOR_TYPE, VR::CS),
        (tags::ACQUISITION_DATE, VR::DA),
        (tags::ACQUISITION_TIME, VR::TM),
    ] {
        if set.get(tag).is_none() {
            set.put_bytes(tag, vr, "");
        }
    }
    for tag in [
        tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE,
        tags::PATIENT_ORIENTATION_CODE_SEQUENCE,
        tags::PATIENT_GANTRY_RELATIONSHIP_CODE_SEQUENCE,
    ] {
        if set.get(tag).is_none() {
            set.put_items(tag, Vec::new());
        }
    }
}
