//! Files that are read and written, and files that lie.

use std::io::Write;
use std::path::PathBuf;

use unmelt_imaging::{Grid, Volume};
use unmelt_imaging_io::nifti::{Element, read, write};
use unmelt_imaging_io::{Scan, Source};

use crate::raw::{Raw, complaint, folder};

fn data() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/volumes");
    let folder = std::env::var_os("UNMELT_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
    }
    folder.is_dir().then_some(folder)
}

#[test]
fn both_byte_orders_scale_and_place() {
    let dir = folder();
    for big in [false, true] {
        let mut raw = Raw::new(&[2, 3, 1], 4, 16, big).placed();
        raw.f32(112, 0.5);
        raw.f32(116, 10.0);
        let voxels: Vec<u8> =
            (0..6i16).flat_map(|v| if big { v.to_be_bytes() } else { v.to_le_bytes() }).collect();
        let volume = read(&raw.save(dir.path(), "a.nii", &voxels), None).expect("readable").scan.volume;
        assert_eq!(volume.voxels, [10.0, 10.5, 11.0, 11.5, 12.0, 12.5]);
        assert_eq!(volume.grid.spacing(), [2.0; 3]);
        assert_eq!(volume.grid.world([0.0; 3]).as_slice(), [-10.0, -20.0, -30.0]);
    }
}

#[test]
fn a_slope_of_zero_means_none_and_nan_becomes_zero() {
    let dir = folder();
    let raw = Raw::new(&[2, 1, 1], 16, 32, false).placed();
    let voxels: Vec<u8> = [7.0f32, f32::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
    let reading = read(&raw.save(dir.path(), "a.nii", &voxels), None).expect("readable");
    assert_eq!(reading.scan.volume.voxels, [7.0, 0.0]);
    assert_eq!(reading.warnings, ["1 voxels of a.nii are NaN or infinite and are taken as 0"]);
}

#[test]
fn version_two_is_read() {
    let dir = folder();
    let mut bytes = vec![0u8; 544];
    let mut put = |at: usize, word: &[u8]| bytes[at..at + word.len()].copy_from_slice(word);
    put(0, &540i32.to_le_bytes());
    put(4, b"n+2\0\r\n\x1a\n");
    put(12, &2i16.to_le_bytes());
    put(14, &8i16.to_le_bytes());
    [3i64, 2, 2, 1].iter().enumerate().for_each(|(k, d)| put(16 + 8 * k, &d.to_le_bytes()));
    (0..8).for_each(|k| put(104 + 8 * k, &1.5f64.to_le_bytes()));
    put(168, &544i64.to_le_bytes());
    put(348, &2i32.to_le_bytes());
    for row in 0..3 {
        put(400 + 32 * row + 8 * row, &1.5f64.to_le_bytes());
    }
    bytes.extend([1, 2, 3, 4]);
    let path = dir.path().join("two.nii");
    std::fs::write(&path, &bytes).expect("written");
    let volume = read(&path, None).expect("readable").scan.volume;
    assert_eq!(volume.voxels, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(volume.grid.spacing(), [1.5; 3]);
}

#[test]
fn pairs_and_several_volumes() {
    let dir = folder();
    let mut raw = Raw::new(&[2, 1, 1, 3], 2, 8, false).placed();
    raw.bytes[344..348].copy_from_slice(b"ni1\0");
    raw.f32(108, 0.0);
    raw.bytes.truncate(348);
    let header = raw.save(dir.path(), "a.hdr", &[]);
    std::fs::write(dir.path().join("a.img"), [1, 2, 3, 4, 5, 6]).expect("written");
    assert!(complaint(&header).ends_with("holds 3 volumes; choose one by its index, from 0"));
    assert_eq!(read(&header, Some(1)).expect("readable").scan.volume.voxels, [3.0, 4.0]);
    assert_eq!(read(&dir.path().join("a.img"), Some(2)).expect("readable").scan.volume.voxels, [5.0, 6.0]);
    assert!(read(&header, Some(3)).is_err());
}

#[test]
fn files_that_lie_get_a_sentence() {
    let dir = folder();
    let at = dir.path();
    let save = |raw: Raw, name: &str| raw.save(at, name, &[0; 8]);
    let text = at.join("text.nii");
    std::fs::write(&text, "this is no scan, but it is longer than four bytes").expect("written");
    let empty = at.join("empty.nii");
    std::fs::write(&empty, []).expect("written");
    let huge = save(Raw::new(&[32_767, 32_767, 32_767], 64, 64, false).placed(), "huge.nii");
    let negative = save(Raw::new(&[4, -3, 1], 2, 8, false).placed(), "negative.nii");
    let colours = save(Raw::new(&[2, 1, 1], 128, 24, false).placed(), "colours.nii");
    let complex = save(Raw::new(&[1, 1, 1], 32, 64, false).placed(), "complex.nii");
    let mut flat = Raw::new(&[2, 2, 2], 2, 8, false).placed();
    (280..328).for_each(|k| flat.bytes[k] = 0);
    let flat = save(flat, "flat.nii");
    let mut still = Raw::new(&[2, 2, 2], 2, 8, false);
    still.f32(80, f32::NAN);
    let still = save(still, "still.nii");
    let short = save(Raw::new(&[20, 20, 20], 2, 8, false).placed(), "short.nii");
    let packed = at.join("cut.nii.gz");
    let mut encoder = flate2::write::GzEncoder::new(
        std::fs::File::create(&packed).expect("created"),
        flate2::Compression::fast(),
    );
    let noise: Vec<u8> = (0..30_000u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    encoder
        .write_all(&[Raw::new(&[30, 100, 10], 2, 8, false).placed().bytes, noise].concat())
        .expect("written");
    encoder.finish().expect("written");
    let bytes = std::fs::read(&packed).expect("readable");
    std::fs::write(&packed, &bytes[..bytes.len() / 2]).expect("written");
    for (path, want) in [
        (&text, "ends within its header"),
        (&empty, "ends within its header"),
        (&huge, "35181150961663 is above the limit of 1000000000 for voxels"),
        (&negative, "dimension 2 is -3"),
        (&colours, "its voxels are RGB colours"),
        (&complex, "its voxels are complex numbers"),
        (&flat, "affine is singular"),
        (&still, "affine is singular"),
        (&short, "truncated: it has 360 of the 8352 bytes"),
        (&packed, "is damaged: it is cut off"),
    ] {
        let got = complaint(path);
        assert!(got.contains(want) && got.contains(&*path.to_string_lossy()), "{got}");
        assert!(!got.contains('\n'));
    }
}

#[test]
fn what_is_written_reads_back_and_int16_is_rounded() {
    let dir = folder();
    let grid = Grid::centred([3, 4, 5], [1.0, 2.0, 3.0]);
    let volume = Volume::new((0..60).map(|k| k as f32 * 1.25 - 20.0).collect(), grid);
    let scan = Scan::new(volume.clone());
    for name in ["a.nii", "a.nii.gz"] {
        let path = dir.path().join(name);
        write(&scan, Element::Float32, &path).expect("written");
        let back = read(&path, None).expect("readable").scan.volume;
        assert_eq!(back.voxels, volume.voxels);
        assert!(back.grid.same_as(&grid));
    }
    let path = dir.path().join("ct.nii.gz");
    write(&scan, Element::Int16, &path).expect("written");
    let back = read(&path, None).expect("readable").scan.volume;
    assert!(back.voxels.iter().zip(&volume.voxels).all(|(a, b)| *a == b.round()));
    assert!(write(&scan, Element::Int16, &dir.path().join("nowhere/a.nii")).is_err());
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("a folder").collect();
    assert_eq!(left.len(), 3, "no temporary file stays");
}

/// The same head in 32 orientations: all come out as stored, and agree with each other once in RAS.
#[test]
fn orientations_come_out_where_they_went_in() {
    let Some(data) = data() else { return };
    let dir = folder();
    let mut heads = 0;
    let ras = read(&data.join("nifti_orientations/RAS.nii.gz"), None).expect("readable").scan.volume;
    for entry in std::fs::read_dir(data.join("nifti_orientations")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let scan = read(&path, None).expect("readable").scan;
        let out = dir.path().join("out.nii.gz");
        write(&scan, Element::Float32, &out).expect("written");
        let back = read(&out, None).expect("readable").scan;
        let volume = &scan.volume;
        assert_eq!(back.volume.voxels, volume.voxels);
        assert_eq!(back.volume.grid, volume.grid);
        assert_eq!(back.volume.orientation(), volume.orientation());
        let (Source::Nifti(a), Source::Nifti(b)) = (&scan.source, &back.source) else { panic!("NIfTI") };
        assert_eq!(
            (a.header.srow, a.header.sform_code, a.header.qform_code),
            (b.header.srow, b.header.sform_code, b.header.qform_code)
        );
        assert_eq!(volume.grid.shape, ras.grid.shape, "{}", path.display());
        let near = volume.voxels.iter().zip(&ras.voxels).filter(|(a, b)| (*a - *b).abs() < 2.0).count();
        assert!(near * 100 > 99 * volume.voxels.len(), "{}", path.display());
        heads += 1;
    }
    assert_eq!(heads, 32);
}

#[test]
fn odd_files_are_refused_by_name_or_read() {
    let Some(data) = data() else { return };
    let odd = |name: &str| data.join("nifti_odd").join(name);
    assert!(complaint(&odd("complex.nii.gz")).contains("complex numbers"));
    assert!(complaint(&odd("ct_perfusion.nii.gz")).contains("RGB colours"));
    let minimal = read(&odd("minimal.nii.gz"), None).expect("readable").scan.volume;
    assert_eq!(minimal.grid.shape, [64, 64, 10]);
    let shear = read(&odd("shear.nii.gz"), None).expect("readable").scan.volume;
    // the shear stays: the affine is not made orthogonal
    let columns = shear.grid.affine.fixed_view::<3, 3>(0, 0).into_owned();
    let product = columns.column(1).normalize().dot(&columns.column(2).normalize());
    assert!(product.abs() > 0.01, "{product}");
}
