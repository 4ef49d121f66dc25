//! `cargo xtask bench`: what unmelt's networks cost, and what other implementations of the same cost beside them.
//!
//! Every side runs in a process of its own that loads the same weights and inputs, says what it computed, and then
//! does one run for every line it is sent. Sides take turns, so that what else the machine does hits both.

mod contest;
mod report;
mod scaling;
mod server;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps freed memory instead of handing it back to the system after each tensor, as the program does.
#[global_allocator]
static ALLOCATOR: unmelt_allocator::MiMalloc = unmelt_allocator::MiMalloc;

#[derive(Clone, Parser)]
#[command(name = "cargo xtask bench", about = "Times unmelt, and a peer beside it")]
struct Args {
    #[command(subcommand)]
    command: Option<Hidden>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// A Python with PyTorch and MONAI, to run the peers in
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Times that each side runs; the median counts
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Threads of each side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Only works whose name contains this; "scaling" and "end-to-end" are names too
    #[arg(long)]
    only: Option<String>,
    /// Where to compute: cpu or cuda
    #[arg(long, default_value = "cpu")]
    device: String,
}

#[derive(Clone, Subcommand)]
enum Hidden {
    /// One side of a contest: answers on standard output
    #[command(hide = true)]
    Serve {
        /// The work
        work: String,
        /// Folder with weights and inputs
        folder: PathBuf,
        /// Where to compute
        device: String,
    },
}

fn main() -> ExitCode {
    unmelt_allocator::keep_freed_memory();
    let args = Args::parse();
    let done = match &args.command {
        Some(Hidden::Serve { work, folder, device }) => server::serve(work, folder, device),
        None => run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let wanted = |name: &str| args.only.as_ref().is_none_or(|o| name.contains(o.as_str()));
    let mut report = report::Report::new(args.json);
    for name in work::NAMES.into_iter().filter(|n| wanted(n)) {
        report.contest(contest::hold(name, args)?);
    }
    if args.device == "cpu" {
        if wanted("end-to-end") {
            report.parts(scaling::end_to_end(args.rounds)?);
        }
        if wanted("scaling") {
            scaling::all(args, &mut report)?;
        }
    }
    report.finish();
    Ok(())
}

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Said(String),
    #[error(transparent)]
    Core(#[from] unmelt_diffusion::Error),
    #[error(transparent)]
    Volumes(#[from] unmelt_imaging::Error),
    #[error("{what}: {source}")]
    System { what: String, source: std::io::Error },
}

impl Failure {
    fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
