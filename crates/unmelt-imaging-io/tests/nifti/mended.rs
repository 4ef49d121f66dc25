//! Headers that other programs leave broken, or that say the usual in an unusual way.

use unmelt_imaging::Volume;
use unmelt_imaging_io::nifti::{Element, read, write};
use unmelt_imaging_io::{Scan, Source};

use crate::raw::{Fields, Raw, complaint, folder};

/// A header of 2 × 3 × 1 bytes with a qform alone: spacing 1, 1, 2.5 mm at (4, 5, 6).
fn qform() -> Raw {
    let mut raw = Raw::new(&[2, 3, 1], 2, 8, false);
    raw.i16(252, 1);
    raw.f32(88, 2.5);
    [4.0, 5.0, 6.0].into_iter().enumerate().for_each(|(k, v)| raw.f32(268 + 4 * k, v));
    raw
}

const VOXELS: [u8; 6] = [1, 2, 3, 4, 5, 6];

fn read_one(raw: &Raw) -> (Scan, Vec<String>) {
    let dir = folder();
    let reading = read(&raw.save(dir.path(), "a.nii", &VOXELS), None).expect("readable");
    (reading.scan, reading.warnings)
}

fn written(scan: &Scan) -> Fields {
    let dir = folder();
    let out = dir.path().join("out.nii");
    write(scan, Element::Float32, &out).expect("written");
    Fields::of(&out)
}

fn near(found: &[f64], want: &[f64]) {
    assert!(
        found.len() == want.len() && found.iter().zip(want).all(|(f, w)| (f - w).abs() < 1e-5),
        "{found:?}"
    );
}

#[test]
fn lengths_are_millimetres_inside_and_in_the_files_own_unit_outside() {
    for (unit, mm) in [(0, 1.0), (2, 1.0), (3, 0.001), (1, 1000.0)] {
        for by_qform in [false, true] {
            let mut raw = if by_qform { qform() } else { Raw::new(&[2, 3, 1], 2, 8, false).placed() };
            raw.bytes[123] = unit | 8;
            let (scan, _) = read_one(&raw);
            let (spacing, origin) = match by_qform {
                true => ([1.0, 1.0, 2.5], [4.0, 5.0, 6.0]),
                false => ([2.0; 3], [-10.0, -20.0, -30.0]),
            };
            near(&scan.volume.grid.spacing(), &spacing.map(|s| s * mm));
            near(scan.volume.grid.world([0.0; 3]).as_slice(), &origin.map(|o| o * mm));
            // A grid that did not change stays as it is, bit for bit.
            let fields = written(&scan);
            assert_eq!(fields.f32(268), if by_qform { 4.0 } else { 0.0 });
            // A new one is written in the file's unit.
            let grid = scan.volume.grid.extended([1, 0, 0], [0; 3]);
            let wider = scan.with(Volume::new(vec![0.0; grid.voxels()], grid));
            let fields = written(&wider);
            near(&[80, 84, 88].map(|at| fields.f32(at)), &spacing);
            near(&fields.sform().map(|r| r[3]), &[origin[0] - spacing[0], origin[1], origin[2]]);
            near(&fields.qform().map(|r| r[3]), &[origin[0] - spacing[0], origin[1], origin[2]]);
        }
    }
    let mut raw = qform();
    raw.bytes[123] = 7;
    assert!(read_one(&raw).1[0].contains("its unit of length, 7, is none of NIfTI's; mm are taken"));
}

#[test]
fn an_sform_of_zeros_gives_way_to_a_valid_qform() {
    for broken in [0.0, f32::NAN, f32::INFINITY] {
        let mut raw = qform();
        raw.i16(254, 1);
        raw.f32(280, broken);
        let (scan, warnings) = read_one(&raw);
        near(&scan.volume.grid.spacing(), &[1.0, 1.0, 2.5]);
        near(scan.volume.grid.world([0.0; 3]).as_slice(), &[4.0, 5.0, 6.0]);
        assert_eq!(warnings, ["a.nii: its sform is singular or not finite; its qform is taken"]);
        // What is written no reader misunderstands.
        let fields = written(&scan);
        assert_eq!(fields.sform(), fields.qform());
        near(&fields.sform()[2], &[0.0, 0.0, 2.5, 6.0]);
    }
}

#[test]
fn a_quaternion_a_little_over_one_is_read_and_written_so_that_all_can_read_it() {
    for over in [0.0, 4e-7, 1e-6, 9e-6] {
        let mut raw = qform();
        let length = (1.0f64 + over).sqrt();
        raw.f32(256, (0.6 * length) as f32);
        raw.f32(264, (0.8 * length) as f32);
        let (scan, _) = read_one(&raw);
        let Source::Nifti(source) = &scan.source else { panic!("NIfTI") };
        near(&source.grid.spacing(), &[1.0, 1.0, 2.5]);
        // Refuses what nibabel refuses.
        let rows = written(&scan).qform();
        assert!((0..3).all(|c| (rows[1][c] - [0.0, -1.0, 0.0][c]).abs() < 1e-3), "{rows:?}");
    }
    let mut raw = qform();
    raw.f32(256, 0.600_03);
    raw.f32(264, 0.800_04);
    let dir = folder();
    assert!(complaint(&raw.save(dir.path(), "a.nii", &VOXELS)).contains("qform is not a rotation"));
    // Beside a valid sform it is no matter, and it is not handed on.
    raw = raw.placed();
    let (scan, warnings) = read_one(&raw);
    assert_eq!(warnings, ["a.nii: its qform is not a rotation; its sform is taken"]);
    let fields = written(&scan);
    assert_eq!(fields.sform(), fields.qform());
}

#[test]
fn spacings_of_zero_or_below_are_mended_and_said() {
    let mut raw = qform();
    raw.f32(80, -1.0);
    raw.f32(84, 0.0);
    let (scan, warnings) = read_one(&raw);
    near(&scan.volume.grid.spacing(), &[1.0, 1.0, 2.5]);
    assert_eq!(warnings, ["a.nii: pixdim[1] is -1; 1 is taken", "a.nii: pixdim[2] is 0; 1 is taken"]);
    near(&[80, 84, 88].map(|at| written(&scan).f32(at)), &[1.0, 1.0, 2.5]);
    // Without forms the first axis runs to the left, whatever the sign of its spacing.
    let mut raw = Raw::new(&[2, 3, 1], 2, 8, false);
    raw.f32(80, -2.0);
    let (scan, _) = read_one(&raw);
    let Source::Nifti(source) = &scan.source else { panic!("NIfTI") };
    near(source.grid.affine.row(0).transpose().as_slice(), &[-2.0, 0.0, 0.0, 1.0]);
}

#[test]
fn a_spacing_that_is_no_number_is_that_of_the_sform() {
    let mut raw = Raw::new(&[2, 3, 1], 2, 8, false).placed();
    raw.f32(84, f32::NAN);
    let (scan, warnings) = read_one(&raw);
    assert_eq!(warnings, ["a.nii: pixdim is not finite; the spacing of its sform is taken"]);
    near(&[80, 84, 88].map(|at| written(&scan).f32(at)), &[2.0; 3]);
}

#[test]
fn a_handedness_of_zero_is_right_and_one_that_programs_read_differently_is_refused() {
    let mut raw = qform();
    raw.f32(76, 0.0);
    let (scan, warnings) = read_one(&raw);
    assert!(scan.volume.grid.affine.determinant() > 0.0);
    assert_eq!(warnings, ["a.nii: pixdim[0] is 0; 1 is taken"]);
    assert_eq!(written(&scan).f32(76), 1.0);
    raw.f32(76, -2.0);
    let dir = folder();
    assert!(complaint(&raw.save(dir.path(), "a.nii", &VOXELS)).contains("pixdim[0] is -2"));
}

#[test]
fn forms_that_disagree_about_the_sides_are_said_and_not_handed_on() {
    // The second is what earlier versions of unmelt wrote of scans stored as LAS: a qform of diag(1, 1, −1).
    for handed in [1.0, -1.0] {
        let mut raw = qform().placed();
        raw.f32(280, -2.0);
        raw.f32(76, handed);
        let (scan, warnings) = read_one(&raw);
        assert!(scan.volume.grid.affine[(0, 0)] > 0.0 && scan.volume.grid.spacing()[0] == 2.0);
        let said = "a.nii: its sform and its qform disagree about the patient's sides; its sform is taken";
        assert_eq!(warnings, [said]);
        let fields = written(&scan);
        assert_eq!(fields.sform(), fields.qform());
    }
}

#[test]
fn dimensions_of_zero_behind_the_first_are_one() {
    let raw = {
        let mut raw = qform();
        raw.i16(40, 4);
        raw.i16(48, 0);
        raw
    };
    let (scan, warnings) = read_one(&raw);
    assert_eq!(scan.volume.grid.shape, [2, 3, 1]);
    assert_eq!(warnings, ["dimension 4 of a.nii is 0 and is taken as 1"]);
    let mut raw = qform();
    raw.i16(42, 0);
    let dir = folder();
    assert!(complaint(&raw.save(dir.path(), "a.nii", &VOXELS)).contains("its dimension 1 is 0"));
}

#[test]
fn places_where_no_scan_lies_are_refused() {
    let dir = folder();
    for (at, value) in [(280, 1e30), (292, -1e12), (292, f32::NAN)] {
        let mut raw = Raw::new(&[2, 3, 1], 2, 8, false).placed();
        raw.f32(at, value);
        complaint(&raw.save(dir.path(), "a.nii", &VOXELS));
    }
}

#[test]
fn a_slope_without_an_intercept_is_refused_and_wide_integers_are_not_rounded_in_silence() {
    let dir = folder();
    let mut raw = qform();
    raw.f32(112, 2.0);
    raw.f32(116, f32::NAN);
    assert!(complaint(&raw.save(dir.path(), "a.nii", &VOXELS)).contains("its scl_inter is NaN"));
    let raw = Raw::new(&[2, 1, 1], 8, 32, false).placed();
    let voxels: Vec<u8> = [16_777_217i32, 5].iter().flat_map(|v| v.to_le_bytes()).collect();
    let reading = read(&raw.save(dir.path(), "b.nii", &voxels), None).expect("readable");
    assert!(reading.warnings[0].starts_with("1 voxels of b.nii hold whole numbers above 16,777,216"));
}

#[test]
fn voxels_that_begin_within_the_header_are_refused_and_at_zero_are_behind_it() {
    let dir = folder();
    let mut raw = qform();
    raw.f32(108, 0.0);
    let (scan, warnings) = read_one(&raw);
    assert_eq!(scan.volume.voxels, VOXELS.map(f32::from));
    assert_eq!(warnings, ["vox_offset of a.nii is 0; 352 is taken"]);
    for offset in [10.0, -1.0, 352.5, f32::NAN, f32::MAX] {
        let mut raw = qform();
        raw.f32(108, offset);
        complaint(&raw.save(dir.path(), "a.nii", &VOXELS));
    }
}
