//! Values of tags, wherever they stand.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::dataset::{Dataset, name};

/// Tags of patient, study, frame of reference and acquisition that a derived series takes over. Nothing else is.
pub(super) const WHITELIST: &[Tag] = &[
    tags::SPECIFIC_CHARACTER_SET,
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_AGE,
    tags::PATIENT_WEIGHT,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
    tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::STUDY_ID,
    tags::STUDY_DESCRIPTION,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::MODALITY,
    tags::BODY_PART_EXAMINED,
    tags::PATIENT_POSITION,
    tags::FRAME_OF_REFERENCE_UID,
    tags::POSITION_REFERENCE_INDICATOR,
    tags::MANUFACTURER,
    tags::MANUFACTURER_MODEL_NAME,
    tags::ACQUISITION_NUMBER,
    tags::ACQUISITION_DATE,
    tags::ACQUISITION_TIME,
    tags::SERIES_NUMBER,
    tags::SERIES_DESCRIPTION,
    tags::SLICE_THICKNESS,
    tags::SCANNING_SEQUENCE,
    tags::SEQUENCE_VARIANT,
    tags::SCAN_OPTIONS,
    tags::MR_ACQUISITION_TYPE,
    tags::REPETITION_TIME,
    tags::ECHO_TIME,
    tags::ECHO_TRAIN_LENGTH,
    tags::INVERSION_TIME,
    tags::FLIP_ANGLE,
    tags::MAGNETIC_FIELD_STRENGTH,
    tags::KVP,
    tags::LOSSY_IMAGE_COMPRESSION,
    tags::LOSSY_IMAGE_COMPRESSION_RATIO,
    tags::LOSSY_IMAGE_COMPRESSION_METHOD,
    tags::BURNED_IN_ANNOTATION,
];

/// A trimmed text; none if the tag is missing or empty. For UIDs, codes and numbers: other letters than ASCII are not
/// told apart.
pub(super) fn text(set: &Dataset, tag: Tag) -> Option<String> {
    let text = String::from_utf8_lossy(set.bytes(tag)?);
    let text = text.trim_matches(['\0', ' ']);
    (!text.is_empty()).then(|| text.to_string())
}

/// A text that is to be a number, so that "3", "03" and "3.000" are one; other text as it is. Empty if there is none.
pub(super) fn number_name(set: &Dataset, tag: Tag) -> String {
    let text = text(set, tag).unwrap_or_default();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => text,
    }
}

/// Numbers of a tag; an error if there is text where numbers belong. None if the tag is missing or empty.
pub(super) fn numbers(set: &Dataset, tag: Tag) -> Result<Option<Vec<f64>>, String> {
    let Some(element) = set.get(tag) else { return Ok(None) };
    let Some(bytes) = set.bytes(tag) else { return Err(format!("its {} is a sequence", name(tag))) };
    let numbers: Vec<f64> = match element.vr {
        VR::US => words(bytes, |b| f64::from(u16::from_le_bytes(b))),
        VR::SS => words(bytes, |b| f64::from(i16::from_le_bytes(b))),
        VR::UL => words(bytes, |b| f64::from(u32::from_le_bytes(b))),
        VR::SL => words(bytes, |b| f64::from(i32::from_le_bytes(b))),
        VR::FL => words(bytes, |b| f64::from(f32::from_le_bytes(b))),
        VR::FD => words(bytes, f64::from_le_bytes),
        _ => {
            let Some(text) = text(set, tag) else { return Ok(None) };
            let parsed = text.split('\\').map(|part| part.trim_matches(['\0', ' ']).parse::<f64>());
            parsed.collect::<Result<_, _>>().map_err(|_| no_number(tag, &text))?
        }
    };
    if numbers.is_empty() {
        return Ok(None);
    }
    match numbers.iter().all(|v| v.is_finite()) {
        true => Ok(Some(numbers)),
        false => Err(format!("its {} holds a number that is not finite", name(tag))),
    }
}

fn no_number(tag: Tag, text: &str) -> String {
    let shown: String = text.chars().take(64).collect();
    let shown = unmelt_diffusion::files::plain(&shown);
    let hint = if text.contains(',') { " (decimals stand behind a point in DICOM)" } else { "" };
    format!("its {} is \"{shown}\", where a number belongs{hint}; correct the tag", name(tag))
}

fn words<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.chunks_exact(N).filter_map(|b| b.try_into().ok()).map(number).collect()
}

/// One number of a tag.
pub(super) fn number(set: &Dataset, tag: Tag) -> Result<Option<f64>, String> {
    Ok(numbers(set, tag)?.and_then(|n| n.first().copied()))
}

/// A count: a whole number that is not negative.
pub(super) fn count(set: &Dataset, tag: Tag) -> Result<Option<u64>, String> {
    match number(set, tag)? {
        None => Ok(None),
        Some(n) if n >= 0.0 && n.fract() == 0.0 && n <= 1e15 => Ok(Some(n as u64)),
        Some(n) => Err(format!("its {} is {n}, which is no count", name(tag))),
    }
}

/// An exact count of numbers of a tag.
pub(super) fn array<const N: usize>(set: &Dataset, tag: Tag) -> Result<Option<[f64; N]>, String> {
    match numbers(set, tag)? {
        None => Ok(None),
        Some(list) => list
            .as_slice()
            .try_into()
            .map(Some)
            .map_err(|_| format!("its {} holds {} numbers, not {N}", name(tag), list.len())),
    }
}
