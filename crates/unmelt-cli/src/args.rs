//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::device::DeviceName;

/// Generative diffusion models for 3D molecules and medical volumes.
#[derive(Debug, Parser)]
#[command(name = "unmelt", version, propagate_version = true, args_override_self = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate, train and evaluate 3D molecules
    Molecules {
        #[command(subcommand)]
        command: Molecules,
    },
    /// Enhance, generate, convert and evaluate MRI and CT volumes
    Volumes {
        #[command(subcommand)]
        command: crate::volumes::args::Volumes,
    },
    /// List the models inside the program
    Models,
    /// List the devices that the program was built for
    Devices,
}

#[derive(Debug, Subcommand)]
pub enum Molecules {
    /// Write new molecules to a file
    Generate(Generate),
    /// Train a model on your own molecules
    Train(Train),
    /// Measure validity, stability, uniqueness and novelty of molecules in a file
    Evaluate(Evaluate),
    /// Say what a model is: its network, its data, its measured quality
    Info {
        /// Name of a built-in model, or the folder of a trained one
        #[arg(long, default_value = "qm9")]
        model: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct Generate {
    /// How many molecules
    #[arg(long, default_value_t = 100)]
    pub count: u64,
    /// File to write: .sdf (with bonds), .xyz or .parquet
    #[arg(long)]
    pub output: PathBuf,
    /// Table to write beside it (.csv or .parquet): formula, atoms, stable, valid, connected, key, seed, sample
    /// [default: the output's name with .csv]
    #[arg(long)]
    pub table: Option<PathBuf>,
    /// Name of a built-in model, or the folder of a trained one
    #[arg(long, default_value = "qm9")]
    pub model: String,
    /// Steps from noise to molecule
    #[arg(long, default_value_t = 100)]
    pub steps: usize,
    /// Solver of the positions; bonds and atoms are always drawn from their posterior
    #[arg(long, default_value = "ancestral", value_parser = clap::builder::PossibleValuesParser::new(unmelt_diffusion::solver::Solver::NAMES))]
    pub solver: String,
    /// Times that the steps visit: trailing (even), karras, logsnr, or power:P (P above 1: finer towards the end)
    #[arg(long, default_value = "power:1.5")]
    pub grid: String,
    /// Seed: the same seed gives the same molecules, whatever the batch
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Number of the first molecule within the seed, to go on where another run ended
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// Atoms of every molecule, hydrogens included [default: as in the training data]
    #[arg(long)]
    pub atoms: Option<usize>,
    /// Molecules at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub batch: u64,
    /// Where to compute: cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
}

#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// Molecules: .sdf, .xyz, .parquet, or a folder of such files
    pub molecules: PathBuf,
    /// Molecules that do not count as novel, such as the training data
    #[arg(long)]
    pub reference: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Train {
    /// Molecules to learn from: .parquet, .sdf, .xyz, or a folder of such files
    #[arg(long)]
    pub data: PathBuf,
    /// Folder of the run: checkpoint, model and log
    #[arg(long)]
    pub output: PathBuf,
    /// Settings (TOML); what it does not name keeps its default
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Go on from the checkpoint in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Stop, with a checkpoint, after this many minutes
    #[arg(long)]
    pub minutes: Option<f64>,
    /// Where to compute: cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
}
