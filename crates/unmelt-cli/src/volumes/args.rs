//! What can be typed behind `unmelt volumes`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use unmelt_diffusion::device::DeviceName;

#[derive(Debug, Subcommand)]
pub enum Volumes {
    /// Denoise, super-resolve, inpaint, extend or reconstruct a scan
    Enhance(Box<Enhance>),
    /// Generate a volume from the prior alone
    Generate(Generate),
    /// Describe a scan: grid, spacing, frames, orientation, intensities, noise; identifying tags are not printed
    Info(Info),
    /// Convert a scan to NIfTI or to pictures, with all its frames and channels, or a DICOM series to a derived DICOM series
    Convert(Convert),
    /// Make synthetic scans from label maps
    Synthesize(Synthesize),
    /// Compare volumes with the truth: PSNR, SSIM, NMSE, HFEN
    Evaluate(Evaluate),
    /// Train a prior on your own volumes, on label maps, or on both
    Train(Train),
    /// Calibrate the 90 % intervals of a model on volumes that it was not trained on, and write the factors into its
    /// card
    Calibrate(Calibrate),
}

#[derive(Debug, clap::Args)]
pub struct Calibrate {
    /// Folder of a trained model, or the name of a built-in one (with --output)
    #[arg(long)]
    pub model: String,
    /// NIfTI file or folder of volumes that the model was not trained on, two or more in all; may be given several times
    #[arg(long, required = true)]
    pub volumes: Vec<PathBuf>,
    /// Leave out files whose name contains this; may be given several times
    #[arg(long)]
    pub exclude: Vec<String>,
    /// Tasks to calibrate, separated by commas [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub tasks: Vec<TaskName>,
    /// Severities of the degradation: noise as a part of the robust range, thickness of slices in voxels, or
    /// undersampling factor of k-space [default: 0.03,0.1 for noise, 2,4,6 for slices, 4 for k-space]
    #[arg(long, value_delimiter = ',')]
    pub severities: Vec<f64>,
    /// Posterior samples of each volume
    #[arg(long, default_value_t = 8)]
    pub samples: usize,
    /// Steps of each sample: as many as enhancement will use
    #[arg(long, default_value_t = 20)]
    pub steps: usize,
    /// Posterior solver: the one that enhancement will use [default: diffpir]
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(unmelt_diffusion::posterior::PosteriorSolver::NAMES))]
    pub solver: Option<String>,
    /// Edge, in voxels, of the block in the middle of each volume that is enhanced
    #[arg(long, default_value_t = 48)]
    pub edge: usize,
    /// Seed of noise, holes and samples
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for the calibrated model [default: the folder of the model, whose card is replaced]
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Where to compute: cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
}

#[derive(Debug, clap::Args)]
pub struct Train {
    /// NIfTI file or folder of real volumes; may be given several times
    #[arg(long, required_unless_present = "labels")]
    pub volumes: Vec<PathBuf>,
    /// NIfTI file or folder of label maps to synthesize scans from; may be given several times
    #[arg(long)]
    pub labels: Vec<PathBuf>,
    /// Leave out files whose name contains this; may be given several times
    #[arg(long)]
    pub exclude: Vec<String>,
    #[command(flatten)]
    pub run: crate::training::RunOptions,
}

/// What to do with a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaskName {
    /// Remove noise
    Denoise,
    /// Resolve thick slices or a coarse grid
    SuperResolve,
    /// Fill the voxels of a mask
    Inpaint,
    /// Extend the field of view
    Outpaint,
    /// Reconstruct undersampled k-space
    Kspace,
}

/// The distribution of the noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoiseName {
    /// Rician or Gaussian, as the background indicates
    Auto,
    /// Gaussian: CT, signed data
    Gaussian,
    /// Rician: magnitude MRI
    Rician,
}

/// How slices weigh what they cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// Evenly over their thickness
    Box,
    /// By a Gaussian of that full width at half maximum
    Gaussian,
}

#[derive(Debug, clap::Args)]
pub struct Input {
    /// NIfTI file (.nii, .nii.gz, .hdr, .img), DICOM file or folder of DICOM files; a picture (.png, .tif, .jpg) for info, convert and
    /// enhance --classical
    pub input: PathBuf,
    /// Which volume of a 4D NIfTI file, from 0
    #[arg(long)]
    pub index: Option<usize>,
    /// Which series of a DICOM folder: its number in the list that is printed where there are several, or its
    /// SeriesInstanceUID
    #[arg(long)]
    pub series: Option<String>,
    /// Read a compressed NIfTI file although its checksum is wrong
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, clap::Args)]
pub struct Walk {
    /// Name of a built-in model, or the folder of a trained one
    #[arg(long, default_value = "brain-mri")]
    pub model: String,
    /// Steps of the sampling, each one evaluation of the network per voxel [default: 20]; a single estimate of
    /// denoising takes four evaluations and no steps
    #[arg(long)]
    pub steps: Option<usize>,
    /// Seed: the same seed gives the same volume
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute: cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
}

#[derive(Debug, clap::Args)]
pub struct Enhance {
    #[command(flatten)]
    pub input: Input,
    /// What to do with the scan
    #[arg(long, value_enum)]
    pub task: TaskName,
    /// File to write (.nii or .nii.gz; with --classical .png or .tif), or a folder for a derived DICOM series, where a DICOM series
    /// came in
    #[arg(long)]
    pub output: PathBuf,
    /// Work without a model: a block-matching filter, interpolation with back-projection, smooth filling. Pictures, single slices and
    /// series are treated frame by frame and channel by channel
    #[arg(
        long,
        conflicts_with_all = [
            "sensitivities", "samples", "std", "interval", "uncalibrated", "solver", "sigma_max", "sigma_min", "model", "steps",
            "seed", "device"
        ]
    )]
    pub classical: bool,
    /// Leave out all free text of a NIfTI header (description, names, extensions), which may hold names of persons
    #[arg(long)]
    pub strip: bool,
    /// denoise: standard deviation of the noise in the scan's units, or auto to estimate it [default: auto]
    #[arg(long)]
    pub sigma: Option<String>,
    /// denoise: kind of noise [default: auto]
    #[arg(long, value_enum)]
    pub noise: Option<NoiseName>,
    /// super-resolve: wanted spacing in mm, one number or three along x,y,z (right, front, top) [default: 1]; kspace
    /// from .npy: spacing of the result in mm
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub spacing: Vec<f64>,
    /// super-resolve: profile of the slices [default: box]
    #[arg(long, value_enum)]
    pub profile: Option<ProfileName>,
    /// inpaint: volume that is not 0 where a voxel is missing; kspace from an image of zero-filled k-space: volume that
    /// is not 0 where k-space was sampled, with the zero frequency in the middle, one slice for all or one for each
    #[arg(long)]
    pub mask: Option<PathBuf>,
    /// outpaint: mm to add on each side of the patient (left, right, back, front, bottom, top), as in top=30,bottom=20
    #[arg(long, value_delimiter = ',')]
    pub extend: Vec<String>,
    /// kspace from .npy: coil sensitivities (.npy, shaped as the data) [default: estimated from the middle of k-space]
    #[arg(long)]
    pub sensitivities: Option<PathBuf>,
    /// Number of posterior samples, at as many times the cost: the output is their mean; 1 gives a single estimate
    #[arg(long, default_value_t = 1)]
    pub samples: usize,
    /// File for the standard deviation of the estimate: that of the samples, times the factor of the calibration
    #[arg(long)]
    pub std: Option<PathBuf>,
    /// Files for the lower and the upper end of the 90 % interval: LOW.nii.gz,HIGH.nii.gz
    #[arg(long, value_delimiter = ',')]
    pub interval: Vec<PathBuf>,
    /// Write an interval although the model was not calibrated for the task; its coverage is unknown, and its header
    /// says so
    #[arg(long)]
    pub uncalibrated: bool,
    /// Posterior solver [default: hqs for a single estimate, diffpir for samples; none for a single estimate of
    /// denoising]
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(unmelt_diffusion::posterior::PosteriorSolver::NAMES))]
    pub solver: Option<String>,
    /// Highest noise level of the sampling, as a part of the robust range (0 to the 99.5th percentile of the
    /// foreground) [default: by task]
    #[arg(long)]
    pub sigma_max: Option<f64>,
    /// Lowest noise level of the sampling, as a part of the robust range [default: 0.005]
    #[arg(long)]
    pub sigma_min: Option<f64>,
    #[command(flatten)]
    pub walk: Walk,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}

#[derive(Debug, clap::Args)]
pub struct Generate {
    /// File to write (.nii or .nii.gz)
    #[arg(long)]
    pub output: PathBuf,
    /// Voxels along right, front and top
    #[arg(long, value_delimiter = ',', default_value = "128,128,128")]
    pub shape: Vec<usize>,
    /// Spacing in mm along right, front and top
    #[arg(long, value_delimiter = ',', default_value = "1,1,1", allow_hyphen_values = true)]
    pub spacing: Vec<f64>,
    #[command(flatten)]
    pub walk: Walk,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}

#[derive(Debug, clap::Args)]
pub struct Info {
    #[command(flatten)]
    pub input: Input,
}

#[derive(Debug, clap::Args)]
pub struct Convert {
    #[command(flatten)]
    pub input: Input,
    /// File to write (.nii, .nii.gz, .png or .tif), or a folder for DICOM, where a DICOM series came in
    pub output: PathBuf,
    /// Leave out all free text of a NIfTI header (description, names, extensions), which may hold names of persons
    #[arg(long)]
    pub strip: bool,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}

#[derive(Debug, clap::Args)]
pub struct Synthesize {
    /// NIfTI file or folder of label maps, whose numbers are those of FreeSurfer
    #[arg(long)]
    pub labels: PathBuf,
    /// Folder to write to
    #[arg(long)]
    pub output: PathBuf,
    /// Number of scans
    #[arg(long, default_value_t = 1)]
    pub count: u64,
    /// Number of the first scan within the seed
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// Seed: the same seed gives the same scans
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}

#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// The truth
    pub truth: PathBuf,
    /// One volume or several to compare with the truth
    #[arg(required = true)]
    pub outputs: Vec<PathBuf>,
    /// Volume whose nonzero voxels are the foreground [default: above a twentieth of the truth's range]
    #[arg(long)]
    pub mask: Option<PathBuf>,
    /// Lower and upper end of an interval, to measure its coverage: LOW.nii.gz,HIGH.nii.gz
    #[arg(long, value_delimiter = ',')]
    pub interval: Vec<PathBuf>,
    /// Table to write: a row for each volume (.csv or .parquet)
    #[arg(long)]
    pub table: Option<PathBuf>,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}
