//! `unmelt volumes enhance`.

use std::path::Path;
use std::time::Instant;

use unmelt_volumes::enhance::{EnhanceSettings, Enhanced, Enhancer, Progress, Task};
use unmelt_volumes::measurement::Profile;
use unmelt_volumes::{Derivation, Error, Grid, Volume, kspace, models, output};

use super::args::{Enhance, NoiseName, ProfileName, TaskName};
use super::files;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// Enhances a scan.
pub fn run(args: &Enhance) -> Result<(), Failure> {
    let from_npy = args.input.input.extension().is_some_and(|e| e == "npy");
    let npy = if from_npy { Some(read_kspace(args)?) } else { None };
    let mut volume = match &npy {
        Some((volume, _, _)) => volume.clone(),
        None => files::read(&args.input)?,
    };
    if args.strip {
        volume.strip();
    }
    let dicom = matches!(volume.source, unmelt_volumes::Source::Dicom(_));
    check_outputs(args, dicom)?;
    let task = match &npy {
        Some((_, task, _)) => task.clone(),
        None => task(args, &volume)?,
    };
    let device = args.walk.device.open()?;
    let enhancer = Enhancer::load(&models::find(&args.walk.model)?, &device)?;
    let settings = EnhanceSettings {
        solver: args.solver.clone(),
        steps: args.walk.steps,
        seed: args.walk.seed,
        samples: args.samples,
        sigma_max: args.sigma_max,
        sigma_min: args.sigma_min,
        ..EnhanceSettings::default()
    };
    interrupt::listen();
    let begin = Instant::now();
    let mut bar = Bar::new(0, "evaluations");
    let mut enhanced = enhancer
        .enhance(&volume, &task, &settings, &mut |p| on_progress(&mut bar, p))
        .map_err(about_files(args))?;
    bar.finish();
    if let Some((_, _, data)) = &npy {
        enhanced.volume.voxels = data.centred(&enhanced.volume.voxels);
        enhanced.deviation = enhanced.deviation.map(|d| data.centred(&d));
        enhanced.half_interval = enhanced.half_interval.map(|d| data.centred(&d));
    }
    let derivation = Derivation { task: task.name().into(), model: enhancer.name().into() };
    write(args, &enhanced, &derivation)?;
    if let Some(noise) = enhanced.noise {
        let kind = if noise.rician { "Rician" } else { "Gaussian" };
        println!("Noise: {kind}, standard deviation {:.4} in the scan's units.", noise.sigma);
    }
    println!("Wrote {} in {:.1} s.", args.output.display(), begin.elapsed().as_secs_f64());
    Ok(())
}

/// Moves the bar; false where Ctrl-C was pressed.
pub fn on_progress(bar: &mut Bar, p: Progress) -> bool {
    bar.set_length((p.steps * p.samples) as u64);
    bar.set(((p.sample - 1) * p.steps + p.step) as u64);
    if p.samples > 1 {
        bar.message(format!("sample {} of {}", p.sample, p.samples));
    }
    !interrupt::requested()
}

fn check_outputs(args: &Enhance, dicom: bool) -> Result<(), Failure> {
    output::check(&args.output, dicom)?;
    if args.samples < 2 && (args.std.is_some() || !args.interval.is_empty()) {
        return Err(
            Failure::usage("--std and --interval need several posterior samples").hint("add --samples 8")
        );
    }
    if !args.interval.is_empty() && args.interval.len() != 2 {
        return Err(Failure::usage("--interval wants two files: LOW.nii.gz,HIGH.nii.gz"));
    }
    for path in args.std.iter().chain(&args.interval) {
        if !output::is_nifti(path) {
            return Err(Failure::usage(format!("{} must end in .nii or .nii.gz", path.display())));
        }
        output::check(path, false)?;
    }
    Ok(())
}

fn write(args: &Enhance, enhanced: &Enhanced, derivation: &Derivation) -> Result<(), Failure> {
    let volume = &enhanced.volume;
    if let (Some(path), Some(deviation)) = (&args.std, &enhanced.deviation) {
        volume.with_voxels(deviation.clone()).write_map(path, derivation, "standard deviation")?;
    }
    if let (Some(half), [low, high]) = (&enhanced.half_interval, &args.interval[..]) {
        for (path, sign, what) in [(low, -1.0, "lower end"), (high, 1.0, "upper end")] {
            let end = volume.voxels.iter().zip(half).map(|(v, h)| v + sign * h).collect();
            volume.with_voxels(end).write_map(path, derivation, &format!("{what} of the 90 % interval"))?;
        }
    }
    Ok(volume.write(&args.output, derivation)?)
}

fn task(args: &Enhance, volume: &Volume) -> Result<Task, Failure> {
    Ok(match args.task {
        TaskName::Denoise => Task::Denoise {
            sigma: match args.sigma.as_str() {
                "auto" => None,
                text => Some(text.parse().map_err(|_| {
                    Failure::usage(format!("--sigma must be a number or auto, but it is \"{text}\""))
                })?),
            },
            rician: match args.noise {
                NoiseName::Auto => None,
                NoiseName::Gaussian => Some(false),
                NoiseName::Rician => Some(true),
            },
        },
        TaskName::SuperResolve => Task::SuperResolve {
            spacing: match args.spacing[..] {
                [] => [1.0; 3],
                [s] => [s; 3],
                [x, y, z] => [x, y, z],
                _ => return Err(Failure::usage("--spacing wants one number or three, in mm")),
            },
            profile: match args.profile {
                ProfileName::Box => Profile::Box,
                ProfileName::Gaussian => Profile::Gaussian,
            },
        },
        TaskName::Inpaint => {
            let path = mask_path(args)?;
            let missing = files::read_mask_on_grid_of((volume, &args.input.input), path)?;
            if let Some(doubt) = unmelt_volumes::mask::doubt(&missing) {
                eprintln!("warning: the mask {} {doubt}", path.display());
            }
            Task::Inpaint { missing }
        }
        TaskName::Outpaint => {
            let (low, high) = extension(&args.extend, &volume.grid)?;
            Task::Outpaint { low, high }
        }
        TaskName::Kspace => {
            let path = mask_path(args)?;
            let (marked, marks) = files::read_mask(path)?;
            let [nx, ny, _] = volume.grid.shape;
            if marked.grid.shape[..2] != [nx, ny] {
                let [mx, my, _] = marked.grid.shape;
                let path = path.display();
                let text = format!(
                    "the sampling mask {path} has {mx} × {my} voxels a slice, the volume {nx} × {ny}"
                );
                return Err(Failure::usage(text));
            }
            let sampled = &marks[..nx * ny];
            let (measurement, data) = kspace::of_zero_filled(&volume.voxels, volume.grid.shape, sampled)
                .map_err(about_files(args))?;
            Task::KSpace { measurement, data }
        }
    })
}

fn mask_path(args: &Enhance) -> Result<&Path, Failure> {
    let missing = || Failure::usage("this task wants a mask: add --mask M.nii.gz");
    args.mask.as_deref().ok_or_else(missing)
}

/// What is wrong with what is asked, with the files that it is about.
fn about_files(args: &Enhance) -> impl Fn(Error) -> Failure {
    let mut files = args.input.input.display().to_string();
    for (what, path) in [("mask", &args.mask), ("sensitivities", &args.sensitivities)] {
        if let Some(path) = path {
            files += &format!(" with the {what} {}", path.display());
        }
    }
    move |error| match error {
        Error::Request(fault) => Failure::usage(format!("could not enhance {files}: {fault}")),
        other => other.into(),
    }
}

/// Voxels to add at the low and the high end of each axis.
fn extension(words: &[String], grid: &Grid) -> Result<([usize; 3], [usize; 3]), Failure> {
    const SIDES: [(&str, usize, bool); 6] = [
        ("left", 0, false),
        ("right", 0, true),
        ("back", 1, false),
        ("front", 1, true),
        ("bottom", 2, false),
        ("top", 2, true),
    ];
    let (mut low, mut high) = ([0; 3], [0; 3]);
    for word in words {
        let fault = || {
            Failure::usage(format!("\"{word}\" is no extension"))
                .hint("use mm per side: --extend top=30,bottom=20 (left, right, back, front, bottom, top)")
        };
        let (side, length) = word.split_once('=').ok_or_else(fault)?;
        let (_, axis, far) = SIDES.iter().find(|(name, _, _)| *name == side.trim()).ok_or_else(fault)?;
        let length: f64 = length.trim().parse().map_err(|_| fault())?;
        if !(length.is_finite() && length >= 0.0) {
            return Err(fault());
        }
        let voxels = (length / grid.spacing()[*axis]).round() as usize;
        if *far { high[*axis] = voxels } else { low[*axis] = voxels }
    }
    if words.is_empty() {
        return Err(Failure::usage("outpaint wants --extend, such as --extend top=30"));
    }
    Ok((low, high))
}

/// The volume to come, the task and the data of a k-space file.
fn read_kspace(args: &Enhance) -> Result<(Volume, Task, kspace::KSpace), Failure> {
    if args.task != TaskName::Kspace {
        return Err(Failure::usage("a .npy file holds k-space: use --task kspace"));
    }
    let read = |path: &Path| kspace::KSpace::new(kspace::read_npy(path)?, path);
    let data = read(&args.input.input)?;
    let maps = args.sensitivities.as_deref().map(read).transpose()?;
    let (measurement, values) = data.measurement(maps.as_ref()).map_err(about_files(args))?;
    let spacing = match args.spacing[..] {
        [x, y, z] => [x, y, z],
        [s] => [s; 3],
        _ => [1.0; 3],
    };
    let grid = Grid::centred(data.shape, spacing);
    let volume = Volume::new(vec![0.0; grid.voxels()], grid);
    Ok((volume, Task::KSpace { measurement, data: values }, data))
}
