//! The command line of unmelt.

#[macro_use]
mod say;

mod args;
mod failure;
mod info;
mod interrupt;
mod losses;
mod molecules;
mod outputs;
mod progress;
mod run_table;
mod training;
mod volumes;

use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command};
use failure::Failure;

/// Keeps freed memory instead of handing it back to the system after each tensor.
#[global_allocator]
static ALLOCATOR: unmelt_allocator::MiMalloc = unmelt_allocator::MiMalloc;

fn main() -> std::process::ExitCode {
    unmelt_allocator::keep_freed_memory();
    let matches = taking_negative_numbers(Args::command()).get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    interrupt::install();
    let code = match run(args) {
        Ok(()) => interrupt::exit_code().unwrap_or(0),
        Err(failure) => failure.report(),
    };
    match (code, say::was_heard()) {
        (0, false) => 1.into(),
        _ => code.into(),
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
    for (k, (name, value)) in args.limit.iter().enumerate() {
        if args.limit[..k].iter().any(|(other, _)| other == name) {
            return Err(Failure::usage(format!("--limit names {name} twice")));
        }
        unmelt_diffusion::files::limits::set(name, *value)?;
    }
    unmelt_kernels::check_environment().map_err(Failure::usage)?;
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
