//! `unmelt volumes …`.

pub mod args;
mod calibrate;
mod classical;
mod convert;
mod enhance;
mod evaluate;
mod files;
mod generate;
mod info;
mod replay;
mod synthesize;
mod train;

pub use replay::{is_volume, run as replay};

use crate::Outcome;
use args::Volumes;

/// Runs a command on volumes.
pub fn run(command: Volumes) -> Outcome {
    match command {
        Volumes::Enhance(args) if args.classical => classical::run(&args),
        Volumes::Enhance(args) => enhance::run(&args),
        Volumes::Generate(args) => generate::run(&args),
        Volumes::Info(args) => info::run(&args),
        Volumes::Convert(args) => convert::run(&args),
        Volumes::Synthesize(args) => synthesize::run(&args),
        Volumes::Train(args) => train::run(args),
        Volumes::Evaluate(args) => evaluate::run(&args),
        Volumes::Calibrate(args) => calibrate::run(&args),
    }
}
