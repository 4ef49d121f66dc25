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

use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command};
use failure::Failure;

/// Keeps freed memory instead of handing it back to the system after each tensor.
#[global_allocator]
static ALLOCATOR: unmelt_allocator::MiMalloc = unmelt_allocator::MiMalloc;

fn main() -> std::process::ExitCode {
    // A reader that has seen enough (`unmelt models | head -1`) ends the program without a word, as it does others.
    sigpipe::reset();
    unmelt_allocator::keep_freed_memory();
    let matches = taking_negative_numbers(Args::command()).get_matches();
    match run(Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// The same command line, on which `--sigma -1` is a value, which its own message can say what is wrong with.
fn taking_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| match arg.get_action().takes_values() {
            true => arg.allow_negative_numbers(true),
            false => arg,
        })
        .mut_subcommands(taking_negative_numbers)
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
