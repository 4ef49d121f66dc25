//! Pictures and series through the command line, without a model.

use std::path::Path;

use assert_cmd::Command;
use unmelt_diffusion::{Noise, Stream};
use unmelt_imaging::{Grid, Lattice, Series};
use unmelt_imaging_io::{Choice, Derivation, ScanSeries};

/// Exit code, what was printed, and what was said.
fn run(arguments: &[&str], folder: &Path) -> (i32, String, String) {
    let mut command = Command::cargo_bin("unmelt").expect("the binary");
    let output = command.arg("volumes").args(arguments).current_dir(folder).output().expect("started");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

/// Squares, another brightness in each channel and frame, with noise of a standard deviation of 6.
fn squares(shape: [usize; 3], channels: usize, frames: usize) -> (Series, Series) {
    let grid = Grid::centred(shape, [1.0; 3]);
    let lattice = Lattice { channels, frames, frame_step: 2.0, ..Lattice::scalar(grid) };
    let points = grid.voxels();
    let value = |k: usize| {
        let [x, y] = [k % points % shape[0], k % points / shape[0] % shape[1]];
        if (2 * x / shape[0] + 2 * y / shape[1]).is_multiple_of(2) {
            60.0
        } else {
            150.0 + 9.0 * (k / points) as f32
        }
    };
    let clean: Vec<f32> = (0..lattice.values()).map(value).collect();
    let mut noise = vec![0.0f32; clean.len()];
    Noise::new(1).normal(Stream::new(0, 0, 0), &mut noise);
    let noisy = clean.iter().zip(noise).map(|(v, n)| (v + 6.0 * n).round()).collect();
    (Series::new(clean, lattice), Series::new(noisy, lattice))
}

fn save(series: &Series, path: &Path) {
    let derivation = Derivation::conversion();
    ScanSeries::new(series.clone()).write(path, &derivation).expect("written");
}

fn load(path: &Path) -> Series {
    ScanSeries::read(path, &Choice::default()).expect("readable").scan.series
}

fn error(a: &Series, b: &Series) -> f32 {
    a.values().iter().zip(b.values()).map(|(a, b)| (a - b).powi(2)).sum()
}

#[test]
fn pictures_and_series_are_told_converted_and_denoised() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, out, shape, channels, frames) in [
        ("gray.png", "out.png", [48, 40, 1], 1, 1),
        ("colour.png", "out.tif", [48, 40, 1], 3, 1),
        ("pages.tif", "pages_out.tif", [48, 40, 1], 1, 3),
        ("series.nii.gz", "series_out.nii.gz", [24, 24, 10], 1, 2),
    ] {
        let (clean, noisy) = squares(shape, channels, frames);
        save(&noisy, &dir.path().join(name));
        let (code, told, said) = run(&["info", name], dir.path());
        assert_eq!(code, 0, "{said}");
        assert_eq!(told.contains("channels      3"), channels == 3, "{told}");
        assert_eq!(told.contains(&format!("frames        {frames}")), frames > 1, "{told}");
        let denoise = ["enhance", name, "--classical", "--task", "denoise", "--output", out];
        let (code, told, said) = run(&denoise, dir.path());
        assert!(code == 0 && told.contains("Noise"), "{name}: {said}");
        let denoised = load(&dir.path().join(out));
        assert_eq!((denoised.lattice().channels, denoised.lattice().frames), (channels, frames));
        let part = error(&denoised, &clean) / error(&noisy, &clean);
        assert!(part < 0.25, "{name}: {part}");
    }
    assert_eq!(load(&dir.path().join("series_out.nii.gz")).lattice().frame_step, 2.0);
    let (code, _, said) = run(&["convert", "colour.png", "colour.nii.gz"], dir.path());
    assert_eq!(code, 0, "{said}");
    assert_eq!(run(&["convert", "colour.nii.gz", "again.png"], dir.path()).0, 0);
    let values = |name: &str| load(&dir.path().join(name)).values().to_vec();
    assert_eq!(values("again.png"), values("colour.png"));
}

#[test]
fn a_picture_is_resolved_filled_and_extended() {
    let dir = tempfile::tempdir().expect("a folder");
    let (clean, _) = squares([48, 40, 1], 1, 1);
    save(&clean, &dir.path().join("a.png"));
    let finer = [
        "enhance",
        "a.png",
        "--classical",
        "--task",
        "super-resolve",
        "--spacing",
        "0.5",
        "--output",
        "f.png",
    ];
    let (code, _, said) = run(&finer, dir.path());
    assert_eq!(code, 0, "{said}");
    assert_eq!(load(&dir.path().join("f.png")).lattice().shape(), [96, 80, 1]);
    let marked = (0..1920).map(|k| if (k % 48) == 20 { 255.0 } else { 0.0 }).collect();
    save(&Series::new(marked, *clean.lattice()), &dir.path().join("m.png"));
    let fill =
        ["enhance", "a.png", "--classical", "--task", "inpaint", "--mask", "m.png", "--output", "i.png"];
    let (code, _, said) = run(&fill, dir.path());
    assert_eq!(code, 0, "{said}");
    let filled = load(&dir.path().join("i.png"));
    assert!((0..1920).filter(|k| k % 48 != 20).all(|k| filled.values()[k] == clean.values()[k]));
    let extend =
        ["enhance", "a.png", "--classical", "--task", "outpaint", "--extend", "left=4", "--output", "o.png"];
    let (code, _, said) = run(&extend, dir.path());
    assert_eq!(code, 0, "{said}");
    assert_eq!(load(&dir.path().join("o.png")).lattice().shape(), [52, 40, 1]);
}

#[test]
fn wrong_kinds_are_refused_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    let (clean, _) = squares([48, 40, 1], 1, 1);
    save(&clean, &dir.path().join("a.png"));
    let denoise = ["enhance", "a.png", "--task", "denoise", "--output", "b.png"];
    let (code, _, said) = run(&denoise, dir.path());
    assert!(code == 2 && said.contains("is a picture (PNG)") && said.contains("--classical"), "{said}");
    let with = |more: &[&str]| {
        let begin = ["enhance", "a.png", "--classical", "--output", "b.png"];
        let (code, _, said) = run(&[&begin[..], more].concat(), dir.path());
        assert_eq!(code, 2, "{said}");
        said
    };
    assert!(with(&["--task", "kspace", "--mask", "a.png"]).contains("k-space"));
    assert!(with(&["--task", "denoise", "--samples", "4"]).contains("--classical"));
    assert!(with(&["--task", "denoise", "--mask", "a.png"]).contains("--mask would have no effect"));
    assert!(!dir.path().join("b.png").exists());
    let (code, _, said) = run(&["convert", "a.png", "a.jpg"], dir.path());
    assert!(code == 2 && said.contains("JPEG changes values"), "{said}");
}
