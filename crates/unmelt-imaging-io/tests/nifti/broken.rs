//! Packed files that were damaged, and files that are no NIfTI.

use std::io::Write;
use std::path::{Path, PathBuf};

use unmelt_imaging_io::nifti::{read, read_with};
use unmelt_imaging_io::{Choice, Reading, Result};

use crate::raw::{Raw, complaint, folder};

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A scan of 12 × 10 × 8 voxels that do not pack to nothing.
fn scan() -> (Vec<u8>, Vec<f32>) {
    let voxels: Vec<u8> = (0..960u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 21) as u8).collect();
    let bytes = [Raw::new(&[12, 10, 8], 2, 8, false).placed().bytes, voxels.clone()].concat();
    (bytes, voxels.into_iter().map(f32::from).collect())
}

fn save(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

fn forced(path: &Path) -> Result<Reading> {
    read_with(path, &Choice { force: true, ..Choice::default() })
}

#[test]
fn no_flipped_bit_changes_a_voxel_without_a_word() {
    let dir = folder();
    let (bytes, voxels) = scan();
    let whole = packed(&bytes);
    let mut read_by_force = 0;
    for place in (10..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        let path = save(dir.path(), "a.nii.gz", &damaged);
        match read(&path, None) {
            // Bits that fill up the last byte of the packed data say nothing.
            Ok(reading) => assert_eq!(reading.scan.volume.voxels, voxels, "bit of byte {place}"),
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("a.nii.gz") && !text.contains('\n'), "{text}");
                if let Ok(reading) = forced(&path) {
                    assert!(reading.warnings.iter().any(|w| w.contains("read all the same")), "{place}");
                    read_by_force += 1;
                }
            }
        }
    }
    assert!(read_by_force > 0);
    for length in [0, 5, 10, 30, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
        complaint(&save(dir.path(), "a.nii.gz", &whole[..length]));
    }
}

#[test]
fn a_wrong_checksum_or_length_is_an_error_and_by_force_a_warning() {
    let dir = folder();
    let (bytes, voxels) = scan();
    for from_end in [8, 4] {
        let mut damaged = packed(&bytes);
        let at = damaged.len() - from_end;
        damaged[at] ^= 1;
        let path = save(dir.path(), "a.nii.gz", &damaged);
        assert!(complaint(&path).contains("its data do not fit its checksum"));
        let reading = forced(&path).expect("read by force");
        assert_eq!(reading.scan.volume.voxels, voxels);
        assert!(reading.warnings[0].contains("it is read all the same"));
    }
    // The checksum of one volume of several stands behind the last of them.
    let several = [Raw::new(&[2, 1, 1, 3], 2, 8, false).placed().bytes, vec![1, 2, 3, 4, 5, 6]].concat();
    let mut damaged = packed(&several);
    let at = damaged.len() - 8;
    damaged[at] ^= 1;
    let path = save(dir.path(), "b.nii.gz", &damaged);
    assert!(read(&path, Some(0)).expect_err("damaged").to_string().contains("checksum"));
    let path = save(dir.path(), "b.nii.gz", &packed(&several));
    assert_eq!(read(&path, Some(1)).expect("whole").scan.volume.voxels, [3.0, 4.0]);
}

#[test]
fn members_follow_each_other_and_what_follows_them_is_left_out_with_a_word() {
    let dir = folder();
    let (bytes, voxels) = scan();
    let members: Vec<u8> = bytes.chunks(100).flat_map(packed).collect();
    let reading = read(&save(dir.path(), "a.nii.gz", &members), None).expect("readable");
    assert_eq!((reading.scan.volume.voxels, reading.warnings.len()), (voxels.clone(), 0));
    let padded = [members.clone(), vec![0; 600]].concat();
    assert!(read(&save(dir.path(), "a.nii.gz", &padded), None).expect("readable").warnings.is_empty());
    let followed = [members.clone(), vec![0; 30], b"garbage".to_vec()].concat();
    let reading = read(&save(dir.path(), "a.nii.gz", &followed), None).expect("readable");
    assert_eq!(reading.scan.volume.voxels, voxels);
    assert!(reading.warnings[0].contains("bytes after its end that are no gzip data; they are left out"));
    // A member in the middle that was damaged.
    let mut damaged = members;
    let second = packed(&bytes[..100]).len();
    damaged[second - 8] ^= 1;
    let path = save(dir.path(), "a.nii.gz", &damaged);
    assert!(complaint(&path).contains("checksum"));
    assert_eq!(forced(&path).expect("read by force").scan.volume.voxels, voxels);
}

#[test]
fn a_packed_file_takes_no_memory_on_its_headers_word() {
    let dir = folder();
    let header = Raw::new(&[1000, 1000, 990], 64, 64, false).placed().bytes;
    let path = save(dir.path(), "a.nii.gz", &packed(&[header, vec![0; 1 << 20]].concat()));
    assert!(complaint(&path).contains("unpacked_ratio"));
}

#[test]
fn the_content_and_not_the_name_says_that_a_file_is_packed() {
    let dir = folder();
    let (bytes, voxels) = scan();
    for (name, bytes) in [("a.nii", packed(&bytes)), ("B.NII.GZ", packed(&bytes)), ("c.nii.gz", bytes)] {
        assert_eq!(read(&save(dir.path(), name, &bytes), None).expect("readable").scan.volume.voxels, voxels);
    }
}

#[test]
fn other_formats_are_refused_by_their_names() {
    let dir = folder();
    let mgh = [&[0u8, 0, 0, 1][..], &[0; 400]].concat();
    for (name, bytes, want) in [
        ("a.mgz", packed(&mgh), "FreeSurfer"),
        ("a.mgh", mgh.clone(), "FreeSurfer"),
        ("b.nii", mgh, "FreeSurfer"),
        ("a.mha", b"ObjectType = Image\nNDims = 3\n".to_vec(), "MetaImage"),
        ("a.mhd", b"NDims = 3\nDimSize = 2 2 2\n".to_vec(), "MetaImage"),
        ("a.nrrd", b"NRRD0004\ntype: short\n".to_vec(), "NRRD"),
        ("a.nii.bz2", b"BZh91AY&SY".to_vec(), "packed by bzip2; unpack it first"),
        ("a.nii.zst", b"\x28\xb5\x2f\xfd\0\0\0\0".to_vec(), "packed by zstd"),
        ("a.nii.xz", b"\xfd7zXZ\0".to_vec(), "packed by xz"),
        ("a.zip", b"PK\x03\x04".to_vec(), "a ZIP archive; unpack it first"),
        ("a.mnc", b"\x89HDF\r\n".to_vec(), "HDF5 or MINC"),
        ("a.BRIK", vec![0; 500], "AFNI"),
        ("a.png", b"\x89PNG\r\n".to_vec(), "PNG"),
        ("a.gii", b"<?xml version".to_vec(), "GIFTI"),
        (
            "a.mif",
            b"mrtrix image\ndim: 2,2,2\n".to_vec(),
            "an MRtrix image (.mif, .mih); convert it to .nii.gz first: mrconvert a.mif x.nii.gz",
        ),
        ("a.mif.gz", packed(b"mrtrix image\ndim: 2,2,2\n"), "mrconvert a.mif.gz x.nii.gz"),
        ("b.nii.gz", packed(b"mrtrix image\ndim: 2,2,2\n"), "mrconvert b.nii.gz x.nii.gz"),
        ("c.mif", vec![7; 500], "mrconvert c.mif"),
        ("b.mha", b"ObjectType = Image\n".to_vec(), "SimpleITK.ReadImage"),
        ("b.nhdr", b"NRRD0005\n".to_vec(), "SimpleITK.ReadImage"),
        ("b.mgz", packed(&[&[0u8, 0, 0, 1][..], &[0; 400]].concat()), "mri_convert b.mgz x.nii.gz"),
        ("twice.nii.gz", packed(&packed(&scan().0)), "packed by gzip twice"),
        ("twice.nii", packed(&packed(b"short")), "unpack it once"),
        ("a.tar.gz", packed(&[vec![b'a'; 257], b"ustar\0".to_vec(), vec![0; 300]].concat()), "a tar archive"),
        ("a.v", b"MATRIX72v\0".to_vec(), "ECAT"),
        ("a.hv", b"!INTERFILE :=\n".to_vec(), "Interfile"),
    ] {
        let got = complaint(&save(dir.path(), name, &bytes));
        assert!(got.contains(want) && got.contains(name), "{got}");
    }
}

#[test]
fn a_matrix_of_cifti_is_no_volume() {
    let dir = folder();
    let shape = Raw::new(&[1, 1, 1, 1, 3, 50], 2, 8, false).placed();
    let mut intent = Raw::new(&[2, 1, 1], 2, 8, false).placed();
    intent.i16(68, 3006);
    let plain = Raw::new(&[2, 1, 1], 2, 8, false).placed();
    for (raw, name) in [(shape, "a.nii"), (intent, "b.nii"), (plain, "c.dscalar.nii")] {
        assert!(complaint(&raw.save(dir.path(), name, &[0; 150])).contains("CIFTI"));
    }
}
