//! The command line of unmelt.

mod args;
mod device;
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
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // A reader that has seen enough (`unmelt models | head -1`) ends the program without a word, as it does others.
    sigpipe::reset();
    keep_freed_memory();
    match run(Args::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Tensors come and go by the thousand; giving their pages back costs a fifth of the time of a training step.
fn keep_freed_memory() {
    /// `mi_option_purge_delay` of mimalloc.h, which the bindings leave out.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: the option exists, and setting it before other threads start is what it is for.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
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
