//! Positron emission tomography: units, times, tracer and the precision of every slice in a derived series.

use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{DefaultDicomObject, InMemDicomObject};
use unmelt_imaging_io::{Derivation, Scan};

use crate::make::{Slice, item, read, series, stored};

/// Slopes of the slices: the strongest is ten thousand times the weakest.
const SLOPES: [f64; 4] = [0.5, 5.25, 5000.0, 0.731];
const HEIGHTS: [f64; 4] = [0.0, 3.0, 6.0, 9.0];

/// A slice of a scan in Bq/ml, as a scanner writes it.
fn slice_of_pet(k: usize, slice: &mut Slice) {
    for (tag, vr, value) in [
        (tags::MODALITY, VR::CS, "PT"),
        (tags::SOP_CLASS_UID, VR::UI, uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE),
        (tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY"),
        (tags::SERIES_DATE, VR::DA, "20200102"),
        (tags::SERIES_TIME, VR::TM, "101500"),
        (tags::UNITS, VR::CS, "BQML"),
        (tags::COUNTS_SOURCE, VR::CS, "EMISSION"),
        (tags::SERIES_TYPE, VR::CS, "DYNAMIC\\IMAGE"),
        (tags::DECAY_CORRECTION, VR::CS, "START"),
        (tags::CORRECTED_IMAGE, VR::CS, "DECY\\ATTN"),
        (tags::SLICE_THICKNESS, VR::DS, "3"),
        (tags::RESCALE_INTERCEPT, VR::DS, "0"),
    ] {
        slice.text(tag, vr, value);
    }
    slice.text(tags::RESCALE_SLOPE, VR::DS, &SLOPES[k].to_string());
    slice.text(tags::FRAME_REFERENCE_TIME, VR::DS, &format!("{}", 1000 * (k + 1)));
    slice.text(tags::DECAY_FACTOR, VR::DS, &format!("1.0{k}"));
    slice.text(tags::ACQUISITION_TIME, VR::TM, &format!("10160{k}"));
    let mut tracer = item(&[
        (tags::RADIONUCLIDE_TOTAL_DOSE, VR::DS, "350000000"),
        (tags::RADIONUCLIDE_HALF_LIFE, VR::DS, "6586.2"),
        (tags::RADIOPHARMACEUTICAL_START_TIME, VR::TM, "091000"),
        (tags::OPERATORS_NAME, VR::PN, "Somebody"),
    ]);
    let code = item(&[(tags::CODE_VALUE, VR::SH, "C-111A1"), (tags::CODE_MEANING, VR::LO, "^18^Fluorine")]);
    let mut codes = Slice { object: InMemDicomObject::new_empty(), syntax: "" };
    codes.items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code]);
    tracer.put(codes.object.element(tags::RADIONUCLIDE_CODE_SEQUENCE).expect("there").clone());
    slice.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![tracer]);
    slice.pixels(&(0..30).map(|i| (2000 * i + 7 * k) as u16).collect::<Vec<_>>());
}

fn derived(scan: &Scan, task: &str, folder: &Path) -> Vec<DefaultDicomObject> {
    let derivation = Derivation::new(task, "brain-mri");
    scan.write(folder, &derivation).expect("written");
    let files = (1..=scan.volume.grid.shape[2]).map(|k| folder.join(format!("{k:05}.dcm")));
    files.map(|p| dicom_object::open_file(p).expect("readable")).collect()
}

fn text(object: &InMemDicomObject, tag: Tag) -> String {
    object.element(tag).expect("there").to_str().expect("text").trim_end_matches(['\0', ' ']).to_string()
}

fn number(object: &InMemDicomObject, tag: Tag) -> f64 {
    object.element(tag).expect("there").to_float64().expect("a number")
}

/// What another program makes of a file: its numbers times its slope.
fn values(object: &InMemDicomObject) -> Vec<f64> {
    let words = object.element(tags::PIXEL_DATA).expect("there").to_multi_int::<u16>().expect("numbers");
    let signed = number(object, tags::PIXEL_REPRESENTATION) == 1.0;
    let number_of = |w: &u16| if signed { f64::from(*w as i16) } else { f64::from(*w) };
    let (slope, intercept) = (number(object, tags::RESCALE_SLOPE), number(object, tags::RESCALE_INTERCEPT));
    words.iter().map(|w| number_of(w) * slope + intercept).collect()
}

#[test]
fn every_slice_keeps_its_own_precision() {
    let folder = series(&HEIGHTS, slice_of_pet);
    let scan = read(folder.path()).scan;
    let volume = &scan.volume;
    let changed = volume.with_voxels(volume.voxels.iter().map(|v| v * 0.937 + 0.01).collect());
    let negative = changed.with_voxels(changed.voxels.iter().map(|v| v - 3.0).collect());
    let out = tempfile::tempdir().expect("a folder");
    for (name, changed, steps) in [("a", changed, 65_535.0), ("b", negative, 32_767.0)] {
        let wanted = stored(&changed);
        for (k, object) in derived(&scan.with(changed), "denoise", &out.path().join(name)).iter().enumerate()
        {
            let wanted = &wanted[30 * k..][..30];
            let largest = wanted.iter().fold(0.0f32, |l, v| l.max(v.abs()));
            for (got, wanted) in values(object).iter().zip(wanted) {
                let error = (got - f64::from(*wanted)).abs();
                assert!(error <= 0.51 * f64::from(largest) / steps, "slice {k}: {got} for {wanted}");
            }
        }
    }
    // Numbers of the source's own steps stay what they are.
    let same = derived(&scan, "convert", &out.path().join("c"));
    for (k, object) in same.iter().enumerate() {
        assert_eq!(number(object, tags::RESCALE_SLOPE), SLOPES[k]);
    }
    assert_eq!(read(&out.path().join("c")).scan.volume.voxels, volume.voxels);
}

#[test]
fn a_derived_series_is_pet_with_its_units_times_and_tracer() {
    let folder = series(&HEIGHTS, slice_of_pet);
    let out = tempfile::tempdir().expect("a folder");
    let objects = derived(&read(folder.path()).scan, "denoise", &out.path().join("a"));
    for (k, object) in objects.iter().enumerate() {
        let class = uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE;
        assert_eq!(text(object, tags::SOP_CLASS_UID), class);
        assert_eq!(object.meta().media_storage_sop_class_uid().trim_end_matches('\0'), class);
        for (tag, wanted) in [
            (tags::MODALITY, "PT"),
            (tags::UNITS, "BQML"),
            (tags::DECAY_CORRECTION, "START"),
            (tags::SERIES_TIME, "101500"),
        ] {
            assert_eq!(text(object, tag), wanted);
        }
        let lists = [tags::IMAGE_TYPE, tags::SERIES_TYPE, tags::CORRECTED_IMAGE];
        let lists =
            lists.map(|tag| object.element(tag).expect("there").to_multi_str().expect("texts").join("\\"));
        assert_eq!(lists, ["DERIVED\\PRIMARY", "STATIC\\IMAGE", "DECY\\ATTN"]);
        assert_eq!(text(object, tags::FRAME_REFERENCE_TIME), format!("{}", 1000 * (k + 1)));
        assert_eq!(text(object, tags::DECAY_FACTOR), format!("1.0{k}"));
        assert_eq!(text(object, tags::ACQUISITION_TIME), format!("10160{k}"));
        assert_eq!(
            (number(object, tags::NUMBER_OF_SLICES), number(object, tags::IMAGE_INDEX)),
            (4.0, (k + 1) as f64)
        );
        let sequence = object.element(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE).expect("there");
        let tracer = &sequence.items().expect("items")[0];
        assert_eq!(number(tracer, tags::RADIONUCLIDE_TOTAL_DOSE), 350e6);
        assert!(tracer.get(tags::OPERATORS_NAME).is_none());
        let codes = tracer.element(tags::RADIONUCLIDE_CODE_SEQUENCE).expect("there").items().expect("items");
        assert_eq!(text(&codes[0], tags::CODE_VALUE), "C-111A1");
        assert!(object.get(tags::RESCALE_TYPE).is_none() && object.get(tags::CONVERSION_TYPE).is_none());
    }
}

#[test]
fn what_lacks_what_the_class_asks_for_keeps_units_and_values_as_a_secondary_capture() {
    for missing in [tags::DECAY_CORRECTION, tags::FRAME_REFERENCE_TIME, tags::SERIES_DATE] {
        let folder = series(&HEIGHTS, |k, slice| {
            slice_of_pet(k, slice);
            slice.remove(missing);
        });
        let scan = read(folder.path()).scan;
        let out = tempfile::tempdir().expect("a folder");
        for (k, object) in derived(&scan, "convert", &out.path().join("a")).iter().enumerate() {
            assert_eq!(text(object, tags::SOP_CLASS_UID), uids::SECONDARY_CAPTURE_IMAGE_STORAGE);
            assert_eq!(
                (text(object, tags::MODALITY), text(object, tags::UNITS)),
                ("PT".into(), "BQML".into())
            );
            assert_eq!(number(object, tags::RESCALE_SLOPE), SLOPES[k]);
        }
        assert_eq!(read(&out.path().join("a")).scan.volume.voxels, scan.volume.voxels);
    }
}
