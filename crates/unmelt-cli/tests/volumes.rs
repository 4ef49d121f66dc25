//! `unmelt volumes` as a person meets it, on small volumes made here.

use std::path::Path;

use assert_cmd::Command;
use unmelt_imaging::{Grid, Volume};
use unmelt_imaging_io::Scan;
use unmelt_imaging_io::nifti::{self, Element};

fn unmelt() -> Command {
    Command::cargo_bin("unmelt").expect("the binary")
}

/// A ball of 20 voxels in a cube of 24, brighter inside, in empty space.
fn ball() -> Volume {
    let n = 24;
    let voxels = (0..n * n * n)
        .map(|k| {
            let r2: f32 = [k % n, k / n % n, k / (n * n)].iter().map(|i| (*i as f32 - 11.5).powi(2)).sum();
            if r2 < 25.0 {
                900.0
            } else if r2 < 100.0 {
                500.0
            } else {
                0.0
            }
        })
        .collect();
    Volume::new(voxels, Grid::centred([n; 3], [1.0; 3]))
}

fn save(volume: &Volume, folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    nifti::write(&Scan::new(volume.clone()), Element::Float32, &path).expect("written");
    path.to_string_lossy().into_owned()
}

fn load(path: &str) -> Volume {
    nifti::read(Path::new(path), None).expect("readable").scan.volume
}

fn complaint(arguments: &[&str]) -> String {
    let output = unmelt().arg("volumes").args(arguments).assert().code(2).get_output().stderr.clone();
    String::from_utf8(output).expect("text")
}

#[test]
fn inpainting_keeps_known_voxels_bit_for_bit_and_the_seed_decides() {
    let dir = tempfile::tempdir().expect("a folder");
    let ball = ball();
    let truth = save(&ball, dir.path(), "truth.nii.gz");
    let marked = (0..24 * 24 * 24).map(|k| if k % 24 > 15 && (200..6000).contains(&k) { 1.0 } else { 0.0 });
    let mask = ball.with_voxels(marked.collect());
    let mask_path = save(&mask, dir.path(), "mask.nii.gz");
    let out = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for name in ["a.nii.gz", "b.nii.gz"] {
        unmelt()
            .args(["volumes", "enhance", &truth, "--task", "inpaint", "--mask", &mask_path, "--steps", "2"])
            .args(["--output", &out(name)])
            .assert()
            .success();
    }
    let (a, b) = (load(&out("a.nii.gz")), load(&out("b.nii.gz")));
    assert_eq!(a.voxels, b.voxels);
    for k in 0..a.voxels.len() {
        assert!(mask.voxels[k] == 1.0 || a.voxels[k].to_bits() == ball.voxels[k].to_bits());
    }
    assert!(a.grid.same_as(&ball.grid));
    let left = std::fs::read_dir(dir.path()).expect("a folder").count();
    assert_eq!(left, 4, "no temporary file stays");
}

#[test]
fn samples_give_deviation_and_interval_and_super_resolution_a_new_grid() {
    let dir = tempfile::tempdir().expect("a folder");
    let coarse = Volume::new(
        (0..24 * 24 * 12).map(|k| ball().voxels[k % 576 + k / 576 * 1152]).collect(),
        Grid::centred([24, 24, 12], [1.0, 1.0, 2.0]),
    );
    let input = save(&coarse, dir.path(), "thick.nii.gz");
    let name = |n: &str| dir.path().join(n).to_string_lossy().into_owned();
    unmelt()
        .args(["volumes", "enhance", &input, "--task", "super-resolve", "--spacing", "1", "--steps", "2"])
        .args(["--samples", "3", "--std", &name("std.nii.gz"), "--output", &name("out.nii.gz")])
        .args(["--interval", &format!("{},{}", name("low.nii.gz"), name("high.nii.gz"))])
        .assert()
        .success();
    let out = load(&name("out.nii.gz"));
    assert_eq!(out.grid.shape, [24; 3]);
    assert!(out.grid.spacing().iter().all(|s| (s - 1.0).abs() < 1e-6));
    let (low, high, std) = (load(&name("low.nii.gz")), load(&name("high.nii.gz")), load(&name("std.nii.gz")));
    assert!(std.voxels.iter().all(|s| *s >= 0.0) && std.voxels.iter().any(|s| *s > 0.0));
    assert!((0..out.voxels.len()).all(|k| low.voxels[k] <= out.voxels[k] && out.voxels[k] <= high.voxels[k]));
}

/// A small model that was trained for two steps on the ball.
fn small_model(dir: &Path) -> String {
    let scan = save(&ball(), dir, "learned.nii.gz");
    let config = dir.join("small.toml");
    let text = "channels = [16, 16]\nblocks = [1, 1]\n[sampling]\nsizes = [16]\nvoxels = 8192\n[training]\nsteps = 2\n";
    std::fs::write(&config, text).expect("written");
    let run = dir.join("run").to_string_lossy().into_owned();
    unmelt()
        .args(["volumes", "train", "--volumes", &scan, "--output", &run, "--config"])
        .arg(&config)
        .assert()
        .success();
    run
}

#[test]
fn an_interval_wants_a_calibration_and_gets_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let name = |n: &str| dir.path().join(n).to_string_lossy().into_owned();
    let model = small_model(dir.path());
    let (scan, other) = (save(&ball(), dir.path(), "a.nii.gz"), save(&ball(), dir.path(), "b.nii.gz"));
    let ends = format!("{},{}", name("low.nii.gz"), name("high.nii.gz"));
    let denoise = ["enhance", &scan, "--task", "denoise", "--sigma", "60", "--samples", "2", "--steps", "2"];
    let asked = [&denoise[..], &["--model", &model, "--interval", &ends]].concat();
    let said = complaint(&[&asked[..], &["--output", &name("no.nii.gz")]].concat());
    assert!(said.contains("unmelt volumes calibrate --model") && said.contains("--uncalibrated"), "{said}");
    assert!(!dir.path().join("low.nii.gz").exists());
    let anyway = unmelt()
        .arg("volumes")
        .args(&asked)
        .args(["--uncalibrated", "--output", &name("raw.nii.gz"), "--std", &name("raw_std.nii.gz")])
        .assert()
        .success();
    assert!(String::from_utf8_lossy(&anyway.get_output().stderr).contains("is unknown"));
    unmelt()
        .args(["volumes", "calibrate", "--model", &model, "--volumes", &scan, "--volumes", &other])
        .args(["--tasks", "denoise", "--samples", "2", "--steps", "2", "--edge", "16"])
        .assert()
        .success();
    let card: serde_json::Value =
        serde_json::from_slice(&std::fs::read(Path::new(&model).join("model.json")).expect("a card"))
            .expect("JSON");
    let records = card["model"]["calibration"]["denoise"].as_array().expect("records");
    assert!(records.iter().all(|r| r["voxels"].as_u64() > Some(0) && r["volumes"] == 2), "{card}");
    for out in ["low.nii.gz", "high.nii.gz"] {
        std::fs::remove_file(name(out)).expect("it was written");
    }
    unmelt()
        .arg("volumes")
        .args(&asked)
        .args(["--output", &name("out.nii.gz"), "--std", &name("std.nii.gz")])
        .assert()
        .success();
    // One scale: the interval is that of the deviation, which is the raw one times one factor.
    let (out, std, high) = (load(&name("out.nii.gz")), load(&name("std.nii.gz")), load(&name("high.nii.gz")));
    let raw = load(&name("raw_std.nii.gz"));
    let most =
        (0..raw.voxels.len()).max_by(|a, b| raw.voxels[*a].total_cmp(&raw.voxels[*b])).expect("voxels");
    let factor = std.voxels[most] / raw.voxels[most];
    for k in 0..out.voxels.len() {
        assert!((std.voxels[k] - factor * raw.voxels[k]).abs() <= 1e-3 * std.voxels[most]);
        assert!(
            (high.voxels[k] - out.voxels[k] - 1.644_854 * std.voxels[k]).abs() <= 1e-3 * std.voxels[most]
        );
    }
    // Further training forgets it, and a model inside the program is not written to.
    let config = name("small.toml");
    let tuned = name("tuned");
    unmelt()
        .args([
            "volumes",
            "train",
            "--volumes",
            &scan,
            "--from",
            &model,
            "--output",
            &tuned,
            "--config",
            &config,
        ])
        .assert()
        .success();
    let card = std::fs::read_to_string(Path::new(&tuned).join("model.json")).expect("a card");
    assert!(!card.contains("calibration") && card.contains("trained_on"), "{card}");
    let said = complaint(&["calibrate", "--model", "brain-mri", "--volumes", &scan]);
    assert!(said.contains("built-in model") && said.contains("--output"), "{said}");
}

#[test]
fn what_a_model_has_not_seen_is_said_before_the_work() {
    let dir = tempfile::tempdir().expect("a folder");
    let ct = ball().with_voxels(ball().voxels.iter().map(|v| v - 1000.0).collect());
    let input = save(&ct, dir.path(), "ct.nii.gz");
    let out = dir.path().join("out.nii.gz").to_string_lossy().into_owned();
    let done = unmelt()
        .args(["volumes", "enhance", &input, "--task", "denoise", "--sigma", "20", "--output", &out])
        .assert()
        .success();
    let said = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(said.contains("warning: the scan has values far below 0"), "{said}");
}

#[test]
fn evaluate_prints_and_writes_tables() {
    let dir = tempfile::tempdir().expect("a folder");
    let truth = save(&ball(), dir.path(), "truth.nii.gz");
    let off = ball().with_voxels(ball().voxels.iter().map(|v| v + 9.0).collect());
    let out = save(&off, dir.path(), "out.nii.gz");
    let table = dir.path().join("table.csv");
    let output = unmelt()
        .args(["volumes", "evaluate", &truth, &out, "--json", "--table", &table.to_string_lossy()])
        .assert()
        .success();
    let json: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    assert_eq!((&json["ok"], &json["command"]), (&true.into(), &"volumes evaluate".into()));
    let psnr = json["result"][0]["whole"]["psnr"].as_f64().expect("a number");
    assert!((psnr - 40.0).abs() < 0.01, "range 900, off by 9: {psnr}");
    let text = std::fs::read_to_string(table).expect("a table");
    assert!(text.starts_with("volume,data_range,foreground_psnr,") && text.lines().count() == 2);
}

#[test]
fn denoising_takes_noise_away_and_leaves_what_has_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let name = |n: &str| dir.path().join(n).to_string_lossy().into_owned();
    let mut noise = vec![0.0f32; 24 * 24 * 24];
    unmelt_diffusion::Noise::new(5).normal(unmelt_diffusion::Stream::new(0, 0, 0), &mut noise);
    let noisy = ball().with_voxels(ball().voxels.iter().zip(noise).map(|(v, n)| v + 60.0 * n).collect());
    let input = save(&noisy, dir.path(), "noisy.nii.gz");
    let enhance = |input: &str, extra: &[&str], out: &str| {
        unmelt()
            .args(["volumes", "enhance", input, "--task", "denoise", "--output", &name(out)])
            .args(extra)
            .assert()
            .success();
        load(&name(out))
    };
    let error = |v: &Volume| {
        let square: f32 = v.voxels.iter().zip(&ball().voxels).map(|(a, b)| (a - b).powi(2)).sum();
        (square / v.voxels.len() as f32).sqrt()
    };
    let out = enhance(&input, &["--sigma", "60", "--noise", "gaussian"], "out.nii.gz");
    assert!(error(&out) < 0.6 * error(&noisy), "{} of {}", error(&out), error(&noisy));
    let clean = save(&ball(), dir.path(), "clean.nii.gz");
    let same = enhance(&clean, &["--sigma", "0"], "same.nii.gz");
    assert!(error(&same) < 1e-2);
}

#[test]
fn bad_requests_get_one_sentence() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = dir.path();
    let name = |n: &str| at.join(n).to_string_lossy().into_owned();
    let scan = save(&ball(), at, "scan.nii.gz");
    let flat = save(&ball().with_voxels(vec![3.0; 24 * 24 * 24]), at, "flat.nii.gz");
    let none = save(&ball().with_voxels(vec![0.0; 24 * 24 * 24]), at, "none.nii.gz");
    let all = save(&ball().with_voxels(vec![1.0; 24 * 24 * 24]), at, "all.nii.gz");
    let other = save(&Volume::new(vec![1.0; 8], Grid::centred([2; 3], [1.0; 3])), at, "other.nii.gz");
    let out = name("out.nii.gz");
    let enhance = |input: &str, task: &str, extra: &[&str]| {
        let first = ["enhance", input, "--task", task, "--output", &out];
        complaint(&[&first[..], extra].concat())
    };
    for (got, want) in [
        (enhance(&name("nothing.nii"), "denoise", &[]), "could not read"),
        (enhance(&flat, "denoise", &[]), "flat.nii.gz: the volume is constant"),
        (
            enhance(&scan, "denoise", &["--sigma", "-1"]),
            "scan.nii.gz: the noise level must be a number of at least 0",
        ),
        (enhance(&scan, "inpaint", &[]), "needs a mask"),
        (enhance(&scan, "inpaint", &["--mask", &none]), "none.nii.gz: the mask is empty"),
        (enhance(&scan, "inpaint", &["--mask", &all]), "all.nii.gz: the mask marks every voxel"),
        (
            enhance(&scan, "inpaint", &["--mask", &other]),
            "other.nii.gz (2 × 2 × 2 voxels of 1.00 × 1.00 × 1.00 mm, the first at -0.5, -0.5, -0.5 mm) lies on another grid",
        ),
        (enhance(&scan, "super-resolve", &["--spacing", "0"]), "must be above 0 mm"),
        (enhance(&scan, "super-resolve", &["--spacing", "2"]), "no coarser than the spacing wanted"),
        (enhance(&scan, "outpaint", &["--extend", "up=3"]), "is no extension"),
        (enhance(&scan, "denoise", &["--std", &name("s.nii.gz")]), "need several posterior samples"),
        (enhance(&scan, "denoise", &["--mask", &none]), "--mask would have no effect"),
        (enhance(&scan, "inpaint", &["--mask", &none, "--spacing", "1"]), "--spacing would have no effect"),
        (enhance(&scan, "denoise", &["--extend", "top=3"]), "--extend would have no effect"),
        (enhance(&scan, "kspace", &["--sensitivities", &none]), "--sensitivities would have no effect"),
        (enhance(&scan, "super-resolve", &["--sigma", "3"]), "--sigma would have no effect"),
        (enhance(&scan, "denoise", &["--sigma-max", "1"]), "--sigma-max would have no effect"),
        (
            enhance(&scan, "denoise", &["--steps", "20"]),
            "--steps would have no effect: it is for sampling and searching",
        ),
        (enhance(&name("k.npy"), "kspace", &["--force"]), "--force would have no effect"),
        (
            enhance(&scan, "outpaint", &["--extend", "left=1e300,right=1"]),
            "cannot grow by more than 4096 voxels",
        ),
        (
            enhance(&scan, "outpaint", &["--extend", "left=4000,right=4000"]),
            "cannot grow by more than 4096 voxels",
        ),
        (enhance(&scan, "outpaint", &["--extend", "left=nan"]), "is no extension"),
        (enhance(&scan, "outpaint", &["--extend", "left=1,left=2"]), "names a side twice"),
        (enhance(&scan, "outpaint", &["--extend", "top=0,top=3"]), "names a side twice"),
        (enhance(&scan, "outpaint", &["--extend", "top=0", "--extend", "top=3"]), "names a side twice"),
        (
            enhance(
                &scan,
                "super-resolve",
                &["--spacing", "0.5", "--sigma-max", "0.1", "--sigma-min", "0.2"],
            ),
            "the highest noise level of the sampling, 0.1, lies below the lowest, 0.2",
        ),
        (enhance(&scan, "super-resolve", &["--spacing", "1e-300"]), "voxels"),
        (enhance(&scan, "denoise", &["--sigma", "1e30"]), "times the range of the scan"),
        (complaint(&["convert", &scan, &name("folder")]), "only a DICOM series can become"),
        (complaint(&["convert", &scan, &name("no/where.nii.gz")]), "there is no such folder"),
        (complaint(&["convert", &scan, &scan, "--overwrite"]), "is an input"),
        (complaint(&["convert", &scan, &flat]), "flat.nii.gz is there already"),
        (enhance(&scan, "denoise", &["--samples", "2", "--std", &out]), "two outputs"),
        (
            enhance(
                &scan,
                "denoise",
                &["--samples", "2", "--overwrite", "--interval", &format!("{scan},{flat}")],
            ),
            "is an input",
        ),
        (complaint(&["evaluate", &scan, &flat, "--table", &flat, "--overwrite"]), "is an input"),
    ] {
        assert!(got.starts_with("error: ") && got.contains(want), "{got}");
        assert!(got.lines().count() <= 2, "{got}");
        if got.contains("lies on another grid") {
            assert!(got.contains("-interp nearest") && got.contains("SimpleITK.Resample"), "{got}");
        }
    }
}

/// On Linux, where the memory that a machine has is known.
#[cfg(target_os = "linux")]
#[test]
fn volumes_that_the_machine_has_no_memory_for_are_refused_at_once() {
    let memory = std::fs::read_to_string("/proc/meminfo").expect("there");
    let kib = |name: &str| {
        let line = memory.lines().find(|l| l.starts_with(name)).expect("there");
        line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number")
    };
    let dir = tempfile::tempdir().expect("a folder");
    let scan = save(&ball(), dir.path(), "scan.nii.gz");
    let out = dir.path().join("out.nii.gz").to_string_lossy().into_owned();
    if (kib("MemAvailable") + kib("SwapFree")) * 1024 > 23_000_000_000 {
        println!("skipped: this machine has memory for 990 million voxels");
        return;
    }
    let begin = std::time::Instant::now();
    for said in [
        complaint(&["generate", "--shape", "1000,1000,990", "--output", &out]),
        complaint(&["enhance", &scan, "--task", "super-resolve", "--spacing", "0.0241", "--output", &out]),
        complaint(&[
            "enhance",
            &scan,
            "--task",
            "outpaint",
            "--extend",
            "top=4000,left=1000,back=100",
            "--output",
            &out,
        ]),
    ] {
        assert!(
            said.contains("GB of memory") && said.contains("GB free") || said.contains("for voxels"),
            "{said}"
        );
    }
    assert!(begin.elapsed().as_secs() < 60, "memory was taken");
}

#[test]
fn every_solver_answers_and_repaint_wants_a_mask() {
    let dir = tempfile::tempdir().expect("a folder");
    let input = save(&ball(), dir.path(), "thin.nii.gz");
    let out = dir.path().join("out.nii.gz").to_string_lossy().into_owned();
    let task =
        ["enhance", &input, "--task", "super-resolve", "--spacing", "1,1,0.5", "--steps", "2", "--overwrite"];
    for solver in ["diffpir", "hqs", "ddnm", "dds", "dps"] {
        unmelt().arg("volumes").args(task).args(["--solver", solver, "--output", &out]).assert().success();
        let fine = load(&out);
        assert_eq!(fine.grid.shape, [24, 24, 48], "{solver}");
        assert!(fine.voxels.iter().all(|v| v.is_finite()), "{solver}");
    }
    let complain = |solver: &str| complaint(&[&task[..], &["--solver", solver, "--output", &out]].concat());
    assert!(complain("repaint").contains("masks"));
    assert!(complain("magic").contains("[possible values: diffpir"));
}

#[test]
fn single_slices_and_voxels_are_results_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let slice = Volume::new(ball().voxels[576 * 12..576 * 13].to_vec(), Grid::centred([24, 24, 1], [1.0; 3]));
    let input = save(&slice, dir.path(), "slice.nii.gz");
    let out = dir.path().join("out.nii.gz").to_string_lossy().into_owned();
    unmelt()
        .args(["volumes", "enhance", &input, "--task", "denoise", "--sigma", "20", "--output", &out])
        .assert()
        .success();
    assert_eq!(load(&out).grid.shape, [24, 24, 1]);
    let voxel = save(&Volume::new(vec![7.0], Grid::centred([1; 3], [1.0; 3])), dir.path(), "voxel.nii.gz");
    assert!(
        complaint(&["enhance", &voxel, "--task", "denoise", "--overwrite", "--output", &out])
            .contains("constant")
    );
}

#[test]
fn synthesis_is_reproducible_and_training_learns_from_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let labels = ball().with_voxels(
        ball()
            .voxels
            .iter()
            .map(|v| {
                if *v > 800.0 {
                    2.0
                } else if *v > 0.0 {
                    3.0
                } else {
                    0.0
                }
            })
            .collect(),
    );
    save(&labels, dir.path(), "labels.nii.gz");
    let maps = dir.path().join("labels.nii.gz").to_string_lossy().into_owned();
    let run = |out: &str| {
        let folder = dir.path().join(out);
        unmelt()
            .args(["volumes", "synthesize", "--labels", &maps, "--count", "2", "--seed", "3", "--output"])
            .arg(&folder)
            .assert()
            .success();
        load(&folder.join("scan_000001.nii.gz").to_string_lossy()).voxels
    };
    let scan = run("a");
    assert_eq!(scan, run("b"));
    assert!(scan.iter().any(|v| *v > 0.1) && scan.iter().all(|v| v.is_finite() && *v >= 0.0));

    let config = dir.path().join("small.toml");
    let text = "channels = [16, 16]\nblocks = [1, 1]\n[sampling]\nsizes = [16]\nvoxels = 8192\n[training]\nsteps = 6\nreport_every = 1\n";
    std::fs::write(&config, text).expect("written");
    let run_folder = dir.path().join("run");
    unmelt()
        .args(["volumes", "train", "--labels", &maps, "--volumes"])
        .arg(dir.path().join("a"))
        .arg("--config")
        .arg(&config)
        .arg("--output")
        .arg(&run_folder)
        .assert()
        .success();
    let losses = std::fs::read_to_string(run_folder.join("losses.csv")).expect("a table");
    assert_eq!(losses.lines().count(), 7);
    let out = dir.path().join("g.nii.gz");
    unmelt()
        .args(["volumes", "generate", "--shape", "16,16,16", "--steps", "2", "--model"])
        .arg(&run_folder)
        .arg("--output")
        .arg(&out)
        .assert()
        .success();
    assert_eq!(load(&out.to_string_lossy()).grid.shape, [16; 3]);

    // Fine-tuning takes the network from the model, and goes on from its own checkpoint afterwards.
    let tuned = dir.path().join("tuned");
    let tune = |steps: usize, more: &[&std::ffi::OsStr]| {
        let text = format!(
            "channels = [32]\nblocks = [1]\n[sampling]\nsizes = [16]\nvoxels = 8192\n[training]\nsteps = {steps}\nreport_every = 1\n"
        );
        std::fs::write(&config, text).expect("written");
        let mut command = unmelt();
        command.args(["volumes", "train", "--labels", &maps, "--config"]).arg(&config);
        command.arg("--output").arg(&tuned).args(more).assert()
    };
    tune(2, &["--from".as_ref(), run_folder.as_os_str()]).success();
    tune(3, &["--resume".as_ref()]).success();
    let card = std::fs::read_to_string(tuned.join("model.json")).expect("a card");
    assert!(
        card.contains("\"began_with\": {\n      \"name\": \"custom\"") && card.contains("\"steps\": 3"),
        "{card}"
    );
    let weights =
        |folder: &std::path::Path| std::fs::read(folder.join("model.safetensors")).expect("weights");
    let (before, after) = (weights(&run_folder), weights(&tuned));
    assert!(before.len() == after.len() && before != after);
    // Two experts begin as the one network, and go on as two.
    let tuned = dir.path().join("experts");
    std::fs::write(
        &config,
        "experts = true\n[sampling]\nsizes = [16]\nvoxels = 8192\n[training]\nsteps = 2\n",
    )
    .expect("written");
    let train = |more: &[&std::ffi::OsStr]| {
        let mut command = unmelt();
        command.args(["volumes", "train", "--labels", &maps, "--config"]).arg(&config);
        command.arg("--output").arg(&tuned).args(more).assert().success();
        std::fs::read(tuned.join("model.safetensors")).expect("weights")
    };
    let experts = train(&["--minutes".as_ref(), "0".as_ref(), "--from".as_ref(), run_folder.as_os_str()]);
    let card = std::fs::read_to_string(tuned.join("model.json")).expect("a card");
    assert!(card.contains("\"experts\": true") && experts.len() * 10 > before.len() * 19, "{card}");
    let after = train(&["--resume".as_ref()]);
    assert!(experts.len() == after.len() && experts != after);
    let gone = tune(2, &["--overwrite".as_ref(), "--from".as_ref(), "gone".as_ref()]).failure();
    let said = String::from_utf8_lossy(&gone.get_output().stderr).into_owned();
    assert!(said.contains("\"gone\"") || said.contains("gone is no model"), "{said}");
}
