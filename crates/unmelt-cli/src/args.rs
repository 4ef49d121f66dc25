//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::device::DeviceName;

/// Generative diffusion models for 3D molecules and medical volumes.
#[derive(Debug, Parser)]
#[command(name = "unmelt", version, propagate_version = true)]
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
}

#[derive(Debug, Subcommand)]
pub enum Molecules {
    /// Train a model on your own molecules
    Train(Train),
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
