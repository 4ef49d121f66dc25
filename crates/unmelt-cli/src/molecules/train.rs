//! `unmelt molecules train`.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use unmelt_molecules::{TrainingConfig, TrainingRun};

use super::args::Train;
use crate::failure::Failure;
use crate::interrupt;
use crate::losses::{Display, Run};

/// Trains.
pub fn run(args: Train) -> Result<(), Failure> {
    let config = match &args.config {
        Some(path) => read_config(path)?,
        None => TrainingConfig::default(),
    };
    let limit = args.minutes.map(minutes).transpose()?;
    let device = args.device.open()?;
    interrupt::listen();
    let run = TrainingRun { data: args.data, output: args.output, config, resume: args.resume, limit };
    let mut display = Display::new(&Run {
        output: &run.output,
        resume: run.resume,
        steps: run.config.training.steps,
        parts: &["positions", "elements", "charges", "bonds"],
        unit: "molecules",
    })?;
    let summary = run.run(&device, &mut display)?;
    display.finish();
    for fault in summary.faults.iter().take(3) {
        eprintln!("warning: {fault}");
    }
    if summary.faults.len() > 3 {
        eprintln!("warning: {} records were skipped in all", summary.faults.len());
    }
    let folder = run.output.display();
    if summary.steps < summary.of_steps {
        println!(
            "Stopped after {} of {} steps; go on with --resume. Model so far: {folder}",
            summary.steps, summary.of_steps
        );
    } else {
        println!("Trained {} steps on {} molecules. Model: {folder}", summary.steps, summary.molecules);
    }
    Ok(())
}

/// A time limit as typed.
pub fn minutes(m: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(m * 60.0)
        .map_err(|_| Failure::usage(format!("--minutes must be a number of at least 0, but it is {m}")))
}

/// The settings of a configuration file.
pub fn read_config<C: DeserializeOwned>(path: &Path) -> Result<C, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("could not read {}: {e}", path.display())))?;
    toml::from_str(&text).map_err(|e| {
        let place = e
            .span()
            .map_or(String::new(), |s| format!(", line {}", text[..s.start].matches('\n').count() + 1));
        Failure::usage(format!("{}{place}: {}", path.display(), e.message()))
    })
}
