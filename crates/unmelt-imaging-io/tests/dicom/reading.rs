//! Samples, numbers and files of many writers, read to the right values.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use crate::make::{Slice, item, pixels, planes, read, refusal, series, single, stored};

const THREE: [f64; 3] = [0.0, 2.0, 4.0];

fn values(k: usize) -> Vec<f32> {
    pixels(k).iter().map(|v| f32::from(*v)).collect()
}

#[test]
fn numbers_in_other_forms_are_read_and_wrong_ones_named() {
    // What only breaks ties loses no slice.
    for number in ["1.000", "6A", "", "1,5"] {
        let folder = series(&THREE, |k, slice| {
            if k == 1 {
                slice.text(tags::INSTANCE_NUMBER, VR::IS, number);
            }
        });
        let reading = read(folder.path());
        assert_eq!(reading.scan.volume.grid.shape[2], 3);
        assert!(reading.warnings.is_empty(), "{:?}", reading.warnings);
    }
    let folder = series(&THREE, |k, slice| {
        let height = format!("{:.20}", 2.0 * k as f64);
        slice.text(
            tags::IMAGE_POSITION_PATIENT,
            VR::DS,
            &format!("-10.00000000000000001\\-8.000000000000000\\{height}"),
        );
    });
    assert_eq!(planes(&read(folder.path()).scan.volume), THREE);
    for (tag, text, name) in [
        (tags::PIXEL_SPACING, "0,9\\0,8", "PixelSpacing (0028,0030)"),
        (tags::RESCALE_SLOPE, "one", "RescaleSlope (0028,1053)"),
        (tags::IMAGE_POSITION_PATIENT, "0\\0\\nan", "ImagePositionPatient (0020,0032)"),
        (tags::IMAGE_ORIENTATION_PATIENT, "1\\0\\0", "ImageOrientationPatient (0020,0037)"),
    ] {
        let folder = series(&THREE, |k, slice| {
            if k == 1 {
                slice.text(tag, VR::DS, text);
            }
        });
        let error = refusal(folder.path());
        assert!(error.contains("001.dcm") && error.contains(name), "{error}");
        assert!(!text.contains(',') || error.contains(text), "{error}");
    }
}

#[test]
fn a_slope_of_nothing_is_1_and_said() {
    for slope in ["0", ""] {
        let folder = series(&THREE, |_, slice| {
            slice.text(tags::RESCALE_SLOPE, VR::DS, slope).text(tags::RESCALE_INTERCEPT, VR::DS, "0");
        });
        let reading = read(folder.path());
        assert_eq!(stored(&reading.scan.volume)[..30], values(0));
        assert!(
            reading.warnings[0].contains("RescaleSlope (0028,1053) is 0 or empty in 3"),
            "{:?}",
            reading.warnings
        );
    }
}

#[test]
fn each_slice_has_its_own_slope() {
    let folder = series(&THREE, |k, slice| {
        slice.text(tags::RESCALE_SLOPE, VR::DS, &format!("{}", 0.5 + k as f64));
        slice.text(tags::RESCALE_INTERCEPT, VR::DS, "-3");
    });
    let got = stored(&read(folder.path()).scan.volume);
    for k in 0..3 {
        let wanted: Vec<f32> = values(k).iter().map(|v| v * (0.5 + k as f32) - 3.0).collect();
        assert_eq!(got[30 * k..][..30], wanted);
    }
}

#[test]
fn bits_beyond_those_stored_are_not_read() {
    // Twelve signed bits, as pydicom reads them.
    let folder = series(&THREE, |_, slice| {
        slice.number(tags::BITS_STORED, 12).number(tags::HIGH_BIT, 11).number(tags::PIXEL_REPRESENTATION, 1);
        slice.pixels(&[0xAEE2, 0xA7FF, 0x5800, 0xF000, 0x0FFF].repeat(6));
    });
    assert_eq!(stored(&read(folder.path()).scan.volume)[..5], [-286.0, 2047.0, -2048.0, 0.0, -1.0]);
    let folder = series(&THREE, |_, slice| {
        slice.number(tags::BITS_STORED, 12).number(tags::HIGH_BIT, 7);
    });
    let error = refusal(folder.path());
    assert!(error.contains("BitsStored 12 and HighBit 7"), "{error}");
}

#[test]
fn dark_and_bright_are_exchanged_for_monochrome1() {
    let folder = series(&THREE, |_, slice| {
        slice.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
        slice.number(tags::BITS_STORED, 12).number(tags::HIGH_BIT, 11);
    });
    let reading = read(folder.path());
    let wanted: Vec<f32> = values(0).iter().map(|v| 4095.0 - v).collect();
    assert_eq!(stored(&reading.scan.volume)[..30], wanted);
    assert!(reading.warnings[0].contains("MONOCHROME1"), "{:?}", reading.warnings);
    // Hounsfield units and activities are what the rescale says, however they are to be shown.
    let folder = series(&THREE, |_, slice| {
        slice.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1").text(
            tags::MODALITY,
            VR::CS,
            "CT",
        );
    });
    assert_eq!(stored(&read(folder.path()).scan.volume)[..30], values(0));
}

#[test]
fn floating_point_samples_are_read() {
    let folder = series(&THREE, |k, slice| {
        slice.remove(tags::PIXEL_DATA).number(tags::BITS_ALLOCATED, 32);
        let bytes: Vec<u8> = (0..30).flat_map(|i| (0.25 * (i + k) as f32).to_le_bytes()).collect();
        slice.bytes(tags::FLOAT_PIXEL_DATA, VR::OF, &bytes);
    });
    let got = stored(&read(folder.path()).scan.volume);
    assert_eq!((got[4], got[34], got[89]), (1.0, 1.25, 7.75));
}

#[test]
fn files_without_preamble_or_meta_header_are_read() {
    let folder = series(&THREE, |_, _| {});
    for k in 0..3 {
        let path = folder.path().join(format!("{k:03}.dcm"));
        let bytes = std::fs::read(&path).expect("there");
        std::fs::remove_file(&path).expect("there");
        // Without the preamble, and without the meta header as well.
        let length = u32::from_le_bytes(bytes[140..144].try_into().expect("four")) as usize;
        let start = if k == 0 { 132 } else { 144 + length };
        std::fs::write(folder.path().join(format!("IM{k}")), &bytes[start..]).expect("written");
    }
    let reading = read(folder.path());
    assert_eq!(stored(&reading.scan.volume)[60..], values(2));
    assert!(reading.warnings.is_empty(), "{:?}", reading.warnings);
    assert_eq!(read(&folder.path().join("IM1")).scan.volume.grid.shape, [6, 5, 1]);
}

#[test]
fn every_native_transfer_syntax_gives_the_same() {
    for syntax in
        ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]
    {
        let folder = series(&THREE, |_, slice| slice.syntax = syntax);
        let reading = read(folder.path());
        assert_eq!(stored(&reading.scan.volume)[30..60], values(1), "{syntax}");
        assert_eq!(planes(&reading.scan.volume), THREE);
    }
}

/// PackBits of bytes, literally.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> =
        bytes.chunks(128).flat_map(|c| [vec![c.len() as u8 - 1], c.to_vec()].concat()).collect();
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out
}

/// A frame of 16 bits in RLE: high bytes, then low bytes.
pub fn rle(words: &[u16]) -> Vec<u8> {
    let high = packed(&words.iter().map(|w| (w >> 8) as u8).collect::<Vec<_>>());
    let low = packed(&words.iter().map(|w| *w as u8).collect::<Vec<_>>());
    let mut header = vec![2u32, 64, 64 + high.len() as u32];
    header.resize(16, 0);
    [header.iter().flat_map(|v| v.to_le_bytes()).collect(), high, low].concat()
}

#[test]
fn run_lengths_are_read() {
    let folder = series(&THREE, |k, slice| {
        slice.fragments("1.2.840.10008.1.2.5", vec![rle(&pixels(k))]);
    });
    assert_eq!(stored(&read(folder.path()).scan.volume)[30..60], values(1));
}

/// A multi-frame file whose frames lie at these heights, frame k with slope k + 1.
pub fn enhanced(slice: &mut Slice, heights: &[f64]) {
    for tag in [
        tags::IMAGE_POSITION_PATIENT,
        tags::IMAGE_ORIENTATION_PATIENT,
        tags::PIXEL_SPACING,
        tags::SLICE_THICKNESS,
    ] {
        slice.remove(tag);
    }
    slice.text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.4.1");
    slice.text(tags::NUMBER_OF_FRAMES, VR::IS, &heights.len().to_string());
    let sequence = |tag: Tag, inner: InMemDicomObject| {
        let mut holder = Slice::new(0, 0.0);
        holder.object = InMemDicomObject::new_empty();
        holder.items(tag, vec![inner]);
        holder.object
    };
    let merge =
        |objects: Vec<InMemDicomObject>| InMemDicomObject::from_element_iter(objects.into_iter().flatten());
    let measures = item(&[(tags::PIXEL_SPACING, VR::DS, "0.9\\0.8"), (tags::SLICE_THICKNESS, VR::DS, "2")]);
    slice.items(
        tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
        vec![sequence(tags::PIXEL_MEASURES_SEQUENCE, measures)],
    );
    let frames = heights.iter().enumerate().map(|(k, height)| {
        let position = format!("-10\\-8\\{height}");
        let slope = (k + 1).to_string();
        merge(vec![
            sequence(
                tags::PLANE_POSITION_SEQUENCE,
                item(&[(tags::IMAGE_POSITION_PATIENT, VR::DS, &position)]),
            ),
            sequence(
                tags::PLANE_ORIENTATION_SEQUENCE,
                item(&[(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0")]),
            ),
            sequence(
                tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
                item(&[(tags::RESCALE_SLOPE, VR::DS, &slope), (tags::RESCALE_INTERCEPT, VR::DS, "0")]),
            ),
        ])
    });
    slice.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames.collect());
    slice.pixels(&(0..heights.len()).flat_map(pixels).collect::<Vec<_>>());
}

#[test]
fn frames_of_one_file_are_sorted_by_place_with_their_slopes() {
    let heights = [4.0, 0.0, 6.0, 2.0];
    let (_folder, path) = single(|slice| {
        enhanced(slice, &heights);
        // A word that is said of classic mosaics makes no mosaic of it.
        slice.text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\MOSAIC");
    });
    let reading = read(&path);
    assert_eq!(planes(&reading.scan.volume), [0.0, 2.0, 4.0, 6.0]);
    let got = stored(&reading.scan.volume);
    for (place, k) in [1, 3, 0, 2].into_iter().enumerate() {
        let wanted: Vec<f32> = values(k).iter().map(|v| v * (k + 1) as f32).collect();
        assert_eq!(got[30 * place..][..30], wanted);
    }
}

#[test]
fn frames_may_come_in_several_fragments() {
    let frames: Vec<Vec<u8>> = (0..2).map(|k| rle(&pixels(k))).collect();
    let (_folder, path) = single(|slice| {
        enhanced(slice, &[0.0, 2.0]);
        slice.fragments("1.2.840.10008.1.2.5", frames.clone());
    });
    let got = stored(&read(&path).scan.volume);
    assert_eq!(got[..30], values(0));
    assert_eq!(got[31], 2.0 * values(1)[1]);
}

/// A Siemens header of the second kind with two entries.
fn csa(images: &str, normal: [&str; 3]) -> Vec<u8> {
    let mut out = b"SV10\x04\x03\x02\x01".to_vec();
    let int = |v: i32| v.to_le_bytes();
    out.extend(int(2));
    out.extend(int(77));
    for (name, values) in [("NumberOfImagesInMosaic", vec![images]), ("SliceNormalVector", normal.to_vec())] {
        let mut field = name.as_bytes().to_vec();
        field.resize(64, 0);
        out.extend(field);
        out.extend(int(values.len() as i32));
        out.extend(b"US\0\0");
        out.extend(int(6));
        out.extend(int(6));
        out.extend(int(77));
        for k in 0..6 {
            let text = values.get(k).map_or(Vec::new(), |v| [v.as_bytes(), b"\0"].concat());
            let length = text.len() as i32;
            [length, length, 77, length].iter().for_each(|v| out.extend(int(*v)));
            out.extend(&text);
            out.resize(out.len().next_multiple_of(4), 0);
        }
    }
    out
}

/// A mosaic of 2 × 2 tiles of 3 × 2 pixels, the last one empty, with this number of slices by either header.
fn mosaic(slice: &mut Slice, stated: u16, counted: &str, normal: [&str; 3]) {
    slice.text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\MOSAIC");
    slice.number(tags::COLUMNS, 6).number(tags::ROWS, 4).text(tags::SPACING_BETWEEN_SLICES, VR::DS, "3");
    let value = |x: usize, y: usize| match (x / 3, y / 2) {
        (1, 1) => 0,
        (a, b) => (100 * (a + 2 * b + 1) + 10 * (y % 2) + x % 3) as u16,
    };
    slice.pixels(&(0..24).map(|i| value(i % 6, i / 6)).collect::<Vec<_>>());
    slice.text(Tag(0x0019, 0x0010), VR::LO, "SIEMENS MR HEADER");
    slice.number(Tag(0x0019, 0x100A), stated);
    slice.text(Tag(0x0029, 0x0010), VR::LO, "SIEMENS CSA HEADER");
    slice.bytes(Tag(0x0029, 0x1010), VR::OB, &csa(counted, normal));
}

#[test]
fn mosaics_are_cut_as_nibabel_cuts_them() {
    for (normal, order) in [(["0.0", "0.0", "1.0"], [0, 1, 2]), (["0.0", "0.0", "-1.0"], [2, 1, 0])] {
        let (_folder, path) = single(|slice| mosaic(slice, 3, "3", normal));
        let volume = read(&path).scan.volume;
        assert_eq!(volume.grid.shape, [3, 2, 3]);
        let wanted = if order[0] == 0 { [5.0, 8.0, 11.0] } else { [-1.0, 2.0, 5.0] };
        assert_eq!(planes(&volume), wanted);
        let got = stored(&volume);
        for (place, k) in order.into_iter().enumerate() {
            assert_eq!(got[6 * place..][..6], [0, 1, 2, 10, 11, 12].map(|v| (100 * (k + 1) + v) as f32));
        }
        // The corner of a tile is half the rest of the image nearer to its middle.
        let grid = volume.orientation().from_ras(&volume.grid);
        let corner = grid.world([0.0; 3]);
        assert!(
            (corner[0] - (10.0 - 0.8 * 1.5)).abs() < 1e-9 && (corner[1] - (8.0 - 0.9)).abs() < 1e-9,
            "{corner}"
        );
    }
}

#[test]
fn mosaics_that_cannot_be_are_refused() {
    let normal = ["0.0", "0.0", "1.0"];
    for (stated, counted, wanted) in [
        (4, "3", "of 4 slices by one private element and of 3 by another"),
        (2, "2", "its image holds more"),
        (5, "5", "cannot hold"),
        (1025, "1025", "cannot hold"),
        (0, "0", "cannot hold"),
    ] {
        let (_folder, path) = single(|slice| mosaic(slice, stated, counted, normal));
        let error = refusal(&path);
        assert!(error.contains(wanted), "{stated}: {error}");
    }
    let (_folder, path) = single(|slice| {
        mosaic(slice, 3, "3", normal);
        for tag in [Tag(0x19, 0x10), Tag(0x19, 0x100A), Tag(0x29, 0x10), Tag(0x29, 0x1010)] {
            slice.remove(tag);
        }
    });
    let error = refusal(&path);
    assert!(error.contains("Siemens mosaic") && error.contains("private elements"), "{error}");
    let (_folder, path) = single(|slice| {
        mosaic(slice, 3, "3", normal);
        slice.remove(Tag(0x29, 0x1010));
    });
    assert!(refusal(&path).contains("SliceNormalVector"));
}

#[test]
fn what_is_no_scan_is_refused_by_name() {
    type Change = fn(&mut Slice);
    let changes: [(Change, &str); 7] = [
        (
            |s| {
                s.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR");
            },
            "PALETTE COLOR",
        ),
        (
            |s| {
                s.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB").number(tags::SAMPLES_PER_PIXEL, 3);
            },
            "RGB",
        ),
        (
            |s| {
                s.text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.66.4");
            },
            "segmentation",
        ),
        (
            |s| {
                s.text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.481.2");
            },
            "RT dose",
        ),
        (
            |s| {
                s.text(tags::MODALITY, VR::CS, "NM");
            },
            "SPECT",
        ),
        (
            |s| {
                s.remove(tags::IMAGE_POSITION_PATIENT);
            },
            "no ImagePositionPatient",
        ),
        (
            |s| {
                s.text(tags::NUMBER_OF_FRAMES, VR::IS, "2").pixels(&[0; 60]);
            },
            "no places of their own",
        ),
    ];
    for (change, wanted) in changes {
        let (folder, path) = single(change);
        assert!(refusal(&path).contains(wanted), "{}", refusal(&path));
        assert!(refusal(folder.path()).contains(wanted), "{}", refusal(folder.path()));
    }
}
