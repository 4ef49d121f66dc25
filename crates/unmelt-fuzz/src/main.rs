//! Gives readers of files and options broken input, and says which of it they do not survive: a panic, an abort, more
//! memory or time than the input is worth. `cargo xtask fuzz` builds and runs it.
//!
//! Inputs are made from a corpus in the repository by numbers of the core's counter-based noise, so input 17 of a target
//! and a seed is the same everywhere. Each target is read in a process of its own, which begins again after the input
//! that ended it.

mod allocator;
mod corpus;
mod draws;
mod failures;
mod mutate;
mod state;
mod supervise;
mod targets;
mod watchdog;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

use targets::Target;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Gives readers broken input
#[derive(Debug, Parser)]
#[command(name = "cargo xtask fuzz", args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    campaign: Campaign,
}

/// What is tried.
#[derive(Debug, clap::Args)]
struct Campaign {
    /// How long, over all targets; 1 without --inputs
    #[arg(long)]
    minutes: Option<f64>,
    /// How many inputs of each target
    #[arg(long)]
    inputs: Option<u64>,
    /// A target; all without it
    #[arg(long)]
    target: Vec<String>,
    /// Seed of the inputs
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of the first input
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Where inputs go that were not survived
    #[arg(long, default_value = "target/fuzz")]
    failures: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Names the targets
    Targets,
    /// Reads one file, as it is
    Replay {
        /// Whose reader
        #[arg(long)]
        target: String,
        /// The file
        file: PathBuf,
    },
    /// Writes the files of the corpus that unmelt's own writers make
    Corpus,
    /// Reads inputs of one target, for the process that watches
    #[command(hide = true)]
    Work {
        #[arg(long)]
        target: String,
        #[arg(long)]
        seed: u64,
        #[arg(long)]
        first: u64,
        #[arg(long)]
        end: u64,
        #[arg(long)]
        seconds: f64,
        #[arg(long)]
        scratch: PathBuf,
        #[arg(long)]
        failures: PathBuf,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        None => campaign(&args.campaign),
        Some(Command::Targets) => {
            targets::all().iter().for_each(|t| println!("{}", t.name));
            Ok(true)
        }
        Some(Command::Replay { target, file }) => replay(&target, &file),
        Some(Command::Corpus) => targets::write_corpus().map(|()| true),
        Some(Command::Work { target, seed, first, end, seconds, scratch, failures }) => {
            let work = |target: &Target| {
                let time = Duration::from_secs_f64(seconds.max(0.0));
                let work = worker::Work { target, seed, first, end, time, failures: &failures };
                worker::run(&work, &scratch)
            };
            targets::find(&target).and_then(|t| work(&t)).and_then(|done| {
                println!("{}", serde_json::to_string(&done).map_err(|e| e.to_string())?);
                Ok(true)
            })
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("error: {sentence}");
            ExitCode::from(2)
        }
    }
}

/// Tries all targets, and says what came of it; whether everything was survived.
fn campaign(args: &Campaign) -> Result<bool, String> {
    let chosen: Vec<Target> = match args.target.is_empty() {
        true => targets::all(),
        false => args.target.iter().map(|name| targets::find(name)).collect::<Result<_, _>>()?,
    };
    let minutes = args.minutes.unwrap_or(if args.inputs.is_some() { 60.0 * 24.0 * 365.0 } else { 1.0 });
    let whole = Duration::try_from_secs_f64(minutes * 60.0)
        .map_err(|_| format!("--minutes must be a number of at least 0, but it is {minutes}"))?;
    let begin = Instant::now();
    let (mut inputs, mut failed) = (0, 0);
    for (k, target) in chosen.iter().enumerate() {
        // What one target leaves of its time goes to those that follow.
        let left = whole.saturating_sub(begin.elapsed()) / (chosen.len() - k) as u32;
        let plan = worker::Work {
            target,
            seed: args.seed,
            first: args.first,
            end: args.inputs.map_or(u64::MAX, |n| args.first.saturating_add(n)),
            time: left,
            failures: &args.failures,
        };
        let start = Instant::now();
        let done = supervise::run(&plan)?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{:16} {:9} inputs, {:7.0} a second, {:4.1} % accepted, {:4} answers, {} failures",
            target.name,
            done.inputs,
            done.inputs as f64 / seconds.max(1e-3),
            100.0 * done.accepted as f64 / done.inputs.max(1) as f64,
            done.answers,
            done.failures
        );
        inputs += done.inputs;
        failed += done.failures;
    }
    println!("{inputs} inputs in {:.0} s, {failed} failures", begin.elapsed().as_secs_f64());
    if failed > 0 {
        println!("inputs that were not survived are in {}", args.failures.display());
    }
    Ok(failed == 0)
}

/// Reads one file.
fn replay(name: &str, file: &std::path::Path) -> Result<bool, String> {
    let target = targets::find(name)?;
    let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut reader = (target.open)(scratch.path())?;
    worker::keep_panics();
    watchdog::start(target.seconds);
    allocator::allow(target.megabytes << 20);
    watchdog::reading(0);
    let begin = Instant::now();
    let answer = worker::answer(&mut *reader, &bytes);
    allocator::allow_all();
    println!("{:.3} s", begin.elapsed().as_secs_f64());
    match answer {
        Ok(Ok(text)) => println!("accepted: {text}"),
        Ok(Err(text)) => println!("refused: {text}"),
        Err((place, text)) => {
            println!("panic at {place}: {text}");
            return Ok(false);
        }
    }
    Ok(true)
}
