//! `unmelt molecules`.

pub mod args;
mod evaluate;
mod files;
mod generate;
mod import;
mod request;
mod train;

use args::Molecules;

use crate::Outcome;
use crate::info;

/// Runs a command.
pub fn run(command: Molecules) -> Outcome {
    match command {
        Molecules::Generate(args) => generate::run(&args),
        Molecules::Train(args) => train::run(args),
        Molecules::Evaluate(args) => evaluate::run(&args),
        Molecules::Import(args) => import::run(&args),
        Molecules::Info { model } => info::model(&model),
    }
}
