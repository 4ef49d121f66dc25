//! The cases that lie in `shared/cases` beside the checkout: each is read right or refused by name.

use std::path::{Path, PathBuf};

use unmelt_imaging_io::{Choice, Reading, Scan};

fn case(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/cases")).join(name);
    // Working copies may lie a folder deeper.
    let deeper = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/cases")).join(name);
    [path, deeper].into_iter().find(|p| p.exists())
}

fn outcome(path: &Path) -> Result<Reading, String> {
    Scan::read(path, &Choice::default()).map_err(|e| e.to_string())
}

#[test]
fn cases_are_read_right_or_refused_by_name() {
    let read: [(&str, [usize; 3]); 17] = [
        ("m01-single-slice/s", [24, 20, 1]),
        ("m02-mosaic/ascending.dcm", [16, 16, 9]),
        ("m02-mosaic/descending.dcm", [16, 16, 9]),
        ("m05-no-preamble/no_preamble", [24, 20, 12]),
        ("m06-number-strings/ds_long", [24, 20, 12]),
        ("m06-number-strings/is_decimal", [24, 20, 12]),
        ("m06-number-strings/is_text_once", [24, 20, 12]),
        ("m06-number-strings/slope_zero", [24, 20, 12]),
        ("m07-uid-per-slice/s", [24, 20, 12]),
        ("m08-copies/s", [24, 20, 12]),
        ("m10-localizer-in-series/s", [24, 20, 12]),
        ("m11-float-seg/float", [24, 20, 12]),
        ("m12-bits/signed12_junk", [24, 20, 12]),
        ("m13-enhanced/unordered.dcm", [24, 20, 12]),
        ("m14-odd/disc", [24, 20, 12]),
        ("m15-pet/s", [24, 20, 12]),
        ("m16-lies/spacing_jitter", [24, 20, 12]),
    ];
    let refused: [(&str, &str); 30] = [
        ("m02-mosaic/anonymised.dcm", "private elements"),
        ("m02-mosaic/count_10.dcm", "mosaic"),
        ("m02-mosaic/count_7.dcm", "mosaic"),
        ("m03-rtdose/dose.dcm", "RT dose"),
        ("m03-rtdose/spect.dcm", "SPECT"),
        ("m04-palette/s", "PALETTE COLOR"),
        ("m06-number-strings/ds_comma", "0,9\\0,8"),
        ("m07-uid-per-slice/one_uid_two_series", "2 series"),
        ("m08-copies/phase_among_magnitude", "2 series"),
        ("m11-float-seg/seg.dcm", "segmentation"),
        ("m13-enhanced/three_planes.dcm", "3 series"),
        ("m14-odd/disc/DICOMDIR", "DICOMDIR"),
        ("m14-odd/rgb", "RGB"),
        ("m14-odd/truncated", "660 of 960 bytes"),
        ("m14-odd/two_times", "volume 2 of 2"),
        ("m16-lies/frames1e8", "960 of 96000000000 bytes"),
        ("m16-lies/row_spacing_differs", "PixelSpacing"),
        ("m16-lies/rows0", "0 rows"),
        ("broken/dicom_far_slice_oom/s", "ImagePositionPatient"),
        ("broken/dicom_jpeg/m.dcm", "m.dcm"),
        ("broken/dicom_jpeg2k/m.dcm", "m.dcm"),
        ("broken/dicom_length_4g/l.dcm", "says that it has"),
        ("broken/dicom_mosaic_count/m.dcm", "mosaic"),
        ("broken/dicom_mosaic_empty_volume/m.dcm", "mosaic"),
        ("broken/dicom_nested_sequences/n.dcm", "depth"),
        ("broken/dicom_rle_lossless/m.dcm", "m.dcm"),
        ("broken/dicom_row_spacing_differs", "2.dcm"),
        ("broken/dicom_three_slices_gap/s", "slices are missing"),
        ("broken/dicom_uneven_last_slice/0_1_3", "slices are missing"),
        ("broken/dicom_uneven_last_slice/0_1_3_5", "slices are missing"),
    ];
    let (mut skipped, mut wrong) = (0, Vec::new());
    for (name, shape) in read {
        let Some(path) = case(name) else {
            skipped += 1;
            continue;
        };
        match outcome(&path) {
            Ok(reading) if reading.scan.volume.grid.shape == shape => {}
            Ok(reading) => wrong.push(format!("{name}: {:?}", reading.scan.volume.grid.shape)),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    for (name, wanted) in refused {
        let Some(path) = case(name) else {
            skipped += 1;
            continue;
        };
        match outcome(&path) {
            Ok(_) => wrong.push(format!("{name} was read")),
            Err(error) if error.contains(wanted) => {}
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    println!("skipped {skipped} of {} cases that are not here", read.len() + refused.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
