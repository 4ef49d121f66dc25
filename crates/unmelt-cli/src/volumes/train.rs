//! `unmelt volumes train`.

use serde_json::json;
use unmelt_diffusion::job::Event;
use unmelt_imaging::{Error, Start, TrainingConfig, TrainingRun};
use unmelt_imaging_io::NiftiFiles;

use super::args::Train;
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
    let start = Start::of(options.resume, args.from.as_deref())?;
    let files = |paths| NiftiFiles { paths, exclude: args.exclude.clone() };
    let (volumes, labels) = (files(args.volumes), files(args.labels));
    let run = TrainingRun {
        volumes: &volumes,
        labels: &labels,
        output: options.output.clone(),
        config,
        start,
        overwrite: options.overwrite,
        limit,
    };
    let display = Display::new(&run.output, begin, "patches");
    let listener = |event: &Event| display.hear(event);
    let job = interrupt::job().heard_by(&listener);
    let summary = run.run(&device, &job).map_err(about)?;
    display.finish();
    for warning in &summary.warnings {
        eprintln!("warning: {warning}");
    }
    let (volumes, maps) = summary.volumes;
    let learned_from = format!("{volumes} volumes and {maps} label maps");
    report(&run.output, summary.steps, summary.of_steps, &learned_from);
    Ok(
        json!({ "model": run.output, "steps": summary.steps, "of_steps": summary.of_steps, "data": learned_from }),
    )
}
