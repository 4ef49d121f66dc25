//! Files that other programs and people write, where they lie in `shared/cases` beside the checkout (or in `UNMELT_CASES`).

use std::path::PathBuf;

use unmelt_imaging::Volume;
use unmelt_imaging::mask::{TOLERANCE, marked};
use unmelt_imaging_io::nifti::{read, read_with};
use unmelt_imaging_io::{Choice, Source};

use crate::raw::complaint;

fn cases() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/cases");
    let folder = std::env::var_os("UNMELT_CASES").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
    }
    folder.is_dir().then_some(folder)
}

/// A volume, and how many warnings there were.
fn of(case: &str) -> (Volume, usize) {
    let path = cases().expect("looked for before").join(case);
    let reading = read(&path, None).unwrap_or_else(|e| panic!("{e}"));
    (reading.scan.volume, reading.warnings.len())
}

fn spacing(case: &str) -> [f64; 3] {
    let path = cases().expect("looked for before").join(case);
    let scan = read(&path, None).expect("readable").scan;
    let Source::Nifti(source) = scan.source else { panic!("NIfTI") };
    source.grid.spacing().map(|s| (1e4 * s).round() / 1e4)
}

#[test]
fn units_forms_quaternions_and_spacings() {
    let Some(folder) = cases() else { return };
    assert_eq!(spacing("n01-units/mouse_micron.nii.gz"), [0.1, 0.1, 0.25]);
    assert_eq!(spacing("n01-units/mouse_mm.nii.gz"), [0.1, 0.1, 0.25]);
    let (usual, sum) = ([1.0, 1.0, 2.5], of("n01-units/mouse_mm.nii.gz").0.voxels.iter().sum::<f32>());
    for (case, warnings) in [
        ("n02-sform-zero/zero_sform_code1.nii", 1),
        ("n03-quaternion/over_3.8e-7.nii", 0),
        ("n04-pixdim-dims/dim4_zero.nii", 1),
        ("n04-pixdim-dims/negative_pixdim_nocodes.nii", 1),
        ("n04-pixdim-dims/negative_pixdim_qform.nii", 1),
        ("n04-pixdim-dims/pixdim0_zero.nii", 1),
    ] {
        let (volume, found) = of(case);
        assert_eq!((spacing(case), found), (usual, warnings), "{case}");
        assert_eq!(volume.voxels.iter().sum::<f32>(), sum, "{case}");
    }
    assert_eq!(spacing("n04-pixdim-dims/slice_pixdim3_zero.nii"), [1.0; 3]);
    assert_eq!(spacing("n04-pixdim-dims/pair.hdr"), [0.7, 0.7, 11.0]);
    assert_eq!(spacing("n04-pixdim-dims/pair.img"), [0.7, 0.7, 11.0]);
    assert!(complaint(&folder.join("n03-quaternion/over_1e-4.nii")).contains("qform is not a rotation"));
    assert_eq!(of("n05-long-axis/long.nii").0.grid.shape, [40_000, 3, 2]);
    assert!(complaint(&folder.join("n05-long-axis/like_cifti.dscalar.nii")).contains("CIFTI"));
}

#[test]
fn series_members_garbage_and_other_formats() {
    let Some(folder) = cases() else { return };
    let folder = folder.join("n06-4d");
    let plain = of("n06-4d/one_4d.nii.gz").0;
    for (name, warnings) in
        [("UPPER.NII.GZ", 0), ("members.nii.gz", 0), ("renamed.nii", 0), ("trailing_garbage.nii.gz", 1)]
    {
        let (volume, found) = of(&format!("n06-4d/{name}"));
        assert_eq!((found, &volume.voxels), (warnings, &plain.voxels), "{name}");
    }
    assert_eq!(of("n06-4d/nan_intent_ext.nii.gz").1, 1);
    for name in ["series.nii.gz", "warp_5d.nii.gz"] {
        assert!(complaint(&folder.join(name)).contains("holds 3 volumes"));
        let of = |index| read(&folder.join(name), Some(index)).map(|r| r.scan.volume.voxels);
        assert!(of(2).is_ok() && of(3).is_err(), "{name}");
        assert!(name != "series.nii.gz" || of(0).ok() != of(2).ok());
    }
    for (name, want) in [
        ("brain.mgz", "FreeSurfer"),
        ("scan.mha", "MetaImage"),
        ("scan.nrrd", "NRRD"),
        ("rgb.nii", "RGB colours"),
    ] {
        assert!(complaint(&folder.join(name)).contains(want), "{name}");
    }
}

#[test]
fn masks_mark_what_they_mean() {
    let Some(folder) = cases() else { return };
    let scan = of("n07-mask/scan.nii.gz").0;
    let clean = marked(&of("n07-mask/mask_clean.nii.gz").0).expect("a mask").0;
    for (name, warnings) in [
        ("mask_255_rounded_affine.nii.gz", 0),
        ("mask_4d1.nii.gz", 0),
        ("mask_LAS.nii.gz", 0),
        ("mask_inter_minus1.nii", 1),
        ("mask_nan_outside.nii.gz", 0),
        ("mask_resampled_1e-7.nii.gz", 1),
    ] {
        let mask = of(&format!("n07-mask/{name}")).0;
        assert!(mask.grid.near(&scan.grid, TOLERANCE), "{name}");
        let (marks, found) = marked(&mask).expect("a mask");
        assert_eq!((found.len(), marks == clean), (warnings, true), "{name}");
    }
    for name in ["mask_linear_shift.nii.gz", "mask_spline.nii.gz"] {
        let mask = read(&folder.join("n07-mask").join(name), None).expect("readable").scan.volume;
        let (marks, found) = marked(&mask).expect("a mask");
        let largest = mask.voxels.iter().copied().fold(0.0, f32::max);
        assert!(found.len() == 1 && marks.iter().zip(&mask.voxels).all(|(m, v)| *m == (*v >= 0.5 * largest)));
    }
}

#[test]
fn packed_files_that_were_damaged() {
    let Some(folder) = cases() else { return };
    let force = Choice { force: true, ..Choice::default() };
    for name in ["one_bit.nii.gz", "one_voxel_flipped.nii.gz"] {
        let path = folder.join("broken/gz_crc_unchecked").join(name);
        assert!(complaint(&path).contains("do not fit its checksum"));
        let reading = read_with(&path, &force).expect("read by force");
        assert!(reading.warnings.iter().any(|w| w.contains("checksum")));
    }
}
