//! `unmelt molecules train`.

use unmelt_molecules::{TrainingConfig, TrainingRun};

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
    let run = TrainingRun { data: args.data, output: options.output, config, resume: options.resume, limit };
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
    let learned_from = format!("{} molecules", summary.molecules);
    report(&run.output, summary.steps, summary.of_steps, &learned_from);
    Ok(())
}
