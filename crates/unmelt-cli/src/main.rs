//! The command line of unmelt.

mod args;
mod failure;
mod info;
mod interrupt;
mod losses;
mod molecules;
mod progress;
mod training;
mod volumes;

use clap::Parser;

use args::{Args, Command};
use failure::Failure;

/// Keeps freed memory instead of handing it back to the system after each tensor.
#[global_allocator]
static ALLOCATOR: unmelt_allocator::MiMalloc = unmelt_allocator::MiMalloc;

fn main() -> std::process::ExitCode {
    // A reader that has seen enough (`unmelt models | head -1`) ends the program without a word, as it does others.
    sigpipe::reset();
    unmelt_allocator::keep_freed_memory();
    match run(Args::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Molecules { command } => molecules::run(command),
        Command::Volumes { command } => volumes::run(command),
        Command::Models => info::models(),
        Command::Devices => {
            info::devices();
            Ok(())
        }
    }
}
