//! `unmelt volumes train`.

use unmelt_volumes::{Start, TrainingConfig, TrainingRun};

use super::args::Train;
use crate::failure::Failure;
use crate::interrupt;
use crate::losses::{Display, Run};
use crate::training::report;

/// Trains.
pub fn run(args: Train) -> Result<(), Failure> {
    let options = args.run;
    let config: TrainingConfig = options.settings()?;
    let limit = options.limit()?;
    let device = options.device.open()?;
    interrupt::listen();
    let start = Start::of(options.resume, args.from.as_deref())?;
    let run = TrainingRun {
        volumes: args.volumes,
        labels: args.labels,
        exclude: args.exclude,
        output: options.output,
        config,
        start,
        limit,
    };
    let mut display = Display::new(&Run {
        output: &run.output,
        resume: options.resume,
        steps: run.config.training.steps,
        unit: "patches",
    })?;
    let summary = run.run(&device, &mut display)?;
    display.finish();
    for warning in &summary.warnings {
        eprintln!("warning: {warning}");
    }
    let (volumes, maps) = summary.volumes;
    let learned_from = format!("{volumes} volumes and {maps} label maps");
    report(&run.output, summary.steps, summary.of_steps, &learned_from);
    Ok(())
}
