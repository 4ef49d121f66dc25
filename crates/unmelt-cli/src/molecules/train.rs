//! `unmelt molecules train`.

use serde_json::json;
use unmelt_diffusion::job::Event;
use unmelt_molecules::{Error, TrainingConfig, TrainingRun, models};

use super::args::Train;
use super::files::report_faults;
use crate::Outcome;
use crate::interrupt;
use crate::losses::Display;
use crate::training::report;

/// Trains.
pub fn run(args: Train) -> Outcome {
    let options = args.run;
    let config: TrainingConfig = options.settings()?;
    let about = |error| match error {
        Error::Core(core) => options.about(core),
        other => other.into(),
    };
    let limit = options.limit()?;
    config.check().map_err(about)?;
    let begin = options.begin()?;
    let device = options.device.open()?;
    let from = args.from.as_deref().map(models::find).transpose()?;
    let run = TrainingRun { data: args.data, output: options.output.clone(), config, begin, from, limit };
    let display = Display::new(&run.output, begin, "molecules");
    let listener = |event: &Event| display.hear(event);
    let job = interrupt::job().heard_by(&listener);
    let summary = run.run(&device, &job).map_err(about)?;
    display.finish();
    report_faults(&summary.faults);
    let learned_from = match summary.molecules {
        (trained, 0) => format!("{trained} molecules"),
        (trained, held) => format!("{trained} molecules, {held} held out"),
    };
    report(&run.output, summary.steps, summary.of_steps, &learned_from);
    Ok(
        json!({ "model": run.output, "steps": summary.steps, "of_steps": summary.of_steps, "data": learned_from }),
    )
}
