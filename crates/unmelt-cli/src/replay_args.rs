//! What can be typed behind `unmelt replay`.

use std::path::PathBuf;

use unmelt_diffusion::device::DeviceName;

#[derive(Debug, clap::Args)]
pub struct Replay {
    /// Molecules that unmelt generated (.sdf, .parquet, .xyz), or a volume that it enhanced or generated (NIfTI, or a folder of
    /// DICOM files)
    pub file: PathBuf,
    /// The scan that an enhanced volume was made from
    #[arg(long)]
    pub input: Option<PathBuf>,
    /// The mask that an enhanced volume was made with
    #[arg(long)]
    pub mask: Option<PathBuf>,
    /// The coil sensitivities that k-space was reconstructed with, if they came from a file
    #[arg(long)]
    pub sensitivities: Option<PathBuf>,
    /// Model to generate with: a name or a folder [default: the built-in model that the file names]
    #[arg(long)]
    pub model: Option<String>,
    /// Number of molecules to generate again, from the first [default: all]
    #[arg(long)]
    pub count: Option<usize>,
    /// Where to compute: cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
}
