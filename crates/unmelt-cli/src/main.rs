//! The command line of unmelt.

#[macro_use]
mod say;

mod args;
mod config;
mod failure;
mod info;
mod interrupt;
mod losses;
mod molecules;
mod outputs;
mod progress;
mod reference;
mod replay;
mod replay_args;
mod run_table;
mod settings_file;
mod train;
mod training;
mod volumes;

use std::path::Path;

use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command};
use failure::Failure;
use unmelt_diffusion::{ErrorKind, Subject};

/// Keeps freed memory instead of handing it back to the system after each tensor.
#[global_allocator]
static ALLOCATOR: unmelt_allocator::MiMalloc = unmelt_allocator::MiMalloc;

fn main() -> std::process::ExitCode {
    unmelt_allocator::keep_freed_memory();
    let words: Vec<_> = std::env::args_os().collect();
    let command = match config::with_file(taking_negative_numbers(Args::command()), &words) {
        Ok(command) => command,
        Err(failure) => {
            let is_json = words.iter().any(|w| w == "--json");
            say::set(say::Voice { is_json, ..say::Voice::default() });
            return failure.report().into();
        }
    };
    let matches = match command.try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => refused(&error),
    };
    say::name_command(named(&matches));
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| refused(&error));
    interrupt::install();
    let code = match run(args) {
        Ok(result) => {
            say::result_document(&result);
            interrupt::exit_code().unwrap_or(0)
        }
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

/// Ends the program over what was typed, or prints the help that was asked for.
fn refused(error: &clap::Error) -> ! {
    if error.use_stderr() && std::env::args_os().any(|a| a == "--json") {
        say::set(say::Voice { is_json: true, ..say::Voice::default() });
        let text = error.to_string();
        let message = text.trim_start_matches("error: ").trim_end();
        let option = match error.get(clap::error::ContextKind::InvalidArg) {
            Some(clap::error::ContextValue::String(option)) => Some(Subject::Option(option.clone())),
            _ => None,
        };
        say::error_document(ErrorKind::Usage, message, option.as_ref(), None);
    }
    error.exit()
}

/// Refuses a log that is a file of something else: one that an argument names too, or one that holds no log.
fn check_log(log: &Path) -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_log = |text: &str| unmelt_diffusion::files::distinct(&[log], &[Path::new(text)]).is_err();
    let parts = words.iter().flat_map(|w| w.split([',', '='])).filter(|part| !part.is_empty());
    if parts.filter(|part| is_log(part)).count() > 1 {
        return Err(Failure::usage(format!(
            "{} is named as the log and for something else; give the log a name of its own",
            log.display()
        )));
    }
    let mut begin = [0; 4];
    let holds =
        std::fs::File::open(log).and_then(|mut f| std::io::Read::read(&mut f, &mut begin)).unwrap_or(0);
    if begin[..holds].iter().any(|b| !b.is_ascii_digit()) {
        return Err(Failure::usage(format!(
            "{} exists and is no log of this program; give the log another name",
            log.display()
        )));
    }
    Ok(())
}

/// The command as it was typed, without options: "volumes enhance".
fn named(matches: &clap::ArgMatches) -> String {
    let mut names = Vec::new();
    let mut below = matches.subcommand();
    while let Some((name, matches)) = below {
        names.push(name);
        below = matches.subcommand();
    }
    names.join(" ")
}

/// What a command found or wrote, as JSON; people read it as text on the way.
type Outcome = Result<serde_json::Value, Failure>;

fn run(args: Args) -> Outcome {
    let (is_json, is_quiet, is_verbose) = (args.json, args.quiet, args.verbose);
    say::set(say::Voice { is_json, is_quiet, is_verbose });
    if let Some(path) = &args.log {
        check_log(path)?;
        say::log_to(path)
            .map_err(|e| Failure::usage(format!("could not open the log {}: {e}", path.display())))?;
    }
    if let Some(threads) = args.threads {
        unmelt_diffusion::device::set_threads(threads.into())?;
    }
    for (k, (name, value)) in args.limit.iter().enumerate() {
        if args.limit[..k].iter().any(|(other, _)| other == name) {
            return Err(Failure::usage(format!("--limit names {name} twice")));
        }
        unmelt_diffusion::files::limits::set(name, *value)?;
    }
    if let Some(path) = &args.config {
        detail!("options that were not typed are read from {}", path.display());
    }
    unmelt_kernels::check_environment().map_err(Failure::usage)?;
    detail!(
        "unmelt {}, {} threads, {} instructions",
        env!("CARGO_PKG_VERSION"),
        unmelt_diffusion::device::threads(),
        unmelt_kernels::instruction_set()
    );
    match args.command {
        Command::Molecules { command } => molecules::run(command),
        Command::Volumes { command } => volumes::run(command),
        Command::Replay(args) => replay::run(&args),
        Command::Models => info::models(),
        Command::Devices => Ok(info::devices()),
        Command::Completions { shell } => reference::completions(shell),
        Command::Man { folder } => reference::man(&folder),
        Command::Reference => reference::markdown(),
    }
}
