//! Images without a place in the patient, and the times of a series.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use unmelt_imaging_io::{Choice, Derivation, ScanSeries, SeriesReading, Source};

use crate::make::{COLUMNS, ROWS, Slice, add, item, pixels, series, single};

fn read(path: &std::path::Path) -> SeriesReading {
    ScanSeries::read(path, &Choice::default()).expect("readable")
}

fn radiograph(slice: &mut Slice) {
    for tag in [tags::IMAGE_POSITION_PATIENT, tags::IMAGE_ORIENTATION_PATIENT, tags::PIXEL_SPACING] {
        slice.remove(tag);
    }
    slice.text(tags::MODALITY, VR::CS, "DX");
}

#[test]
fn a_radiograph_is_a_picture_with_the_spacing_of_its_detector() {
    let (folder, path) = single(|slice| {
        radiograph(slice);
        slice.text(tags::IMAGER_PIXEL_SPACING, VR::DS, "0.2\\0.1");
    });
    let SeriesReading { scan, warnings } = read(&path);
    let lattice = scan.series.lattice();
    assert_eq!(lattice.shape(), [COLUMNS, ROWS, 1]);
    let spacing = lattice.grid.spacing();
    assert!((spacing[0] - 0.1).abs() < 1e-9 && (spacing[1] - 0.2).abs() < 1e-9, "{spacing:?}");
    assert!(warnings[0].contains("no place in the patient") && !warnings[0].contains("1 mm"), "{warnings:?}");
    // Its columns run to the left and its rows to the back.
    let last = *scan.series.values().last().expect("pixels");
    assert_eq!(last, f32::from(pixels(0)[0]));
    assert!(matches!(scan.source, Source::Picture(_)));
    // A folder with one file is that file; it becomes no derived series.
    assert_eq!(read(folder.path()).scan.series.values(), scan.series.values());
    let derivation = Derivation::conversion();
    assert!(scan.write(&folder.path().join("out"), &derivation).is_err());
    let png = folder.path().join("a.png");
    scan.write(&png, &derivation).expect("written");
    assert_eq!(read(&png).scan.series.values(), scan.series.values());
}

#[test]
fn an_ultrasound_in_colours_has_frames_and_channels() {
    let colours: Vec<u8> = (0..2 * 3 * COLUMNS * ROWS).map(|k| (k % 251) as u8).collect();
    for planar in [0, 1] {
        let (_folder, path) = single(|slice| {
            radiograph(slice);
            slice.text(tags::MODALITY, VR::CS, "US").text(tags::NUMBER_OF_FRAMES, VR::IS, "2");
            slice.text(tags::FRAME_TIME, VR::DS, "40");
            slice.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB");
            for (tag, value) in [
                (tags::SAMPLES_PER_PIXEL, 3),
                (tags::BITS_ALLOCATED, 8),
                (tags::BITS_STORED, 8),
                (tags::HIGH_BIT, 7),
                (tags::PLANAR_CONFIGURATION, planar),
            ] {
                slice.number(tag, value);
            }
            slice.bytes(tags::PIXEL_DATA, VR::OB, &colours);
            let mut region = Slice { object: item(&[]), syntax: "" };
            region.number(tags::PHYSICAL_UNITS_X_DIRECTION, 3).number(tags::PHYSICAL_UNITS_Y_DIRECTION, 3);
            region.bytes(tags::PHYSICAL_DELTA_X, VR::FD, &0.02f64.to_le_bytes());
            region.bytes(tags::PHYSICAL_DELTA_Y, VR::FD, &0.03f64.to_le_bytes());
            slice.items(tags::SEQUENCE_OF_ULTRASOUND_REGIONS, vec![region.object]);
        });
        let scan = read(&path).scan;
        let lattice = scan.series.lattice();
        assert_eq!((lattice.channels, lattice.frames, lattice.frame_step), (3, 2, 0.04));
        let spacing = lattice.grid.spacing();
        assert!((spacing[0] - 0.2).abs() < 1e-9 && (spacing[1] - 0.3).abs() < 1e-9, "{spacing:?}");
        let points = COLUMNS * ROWS;
        // Green of the first pixel of the second frame, which is the last in RAS order.
        let at = 3 * points + if planar == 0 { 1 } else { points };
        assert_eq!(scan.series.part(1, 1)[points - 1], f32::from(colours[at]));
    }
}

#[test]
fn times_of_a_series_are_frames() {
    let heights = [0.0, 2.0, 4.0];
    let folder = series(&heights, |_, _| {});
    add(folder.path(), "second", &heights, |k, slice| {
        slice.text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.8.{k}"));
        slice.text(tags::ACQUISITION_NUMBER, VR::IS, "2");
        slice.pixels(&[5; 30]);
    });
    let scan = read(folder.path()).scan;
    assert_eq!(scan.series.lattice().frames, 2);
    assert!(scan.series.part(0, 1).iter().all(|v| *v == 5.0));
    let out = folder.path().join("series.nii.gz");
    let derivation = Derivation::conversion();
    scan.write(&out, &derivation).expect("written");
    assert_eq!(read(&out).scan.series.values(), scan.series.values());
    let said = scan.write(&folder.path().join("out"), &derivation).expect_err("two volumes").to_string();
    assert!(said.contains("holds one volume, and there are 2"), "{said}");
    // One of them, by its number.
    let choice = Choice { series: Some("2".into()), ..Choice::default() };
    let second = ScanSeries::read(folder.path(), &choice).expect("readable").scan;
    assert_eq!(second.series.lattice().frames, 1);
    // Times that were broken off are listed as before.
    std::fs::remove_file(folder.path().join("second002.dcm")).expect("there");
    let said = ScanSeries::read(folder.path(), &Choice::default()).expect_err("incomplete").to_string();
    assert!(said.contains("incomplete: 2 of 3 slices"), "{said}");
}
