//! `unmelt volumes train`.

use unmelt_volumes::{TrainingConfig, TrainingRun};

use super::args::Train;
use crate::failure::Failure;
use crate::interrupt;
use crate::losses::{Display, Run};
use crate::molecules::train::{minutes, read_config};

/// Trains.
pub fn run(args: Train) -> Result<(), Failure> {
    let config: TrainingConfig = match &args.config {
        Some(path) => read_config(path)?,
        None => TrainingConfig::default(),
    };
    let limit = args.minutes.map(minutes).transpose()?;
    let device = args.device.open()?;
    interrupt::listen();
    let run = TrainingRun {
        volumes: args.volumes,
        labels: args.labels,
        exclude: args.exclude,
        output: args.output,
        config,
        resume: args.resume,
        limit,
    };
    let mut display = Display::new(&Run {
        output: &run.output,
        resume: run.resume,
        steps: run.config.training.steps,
        parts: &["fine"],
        unit: "patches",
    })?;
    let summary = run.run(&device, &mut display)?;
    display.finish();
    for warning in &summary.warnings {
        eprintln!("warning: {warning}");
    }
    let (volumes, maps) = summary.volumes;
    let folder = run.output.display();
    if summary.steps < summary.of_steps {
        println!(
            "Stopped after {} of {} steps; go on with --resume. Model so far: {folder}",
            summary.steps, summary.of_steps
        );
    } else {
        println!(
            "Trained {} steps on {volumes} volumes and {maps} label maps. Model: {folder}",
            summary.steps
        );
    }
    Ok(())
}
