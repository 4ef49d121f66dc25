//! Values of tags, wherever they stand.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::HasLength;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;

/// Tags of patient, study, frame of reference and acquisition that a derived series takes over. Nothing else is.
pub(super) const WHITELIST: &[Tag] = &[
    tags::SPECIFIC_CHARACTER_SET,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_AGE,
    tags::PATIENT_WEIGHT,
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

/// Gives elements of unknown representation the one that the dictionary knows, as a file may hold known tags as UN.
pub(super) fn name_unknown(object: &mut InMemDicomObject) {
    let unknown: Vec<Tag> = object.iter().filter(|e| e.vr() == VR::UN).map(|e| e.header().tag).collect();
    for tag in unknown {
        let Some(vr) = StandardDataDictionary.by_tag(tag).map(|entry| entry.vr().relaxed()) else { continue };
        let Some(bytes) = object.get(tag).and_then(|e| e.to_bytes().ok()).map(|b| b.to_vec()) else {
            continue;
        };
        let value = match vr {
            VR::US => {
                PrimitiveValue::U16(bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect())
            }
            VR::UI | VR::CS | VR::DS | VR::IS | VR::LO | VR::SH | VR::DA | VR::TM | VR::PN | VR::AS => {
                let text = String::from_utf8_lossy(&bytes);
                PrimitiveValue::Strs(
                    text.trim_end_matches(['\0', ' ']).split('\\').map(str::to_string).collect(),
                )
            }
            _ => continue,
        };
        object.put(DataElement::new(tag, vr, value));
    }
}

/// A trimmed text; none if the tag is missing or empty.
pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let value = object.get(tag)?.to_str().ok()?;
    let value = value.trim_matches(['\0', ' ']);
    (!value.is_empty()).then(|| value.to_string())
}

/// Numbers of a tag; an error if there is text where numbers belong.
pub(super) fn numbers(object: &InMemDicomObject, tag: Tag) -> Result<Option<Vec<f64>>, String> {
    let Some(element) = object.get(tag).filter(|e| !e.is_empty()) else { return Ok(None) };
    let numbers =
        element.to_multi_float64().map_err(|_| format!("{tag} holds no number where one belongs"))?;
    match numbers.iter().all(|v| v.is_finite()) {
        true => Ok(Some(numbers)),
        false => Err(format!("{tag} holds a number that is not finite")),
    }
}

/// One number of a tag.
pub(super) fn number(object: &InMemDicomObject, tag: Tag) -> Result<Option<f64>, String> {
    Ok(numbers(object, tag)?.and_then(|n| n.first().copied()))
}

/// An exact count of numbers of a tag.
pub(super) fn array<const N: usize>(object: &InMemDicomObject, tag: Tag) -> Result<Option<[f64; N]>, String> {
    match numbers(object, tag)? {
        None => Ok(None),
        Some(list) => list
            .as_slice()
            .try_into()
            .map(Some)
            .map_err(|_| format!("{tag} holds {} numbers, not {N}", list.len())),
    }
}

/// Item `index` of a sequence.
pub(super) fn item(object: &InMemDicomObject, tag: Tag, index: usize) -> Option<&InMemDicomObject> {
    object.get(tag)?.items()?.get(index)
}
