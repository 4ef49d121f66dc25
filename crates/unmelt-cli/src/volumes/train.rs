//! `unmelt volumes train`.

use unmelt_imaging::{Error, TrainingConfig, TrainingRun, models};
use unmelt_imaging_io::NiftiFiles;

use super::args::Train;
use crate::Outcome;
use crate::train::train;

/// Trains.
pub fn run(args: Train) -> Outcome {
    let options = args.run;
    let config: TrainingConfig = options.settings()?;
    let about = |error| match error {
        Error::Core(core) => options.about(core),
        other => other.into(),
    };
    let folder = options.folder(models::find)?;
    config.check().map_err(about)?;
    let files = |paths| NiftiFiles { paths, exclude: args.exclude.clone() };
    let (volumes, labels) = (files(args.volumes), files(args.labels));
    let run = TrainingRun { volumes: &volumes, labels: &labels, config, folder: folder.clone() };
    train(&options, &folder, "patches", |device, job| run.run(device, job).map_err(about))
}
