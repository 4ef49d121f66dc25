//! Public series, where they lie in `shared/` beside the checkout (or in `UNMELT_DATA`).

use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_dictionary_std::tags;
use unmelt_imaging_io::{Choice, Derivation, Scan, Source, dicom, nifti};

fn data() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/volumes");
    // Working copies may lie a folder deeper.
    let deeper = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/data/volumes");
    let set = std::env::var_os("UNMELT_DATA").map(PathBuf::from);
    let folders = set.into_iter().chain([beside, deeper].map(PathBuf::from)).map(|f| f.join("dicom"));
    let found = folders.into_iter().find(|f| f.is_dir());
    if found.is_none() {
        println!("skipped 1 test: the public series are not here");
    }
    found
}

fn read(path: &Path) -> Scan {
    Scan::read(path, &Choice::default()).expect("readable").scan
}

#[test]
fn transfer_syntaxes_equal_their_reference() {
    let Some(data) = data() else { return };
    for k in 1..=9 {
        let path = data.join(format!("transfer_syntaxes/{k}.dcm"));
        if (7..=8).contains(&k) && !cfg!(feature = "jpeg-ls") {
            let error = Scan::read(&path, &Choice::default()).expect_err("JPEG-LS is a feature").to_string();
            assert!(error.contains("--features jpeg-ls"), "{error}");
            continue;
        }
        let got = read(&path).volume;
        let want = nifti::read(&data.join(format!("transfer_syntaxes/reference_{k}.nii")), None)
            .expect("readable")
            .scan
            .volume;
        assert_eq!(got.voxels, want.voxels, "file {k}");
        let off = (got.grid.affine - want.grid.affine).abs().max();
        assert!(off < 1e-3, "file {k}: the affine is off by {off}");
    }
}

#[test]
fn tilt_and_gaps_are_named_and_mended() {
    let Some(data) = data() else { return };
    let reading = Scan::read(&data.join("ct_gantry_tilt"), &Choice::default()).expect("readable");
    assert!(reading.warnings.iter().any(|w| w.contains("unevenly spaced")), "{:?}", reading.warnings);
    assert!(reading.warnings.iter().any(|w| w.contains("gantry tilt")), "{:?}", reading.warnings);
    let grid = reading.scan.volume.grid;
    let columns = grid.affine.fixed_view::<3, 3>(0, 0).into_owned();
    assert!(columns.column(1).normalize().dot(&columns.column(2).normalize()).abs() < 1e-6);
}

#[test]
fn several_series_are_listed_and_chosen() {
    let Some(data) = data() else { return };
    let folder = data.join("enhanced_and_odd");
    let error = Scan::read(&folder, &Choice::default()).expect_err("several series").to_string();
    assert!(error.contains("4 series; choose one by its number or its SeriesInstanceUID:"), "{error}");
    let uid = "1.3.6.1.4.1.5962.1.3.10.3.1166562673.14401".to_string();
    assert!(error.contains(&uid), "{error}");
    let choice = Choice { series: Some(uid), ..Choice::default() };
    let volume = Scan::read(&folder, &choice).expect("readable").scan.volume;
    assert_eq!(volume.grid.shape, [512, 512, 2]);
    assert!(volume.is_ct());
    assert!(volume.voxels.iter().copied().fold(f32::INFINITY, f32::min) < -900.0, "Hounsfield units");
}

#[test]
fn a_derived_series_is_whole_and_honest() {
    let Some(data) = data() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    for (name, count) in [("ct_jpeg2000", 20), ("transfer_syntaxes/1.dcm", 35)] {
        let scan = read(&data.join(name));
        let out = dir.path().join(name.replace('/', "_"));
        let derivation = Derivation::new("denoise", "brain-mri");
        dicom::write(&scan, &derivation, &out).expect("written");
        assert!(dicom::write(&scan, &derivation, &out).is_err(), "nothing is overwritten");
        let back = read(&out);
        assert_eq!(back.volume.voxels, scan.volume.voxels);
        assert!(back.volume.grid.same_as(&scan.volume.grid));
        let (Source::Dicom(a), Source::Dicom(b)) = (&scan.source, &back.source) else { panic!("DICOM") };
        assert_ne!(a.uid, b.uid);
        assert_eq!(b.frames(), count);
        let first = dicom_object::open_file(out.join("00001.dcm")).expect("readable");
        let text = |tag| first.element(tag).expect("there").to_str().expect("text").into_owned();
        assert!(text(tags::IMAGE_TYPE).starts_with("DERIVED\\SECONDARY"));
        assert!(text(tags::SERIES_DESCRIPTION).contains("machine-enhanced"));
        assert!(text(tags::DERIVATION_DESCRIPTION).contains("brain-mri"));
        assert!(!text(tags::STUDY_INSTANCE_UID).is_empty());
        for stale in [tags::SMALLEST_IMAGE_PIXEL_VALUE, tags::INSTITUTION_NAME] {
            assert!(first.get(stale).is_none(), "{stale}");
        }
        let source = first.element(tags::SOURCE_IMAGE_SEQUENCE).expect("there").items().expect("items");
        assert_eq!(source.len(), 1);
        accepted_by_dciodvfy(&out.join("00001.dcm"));
        read_by_pydicom(&out);
    }
}

/// dicom3tools' verdict, where it is installed: no error.
fn accepted_by_dciodvfy(path: &Path) {
    let Ok(output) = Command::new("dciodvfy").arg(path).output() else { return };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let errors: Vec<&str> = text.lines().filter(|l| l.starts_with("Error")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// What pydicom 3 says of a derived series, where it is installed: one series, pixels that decode, no warning.
fn read_by_pydicom(folder: &Path) {
    let script = r"
import pathlib, sys, warnings
import pydicom
warnings.simplefilter('error')
files = [pydicom.dcmread(p) for p in sorted(pathlib.Path(sys.argv[1]).iterdir())]
assert len({f.SeriesInstanceUID for f in files}) == 1
assert len({f.SOPInstanceUID for f in files}) == len(files)
for f in files:
    assert f.pixel_array.shape == (f.Rows, f.Columns)
    assert list(f.ImageType)[:2] == ['DERIVED', 'SECONDARY']
    for e in f.iterall():
        e.value
";
    let python = |arguments: &[&str]| Command::new("python3").args(arguments).output();
    match python(&["-c", "import pydicom, numpy"]) {
        Ok(found) if found.status.success() => {}
        _ => return,
    }
    let output = python(&["-c", script, &folder.to_string_lossy()]).expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn bad_files_get_a_sentence() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = Scan::read(dir.path(), &Choice::default()).expect_err("empty").to_string();
    assert!(error.ends_with("it holds no DICOM image"), "{error}");
    let path = dir.path().join("a.dcm");
    std::fs::write(&path, "no scan").expect("written");
    let error = Scan::read(&path, &Choice::default()).expect_err("text").to_string();
    assert!(error.contains("is not a usable DICOM file") && !error.contains('\n'), "{error}");
    let Some(data) = data() else { return };
    let error = Scan::read(&data.join("enhanced_and_odd/emri_small.dcm"), &Choice::default());
    assert!(error.expect_err("no place").to_string().contains("no places of their own"));
}
