//! What can be typed.

use clap::{Parser, Subcommand};

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
        command: crate::molecules::args::Molecules,
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
