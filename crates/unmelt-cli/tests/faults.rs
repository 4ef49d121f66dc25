//! Faults from outside: killed processes, signals, full disks, closed pipes, two processes on one output. Nothing finished
//! is lost, and nothing half-written has its final name.
//!
//! `UNMELT_FAULTS` says how often each kind of work is killed; 20 is a thorough number.
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use unmelt_imaging::{Grid, Volume};
use unmelt_imaging_io::Scan;
use unmelt_imaging_io::nifti::{self, Element};
use unmelt_molecules::format::read_molecules;

const MOLECULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../unmelt-molecules/tests/data/rdkit.sdf");

/// How long an end may take here; the promise is two seconds, on a machine that does nothing else.
const END: Duration = Duration::from_secs(6);

fn unmelt(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("unmelt"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    unmelt(arguments, folder).output().expect("it runs")
}

fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = run(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Waits for something that is sure to come.
fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_there() {
        assert!(begin.elapsed() < Duration::from_secs(120), "{what} never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
}

/// Sends a signal, and expects an end with its exit code and without a panic, soon.
fn ends(child: Child, name: &str, code: i32) -> (String, String) {
    signal(&child, name);
    let begin = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert!(begin.elapsed() < END, "{:?}", begin.elapsed());
    let (said, complaint) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}{complaint}");
    assert!(complaint.lines().any(|line| line.starts_with("stopping")), "{complaint}");
    assert!(!complaint.contains("panicked"), "{complaint}");
    (said, complaint)
}

/// Moments from 0 to 1 at which work is killed.
fn moments() -> Vec<f64> {
    let count = std::env::var("UNMELT_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..count).map(|_| next()).collect()
}

/// Runs a command and kills it at a moment of the time that it takes as a whole, or a little later.
fn killed(arguments: &[&str], folder: &Path, whole: Duration, moment: f64) -> bool {
    let mut child = unmelt(arguments, folder).spawn().expect("it runs");
    std::thread::sleep(whole.mul_f64(1.1 * moment));
    let _ = child.kill();
    child.wait().expect("it ends").signal() == Some(9)
}

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

fn ball() -> Volume {
    let n = 16;
    let square =
        |k: usize| [k % n, k / n % n, k / (n * n)].iter().map(|i| (*i as f32 - 7.5).powi(2)).sum::<f32>();
    let voxels = (0..n * n * n).map(|k| if square(k) < 30.0 { 900.0 + (k * k % 97) as f32 } else { 0.0 });
    Volume::new(voxels.collect(), Grid::centred([n; 3], [1.0; 3]))
}

fn save(volume: &Volume, path: PathBuf) {
    nifti::write(&Scan::new(volume.clone()), Element::Float32, &path).expect("written");
}

#[test]
fn generation_killed_at_any_moment_leaves_whole_files_or_none() {
    let arguments = [
        "molecules",
        "generate",
        "--count",
        "120",
        "--batch",
        "4",
        "--atoms",
        "6",
        "--steps",
        "4",
        "--output",
        "x.sdf",
    ];
    let reference = folder();
    let whole = timed(|| drop(succeeds(&arguments, reference.path())));
    let read = |folder: &Path, name: &str| std::fs::read(folder.join(name)).ok();
    let f = folder();
    for moment in moments() {
        killed(&arguments, f.path(), whole, moment);
        for name in ["x.sdf", "x.csv"] {
            if let Some(bytes) = read(f.path(), name) {
                assert_eq!(Some(bytes), read(reference.path(), name), "{name} at {moment}");
                std::fs::remove_file(f.path().join(name)).expect("there");
            }
        }
        assert!(names(f.path()).iter().all(|n| n.starts_with(".unmelt-x.")), "{:?}", names(f.path()));
    }
    succeeds(&arguments, f.path());
    assert_eq!(names(f.path()), ["x.csv", "x.sdf"], "what was left is removed");
}

#[test]
fn enhancement_killed_at_any_moment_leaves_whole_files_or_none() {
    let arguments = [
        "volumes",
        "enhance",
        "in.nii.gz",
        "--task",
        "denoise",
        "--sigma",
        "20",
        "--noise",
        "gaussian",
        "--output",
        "out.nii.gz",
    ];
    let (reference, f) = (folder(), folder());
    [&reference, &f].iter().for_each(|f| save(&ball(), f.path().join("in.nii.gz")));
    let whole = timed(|| drop(succeeds(&arguments, reference.path())));
    let voxels = |path: PathBuf| nifti::read(&path, None).expect("whole").scan.volume.voxels;
    let expected = voxels(reference.path().join("out.nii.gz"));
    let input = std::fs::read(f.path().join("in.nii.gz")).expect("there");
    for moment in moments() {
        killed(&arguments, f.path(), whole, moment);
        let out = f.path().join("out.nii.gz");
        if out.exists() {
            assert_eq!(voxels(out.clone()), expected, "at {moment}");
            std::fs::remove_file(out).expect("there");
        }
        assert_eq!(std::fs::read(f.path().join("in.nii.gz")).expect("there"), input);
    }
    succeeds(&arguments, f.path());
    assert_eq!(names(f.path()), ["in.nii.gz", "out.nii.gz"], "what was left is removed");
}

/// Settings of a small run with a checkpoint after every step.
fn train_config(folder: &Path, steps: u64) {
    let text = format!(
        "name = \"tiny\"\nbatch = 4\n[network]\nnode_width = 16\npair_width = 16\nheads = 2\nvectors = 2\nlayers = 1\n\
         [validation]\nmolecules = 0\n[training]\nsteps = {steps}\nreport_every = 3\ncheckpoint_minutes = 0.0\n"
    );
    std::fs::write(folder.join("c.toml"), text).expect("room");
}

const TRAIN: [&str; 8] = ["molecules", "train", "--data", MOLECULES, "--config", "c.toml", "--output", "run"];

/// The losses of a run, without the speed.
fn losses(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("run/losses.csv")).expect("the losses");
    text.lines().map(|l| l.rsplit_once(',').expect("columns").0.to_string()).collect()
}

/// How to go on with what is in the folder of a run.
fn next_option(folder: &Path) -> &'static str {
    let there = |name: &str| folder.join("run").join(name).exists();
    match there("training.safetensors") {
        true => "--resume",
        // Killed before the first checkpoint.
        false => "--overwrite",
    }
}

#[test]
fn training_killed_at_any_moment_goes_on_to_the_same_end() {
    let (reference, f) = (folder(), folder());
    [&reference, &f].iter().for_each(|f| train_config(f.path(), 40));
    let whole = timed(|| drop(succeeds(&TRAIN, reference.path())));
    for moment in moments() {
        let arguments = [&TRAIN[..], &[next_option(f.path())]].concat();
        killed(&arguments, f.path(), whole.div_f64(2.0), moment);
        if f.path().join("run/model.json").exists() {
            // Card and weights belong together.
            let generate =
                ["molecules", "generate", "--model", "run", "--count", "1", "--atoms", "3", "--steps", "1"];
            succeeds(&[&generate[..], &["--output", "x.xyz", "--overwrite"]].concat(), f.path());
        }
    }
    succeeds(&[&TRAIN[..], &[next_option(f.path())]].concat(), f.path());
    assert_eq!(losses(f.path()), losses(reference.path()));
    assert_eq!(losses(f.path()).len(), 1 + 14);
    let read = |folder: &Path, name: &str| std::fs::read(folder.join("run").join(name)).expect("there");
    for name in ["model.safetensors", "training_keys.bin"] {
        assert_eq!(read(f.path(), name), read(reference.path(), name), "{name}");
    }
    assert_eq!(
        names(&f.path().join("run")),
        names(&reference.path().join("run")),
        "what was left is removed"
    );
}

#[test]
fn a_signal_ends_a_training_with_a_checkpoint() {
    let (reference, f) = (folder(), folder());
    [&reference, &f].iter().for_each(|f| train_config(f.path(), 120));
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let option = next_option(f.path());
        let before = std::fs::read(f.path().join("run/training.safetensors")).ok();
        let child = unmelt(&[&TRAIN[..], &[option]].concat(), f.path()).spawn().expect("it runs");
        wait_for("a checkpoint", || {
            let now = std::fs::read(f.path().join("run/training.safetensors")).ok();
            now.is_some() && now != before
        });
        let (said, complaint) = ends(child, name, code);
        assert!((said + &complaint).contains("go on with --resume"));
        assert!(!names(&f.path().join("run")).iter().any(|n| n.starts_with('.')));
    }
    succeeds(&TRAIN, reference.path());
    succeeds(&[&TRAIN[..], &["--resume"]].concat(), f.path());
    assert_eq!(losses(f.path()), losses(reference.path()));
}

#[test]
fn a_signal_keeps_the_molecules_that_are_done() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let f = folder();
        let arguments = [
            "molecules",
            "generate",
            "--count",
            "1000000",
            "--batch",
            "2",
            "--atoms",
            "4",
            "--steps",
            "2",
            "--output",
            "x.sdf",
        ];
        let child = unmelt(&arguments, f.path()).spawn().expect("it runs");
        let written = |f: &Path| {
            let entries = std::fs::read_dir(f).expect("the folder").flatten();
            let parts = entries.filter(|e| e.file_name().to_string_lossy().starts_with(".unmelt-x."));
            parts.filter(|e| e.metadata().is_ok_and(|m| m.len() > 0)).count()
        };
        wait_for("a molecule and its row", || written(f.path()) == 2);
        let (said, _) = ends(child, name, code);
        assert!(said.contains("Interrupted: ") && said.contains("The rest: --first "), "{said}");
        let done = read_molecules(&f.path().join("x.sdf")).expect("whole records");
        assert!(!done.molecules.is_empty() && done.faults.is_empty());
        assert!(said.contains(&format!("Interrupted: {} of 1000000", done.molecules.len())), "{said}");
        assert_eq!(names(f.path()), ["x.csv", "x.sdf"]);
    }
}

#[test]
fn a_signal_ends_a_long_batch_between_two_evaluations() {
    let f = folder();
    let arguments = [
        "molecules",
        "generate",
        "--count",
        "64",
        "--atoms",
        "20",
        "--steps",
        "100000",
        "--solver",
        "ancestral",
        "--output",
        "x.sdf",
    ];
    let child = unmelt(&arguments, f.path()).spawn().expect("it runs");
    wait_for("the files", || names(f.path()).len() >= 4);
    let (_, complaint) = ends(child, "-INT", 130);
    assert!(complaint.contains("nothing was written"), "{complaint}");
    assert!(names(f.path()).is_empty(), "{:?}", names(f.path()));
}

#[test]
fn a_signal_ends_every_command_even_while_it_reads() {
    let f = folder();
    let pipe = f.path().join("pipe.nii");
    let made = Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no named pipes here");
        return;
    }
    // Held open, so that whoever reads waits for bytes that never come.
    let _held = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    std::os::unix::fs::symlink(&pipe, f.path().join("pipe.sdf")).expect("a link");
    for arguments in [
        &["volumes", "info", "pipe.nii"][..],
        &["volumes", "convert", "pipe.nii", "out.nii.gz"],
        &["volumes", "enhance", "pipe.nii", "--task", "denoise", "--output", "out.nii.gz"],
        &["volumes", "evaluate", "pipe.nii", "pipe.nii", "--table", "t.csv"],
        &["volumes", "train", "--volumes", "pipe.nii", "--output", "run"],
        &["volumes", "synthesize", "--labels", "pipe.nii", "--output", "scans"],
        &["molecules", "evaluate", "pipe.sdf"],
        &["molecules", "train", "--data", "pipe.sdf", "--output", "run"],
        &["molecules", "generate", "--vary", "pipe.sdf", "--output", "out.sdf"],
    ] {
        let child = unmelt(arguments, f.path()).spawn().expect("it runs");
        let id = child.id();
        // Signals are listened to by a thread of that name, made before anything is read.
        wait_for("the listener", || {
            let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
            tasks.count() >= 2 || !Path::new("/proc/self/task").exists()
        });
        ends(child, "-TERM", 143);
        let left = names(f.path());
        assert!(left.iter().all(|n| ["pipe.nii", "pipe.sdf", "scans"].contains(&n.as_str())), "{left:?}");
    }
}

#[test]
fn an_output_has_one_writer() {
    let f = folder();
    let pipe = f.path().join("pipe.nii");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no named pipes here");
        return;
    }
    let _held = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    save(&ball(), f.path().join("in.nii.gz"));
    let mut first =
        unmelt(&["volumes", "convert", "pipe.nii", "out.nii.gz"], f.path()).spawn().expect("it runs");
    wait_for("the claim", || names(f.path()).iter().any(|n| n.contains(".claim")));
    let second = run(&["volumes", "convert", "in.nii.gz", "out.nii.gz"], f.path());
    assert_eq!(second.status.code(), Some(2));
    assert!(text(&second.stderr).contains("is being written by another process"), "{}", text(&second.stderr));
    let other = run(&["volumes", "convert", "in.nii.gz", "other.nii.gz"], f.path());
    assert!(other.status.success());
    first.kill().expect("it runs");
    first.wait().expect("it ends");
    succeeds(&["volumes", "convert", "in.nii.gz", "out.nii.gz"], f.path());
    assert_eq!(names(f.path()), ["in.nii.gz", "other.nii.gz", "out.nii.gz", "pipe.nii"]);
}

/// Runs where no file may grow beyond so many blocks of 512 bytes, as on a disk that gets full.
fn confined(blocks: u32, arguments: &[&str], folder: &Path) -> Output {
    let program = assert_cmd::cargo::cargo_bin("unmelt");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(program).args(arguments).current_dir(folder);
    command.output().expect("it runs")
}

#[test]
fn a_full_disk_keeps_what_is_whole() {
    let f = folder();
    let arguments = [
        "molecules",
        "generate",
        "--count",
        "400",
        "--batch",
        "4",
        "--atoms",
        "8",
        "--steps",
        "2",
        "--output",
        "x.sdf",
    ];
    let output = confined(32, &arguments, f.path());
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("error: could not write x.sdf") && complaint.contains("--first"),
        "{complaint}"
    );
    let done = read_molecules(&f.path().join("x.sdf")).expect("whole records");
    assert!(!done.molecules.is_empty() && done.faults.is_empty());
    let rows = std::fs::read_to_string(f.path().join("x.csv")).expect("the table").lines().count();
    assert_eq!((rows, names(f.path()).len()), (done.molecules.len() + 1, 2));

    save(&ball(), f.path().join("in.nii.gz"));
    let output = confined(2, &["volumes", "convert", "in.nii.gz", "out.nii.gz"], f.path());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(names(f.path()), ["in.nii.gz", "x.csv", "x.sdf"]);

    train_config(f.path(), 4);
    succeeds(&[&TRAIN[..], &["--minutes", "0"]].concat(), f.path());
    let card = std::fs::read(f.path().join("run/model.json")).expect("there");
    let output = confined(8, &[&TRAIN[..], &["--resume"]].concat(), f.path());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(f.path().join("run/model.json")).expect("there"), card);
    succeeds(&[&TRAIN[..], &["--resume"]].concat(), f.path());
}

#[test]
fn a_folder_that_takes_no_files_is_refused_before_the_work() {
    let f = folder();
    // The one thing that not even an administrator may write to.
    let closed = Path::new("/proc/self");
    if !closed.is_dir() {
        eprintln!("skipped: no folder here that takes no files");
        return;
    }
    train_config(f.path(), 4);
    let long = ["molecules", "generate", "--count", "1000000", "--output", "/proc/self/x.sdf"];
    let train = [&TRAIN[..7], &["/proc/self/run"]].concat();
    for arguments in [&long[..], &train[..]] {
        let output = run(arguments, f.path());
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains("could not write"), "{complaint}");
    }
}

#[test]
fn a_full_or_closed_standard_output_is_no_panic_and_loses_no_file() {
    let f = folder();
    let generate =
        ["molecules", "generate", "--count", "2", "--atoms", "4", "--steps", "2", "--output", "x.sdf"];
    if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
        for arguments in [&["models"][..], &["molecules", "info"], &generate[..]] {
            let full = full.try_clone().expect("a handle");
            let output = unmelt(arguments, f.path()).stdout(full).output().expect("it runs");
            let complaint = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{complaint}");
            let is_said = |line: &str| line.starts_with("error: could not write to standard output");
            assert!(complaint.lines().any(is_said), "{complaint}");
        }
        assert_eq!(names(f.path()), ["x.csv", "x.sdf"], "the work is done all the same");
    }
    let mut child = unmelt(&[&generate[..], &["--overwrite"]].concat(), f.path()).spawn().expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let complaint = text(&output.stderr);
    assert!(complaint.lines().all(|line| line.starts_with("2 molecules, 4 evaluations")), "{complaint}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(names(f.path()), ["x.csv", "x.sdf"]);
}

#[test]
fn results_take_the_umask_and_are_never_more_readable_than_a_scan() {
    use std::os::unix::fs::PermissionsExt;
    let f = folder();
    let at = |name: &str| f.path().join(name);
    save(&ball(), at("in.nii.gz"));
    let mode = |name: &str| std::fs::metadata(at(name)).expect("there").permissions().mode() & 0o777;
    let set = |name: &str, mode| {
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).expect("allowed");
    };
    let convert = |umask: &str, more: &str| {
        let program = assert_cmd::cargo::cargo_bin("unmelt");
        let script = format!("umask {umask}; exec \"$0\" volumes convert in.nii.gz out.nii.gz {more}");
        let output = Command::new("sh").args(["-c", &script]).arg(program).current_dir(f.path()).output();
        assert!(output.expect("it runs").status.success());
    };
    set("in.nii.gz", 0o644);
    convert("027", "");
    assert_eq!(mode("out.nii.gz"), 0o640);
    set("out.nii.gz", 0o664);
    convert("022", "--overwrite");
    assert_eq!(mode("out.nii.gz"), 0o664, "as before");
    set("in.nii.gz", 0o600);
    convert("022", "--overwrite");
    assert_eq!(mode("out.nii.gz"), 0o600);
}

#[test]
fn a_model_is_never_more_readable_than_what_it_learned_from() {
    use std::os::unix::fs::PermissionsExt;
    let f = folder();
    train_config(f.path(), 2);
    std::fs::copy(MOLECULES, f.path().join("own.sdf")).expect("room");
    let set = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(f.path().join("own.sdf"), permissions).expect("allowed");
    };
    let modes = |run: &str| -> Vec<u32> {
        let mode = |name: String| {
            let path = f.path().join(run).join(name);
            std::fs::metadata(path).expect("there").permissions().mode() & 0o777
        };
        names(&f.path().join(run)).into_iter().map(mode).collect()
    };
    let train = |run: &str, more: &[&str]| {
        let train = ["molecules", "train", "--data", "own.sdf", "--config", "c.toml", "--output", run];
        succeeds(&[&train[..], more].concat(), f.path());
    };
    set(0o600);
    train("private", &[]);
    let expected = names(&f.path().join("private"));
    assert!(
        expected.contains(&"losses.csv".into()) && expected.contains(&"training_keys.bin".into()),
        "{expected:?}"
    );
    assert_eq!(modes("private"), vec![0o600; expected.len()], "{expected:?}");
    set(0o640);
    train("shared", &[]);
    assert!(modes("shared").iter().all(|mode| mode & 0o007 == 0));
    train("private", &["--overwrite"]);
    assert!(modes("private").iter().all(|mode| mode & 0o007 == 0));
}
