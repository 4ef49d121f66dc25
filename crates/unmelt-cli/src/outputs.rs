//! What every command that writes has in common: it replaces nothing without having been asked to, and its inputs never.

use std::path::Path;

use unmelt_diffusion::files::{self, Claims};

use crate::failure::Failure;

/// Whether files may be replaced.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Writing {
    /// Replace outputs that exist
    #[arg(long)]
    pub overwrite: bool,
}

impl Writing {
    /// Claims the outputs of a command before its work begins; see [`files::claim`]. The claims are to be held until all
    /// is written.
    pub fn claim(self, inputs: &[&Path], outputs: &[&Path]) -> Result<Claims, Failure> {
        Ok(files::claim(inputs, outputs, self.overwrite)?)
    }
}
