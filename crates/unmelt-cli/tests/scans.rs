//! Scans of other programs through the command line: damaged packing, text, series, masks.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use unmelt_imaging::{Grid, Volume};
use unmelt_imaging_io::Scan;
use unmelt_imaging_io::nifti::{self, Element};

fn run(arguments: &[&str], folder: &Path) -> (i32, String) {
    let mut command = Command::cargo_bin("unmelt").expect("the binary");
    let output = command.arg("volumes").args(arguments).current_dir(folder).output().expect("started");
    (output.status.code().expect("no signal"), String::from_utf8(output.stderr).expect("text"))
}

/// A volume of 8³ voxels with a value of its own in each.
fn scan(folder: &Path, name: &str) -> (Volume, PathBuf) {
    let grid = Grid::centred([8; 3], [1.0; 3]);
    let volume = Volume::new((0..512).map(|k| (k * 37 % 211) as f32).collect(), grid);
    let path = folder.join(name);
    nifti::write(&Scan::new(volume.clone()), Element::Float32, &path).expect("written");
    (volume, path)
}

fn load(path: &Path) -> Volume {
    nifti::read(path, None).expect("readable").scan.volume
}

#[test]
fn a_damaged_scan_is_refused_and_read_by_force() {
    let dir = tempfile::tempdir().expect("a folder");
    let (volume, path) = scan(dir.path(), "a.nii.gz");
    let mut bytes = std::fs::read(&path).expect("readable");
    let at = bytes.len() - 8;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let (code, said) = run(&["convert", "a.nii.gz", "b.nii"], dir.path());
    assert_eq!(code, 2);
    assert!(said.contains("a.nii.gz is damaged") && said.contains("--force"), "{said}");
    assert!(!dir.path().join("b.nii").exists());
    let (code, said) = run(&["convert", "a.nii.gz", "b.nii", "--force"], dir.path());
    assert!(code == 0 && said.contains("warning: ") && said.contains("checksum"), "{said}");
    assert_eq!(load(&dir.path().join("b.nii")).voxels, volume.voxels);
}

#[test]
fn text_of_a_header_is_kept_or_taken_away_as_asked() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_, path) = scan(dir.path(), "a.nii");
    let mut bytes = std::fs::read(&path).expect("readable");
    bytes[148..156].copy_from_slice(b"DOE^JANE");
    std::fs::write(&path, bytes).expect("written");
    let text = |name: &str| {
        let bytes = std::fs::read(dir.path().join(name)).expect("readable");
        String::from_utf8_lossy(&bytes[148..228]).trim_end_matches('\0').to_owned()
    };
    assert_eq!(run(&["convert", "a.nii", "kept.nii"], dir.path()).0, 0);
    assert_eq!(text("kept.nii"), "DOE^JANE");
    assert_eq!(run(&["convert", "a.nii", "bare.nii", "--strip"], dir.path()).0, 0);
    assert!(text("bare.nii").starts_with("unmelt ") && !text("bare.nii").contains("JANE"));
    let denoise = ["enhance", "a.nii", "--task", "denoise", "--sigma", "3", "--output"];
    assert_eq!(run(&[&denoise[..], &["d.nii", "--strip"]].concat(), dir.path()).0, 0);
    assert!(text("d.nii").ends_with(": denoise"), "{}", text("d.nii"));
}

#[test]
fn one_of_several_volumes_is_chosen_by_its_index() {
    let dir = tempfile::tempdir().expect("a folder");
    let (volume, path) = scan(dir.path(), "a.nii");
    let mut bytes = std::fs::read(&path).expect("readable");
    // Two volumes of 8 × 8 × 4 voxels.
    bytes[40] = 4;
    (bytes[46], bytes[48]) = (4, 2);
    std::fs::write(&path, bytes).expect("written");
    let denoise = ["enhance", "a.nii", "--task", "denoise", "--output", "b.nii"];
    let (code, said) = run(&denoise, dir.path());
    assert!(code == 2 && said.contains("a.nii holds 2 volumes") && said.contains("--index 0"), "{said}");
    assert_eq!(run(&["info", "a.nii"], dir.path()).0, 0);
    assert_eq!(run(&["convert", "a.nii", "both.nii"], dir.path()).0, 0);
    assert_eq!(
        nifti::read(&dir.path().join("both.nii"), Some(1)).expect("two").scan.volume.voxels,
        volume.voxels[256..]
    );
    assert_eq!(run(&["convert", "a.nii", "b.nii", "--index", "1"], dir.path()).0, 0);
    assert_eq!(load(&dir.path().join("b.nii")).voxels, volume.voxels[256..]);
}

#[test]
fn a_mask_that_was_resampled_marks_at_half_of_its_largest_value_and_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let (volume, _) = scan(dir.path(), "a.nii");
    let ringing = |k: usize| match k {
        100 => 1.2,
        101 => 0.7,
        102 => 0.5,
        _ => -0.01,
    };
    let mask = volume.with_voxels((0..512).map(ringing).collect());
    nifti::write(&Scan::new(mask), Element::Float32, &dir.path().join("m.nii")).expect("written");
    let task =
        ["enhance", "a.nii", "--task", "inpaint", "--mask", "m.nii", "--steps", "1", "--output", "o.nii"];
    let (code, said) = run(&task, dir.path());
    assert!(code == 0 && said.contains("warning: the mask m.nii holds more than two values"), "{said}");
    let out = load(&dir.path().join("o.nii"));
    let changed: Vec<usize> = (0..512).filter(|k| out.voxels[*k] != volume.voxels[*k]).collect();
    assert_eq!(changed, [100, 101]);
}

/// Exit code, what was printed, and what was said of `unmelt replay`.
fn replay(arguments: &[&str], folder: &Path) -> (i32, String) {
    let mut command = Command::cargo_bin("unmelt").expect("the binary");
    let output = command.arg("replay").args(arguments).current_dir(folder).output().expect("started");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("no signal"), String::from_utf8(text).expect("text"))
}

#[test]
fn results_are_made_again_from_their_records() {
    let dir = tempfile::tempdir().expect("a folder");
    let (volume, _) = scan(dir.path(), "a.nii");
    let mask = volume.with_voxels((0..512).map(|k| if k % 90 == 0 { 1.0 } else { 0.0 }).collect());
    nifti::write(&Scan::new(mask), Element::Float32, &dir.path().join("m.nii")).expect("written");
    let (fill, of_fill): ([&str; 6], [&str; 4]) =
        (["--task", "inpaint", "--mask", "m.nii", "--steps", "2"], ["--input", "a.nii", "--mask", "m.nii"]);
    let denoise = ["--task", "denoise", "--sigma", "3.3"];
    let extend = ["--task", "outpaint", "--extend", "top=2", "--classical"];
    let cases: [(&str, &[&str], &[&str]); 3] = [
        ("filled.nii.gz", &fill, &of_fill),
        ("denoised.nii", &denoise, &["--input", "a.nii"]),
        ("wider.nii.gz", &extend, &["--input", "a.nii"]),
    ];
    for (out, made, again) in cases {
        let enhance = ["enhance", "a.nii", "--output", out];
        let (code, said) = run(&[&enhance[..], made].concat(), dir.path());
        assert_eq!(code, 0, "{said}");
        let (code, said) = replay(&[&[out][..], again].concat(), dir.path());
        assert!(code == 0 && said.contains("bit for bit"), "{out}: {said}");
        let bytes = std::fs::read(dir.path().join(out)).expect("there");
        assert!(out.ends_with(".gz") || !bytes.windows(5).any(|w| w == b"a.nii"), "no path");
    }
    let generate = ["generate", "--shape", "8,8,8", "--steps", "2", "--output", "g.nii"];
    assert_eq!(run(&generate, dir.path()).0, 0);
    let (code, said) = replay(&["g.nii"], dir.path());
    assert!(code == 0 && said.contains("bit for bit"), "{said}");
    // Another scan, another value, and a scan that nobody made.
    let (code, said) = replay(&["denoised.nii", "--input", "m.nii"], dir.path());
    assert!(code == 2 && said.contains("other values"), "{said}");
    let (code, said) = replay(&["denoised.nii"], dir.path());
    assert!(code == 2 && said.contains("--input"), "{said}");
    let mut bytes = std::fs::read(dir.path().join("g.nii")).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(dir.path().join("g.nii"), bytes).expect("written");
    let (code, said) = replay(&["g.nii"], dir.path());
    assert!(code == 1 && said.contains("came out differently"), "{said}");
    let (code, said) = replay(&["a.nii"], dir.path());
    assert!(code == 2 && said.contains("nothing in a.nii says how it was made"), "{said}");
}
