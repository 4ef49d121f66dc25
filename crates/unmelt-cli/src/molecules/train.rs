//! `unmelt molecules train`.

use unmelt_molecules::{Error, TrainingConfig, TrainingRun, models};

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
    let run = TrainingRun { data: args.data, config, folder: folder.clone() };
    train(&options, &folder, "molecules", |device, job| run.run(device, job).map_err(about))
}
