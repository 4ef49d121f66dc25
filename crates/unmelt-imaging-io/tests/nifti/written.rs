//! What is written: extensions, versions, marks, names in capitals, text taken away.

use std::path::Path;

use unmelt_imaging::enhance::{EnhanceRequest, TaskRequest, VolumeRequest};
use unmelt_imaging::{Grid, Volume};
use unmelt_imaging_io::nifti::{Element, NiftiSource, Version, read, write};
use unmelt_imaging_io::{Derivation, Scan, Source};

use crate::raw::{Fields, Raw, folder};

fn source(scan: &Scan) -> &NiftiSource {
    match &scan.source {
        Source::Nifti(source) => source,
        _ => panic!("NIfTI"),
    }
}

/// An extension of code 6 (comment), as it lies in a file.
fn extension(text: &[u8]) -> Vec<u8> {
    let size = (8 + text.len()).next_multiple_of(16);
    let mut bytes = vec![1, 0, 0, 0];
    bytes.extend((size as i32).to_le_bytes());
    bytes.extend(6i32.to_le_bytes());
    bytes.extend(text);
    bytes.resize(4 + size, 0);
    bytes
}

/// A file of two voxels with text wherever there can be some.
fn talkative(folder: &Path) -> std::path::PathBuf {
    let mut raw = Raw::new(&[2, 1, 1], 2, 8, false).placed();
    for (at, text) in [(14, "db"), (148, "DOE^JANE 1970"), (228, "aux.txt"), (328, "intent")] {
        raw.bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    raw.bytes.truncate(348);
    raw.bytes.extend(extension(b"born 1970"));
    raw.f32(108, raw.bytes.len() as f32);
    raw.save(folder, "a.nii", &[3, 4])
}

#[test]
fn text_and_extensions_are_kept_and_can_be_taken_away() {
    let dir = folder();
    let mut scan = read(&talkative(dir.path()), None).expect("readable").scan;
    assert_eq!(source(&scan).extensions[0].code, 6);
    assert!(source(&scan).extensions[0].data.starts_with(b"born 1970"));
    let out = dir.path().join("out.nii");
    let convert = Derivation::conversion();
    scan.write(&out, &convert).expect("written");
    let back = read(&out, None).expect("readable").scan;
    assert_eq!(back.volume.voxels, [3.0, 4.0]);
    assert_eq!(source(&back).extensions, source(&scan).extensions);
    let fields = Fields::of(&out);
    assert_eq!(fields.f32(108), 384.0);
    assert_eq!(fields.text(148, 80), "DOE^JANE 1970");
    assert_eq!(
        (fields.text(14, 18), fields.text(228, 24), fields.text(328, 16)),
        ("db".into(), "aux.txt".into(), "intent".into())
    );
    scan.strip();
    scan.write(&out, &convert).expect("written");
    let fields = Fields::of(&out);
    assert_eq!(fields.text(148, 80), concat!("unmelt ", env!("CARGO_PKG_VERSION"), ": convert"));
    assert_eq!((fields.text(14, 18), fields.text(228, 24), fields.text(328, 16)), Default::default());
    let bytes = std::fs::read(&out).expect("readable");
    assert!(!bytes.windows(4).any(|w| w == b"1970"));
    assert_eq!(bytes.len(), 352 + 8);
}

#[test]
fn what_was_done_stands_in_the_description() {
    let dir = folder();
    let scan = read(&talkative(dir.path()), None).expect("readable").scan;
    let out = dir.path().join("out.nii");
    let denoise = Derivation::new("denoise", "/home/jane/model");
    let mark = concat!("unmelt ", env!("CARGO_PKG_VERSION"), ": denoise");
    scan.write(&out, &denoise).expect("written");
    assert_eq!(Fields::of(&out).text(148, 80), format!("{mark}; DOE^JANE 1970"));
    Scan::new(Volume::new(vec![0.0; 2], scan.volume.grid)).write(&out, &denoise).expect("written");
    assert_eq!(Fields::of(&out).text(148, 80), mark);
    scan.write_map(&out, &denoise, "standard deviation").expect("written");
    assert!(Fields::of(&out).text(148, 80).starts_with(&format!("{mark}, standard deviation")));
    assert_eq!(Fields::of(&out).i16(70), 16);
}

#[test]
fn extensions_of_a_pair_lie_behind_its_header() {
    let dir = folder();
    let mut raw = Raw::new(&[2, 1, 1], 2, 8, false).placed();
    raw.bytes[344..348].copy_from_slice(b"ni1\0");
    raw.f32(108, 0.0);
    raw.bytes.truncate(348);
    raw.bytes.extend(extension(b"kept"));
    for (header, image) in [("a.hdr", "a.img"), ("B.HDR", "B.IMG")] {
        let path = raw.save(dir.path(), header, &[]);
        std::fs::write(dir.path().join(image), [7, 9]).expect("written");
        for path in [path, dir.path().join(image)] {
            let scan = read(&path, None).expect("readable").scan;
            assert_eq!(scan.volume.voxels, [7.0, 9.0]);
            assert!(source(&scan).extensions[0].data.starts_with(b"kept"));
            let out = dir.path().join("out.nii");
            write(&scan, Element::Float32, &out).expect("written");
            let back = read(&out, None).expect("readable").scan;
            assert_eq!(source(&back).extensions, source(&scan).extensions);
        }
    }
    // A header of a pair that was renamed has no voxels behind it.
    let alone = raw.save(dir.path(), "alone.nii", &[]);
    assert!(crate::raw::complaint(&alone).contains("give the .hdr file"));
}

#[test]
fn axes_too_long_for_version_one_are_written_in_version_two() {
    let dir = folder();
    for long in 0..3 {
        let mut shape = [2, 1, 3];
        shape[long] = 40_000;
        let grid = Grid::centred(shape, [0.5, 1.0, 2.0]);
        let volume = Volume::new((0..grid.voxels()).map(|k| k as f32).collect(), grid);
        let out = dir.path().join("long.nii.gz");
        write(&Scan::new(volume.clone()), Element::Float32, &out).expect("written");
        let reading = read(&out, None).expect("readable");
        assert_eq!(source(&reading.scan).header.version, Version::Two);
        assert_eq!(reading.scan.volume.voxels, volume.voxels);
        assert!(reading.scan.volume.grid.same_as(&grid) && reading.warnings.is_empty());
    }
}

#[test]
fn a_name_in_capitals_is_packed_as_any() {
    let dir = folder();
    let scan = Scan::new(Volume::new(vec![1.0; 8], Grid::centred([2; 3], [1.0; 3])));
    let derivation = Derivation::conversion();
    for (name, packed) in [("A.NII.GZ", true), ("b.Nii", false), ("c.nii.gz", true)] {
        let path = dir.path().join(name);
        scan.write(&path, &derivation).expect("written");
        let bytes = std::fs::read(&path).expect("readable");
        assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), packed, "{name}");
        assert_eq!(read(&path, None).expect("readable").scan.volume.voxels, scan.volume.voxels);
    }
    for name in ["a.mgz", "a.hdr", "A.IMG", "a.mha", "a.nrrd", "a.dcm"] {
        assert!(scan.write(&dir.path().join(name), &derivation).is_err(), "{name}");
    }
}

#[test]
fn a_volume_does_not_replace_the_file_that_it_was_read_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let grid = Grid::centred([2, 3, 4], [1.0; 3]);
    let array = Scan::new(Volume::new((0..24).map(|k| k as f32).collect(), grid));
    let derivation = Derivation::new("denoise", "");
    array.write(&at("scan.nii"), &derivation).expect("written");
    let before = std::fs::read(at("scan.nii")).expect("there");
    let scan = read(&at("scan.nii"), None).expect("readable").scan;
    let other = scan.with_voxels(vec![1.0; 24]);
    for path in [at("scan.nii"), folder.path().join("./scan.nii")] {
        let said = other.write(&path, &derivation).expect_err("refused").to_string();
        assert!(said.contains("scan.nii is an input"), "{said}");
        other.write_map(&path, &derivation, "deviation").expect_err("refused");
    }
    assert_eq!(std::fs::read(at("scan.nii")).expect("there"), before);
    other.write(&at("out.nii"), &derivation).expect("another name");
    // What replaces nothing that was read is nobody's source: another file, an array, a source that is gone.
    scan.write(&at("out.nii"), &derivation).expect("another file");
    array.write(&at("out.nii"), &derivation).expect("an array");
    std::fs::remove_file(at("scan.nii")).expect("there");
    scan.write(&at("scan.nii"), &derivation).expect("nothing is there");
}

#[test]
fn a_record_says_how_values_were_made_until_others_are() {
    let dir = folder();
    let scan = read(&talkative(dir.path()), None).expect("readable").scan;
    let task = TaskRequest::Denoise { sigma: Some(0.1), rician: None };
    let request = EnhanceRequest { task, input: "0f".into(), settings: None };
    let derivation = Derivation::classical("denoise", VolumeRequest::Enhance(request));
    let json = derivation.record.as_ref().expect("a record").to_json();
    let out = dir.path().join("out.nii");
    scan.write(&out, &derivation).expect("written");
    let made = read(&out, None).expect("readable").scan;
    assert_eq!(made.source.record(), Some(json.as_str()));
    assert_eq!(source(&made).extensions.len(), 2, "beside what was there");
    // A conversion keeps the values and their record; a map is another thing, and so is what is made of it.
    let copy = dir.path().join("copy.nii.gz");
    made.write(&copy, &Derivation::conversion()).expect("written");
    assert_eq!(read(&copy, None).expect("readable").scan.source.record(), Some(json.as_str()));
    made.write_map(&copy, &Derivation::new("denoise", ""), "standard deviation").expect("written");
    assert_eq!(read(&copy, None).expect("readable").scan.source.record(), None);
    made.write(&copy, &Derivation::new("inpaint", "other")).expect("written");
    assert_eq!(read(&copy, None).expect("readable").scan.source.record(), None);
    assert_eq!(source(&read(&copy, None).expect("readable").scan).extensions, source(&scan).extensions);
}
