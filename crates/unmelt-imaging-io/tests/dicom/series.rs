//! Which files make a volume.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use unmelt_imaging_io::{Scan, Source};

use crate::make::{add, planes, read, read_series, refusal, series, stored};

const THREE: [f64; 3] = [0.0, 2.0, 4.0];

fn instance(prefix: &str, k: usize) -> String {
    format!("{prefix}.{}", k + 1)
}

fn frames(scan: &Scan) -> usize {
    let Source::Dicom(series) = &scan.source else { panic!("DICOM") };
    series.frames()
}

#[test]
fn copies_are_left_out_with_one_warning() {
    let folder = series(&THREE, |_, _| {});
    add(folder.path(), "copy of ", &THREE, |_, _| {});
    let reading = read(folder.path());
    assert_eq!(frames(&reading.scan), 3);
    assert_eq!(reading.warnings.len(), 1, "{:?}", reading.warnings);
    assert!(reading.warnings[0].contains("copies of others"), "{:?}", reading.warnings);
    // The same name and place, other pixels: nobody can say which is right.
    add(folder.path(), "other ", &[0.0], |_, slice| {
        slice.pixels(&[7; 30]);
    });
    let error = refusal(folder.path());
    assert!(error.contains("the same SOPInstanceUID") && error.contains("000.dcm"), "{error}");
}

#[test]
fn slices_that_share_an_instance_uid_are_all_kept() {
    let folder = series(&THREE, |_, slice| {
        slice.text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3");
    });
    assert_eq!(frames(&read(folder.path()).scan), 3);
}

#[test]
fn a_uid_for_each_slice_is_one_series() {
    let folder = series(&THREE, |k, slice| {
        slice.text(tags::SERIES_INSTANCE_UID, VR::UI, &instance("1.2.7", k));
    });
    let reading = read(folder.path());
    assert_eq!(frames(&reading.scan), 3);
    assert!(reading.warnings[0].contains("SeriesInstanceUID of its own"), "{:?}", reading.warnings);
}

#[test]
fn magnitude_and_phase_echoes_and_numbers_are_told_apart() {
    type Change = fn(usize, &mut crate::make::Slice);
    let changes: [Change; 4] = [
        |_, s| {
            s.text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\P\\ND");
        },
        |_, s| {
            s.text(tags::ECHO_TIME, VR::DS, "90").text(tags::ECHO_NUMBERS, VR::IS, "2");
        },
        |_, s| {
            s.text(tags::SERIES_NUMBER, VR::IS, "4");
        },
        |_, s| {
            s.text(tags::COMPLEX_IMAGE_COMPONENT, VR::CS, "PHASE");
        },
    ];
    for change in changes {
        let folder = series(&THREE, |_, _| {});
        add(folder.path(), "second", &THREE, |k, slice| {
            slice.text(tags::SOP_INSTANCE_UID, VR::UI, &instance("1.2.8", k));
            slice.pixels(&[5; 30]);
            change(k, slice);
        });
        let error = refusal(folder.path());
        assert!(error.contains("2 series; choose one by its number"), "{error}");
        assert!(error.contains("\n  1  1.2.3.4") && error.contains("\n  2  1.2.3.4"), "{error}");
        let sums: Vec<f32> = ["1", "2"]
            .map(|n| read_series(folder.path(), n).expect("readable").scan.volume.voxels.iter().sum())
            .to_vec();
        assert!(sums.contains(&450.0), "{sums:?}");
        // The UID is that of both.
        let error = read_series(folder.path(), "1.2.3.4").expect_err("two").to_string();
        assert!(error.contains("2 series"), "{error}");
        let error = read_series(folder.path(), "3").expect_err("none").to_string();
        assert!(error.contains("2 series"), "{error}");
    }
}

#[test]
fn phase_among_magnitude_is_never_mixed() {
    let folder = series(&[0.0, 2.0, 4.0, 6.0, 8.0], |k, slice| {
        if k == 2 {
            slice.text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\P\\ND");
        }
    });
    assert!(refusal(folder.path()).contains("2 series"));
    let error = read_series(folder.path(), "1").expect_err("a slice is missing").to_string();
    assert!(error.contains("slices are missing between 001.dcm and 003.dcm"), "{error}");
}

#[test]
fn time_points_are_listed_and_chosen() {
    for by_time in [false, true] {
        let folder = series(&THREE, |_, _| {});
        add(folder.path(), "second", &THREE, |k, slice| {
            slice.text(tags::SOP_INSTANCE_UID, VR::UI, &instance("1.2.8", k));
            slice.pixels(&[5; 30]);
            match by_time {
                true => slice.text(tags::ACQUISITION_NUMBER, VR::IS, "2"),
                false => slice.text(tags::INSTANCE_NUMBER, VR::IS, &(k + 20).to_string()),
            };
        });
        let error = refusal(folder.path());
        assert!(
            error.contains("volume 1 of 2 at the same place") && error.contains("volume 2 of 2"),
            "{error}"
        );
        let first = read_series(folder.path(), "1").expect("readable").scan.volume;
        let second = read_series(folder.path(), "2").expect("readable").scan.volume;
        assert_eq!((stored(&first)[0], stored(&second)[0]), (100.0, 5.0));
        assert!(second.voxels.iter().all(|v| *v == 5.0));
    }
}

#[test]
fn time_points_that_were_broken_off_are_said() {
    let folder = series(&THREE, |_, _| {});
    add(folder.path(), "second", &[0.0, 2.0], |k, slice| {
        slice.text(tags::SOP_INSTANCE_UID, VR::UI, &instance("1.2.8", k));
        slice.text(tags::INSTANCE_NUMBER, VR::IS, &(k + 20).to_string());
    });
    let error = refusal(folder.path());
    assert!(error.contains("incomplete: 2 of 3 slices"), "{error}");
    assert_eq!(frames(&read_series(folder.path(), "1").expect("readable").scan), 3);
    // Where nothing tells them apart, nothing is guessed.
    let folder = series(&THREE, |_, _| {});
    add(folder.path(), "second", &[2.0], |k, slice| {
        slice.text(tags::SOP_INSTANCE_UID, VR::UI, &instance("1.2.8", k));
        slice.text(tags::INSTANCE_NUMBER, VR::IS, "2");
    });
    let error = refusal(folder.path());
    assert!(error.contains("nothing tells them apart"), "{error}");
}

#[test]
fn localizers_are_left_out_and_said_or_chosen() {
    let folder = series(&[0.0, 2.0, 4.0, 6.0], |_, _| {});
    add(folder.path(), "localizer", &[0.0], |_, slice| {
        slice.text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.8.1");
        slice.text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "0\\1\\0\\0\\0\\-1");
    });
    let reading = read(folder.path());
    assert_eq!(planes(&reading.scan.volume), [0.0, 2.0, 4.0, 6.0]);
    assert!(reading.warnings[0].starts_with("left out: 2  1.2.3.4"), "{:?}", reading.warnings);
    assert!(reading.warnings[0].ends_with("localizer"), "{:?}", reading.warnings);
    assert_eq!(frames(&read_series(folder.path(), "2").expect("readable").scan), 1);
    assert_eq!(frames(&read_series(folder.path(), "1.2.3.4").expect("readable").scan), 4);
    // A series of its own that says so.
    let folder = series(&THREE, |_, _| {});
    add(folder.path(), "scout", &THREE, |k, slice| {
        slice.text(tags::SOP_INSTANCE_UID, VR::UI, &instance("1.2.8", k));
        slice.text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.8");
        slice.text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\LOCALIZER");
    });
    assert!(read(folder.path()).warnings[0].contains("localizer"));
}

#[test]
fn three_planes_are_listed() {
    let folder = series(&THREE, |k, slice| {
        slice.text(
            tags::IMAGE_ORIENTATION_PATIENT,
            VR::DS,
            ["1\\0\\0\\0\\1\\0", "0\\1\\0\\0\\0\\-1", "1\\0\\0\\0\\0\\-1"][k],
        );
    });
    let error = refusal(folder.path());
    assert!(["3 series", "axial", "sagittal", "coronal"].iter().all(|w| error.contains(w)), "{error}");
}

#[test]
fn what_is_no_scan_is_left_out_and_said() {
    let folder = series(&THREE, |_, _| {});
    add(folder.path(), "dose", &[0.0], |_, slice| {
        slice.text(tags::MODALITY, VR::CS, "RTDOSE").text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.8");
    });
    std::fs::write(folder.path().join("README"), "a disc of a hospital").expect("written");
    std::fs::write(folder.path().join("._000.dcm"), "a Mac was here").expect("written");
    let reading = read(folder.path());
    assert_eq!(frames(&reading.scan), 3);
    assert!(reading.warnings.iter().any(|w| w.contains("RTDOSE")), "{:?}", reading.warnings);
}

#[test]
fn no_list_names_a_patient() {
    let folder = series(&THREE, |k, slice| {
        slice.text(tags::SERIES_NUMBER, VR::IS, &(k + 1).to_string());
        slice.text(tags::PATIENT_NAME, VR::PN, "Secret^Name").text(tags::PATIENT_ID, VR::LO, "secret7");
    });
    let error = refusal(folder.path());
    assert!(!error.to_lowercase().contains("secret"), "{error}");
}

#[test]
fn text_of_files_is_escaped() {
    let folder = series(&THREE, |k, slice| {
        slice.bytes(tags::SERIES_INSTANCE_UID, VR::UI, format!("1.2\x1b]0;x\x07.{k}").as_bytes());
        slice.bytes(tags::MODALITY, VR::CS, b"M\x1b[2J");
        slice.text(tags::SERIES_NUMBER, VR::IS, &(k + 1).to_string());
    });
    let error = refusal(folder.path());
    assert!(error.contains("3 series") && !error.contains('\x1b'), "{error:?}");
}
