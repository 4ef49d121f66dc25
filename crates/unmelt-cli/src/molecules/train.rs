//! `unmelt molecules train`.

use unmelt_molecules::{TrainingConfig, TrainingRun};

use super::args::Train;
use super::evaluate::report_faults;
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
        unit: "molecules",
    })?;
    let summary = run.run(&device, &mut display)?;
    display.finish();
    report_faults(&summary.faults);
    let learned_from = match summary.molecules {
        (trained, 0) => format!("{trained} molecules"),
        (trained, held) => format!("{trained} molecules, {held} held out"),
    };
    report(&run.output, summary.steps, summary.of_steps, &learned_from);
    Ok(())
}
