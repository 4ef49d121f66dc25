//! Files of several volumes, and of colours.

use std::path::Path;

use unmelt_imaging::{Grid, Lattice, Series};
use unmelt_imaging_io::nifti::{Element, Label, read_series, write_series};
use unmelt_imaging_io::{Choice, Derivation, ScanSeries};

use crate::raw::{Fields, Raw, folder};

fn all(path: &Path) -> ScanSeries {
    read_series(path, &Choice::default()).expect("readable").scan
}

fn convert() -> Derivation {
    Derivation::conversion()
}

/// Three volumes of 2 × 3 × 2 bytes, stored to the left, 800 ms apart.
fn timed() -> Raw {
    let mut raw = Raw::new(&[2, 3, 2, 3], 2, 8, false).placed();
    raw.f32(280, -2.0);
    raw.f32(92, 800.0);
    raw.bytes[123] = 2 | 16;
    raw
}

#[test]
fn all_volumes_are_read_with_their_times_and_written_with_them() {
    let dir = folder();
    let voxels: Vec<u8> = (0..36).collect();
    let path = timed().save(dir.path(), "a.nii", &voxels);
    let scan = all(&path);
    let lattice = scan.series.lattice();
    assert_eq!((lattice.frames, lattice.channels, lattice.frame_step), (3, 1, 0.8));
    // The first axis runs to the left as it is stored, to the right here.
    assert_eq!(scan.series.part(0, 1)[..2], [13.0, 12.0]);
    let out = dir.path().join("out.nii");
    scan.write(&out, &convert()).expect("written");
    let fields = Fields::of(&out);
    assert_eq!([40, 42, 44, 46, 48, 50].map(|at| fields.i16(at)), [4, 2, 3, 2, 3, 1]);
    assert_eq!((fields.f32(92), fields.byte(123)), (800.0, 2 | 16));
    let back = all(&out);
    assert_eq!(back.series.values(), scan.series.values());
    assert_eq!(back.series.lattice(), lattice);
    // One frame alone.
    let choice = Choice { index: Some(1), ..Choice::default() };
    let one = read_series(&path, &choice).expect("readable").scan;
    assert_eq!(one.series.values(), scan.series.part(0, 1));
}

#[test]
fn more_than_four_dimensions_stay_what_they_are() {
    let dir = folder();
    let raw = Raw::new(&[2, 1, 1, 2, 3], 2, 8, false).placed();
    let path = raw.save(dir.path(), "a.nii", &(0..12).collect::<Vec<u8>>());
    let scan = all(&path);
    assert_eq!(scan.series.lattice().frames, 6);
    let out = dir.path().join("out.nii");
    scan.write(&out, &convert()).expect("written");
    assert_eq!([40, 48, 50].map(|at| Fields::of(&out).i16(at)), [5, 2, 3]);
    assert_eq!(all(&out).series.values(), scan.series.values());
}

#[test]
fn a_series_without_a_file_says_its_times_in_seconds() {
    let dir = folder();
    let grid = Grid::centred([3, 2, 2], [1.0; 3]);
    let lattice = Lattice { frames: 4, frame_step: 1.5, ..Lattice::scalar(grid) };
    let scan = ScanSeries::new(Series::new((0..48).map(|k| k as f32).collect(), lattice));
    let out = dir.path().join("out.nii.gz");
    scan.write(&out, &convert()).expect("written");
    let back = all(&out);
    assert_eq!((back.series.values(), back.series.lattice().frame_step), (scan.series.values(), 1.5));
}

#[test]
fn colours_are_channels() {
    let dir = folder();
    let mut raw = Raw::new(&[2, 1, 1, 2], 128, 24, false).placed();
    raw.f32(112, 1.0);
    let path = raw.save(dir.path(), "a.nii", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let scan = all(&path);
    let lattice = scan.series.lattice();
    assert_eq!((lattice.channels, lattice.frames), (3, 2));
    assert_eq!(scan.series.part(1, 0), [2.0, 5.0]);
    assert_eq!(scan.series.part(2, 1), [9.0, 12.0]);
    let out = dir.path().join("out.nii");
    scan.write(&out, &convert()).expect("written");
    assert_eq!(Fields::of(&out).i16(70), 128);
    assert_eq!(all(&out).series.values(), scan.series.values());
    // Fractions are vectors along the fifth dimension.
    let halves = Series::new(vec![0.5; 6], Lattice { channels: 3, ..Lattice::scalar(lattice.grid) });
    ScanSeries::new(halves).write(&out, &convert()).expect("written");
    assert_eq!([40, 48, 50, 68].map(|at| Fields::of(&out).i16(at)), [5, 1, 3, 1007]);
    assert_eq!(all(&out).series.lattice().channels, 3);
    let gray = Series::new(vec![0.5; 2], Lattice::scalar(lattice.grid));
    assert!(write_series(&ScanSeries::new(gray), Element::Rgb24, Label::SAME, &out).is_err());
}

#[test]
fn a_series_that_is_cut_off_is_refused() {
    let dir = folder();
    let path = timed().save(dir.path(), "a.nii", &[0; 35]);
    let said = read_series(&path, &Choice::default()).expect_err("cut off").to_string();
    assert!(said.contains("truncated"), "{said}");
    let huge = Raw::new(&[1000, 1000, 500, 32_000], 2, 8, false).placed();
    let said = read_series(&huge.save(dir.path(), "b.nii", &[0; 8]), &Choice::default())
        .expect_err("huge")
        .to_string();
    assert!(said.contains("above the limit") && said.contains("voxels"), "{said}");
}
