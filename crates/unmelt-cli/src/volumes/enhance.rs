//! `unmelt volumes enhance`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use unmelt_diffusion::job::Event;
use unmelt_imaging::enhance::{
    EnhanceRequest, EnhanceSettings, Enhanced, Enhancer, Task, TaskKind, VolumeRequest,
};
use unmelt_imaging::measurement::{Fourier, Profile};
use unmelt_imaging::{Error, FieldExtension, Grid, Volume, kspace, models};
use unmelt_imaging_io::npy::read_npy;
use unmelt_imaging_io::{Derivation, PictureKind, Scan, output};

use super::args::{Enhance, NoiseName, ProfileName, TaskName};
use super::files;
use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::EvaluationBar;

/// Enhances a scan.
pub fn run(args: &Enhance) -> Outcome {
    let from_npy = args.input.input.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    check_options(args, from_npy)?;
    let _claims = claim(args)?;
    refuse_pictures(args)?;
    let npy = if from_npy { Some(read_kspace(args)?) } else { None };
    let (mut scan, of_npy) = match npy {
        Some((volume, task)) => (Scan::new(volume), Some(task)),
        None => (files::read(&args.input)?, None),
    };
    if args.strip {
        scan.strip();
    }
    check_outputs(args, &scan)?;
    let task = match of_npy {
        Some(task) => task,
        None => task(args, &scan.volume)?,
    };
    let device = args.walk.device.open()?;
    let enhancer = Enhancer::load(&models::find(&args.walk.model)?, &device)?;
    let usual = EnhanceSettings::default();
    let settings = EnhanceSettings {
        solver: args.solver.clone(),
        steps: args.walk.steps.unwrap_or(usual.steps),
        seed: args.walk.seed,
        samples: args.samples,
        sigma_max: args.sigma_max,
        sigma_min: args.sigma_min.unwrap_or(usual.sigma_min),
        ..usual
    };
    check_calibration(args, &enhancer, &settings)?;
    for warning in enhancer.warnings(&scan.volume, &task, &settings) {
        eprintln!("warning: {warning}");
    }
    let request = EnhanceRequest::new(&scan.volume, &task, &settings);
    let plan = request.plan(&enhancer.card().model, &scan.volume.grid).map_err(about_files(args))?;
    let begin = Instant::now();
    let bar = EvaluationBar::new();
    let listener = |event: &Event| bar.hear(event);
    let job = interrupt::job().heard_by(&listener);
    let enhanced = enhancer.enhance(&scan.volume, &task, &settings, &job).map_err(about_files(args))?;
    bar.finish();
    let request = VolumeRequest::Enhance(request);
    let derivation = Derivation::by_model(task.name(), enhancer.card(), request);
    write(args, &scan, &enhanced, &derivation)?;
    if let Some(noise) = enhanced.noise {
        let kind = if noise.rician { "Rician" } else { "Gaussian" };
        println!("Noise: {kind}, standard deviation {:.4} in the scan's units.", noise.sigma);
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("Wrote {} in {seconds:.1} s.", args.output.display());
    let noise = enhanced.noise.map(|n| json!({ "sigma": n.sigma, "is_rician": n.rician }));
    let interval = (!args.interval.is_empty()).then_some(&args.interval);
    Ok(json!({
        "output": args.output, "std": args.std, "interval": interval, "is_calibrated": enhanced.calibrated,
        "noise": noise, "model": enhancer.name(), "seed": settings.seed, "plan": plan, "seconds": seconds,
    }))
}

/// Refuses options that the task would not look at.
pub(super) fn check_options(args: &Enhance, from_npy: bool) -> Result<(), Failure> {
    use TaskName::{Denoise, Inpaint, Kspace, Outpaint, SuperResolve};
    let task = args.task;
    if from_npy && task != Kspace {
        return Err(Failure::usage(
            "a .npy file holds k-space: use --task kspace, or convert an image to NIfTI",
        ));
    }
    let is_walk = task != Denoise || args.samples > 1 || args.solver.is_some();
    let options: [(&str, bool, bool, &str); 14] = [
        ("--sigma", args.sigma.is_some(), task == Denoise, "is for --task denoise"),
        ("--noise", args.noise.is_some(), task == Denoise, "is for --task denoise"),
        (
            "--spacing",
            !args.spacing.is_empty(),
            task == SuperResolve || from_npy,
            "is for --task super-resolve, and for k-space from a .npy file",
        ),
        ("--profile", args.profile.is_some(), task == SuperResolve, "is for --task super-resolve"),
        (
            "--mask",
            args.mask.is_some(),
            task == Inpaint || task == Kspace && !from_npy,
            "is for --task inpaint, and for --task kspace with an image; positions of a .npy file that hold 0 were not sampled",
        ),
        ("--extend", !args.extend.is_empty(), task == Outpaint, "is for --task outpaint"),
        ("--sensitivities", args.sensitivities.is_some(), from_npy, "is for k-space from a .npy file"),
        ("--index", args.input.index.is_some(), !from_npy, "is for 4D NIfTI files"),
        ("--series", args.input.series.is_some(), !from_npy, "is for folders of DICOM files"),
        ("--force", args.input.force, !from_npy, "is for packed NIfTI files"),
        (
            "--uncalibrated",
            args.uncalibrated,
            args.std.is_some() || !args.interval.is_empty(),
            "is for --std and --interval",
        ),
        (
            "--sigma-max",
            args.sigma_max.is_some(),
            is_walk,
            "is for sampling and searching; denoising to one estimate does neither",
        ),
        (
            "--sigma-min",
            args.sigma_min.is_some(),
            is_walk,
            "is for sampling and searching; denoising to one estimate does neither",
        ),
        (
            "--steps",
            args.walk.steps.is_some(),
            is_walk,
            "is for sampling and searching; denoising to one estimate does neither",
        ),
    ];
    match options.iter().find(|(_, given, taken, _)| *given && !*taken) {
        Some((name, _, _, what)) => {
            Err(Failure::usage(format!("{name} would have no effect: it {what}")).hint("leave it out"))
        }
        None => Ok(()),
    }
}

/// Refuses pictures, which priors of volumes have not seen.
fn refuse_pictures(args: &Enhance) -> Result<(), Failure> {
    let path = &args.input.input;
    match PictureKind::of_file(path) {
        None => Ok(()),
        Some(kind) => Err(Failure::usage(format!(
            "{} is a picture ({}), and {} is a prior of volumes",
            path.display(),
            kind.name(),
            args.walk.model
        ))
        .hint("--classical enhances pictures without a model")),
    }
}

/// Refuses an interval that nothing says the coverage of.
fn check_calibration(args: &Enhance, enhancer: &Enhancer, settings: &EnhanceSettings) -> Result<(), Failure> {
    let kind = args.task.kind();
    if args.interval.is_empty() && args.std.is_none() || enhancer.is_calibrated(kind, settings) {
        return Ok(());
    }
    let with = args.solver.as_ref().map_or(String::new(), |s| format!(" with the solver {s}"));
    let model = &args.walk.model;
    let said = format!("{model} is not calibrated for {}{with}", kind.name());
    if args.interval.is_empty() || args.uncalibrated {
        eprintln!("warning: {said}: the coverage of {} is unknown", maps(args));
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{said}, so the coverage of its interval is unknown; run unmelt volumes calibrate --model {model} --volumes DIR on \
         volumes that it was not trained on"
    ))
    .hint("--uncalibrated writes the interval anyway, and its header says so"))
}

fn maps(args: &Enhance) -> &'static str {
    if args.interval.is_empty() { "the deviation" } else { "the interval" }
}

impl TaskName {
    /// The library's name of it.
    pub fn kind(self) -> TaskKind {
        match self {
            Self::Denoise => TaskKind::Denoise,
            Self::SuperResolve => TaskKind::SuperResolve,
            Self::Inpaint => TaskKind::Inpaint,
            Self::Outpaint => TaskKind::Outpaint,
            Self::Kspace => TaskKind::KSpace,
        }
    }
}

/// Claims all that is written.
pub(super) fn claim(args: &Enhance) -> Result<unmelt_diffusion::files::Claims, Failure> {
    let more = args.mask.iter().chain(&args.sensitivities);
    let inputs: Vec<&Path> = more.chain([&args.input.input]).map(PathBuf::as_path).collect();
    let maps = args.std.iter().chain(&args.interval);
    let outputs: Vec<&Path> = maps.chain([&args.output]).map(PathBuf::as_path).collect();
    args.writing.claim(&inputs, &outputs)
}

fn check_outputs(args: &Enhance, scan: &Scan) -> Result<(), Failure> {
    scan.check_output(&args.output)?;
    if args.samples < 2 && (args.std.is_some() || !args.interval.is_empty()) {
        return Err(
            Failure::usage("--std and --interval need several posterior samples").hint("add --samples 8")
        );
    }
    if !args.interval.is_empty() && args.interval.len() != 2 {
        return Err(Failure::usage(
            "--interval needs two files, separated by a comma: LOW.nii.gz,HIGH.nii.gz",
        ));
    }
    for path in args.std.iter().chain(&args.interval) {
        if !output::is_nifti(path) {
            return Err(Failure::usage(format!("{} must end in .nii or .nii.gz", path.display())));
        }
        output::check(path, false)?;
    }
    Ok(())
}

fn write(args: &Enhance, input: &Scan, enhanced: &Enhanced, derivation: &Derivation) -> Result<(), Failure> {
    // Results that are there are written to their end.
    interrupt::listen();
    let scan = input.with(enhanced.volume.clone());
    // The header of a map says what it is worth.
    let worth = if enhanced.calibrated { "calibrated" } else { "uncalibrated" };
    if let (Some(path), Some(deviation)) = (&args.std, &enhanced.deviation) {
        let what = format!("standard deviation, {worth}");
        scan.with_voxels(deviation.clone()).write_map(path, derivation, &what)?;
    }
    if let (Some(half), [low, high]) = (&enhanced.half_interval, &args.interval[..]) {
        for (path, sign, end) in [(low, -1.0, "lower"), (high, 1.0, "upper")] {
            let voxels = scan.volume.voxels.iter().zip(half).map(|(v, h)| v + sign * h).collect();
            let what = format!("{end} end of the 90 % interval, {worth}");
            scan.with_voxels(voxels).write_map(path, derivation, &what)?;
        }
    }
    Ok(scan.write(&args.output, derivation)?)
}

pub(super) fn task(args: &Enhance, volume: &Volume) -> Result<Task, Failure> {
    Ok(match args.task {
        TaskName::Denoise => Task::Denoise {
            sigma: match args.sigma.as_deref() {
                None | Some("auto") => None,
                Some(text) => Some(text.parse().map_err(|_| {
                    Failure::usage(format!("--sigma must be a number or auto, but it is \"{text}\""))
                })?),
            },
            rician: match args.noise {
                None | Some(NoiseName::Auto) => None,
                Some(NoiseName::Gaussian) => Some(false),
                Some(NoiseName::Rician) => Some(true),
            },
        },
        TaskName::SuperResolve => Task::SuperResolve {
            spacing: match args.spacing[..] {
                [] => [1.0; 3],
                [s] => [s; 3],
                [x, y, z] => [x, y, z],
                _ => {
                    return Err(Failure::usage(
                        "--spacing must be one number in mm, or three separated by commas",
                    ));
                }
            },
            profile: match args.profile {
                None | Some(ProfileName::Box) => Profile::Box,
                Some(ProfileName::Gaussian) => Profile::Gaussian,
            },
        },
        TaskName::Inpaint => {
            let path = mask_path(args)?;
            let missing = files::read_mask_on_grid_of((volume, &args.input.input), path)?;
            if let Some(warning) = unmelt_imaging::mask::warning(&missing) {
                eprintln!("warning: the mask {} {warning}", path.display());
            }
            Task::Inpaint { missing }
        }
        TaskName::Outpaint => {
            let FieldExtension { low, high } = extension(&args.extend)?;
            Task::outpaint(&volume.grid, low, high).map_err(about_files(args))?
        }
        TaskName::Kspace => {
            let marked = files::read_only(mask_path(args)?)?.volume;
            let sampled = kspace::sampling_of(&marked, volume).map_err(about_files(args))?;
            let (measurement, data) =
                kspace::of_zero_filled(volume.field(), &sampled).map_err(about_files(args))?;
            Task::KSpace { measurement, data }
        }
    })
}

pub(super) fn mask_path(args: &Enhance) -> Result<&Path, Failure> {
    let missing = || Failure::usage("this task needs a mask: add --mask M.nii.gz");
    args.mask.as_deref().ok_or_else(missing)
}

/// A failure to enhance, with the names of the files.
pub(super) fn about_files(args: &Enhance) -> impl Fn(Error) -> Failure {
    about(&args.input.input, args.mask.as_deref(), args.sensitivities.as_deref())
}

fn about(input: &Path, mask: Option<&Path>, sensitivities: Option<&Path>) -> impl Fn(Error) -> Failure {
    let mut files = input.display().to_string();
    for (what, path) in [("mask", mask), ("sensitivities", sensitivities)] {
        if let Some(path) = path {
            files += &format!(" with the {what} {}", path.display());
        }
    }
    move |error| match error {
        Error::Request(fault) => Failure::usage(format!("could not enhance {files}: {fault}")),
        other => other.into(),
    }
}

/// Millimetres to add at the low and the high end of each axis.
fn extension(words: &[String]) -> Result<FieldExtension, Failure> {
    if words.is_empty() {
        return Err(Failure::usage(
            "outpaint needs the mm to add on each side: add --extend, as in --extend top=30",
        ));
    }
    words.join(",").parse().map_err(|fault| Failure::usage(format!("--extend: {fault}")))
}

/// k-space of a file.
pub(super) struct NpyKSpace {
    /// Voxels of the image.
    pub shape: [usize; 3],
    /// The measurement, and what was measured.
    pub measurement: (Fourier, Vec<f32>),
}

/// Reads k-space and, if they come from a file, the sensitivities of its coils.
pub(super) fn read_npy_kspace(path: &Path, sensitivities: Option<&Path>) -> Result<NpyKSpace, Failure> {
    let read = |path: &Path| -> Result<kspace::KSpace, Failure> {
        Ok(kspace::KSpace::new(read_npy(path)?, &path.display().to_string())?)
    };
    let data = read(path)?;
    let maps = sensitivities.map(read).transpose()?;
    let measurement = data.measurement(maps.as_ref()).map_err(about(path, None, sensitivities))?;
    Ok(NpyKSpace { shape: data.shape, measurement })
}

/// The volume to come and the task of a k-space file.
fn read_kspace(args: &Enhance) -> Result<(Volume, Task), Failure> {
    let NpyKSpace { shape, measurement: (measurement, data) } =
        read_npy_kspace(&args.input.input, args.sensitivities.as_deref())?;
    let spacing = match args.spacing[..] {
        [] => [1.0; 3],
        [s] => [s; 3],
        [x, y, z] => [x, y, z],
        _ => return Err(Failure::usage("--spacing must be one number in mm, or three separated by commas")),
    };
    if spacing.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
        return Err(Failure::usage("--spacing must be above 0 mm"));
    }
    let grid = Grid::centred(shape, spacing);
    let volume = Volume::new(vec![0.0; grid.voxels()], grid);
    Ok((volume, Task::KSpace { measurement, data }))
}
