//! What a derived series says.

use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject};
use unmelt_imaging::Volume;
use unmelt_imaging::enhance::{EnhanceRequest, TaskRequest, VolumeRequest};
use unmelt_imaging_io::{Derivation, Scan, dicom};

use crate::make::{Slice, item, pixels, read, refusal, series, single, stored};
use crate::reading::enhanced;

fn derivation(task: &str) -> Derivation {
    Derivation::new(task, "brain-mri")
}

/// Writes, and gives the files in order.
fn derived(scan: &Scan, task: &str, folder: &Path) -> Vec<DefaultDicomObject> {
    let out = folder.join("out");
    dicom::write(scan, &derivation(task), &out).expect("written");
    let mut files: Vec<_> =
        std::fs::read_dir(&out).expect("there").map(|e| e.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|p| dicom_object::open_file(p).expect("readable")).collect()
}

fn text(object: &InMemDicomObject, tag: dicom_core::Tag) -> String {
    object.element(tag).expect("there").to_str().expect("text").trim_end_matches(['\0', ' ']).to_string()
}

fn number(object: &InMemDicomObject, tag: dicom_core::Tag) -> f64 {
    object.element(tag).expect("there").to_float64().expect("a number")
}

/// Instances that a file names as its sources, with frames where it names them.
fn sources(object: &InMemDicomObject) -> Vec<(String, Option<String>)> {
    let items = object.element(tags::SOURCE_IMAGE_SEQUENCE).expect("there").items().expect("items");
    let frame = |i: &InMemDicomObject| {
        i.get(tags::REFERENCED_FRAME_NUMBER).map(|_| text(i, tags::REFERENCED_FRAME_NUMBER))
    };
    items.iter().map(|i| (text(i, tags::REFERENCED_SOP_INSTANCE_UID), frame(i))).collect()
}

#[test]
fn uids_are_uuids() {
    let folder = series(&[0.0, 2.0], |_, slice| {
        slice.remove(tags::STUDY_INSTANCE_UID).bytes(tags::FRAME_OF_REFERENCE_UID, VR::UI, b"1.2\x1b]0;x");
    });
    for object in derived(&read(folder.path()).scan, "denoise", folder.path()) {
        let all = [
            tags::SOP_INSTANCE_UID,
            tags::SERIES_INSTANCE_UID,
            tags::STUDY_INSTANCE_UID,
            tags::FRAME_OF_REFERENCE_UID,
        ];
        let mut uids: Vec<String> = all.map(|tag| text(&object, tag)).to_vec();
        uids.push(object.meta().implementation_class_uid().trim_end_matches('\0').to_string());
        for uid in uids {
            let number: u128 = uid.strip_prefix("2.25.").expect("the root").parse().expect("a number");
            assert_eq!((number >> 76 & 0xF, number >> 62 & 0b11), (8, 0b10), "{uid}");
        }
    }
}

#[test]
fn sources_are_those_of_the_place() {
    // The files are in no order of their places.
    let folder = series(&[4.0, 0.0, 2.0], |_, _| {});
    let scan = read(folder.path()).scan;
    let volume = &scan.volume;
    let named: Vec<_> = derived(&scan, "denoise", folder.path()).iter().map(|o| sources(o)).collect();
    assert_eq!(named, ["1.2.3.4.2", "1.2.3.4.3", "1.2.3.4.1"].map(|uid| vec![(uid.to_string(), None)]));
    // Finer slices name those below and above, ones beyond the ends the last.
    let finer = Volume {
        voxels: vec![1.0; 6 * 5 * 7],
        grid: volume.grid.with_spacing([0.8, 0.9, 6.0 / 7.0]),
        ..volume.clone()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let objects = derived(&scan.with(finer), "super-resolve", folder.path());
    assert_eq!(objects.len(), 7);
    for object in objects {
        let height =
            object.element(tags::IMAGE_POSITION_PATIENT).expect("there").to_multi_float64().expect("numbers")
                [2];
        let expected: Vec<&str> = ["1.2.3.4.2", "1.2.3.4.3", "1.2.3.4.1"]
            .into_iter()
            .zip([0.0, 2.0, 4.0])
            .filter(|(_, at)| (height.clamp(0.0, 4.0) - at).abs() < 1.9)
            .map(|(uid, _)| uid)
            .collect();
        let named: Vec<String> = sources(&object).into_iter().map(|(uid, _)| uid).collect();
        let exact = height.clamp(0.0, 4.0) == height
            && (height / 2.0).fract().abs() > 0.06
            && (height / 2.0).fract().abs() < 0.94;
        if exact {
            assert_eq!(named, expected, "{height}");
        } else {
            assert_eq!(named.len(), 1, "{height}");
        }
    }
    // A frame of a file is named with its number.
    let (folder, path) = single(|slice| enhanced(slice, &[4.0, 0.0, 2.0]));
    let named: Vec<_> =
        derived(&read(&path).scan, "denoise", folder.path()).iter().map(|o| sources(o)).collect();
    assert_eq!(named, ["2", "3", "1"].map(|n| vec![("1.2.3.4.1".to_string(), Some(n.to_string()))]));
}

#[test]
fn identity_that_was_removed_stays_said() {
    let folder = series(&[0.0, 2.0], |_, slice| {
        slice.text(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES").text(
            tags::DEIDENTIFICATION_METHOD,
            VR::LO,
            "by hand",
        );
        let code =
            item(&[(tags::CODE_VALUE, VR::SH, "113100"), (tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM")]);
        slice.items(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, vec![code]);
        slice.text(tags::INSTITUTION_NAME, VR::LO, "Hospital").text(tags::OPERATORS_NAME, VR::PN, "Somebody");
    });
    for object in derived(&read(folder.path()).scan, "denoise", folder.path()) {
        assert_eq!(text(&object, tags::PATIENT_IDENTITY_REMOVED), "YES");
        assert_eq!(text(&object, tags::DEIDENTIFICATION_METHOD), "by hand");
        let codes = object
            .element(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE)
            .expect("there")
            .items()
            .expect("items");
        assert_eq!(text(&codes[0], tags::CODE_VALUE), "113100");
        assert!(object.get(tags::INSTITUTION_NAME).is_none() && object.get(tags::OPERATORS_NAME).is_none());
    }
}

#[test]
fn whole_numbers_of_mr_have_no_rescale() {
    let folder = series(&[0.0, 2.0], |_, _| {});
    let scan = read(folder.path()).scan;
    let volume = &scan.volume;
    for object in derived(&scan, "denoise", folder.path()) {
        assert!(object.get(tags::RESCALE_SLOPE).is_none() && object.get(tags::RESCALE_TYPE).is_none());
    }
    assert_eq!(read(&folder.path().join("out")).scan.volume.voxels, volume.voxels);
    // Fractions are kept by one.
    let folder = tempfile::tempdir().expect("a folder");
    let fractions = scan.with_voxels(volume.voxels.iter().map(|v| v / 1024.0).collect());
    let objects = derived(&fractions, "denoise", folder.path());
    assert!(number(&objects[0], tags::RESCALE_SLOPE) < 1e-4);
    let back = read(&folder.path().join("out")).scan.volume;
    let error =
        back.voxels.iter().zip(&fractions.volume.voxels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error < 1e-5, "{error}");
    // A conversion rounds nothing to whole numbers, however large the values.
    let folder = tempfile::tempdir().expect("a folder");
    let halves = scan.with_voxels(volume.voxels.iter().map(|v| 10.0 * v + 0.5).collect());
    derived(&halves, "convert", folder.path());
    let back = read(&folder.path().join("out")).scan.volume;
    let error = back.voxels.iter().zip(&halves.volume.voxels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error < 0.05, "{error}");
    // Unsigned numbers beyond those of two signed bytes, and the lowest signed one.
    for (words, signed) in [([65_535u16, 0, 7], 0u16), ([0x8000, 3, 0x7FFF], 1)] {
        let folder = series(&[0.0, 2.0], |_, slice| {
            slice.pixels(&words.repeat(10)).number(tags::PIXEL_REPRESENTATION, signed);
        });
        let scan = read(folder.path()).scan;
        derived(&scan, "convert", folder.path());
        assert_eq!(read(&folder.path().join("out")).scan.volume.voxels, scan.volume.voxels);
    }
}

#[test]
fn thickness_and_distance_are_told_apart() {
    let folder = series(&[0.0, 6.0, 12.0], |_, slice| {
        slice.text(tags::SLICE_THICKNESS, VR::DS, "5");
    });
    let scan = read(folder.path()).scan;
    let volume = &scan.volume;
    for object in derived(&scan, "denoise", folder.path()) {
        assert_eq!(
            (number(&object, tags::SLICE_THICKNESS), number(&object, tags::SPACING_BETWEEN_SLICES)),
            (5.0, 6.0)
        );
    }
    let finer = Volume {
        voxels: vec![1.0; 6 * 5 * 9],
        grid: volume.grid.with_spacing([0.8, 0.9, 2.0]),
        ..volume.clone()
    };
    let folder = tempfile::tempdir().expect("a folder");
    for object in derived(&scan.with(finer), "super-resolve", folder.path()) {
        assert_eq!(
            (number(&object, tags::SLICE_THICKNESS), number(&object, tags::SPACING_BETWEEN_SLICES)),
            (2.0, 2.0)
        );
    }
}

#[test]
fn the_window_fits_the_values() {
    let folder = series(&[0.0, 2.0], |_, slice| {
        slice.text(tags::WINDOW_CENTER, VR::DS, "9999\\5").text(tags::WINDOW_WIDTH, VR::DS, "3\\4");
    });
    for object in derived(&read(folder.path()).scan, "denoise", folder.path()) {
        let (centre, width) = (number(&object, tags::WINDOW_CENTER), number(&object, tags::WINDOW_WIDTH));
        assert!((centre - 164.5).abs() < 2.0 && (width - 129.0).abs() < 3.0, "{centre} {width}");
    }
    // Hounsfield units are the same ones.
    let folder = series(&[0.0, 2.0], |_, slice| {
        slice.text(tags::MODALITY, VR::CS, "CT").text(tags::WINDOW_CENTER, VR::DS, "40\\300").text(
            tags::WINDOW_WIDTH,
            VR::DS,
            "400\\9",
        );
    });
    for object in derived(&read(folder.path()).scan, "denoise", folder.path()) {
        assert_eq!(
            (number(&object, tags::WINDOW_CENTER), number(&object, tags::WINDOW_WIDTH)),
            (40.0, 400.0)
        );
        assert_eq!(text(&object, tags::RESCALE_TYPE), "HU");
    }
}

/// A set as a file names it, a name and a description in it, and what the derived series names.
const SETS: [(&str, &[u8], &[u8], &str); 10] = [
    ("ISO_IR 100", b"M\xFCller^Zo\xEB", b"Sch\xE4del", "ISO_IR 100"),
    ("ISO_IR 144", b"\xB8\xD2\xD0\xDD\xDE\xD2^\xB8", b"test", "ISO_IR 144"),
    ("ISO_IR 192", "王^小东".as_bytes(), "あああ".as_bytes(), "ISO_IR 192"),
    ("GB18030", b"Wang=\xCD\xF5^\xD0\xA1\xB6\xAB", b"\xCD\xB7\xB2\xBF", "GB18030"),
    ("\\ISO 2022 IR 87", b"Yamada=\x1B$B;3ED\x1B(B", b"\x1B$BF,It\x1B(B T1", "\\ISO 2022 IR 87"),
    ("\\ISO 2022 IR 149", b"Hong=\x1B$)C\xFB\xF3^\x1B$)C\xD1\xCE\xD4\xD7", b"test", "\\ISO 2022 IR 149"),
    ("ISO IR 100", b"M\xFCller", b"test", "ISO_IR 100"),
    ("UTF-8", "Müller".as_bytes(), b"test", "ISO_IR 192"),
    ("ISO_IR 100", "Müller".as_bytes(), b"test", "ISO_IR 100"),
    ("", b"\xCD\xF5^\xD0\xA1\xB6\xAB", b"test", ""),
];

#[test]
fn texts_of_every_character_set_are_unchanged() {
    for (set, name, description, right) in SETS {
        let folder = series(&[0.0, 2.0], |_, slice: &mut Slice| {
            if set.is_empty() {
                slice.remove(tags::SPECIFIC_CHARACTER_SET);
            } else {
                slice.bytes(tags::SPECIFIC_CHARACTER_SET, VR::CS, set.as_bytes());
            }
            slice.bytes(tags::PATIENT_NAME, VR::PN, name).bytes(
                tags::SERIES_DESCRIPTION,
                VR::LO,
                description,
            );
        });
        derived(&read(folder.path()).scan, "denoise", folder.path());
        let bytes = std::fs::read(folder.path().join("out/00001.dcm")).expect("there");
        let value = |tag: [u8; 4], vr: &[u8; 2]| {
            let at = bytes.windows(6).position(|w| w[..4] == tag && w[4..] == *vr)?;
            let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
            let value = &bytes[at + 8..][..length];
            Some(value.strip_suffix(b" ").unwrap_or(value).to_vec())
        };
        assert_eq!(value([0x10, 0, 0x10, 0], b"PN").as_deref(), Some(name), "{set}");
        let marked = [description, b" (machine-enhanced)"].concat();
        assert_eq!(value([8, 0, 0x3E, 0x10], b"LO"), Some(marked), "{set}");
        let wanted = (!right.is_empty()).then(|| right.as_bytes().to_vec());
        assert_eq!(value([8, 0, 5, 0], b"CS"), wanted, "{set}");
    }
}

#[test]
fn a_long_description_leaves_room_for_the_mark() {
    let folder = series(&[0.0, 2.0], |_, slice| {
        slice.bytes(tags::SPECIFIC_CHARACTER_SET, VR::CS, b"ISO_IR 192");
        slice.bytes(tags::SERIES_DESCRIPTION, VR::LO, "ä".repeat(64).as_bytes());
    });
    let object = &derived(&read(folder.path()).scan, "denoise", folder.path())[0];
    let text = text(object, tags::SERIES_DESCRIPTION);
    assert_eq!(text, format!("{} (machine-enhanced)", "ä".repeat(45)));
}

#[test]
fn what_is_read_is_what_was_written() {
    let folder = series(&[0.0, 2.0, 4.0], |_, _| {});
    let scan = read(folder.path()).scan;
    derived(&scan, "convert", folder.path());
    let back = read(&folder.path().join("out"));
    assert!(back.warnings.is_empty(), "{:?}", back.warnings);
    assert!(back.scan.volume.grid.same_as(&scan.volume.grid));
    assert_eq!(stored(&back.scan.volume)[..30], pixels(0).iter().map(|v| f32::from(*v)).collect::<Vec<_>>());
    // Both together are two series.
    assert!(refusal(folder.path()).contains("2 series"));
}

#[test]
fn a_result_never_replaces_its_source_nor_lies_among_it() {
    let folder = series(&[0.0, 2.0], |_, _| {});
    let scan = read(folder.path()).scan;
    let write = |out: &Path| scan.write(out, &derivation("denoise"));
    let refused = |out: &Path| write(out).expect_err("refused").to_string();
    assert!(refused(folder.path()).contains("is an input"));
    let inside = refused(&folder.path().join("derived"));
    assert!(inside.contains("derived lies in") && inside.contains("outside of it"), "{inside}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 2);
    // A file that lies among the slices is one of the source's.
    let known = folder.path().join("known.nii");
    std::fs::write(&known, b"something").expect("room");
    assert!(refused(&known).contains("is an input"));
    assert!(scan.write_map(&known, &derivation("denoise"), "deviation").is_err());
    assert_eq!(std::fs::read(&known).expect("there"), b"something");
    write(&folder.path().join("new.nii.gz")).expect("a new file beside them");
    let beside = tempfile::tempdir().expect("a folder");
    write(&beside.path().join("derived")).expect("elsewhere");
    write(&beside.path().join("a.nii.gz")).expect("elsewhere");
}

#[test]
fn the_request_is_in_a_private_block() {
    let folder = series(&[0.0, 2.0], |_, _| {});
    let scan = read(folder.path()).scan;
    let task = TaskRequest::Denoise { sigma: Some(0.1), rician: None };
    let request = EnhanceRequest { task, input: "0f".into(), settings: None };
    let record = Derivation::classical("denoise", VolumeRequest::Enhance(request));
    let json = record.record.as_ref().expect("a record").to_json();
    let out = tempfile::tempdir().expect("a folder");
    let [made, converted] = ["made", "converted"].map(|name| out.path().join(name));
    dicom::write(&scan, &record, &made).expect("written");
    let object = dicom_object::open_file(made.join("00001.dcm")).expect("readable");
    assert_eq!(text(&object, dicom_core::Tag(0x0099, 0x0010)), "UNMELT");
    assert_eq!(text(&object, dicom_core::Tag(0x0099, 0x1001)), json);
    let back = read(&made).scan;
    assert_eq!(back.source.record(), Some(json.as_str()));
    dicom::write(&back, &Derivation::conversion(), &converted).expect("written");
    assert_eq!(read(&converted).scan.source.record(), Some(json.as_str()));
    assert_eq!(scan.source.record(), None);
}
