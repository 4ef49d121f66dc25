//! Where slices lie: even, uneven, missing, tilted, alone.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::make::{Slice, add, planes, read, refusal, series, single, stored};

/// A slice whose every pixel is its height.
fn level(heights: &'static [f64]) -> impl Fn(usize, &mut Slice) {
    move |k, slice| {
        slice.pixels(&[(heights[k] * 100.0).round() as u16; 30]);
    }
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len(), "{a:?} {b:?}");
    a.iter().zip(b).for_each(|(x, y)| assert!((x - y).abs() < 1e-6, "{a:?} {b:?}"));
}

#[test]
fn even_slices_are_taken_as_they_are() {
    let folder = series(&[5.0, 0.0, 7.5, 2.5], |_, _| {});
    let reading = read(folder.path());
    assert!(reading.warnings.is_empty(), "{:?}", reading.warnings);
    close(&planes(&reading.scan.volume), &[0.0, 2.5, 5.0, 7.5]);
    assert_eq!(reading.scan.volume.grid.shape, [6, 5, 4]);
    let [x, y, z] = reading.scan.volume.grid.spacing();
    close(&[x, y, z], &[0.8, 0.9, 2.5]);
    let values = stored(&reading.scan.volume);
    for (place, k) in [1, 3, 0, 2].into_iter().enumerate() {
        assert_eq!(
            values[place * 30..][..30],
            crate::make::pixels(k).iter().map(|v| f32::from(*v)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn planes_of_uneven_slices_hold_what_lies_there() {
    const ALL: [&[f64]; 4] = [
        &[0.0, 2.0, 4.0, 6.0, 8.0, 8.8],
        &[0.0, 2.0, 4.0, 6.0, 8.0, 9.2],
        &[0.0, 3.0, 6.0, 9.0, 10.4],
        &[0.0, 1.0, 2.6, 4.0, 5.3],
    ];
    for heights in ALL {
        let folder = series(heights, level(heights));
        let reading = read(folder.path());
        assert!(reading.warnings.iter().any(|w| w.contains("unevenly spaced")), "{:?}", reading.warnings);
        let planes = planes(&reading.scan.volume);
        // From the first slice to the last, at even distances, and each value is the height by the affine.
        close(&[planes[0], planes[planes.len() - 1]], &[heights[0], heights[heights.len() - 1]]);
        let values = stored(&reading.scan.volume);
        for (k, height) in planes.iter().enumerate() {
            close(&[planes[k]], &[planes[0] + k as f64 * (planes[1] - planes[0])]);
            for value in &values[k * 30..][..30] {
                assert!(
                    (f64::from(*value) - 100.0 * height).abs() < 1e-3,
                    "{heights:?}: {value} at {height} mm"
                );
            }
        }
    }
}

#[test]
fn missing_slices_are_named() {
    const ALL: [(&[f64], [&str; 2]); 6] = [
        (&[0.0, 1.0, 3.0], ["001.dcm", "002.dcm"]),
        (&[0.0, 1.0, 2.0, 4.0], ["002.dcm", "003.dcm"]),
        (&[0.0, 1.0, 3.0, 5.0], ["001.dcm", "002.dcm"]),
        (&[0.0, 2.0, 4.0, 8.0, 10.0], ["002.dcm", "003.dcm"]),
        (&[0.0, 2.0, 4.0, 41.0, 43.0], ["002.dcm", "003.dcm"]),
        (&[0.0, 2.5, 5.0, 8.7, 11.2, 13.7, 18.5], ["005.dcm", "006.dcm"]),
    ];
    for (heights, names) in ALL {
        let folder = series(heights, |_, _| {});
        let error = refusal(folder.path());
        assert!(error.contains("slices are missing between"), "{heights:?}: {error}");
        assert!(names.iter().all(|n| error.contains(n)), "{heights:?}: {error}");
    }
}

#[test]
fn rounded_positions_are_even() {
    let heights: Vec<f64> = (0..40).map(|k| (f64::from(k) * 0.6249 * 100.0).round() / 100.0).collect();
    let folder = series(&heights, |_, _| {});
    let reading = read(folder.path());
    assert!(reading.warnings.is_empty(), "{:?}", reading.warnings);
    assert_eq!(reading.scan.volume.grid.shape[2], 40);
    assert!((reading.scan.volume.grid.spacing()[2] - 0.6249).abs() < 1e-3);
}

#[test]
fn a_slice_alone_has_the_distance_of_its_header() {
    for (thickness, between, wanted) in [("5", None, 5.0), ("4", Some("6"), 6.0), ("", Some("-3"), 3.0)] {
        let (_folder, path) = single(|slice| {
            slice.text(tags::SLICE_THICKNESS, VR::DS, thickness);
            if let Some(between) = between {
                slice.text(tags::SPACING_BETWEEN_SLICES, VR::DS, between);
            }
        });
        let reading = read(&path);
        assert!((reading.scan.volume.grid.spacing()[2] - wanted).abs() < 1e-9);
        assert!(reading.warnings.is_empty(), "{:?}", reading.warnings);
    }
    let (_folder, path) = single(|slice| {
        slice.remove(tags::SLICE_THICKNESS);
    });
    assert!(read(&path).warnings[0].contains("without SliceThickness"));
}

#[test]
fn slices_with_gaps_keep_thickness_and_distance_apart() {
    let folder = series(&[0.0, 6.0, 12.0], |_, slice| {
        slice.text(tags::SLICE_THICKNESS, VR::DS, "5");
    });
    let scan = read(folder.path()).scan;
    let volume = scan.volume;
    assert!((volume.grid.spacing()[2] - 6.0).abs() < 1e-9);
    let unmelt_imaging_io::Source::Dicom(source) = &scan.source else { panic!("DICOM") };
    assert_eq!(source.thickness(), Some(5.0));
    let of = |heights: &[f64], orientation: &str, thickness: &str| {
        let folder = series_of(heights, orientation, thickness);
        read(folder.path()).scan.volume.slice_thickness()
    };
    let axial = "1\\0\\0\\0\\1\\0";
    let (axis, part) = of(&[0.0, 6.0, 12.0], axial, "5").expect("gaps");
    assert!(axis == 2 && (part - 5.0 / 6.0).abs() < 1e-9);
    assert_eq!(of(&[0.0, 2.0, 4.0], axial, "5"), Some((2, 2.5)));
    // Coronal slices, which follow each other to the front or the back.
    assert_eq!(of(&[0.0, 2.0, 4.0], "1\\0\\0\\0\\0\\-1", "1").map(|(axis, _)| axis), Some(1));
    for same in ["6", "5.95", "0.001", "900", ""] {
        assert_eq!(of(&[0.0, 6.0, 12.0], axial, same), None, "{same}");
    }
    // New slices are as thick as they lie apart.
    let finer = unmelt_imaging::Volume {
        voxels: vec![1.0; 6 * 5 * 9],
        grid: volume.grid.with_spacing([0.8, 0.9, 2.0]),
        ..volume.clone()
    };
    assert_eq!((volume.slice_thickness().map(|s| s.0), finer.slice_thickness()), (Some(2), None));
}

/// Slices one behind the other along their normal.
fn series_of(heights: &[f64], orientation: &str, thickness: &str) -> tempfile::TempDir {
    let coronal = orientation.ends_with("-1");
    series(heights, |k, slice| {
        slice.text(tags::SLICE_THICKNESS, VR::DS, thickness);
        slice.text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, orientation);
        if coronal {
            slice.position([-10.0, heights[k], 8.0]);
        }
    })
}

#[test]
fn tilted_slices_are_put_upright() {
    // Each slice is a pixel farther along its columns: what stands at one place of the room is straight again.
    let folder = series(&[0.0, 2.0, 4.0, 6.0], |k, slice| {
        slice.position([-10.0, -8.0 + 0.9 * k as f64, 2.0 * k as f64]);
        let words: Vec<u16> = (0..30).map(|i| ((i / 6 + k) * 10 + 100) as u16).collect();
        slice.pixels(&words);
    });
    let reading = read(folder.path());
    assert!(reading.warnings.iter().any(|w| w.contains("gantry tilt")), "{:?}", reading.warnings);
    let volume = &reading.scan.volume;
    assert_eq!(volume.grid.shape, [6, 8, 4]);
    let columns = volume.grid.affine.fixed_view::<3, 3>(0, 0).into_owned();
    assert!(columns.column(1).normalize().dot(&columns.column(2).normalize()).abs() < 1e-9);
    let values = stored(volume);
    for k in 0..4 {
        for y in k..k + 5 {
            assert_eq!(values[k * 48 + y * 6], (y * 10 + 100) as f32, "slice {k}, row {y}");
        }
    }
}

#[test]
fn a_slice_that_is_shifted_within_its_plane_is_no_tilt() {
    // A slice two pixels farther along its rows, alone and among tilted ones.
    for (shifted, tilt) in [(2, 0.0), (0, 0.0), (5, 0.0), (3, 0.9)] {
        let folder = series(&[0.0, 2.0, 4.0, 6.0, 8.0, 10.0], |k, slice| {
            let x = if k == shifted { -10.0 + 1.6 } else { -10.0 };
            slice.position([x, -8.0 + tilt * k as f64, 2.0 * k as f64]);
        });
        let reading = read(folder.path());
        let said = reading.warnings.join("; ");
        let name = format!("00{shifted}.dcm the most, by 1.60 mm");
        assert!(said.contains("1 of 6 slices are shifted") && said.contains(&name), "{said}");
        assert_eq!(said.contains("gantry tilt"), tilt != 0.0, "{said}");
        if tilt == 0.0 {
            // Each value lies where its slice says.
            let (volume, values) = (&reading.scan.volume, stored(&reading.scan.volume));
            let grid = volume.orientation().from_ras(&volume.grid);
            assert_eq!(grid.shape, [8, 5, 6]);
            for k in 0..6 {
                let first = grid.world([0.0, 0.0, k as f64])[0];
                let at = (first - if k == shifted { 8.4 } else { 10.0 }) / 0.8;
                let value = values[k * 40 + at.round() as usize];
                assert!((value - (100 * (k + 1)) as f32).abs() < 1e-2, "slice {k}: {value} at {at}");
            }
        }
    }
}

#[test]
fn differing_sizes_and_spacings_name_both_files() {
    for spacing in ["1.2\\0.8", "0.9\\1.2"] {
        let folder = series(&[0.0, 1.0, 2.0, 3.0], |k, slice| {
            if k > 1 {
                slice.text(tags::PIXEL_SPACING, VR::DS, spacing);
            }
        });
        let error = refusal(folder.path());
        assert!(
            error.contains("PixelSpacing") && error.contains("000.dcm") && error.contains("002.dcm"),
            "{error}"
        );
    }
    let folder = series(&[0.0, 1.0, 2.0], |k, slice| {
        if k == 1 {
            slice.number(tags::ROWS, 6).number(tags::COLUMNS, 5);
        }
    });
    let error = refusal(folder.path());
    assert!(error.contains("one size") && error.contains("000.dcm") && error.contains("001.dcm"), "{error}");
    // Digits of a writer are no other spacing.
    let folder = series(&[0.0, 1.0, 2.0], |k, slice| {
        if k == 1 {
            slice.text(tags::PIXEL_SPACING, VR::DS, "0.9000\\0.8000001");
        }
    });
    assert!(read(folder.path()).warnings.is_empty());
}

#[test]
fn places_that_no_patient_reaches_are_refused() {
    for position in [[0.0, 1e9, 1.0], [1e300, 0.0, 1.0], [0.0, 0.0, -1e7]] {
        let folder = series(&[0.0, 1.0], |k, slice| {
            if k == 1 {
                slice.text(
                    tags::IMAGE_POSITION_PATIENT,
                    VR::DS,
                    &position.map(|v| format!("{v:e}")).join("\\"),
                );
            }
        });
        let error = refusal(folder.path());
        assert!(error.contains("001.dcm") && error.contains("ImagePositionPatient"), "{error}");
    }
    // Within reach, but beside each other: no memory is taken for what lies between.
    let folder = series(&[0.0, 1.0], |k, slice| {
        slice.position([900_000.0 * k as f64, 0.0, k as f64]);
    });
    let error = refusal(folder.path());
    assert!(error.contains("001.dcm") || error.contains("voxels"), "{error}");
}

#[test]
fn coronal_and_sagittal_slices_lie_where_their_tags_say() {
    for (orientation, normal) in
        [("1\\0\\0\\0\\0\\-1", [0.0, 1.0, 0.0]), ("0\\1\\0\\0\\0\\-1", [-1.0, 0.0, 0.0])]
    {
        let folder = series(&[0.0, 2.0, 4.0], |k, slice| {
            slice.text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, orientation);
            slice.position(
                [3.0, 4.0, 5.0]
                    .map(|v| v)
                    .map(f64::from)
                    .iter()
                    .zip(normal)
                    .map(|(v, n)| v + 2.0 * k as f64 * n)
                    .collect::<Vec<_>>()
                    .try_into()
                    .expect("three"),
            );
        });
        let volume = read(folder.path()).scan.volume;
        let grid = volume.orientation().from_ras(&volume.grid);
        let values = stored(&volume);
        for k in 0..3 {
            // Where the first voxel of the slice with this value lies, in LPS.
            let at = values.iter().position(|v| *v == (100 * (k + 1)) as f32).expect("there");
            let index = [at % 6, at / 6 % 5, at / 30].map(|v| v as f64);
            let world = grid.world(index);
            let wanted: Vec<f64> =
                [3.0, 4.0, 5.0].iter().zip(normal).map(|(v, n)| v + 2.0 * k as f64 * n).collect();
            close(&[-world[0], -world[1], world[2]], &wanted);
        }
    }
}

#[test]
fn several_volumes_in_one_folder_do_not_mix() {
    let folder = series(&[0.0, 2.0, 4.0], |_, _| {});
    add(folder.path(), "b", &[1.0, 3.0, 5.0], |k, slice| {
        slice.text(tags::SERIES_NUMBER, VR::IS, "4");
        slice.text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.9.{}", k + 1));
    });
    let error = refusal(folder.path());
    assert!(error.contains("2 series; choose one"), "{error}");
    let second = crate::make::read_series(folder.path(), "2").expect("readable").scan.volume;
    close(&planes(&second), &[1.0, 3.0, 5.0]);
}
