//! Broken files: a sentence each, no panic, no memory on a header's word.

use std::io::Write;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use unmelt_imaging_io::{Choice, Scan};

use crate::make::{pixels, refusal, series, single};
use crate::reading::{enhanced, rle};

#[test]
fn samples_that_are_not_there_are_counted() {
    let folder = series(&[0.0, 1.0, 2.0], |k, slice| {
        if k == 1 {
            slice.pixels(&[1; 20]);
        }
    });
    let error = refusal(folder.path());
    assert!(error.contains("001.dcm") && error.contains("40 of 60 bytes"), "{error}");
    // The file itself cut off, within its samples and before them.
    let (_folder, path) = single(|_| {});
    let bytes = std::fs::read(&path).expect("there");
    for left in [bytes.len() - 7, bytes.len() - 80, 300, 140, 100] {
        std::fs::write(&path, &bytes[..left]).expect("written");
        let error = refusal(&path);
        assert!(error.contains("000.dcm") && (error.contains("cut off") || left < 132), "{left}: {error}");
    }
}

#[test]
fn a_broken_file_among_others_is_not_passed_over() {
    let folder = series(&[0.0, 1.0, 2.0, 3.0], |_, _| {});
    let path = folder.path().join("003.dcm");
    let bytes = std::fs::read(&path).expect("there");
    for left in [0, 50, 200, 400] {
        std::fs::write(&path, &bytes[..left]).expect("written");
        let error = refusal(folder.path());
        assert!(error.contains("003.dcm"), "{left}: {error}");
    }
}

#[test]
fn words_of_headers_take_no_memory() {
    for (tag, text) in [
        (tags::NUMBER_OF_FRAMES, "100000000"),
        (tags::NUMBER_OF_FRAMES, "1e18"),
        (tags::NUMBER_OF_FRAMES, "-1"),
    ] {
        let (_folder, path) = single(|slice| {
            slice.text(tag, VR::IS, text);
        });
        assert!(refusal(&path).contains("000.dcm"), "{text}");
    }
    for tag in [tags::ROWS, tags::COLUMNS] {
        for (size, wanted) in [(0, "nothing to read"), (65_535, "cut off")] {
            let (_folder, path) = single(|slice| {
                slice.number(tag, size);
            });
            let error = refusal(&path);
            assert!(error.contains(wanted), "{error}");
        }
    }
    // Compressed: a few bytes for a hundred thousand frames of 4 million pixels.
    let (_folder, path) = single(|slice| {
        enhanced(slice, &[0.0, 2.0]);
        slice.number(tags::ROWS, 65_535).number(tags::COLUMNS, 65_535);
        slice.fragments("1.2.840.10008.1.2.5", vec![rle(&pixels(0)); 2]);
    });
    let error = refusal(&path);
    assert!(error.contains("unpacked_ratio"), "{error}");
}

/// An element of explicit representation with a long length.
fn long(tag: [u8; 4], vr: &[u8; 2], length: u32) -> Vec<u8> {
    [tag.as_slice(), vr, &[0, 0], &length.to_le_bytes()].concat()
}

fn bare_file() -> Vec<u8> {
    let (_folder, path) = single(|_| {});
    std::fs::read(path).expect("there")
}

#[test]
fn lengths_and_nesting_are_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.dcm");
    let bytes = bare_file();
    let length = u32::from_le_bytes(bytes[140..144].try_into().expect("four")) as usize;
    let (head, tail) = bytes.split_at(144 + length);
    let icon = [0x08, 0x00, 0x40, 0x11];
    let sequence = long(icon, b"SQ", u32::MAX);
    let item = [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF];
    let deep: Vec<u8> = [sequence, item.to_vec()].concat().repeat(60_000);
    let inserts = [
        (long([0x08, 0x00, 0x01, 0x00], b"OB", 0xFFFF_FFF0), "says that it has 4294967280 bytes"),
        (long([0x08, 0x00, 0x40, 0x11], b"SQ", 0xFFFF_FFF0), "says that it has 4294967280 bytes"),
        (deep, "depth"),
    ];
    for (insert, wanted) in inserts {
        std::fs::write(&path, [head, &insert, tail].concat()).expect("written");
        let error = refusal(&path);
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn what_is_deflated_grows_to_a_bound() {
    let (_folder, path) = single(|slice| slice.syntax = "1.2.840.10008.1.2.1.99");
    let bytes = std::fs::read(&path).expect("there");
    let length = u32::from_le_bytes(bytes[140..144].try_into().expect("four")) as usize;
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&long([0x08, 0, 0x01, 0], b"OB", 80 << 20)).expect("room");
    packed.write_all(&vec![0; 80 << 20]).expect("room");
    let packed = packed.finish().expect("room");
    assert!(packed.len() < 200_000, "{}", packed.len());
    std::fs::write(&path, [&bytes[..144 + length], &packed].concat()).expect("written");
    let error = refusal(&path);
    assert!(error.contains("unpacked_bytes"), "{error}");
}

#[test]
fn broken_compression_is_a_sentence() {
    let good = rle(&pixels(0));
    for left in [0, 10, 63, 64, 70, good.len() - 4] {
        let (_folder, path) = single(|slice| {
            slice.fragments("1.2.840.10008.1.2.5", vec![good[..left].to_vec()]);
        });
        let error = refusal(&path);
        assert!(error.contains("000.dcm") && !error.contains('\n'), "{left}: {error}");
    }
    for (syntax, wanted) in [
        ("1.2.840.10008.1.2.4.70", "JPEG image has no frame header"),
        ("1.2.840.10008.1.2.4.90", "JPEG 2000 image has no size marker"),
        ("1.2.840.10008.1.2.4.102", "video"),
        ("1.2.840.10008.1.2.4.110", "cannot be read; convert it"),
    ] {
        let (_folder, path) = single(|slice| {
            slice.fragments(syntax, vec![good.clone()]);
        });
        let error = refusal(&path);
        assert!(error.contains(wanted), "{error}");
    }
    // A frame header of another size than the image's.
    let jpeg = [0xFF, 0xD8, 0xFF, 0xC3, 0, 11, 16, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8];
    let (_folder, path) = single(|slice| {
        slice.fragments("1.2.840.10008.1.2.4.70", vec![jpeg.to_vec()]);
    });
    let error = refusal(&path);
    assert!(error.contains("65535 × 65535 pixels, and its header says 6 × 5"), "{error}");
}

#[test]
fn no_change_of_a_byte_is_a_panic() {
    // Every file that comes of one changed byte is read or refused.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.dcm");
    let bytes = bare_file();
    let mut refused = 0;
    for at in 132..bytes.len() - 60 {
        for value in [0x00, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] = value;
            std::fs::write(&path, &changed).expect("written");
            refused += u32::from(Scan::read(&path, &Choice::default()).is_err());
        }
    }
    assert!(refused > 100, "{refused}");
}
