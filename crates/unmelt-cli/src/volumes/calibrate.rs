//! `unmelt volumes calibrate`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use unmelt_diffusion::checkpoint::CARD_FILE;
use unmelt_diffusion::job::Event;
use unmelt_imaging::calibration::LEVEL;
use unmelt_imaging::enhance::{Enhancer, TaskKind};
use unmelt_imaging::{Calibrated, CalibrationSettings, Volume, models, write_calibrated};
use unmelt_imaging_io::NiftiFiles;

use super::args::Calibrate;
use super::files;
use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::EvaluationBar;

/// Fits the intervals of a model.
pub fn run(args: &Calibrate) -> Outcome {
    let found = models::find(&args.model)?;
    let folder = match &args.output {
        Some(folder) if folder.join(CARD_FILE).exists() && *folder != found.origin => {
            return Err(Failure::usage(format!("{} holds a model already", folder.display()))
                .hint("name another folder, or leave --output out to change the card of --model"));
        }
        Some(folder) => folder.clone(),
        None if found.origin.join(CARD_FILE).is_file() => found.origin.clone(),
        None => {
            return Err(Failure::usage(format!(
                "{} is a built-in model, whose card cannot be changed",
                args.model
            ))
            .hint("add --output FOLDER to write a calibrated copy of the model"));
        }
    };
    // Where the card cannot be written is known before the work.
    let written = if folder.is_dir() { folder.join(CARD_FILE) } else { folder.clone() };
    let _claims = unmelt_diffusion::files::claim(&[], &[&written], true)?;
    let kinds: Vec<TaskKind> = args.tasks.iter().map(|t| t.kind()).collect();
    let settings = CalibrationSettings {
        kinds: if kinds.is_empty() { TaskKind::ALL.to_vec() } else { kinds },
        severities: args.severities.clone(),
        samples: args.samples,
        steps: args.steps,
        solver: args.solver.clone(),
        edge: args.edge,
        seed: args.seed,
    };
    let device = args.device.open()?;
    let enhancer = Enhancer::load(&found, &device)?;
    interrupt::listen();
    let volumes = read(&args.volumes, &args.exclude)?;
    let begin = Instant::now();
    let bar = EvaluationBar::new();
    let listener = |event: &Event| bar.hear(event);
    let job = interrupt::job().heard_by(&listener);
    let fitted = enhancer.calibrate(&volumes, &settings, &job)?;
    bar.finish();
    write_calibrated(&found, &fitted, &folder)?;
    print(&fitted);
    let seconds = begin.elapsed().as_secs_f64();
    println!("Wrote {} in {seconds:.1} s.", folder.join(CARD_FILE).display());
    let tasks: BTreeMap<&str, _> = fitted.iter().map(|(kind, records)| (kind.name(), records)).collect();
    Ok(json!({ "model": folder, "level": LEVEL, "tasks": tasks, "seconds": seconds }))
}

/// The volumes of files and folders.
fn read(paths: &[PathBuf], exclude: &[String]) -> Result<Vec<Volume>, Failure> {
    let files = NiftiFiles { paths: paths.to_vec(), exclude: exclude.to_vec() }.files()?;
    files.iter().map(|file| Ok(files::read_only(file)?.volume)).collect()
}

fn print(fitted: &Calibrated) {
    println!(
        "{:<14} {:>8} {:>7} {:>9} {:>7} {:>9} {:>8}",
        "task", "severity", "factor", "coverage", "lowest", "voxels", "volumes"
    );
    for (kind, records) in fitted {
        for r in records {
            println!(
                "{:<14} {:>8} {:>7.3} {:>7.1} % {:>5.1} % {:>9} {:>8}",
                kind.name(),
                r.severity,
                r.factor,
                100.0 * r.coverage,
                100.0 * r.lowest_coverage,
                r.voxels,
                r.volumes
            );
        }
    }
    println!("Coverage is that of the {:.0} % interval in volumes left out of the fit.", 100.0 * LEVEL);
}
