//! What can be typed.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

/// The version, the commit and what the program was built for.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let features: Vec<&str> = unmelt_diffusion::device::kinds().collect();
    let codec = if cfg!(feature = "jpeg-ls") { ", jpeg-ls" } else { "" };
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("UNMELT_COMMIT"));
    format!("{version} (commit {commit}; {}{codec})", features.join(", "))
});

/// Generative diffusion models for 3D molecules and medical volumes.
#[derive(Debug, Parser)]
#[command(name = "unmelt", version = VERSION.as_str(), propagate_version = true, args_override_self = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Raise or lower a limit on the size of inputs and requests, as in voxels=2e9; an error names the limit that it
    /// meets. May be given several times
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = limit)]
    pub limit: Vec<(String, u64)>,
    /// Print one JSON document with the result or the error, and the warnings
    #[arg(long, global = true)]
    pub json: bool,
    /// Print warnings and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also print the version, the number of threads and the instruction set
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// TOML file with options of the command by their long names, as in count = 100; an option that is typed takes
    /// precedence
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// File to append every line to, each with its time in seconds since 1970
    #[arg(long, global = true, value_name = "FILE", env = "UNMELT_LOG")]
    pub log: Option<PathBuf>,
    /// Number of threads to compute with [default: one for each core]
    #[arg(long, global = true, value_name = "N", env = "UNMELT_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// Reads "voxels=2000000000" or "voxels=2e9".
fn limit(text: &str) -> Result<(String, u64), String> {
    let wrong = || format!("\"{text}\" is no limit; write a name and a whole number, as in voxels=2e9");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value = value.trim();
    let whole = || value.parse::<f64>().ok().filter(|v| v.fract() == 0.0 && (0.0..1e18).contains(v));
    let value = value.parse().ok().or_else(|| whole().map(|v| v as u64)).ok_or_else(wrong)?;
    Ok((name.trim().into(), value))
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate, train and evaluate 3D molecules
    Molecules {
        #[command(subcommand)]
        command: crate::molecules::args::Molecules,
    },
    /// Enhance, generate, convert and evaluate MRI and CT volumes
    Volumes {
        #[command(subcommand)]
        command: crate::volumes::args::Volumes,
    },
    /// Generate the molecules of a file again from the record in it, and report whether they are identical
    Replay(crate::replay_args::Replay),
    /// List the models inside the program
    Models,
    /// List the devices that the program was built for
    Devices,
    /// Print the completions of a shell: bash, zsh, fish, elvish or powershell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write man pages, one for each command
    Man {
        /// Folder to write the pages to; it is created if it does not exist
        folder: PathBuf,
    },
    /// Print the reference of all commands as Markdown
    #[command(hide = true)]
    Reference,
}
