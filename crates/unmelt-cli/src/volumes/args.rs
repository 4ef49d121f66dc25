//! What can be typed behind `unmelt volumes`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use unmelt_diffusion::device::DeviceName;

#[derive(Debug, Subcommand)]
pub enum Volumes {
    /// Denoise, super-resolve, inpaint, extend or reconstruct a scan
    Enhance(Box<Enhance>),
    /// Sample a volume from the prior alone
    Generate(Generate),
    /// Say what a file or folder holds: grid, spacing, orientation, intensities; no identifying tag
    Info(Info),
    /// Convert between NIfTI and DICOM: a DICOM folder to .nii.gz, say
    Convert(Convert),
    /// Make synthetic scans from label maps
    Synthesize(Synthesize),
    /// Compare a volume to the truth: PSNR, SSIM, NMSE, HFEN
    Evaluate(Evaluate),
    /// Train a prior on your own volumes, on label maps, or on both
    Train(Train),
    /// Fit on volumes that a model was not trained on what makes its intervals cover 90 %, and write that into its card
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
    /// How much is done to the volumes: noise in parts of the range, thickness of slices in voxels, or positions of k-space for each
    /// that is sampled [default: 0.03,0.1 for noise, 2,4,6 for slices, 4 for k-space]
    #[arg(long, value_delimiter = ',')]
    pub severities: Vec<f64>,
    /// Samples of each volume
    #[arg(long, default_value_t = 8)]
    pub samples: usize,
    /// Steps of each sample: as many as will be used later
    #[arg(long, default_value_t = 20)]
    pub steps: usize,
    /// Posterior solver: the one that will be used later [default: diffpir]
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(unmelt_diffusion::posterior::PosteriorSolver::NAMES))]
    pub solver: Option<String>,
    /// Edge, in voxels, of the block in the middle of each volume that is enhanced
    #[arg(long, default_value_t = 48)]
    pub edge: usize,
    /// Seed of noise, holes and samples
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for the calibrated model [default: the model's own, whose card is written anew]
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
    /// Take noise away
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

/// Whose noise it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoiseName {
    /// Rician where the background says so
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
    /// NIfTI file (.nii, .nii.gz, .hdr, .img), DICOM file or folder of DICOM files
    pub input: PathBuf,
    /// Which volume of a 4D NIfTI file, from 0
    #[arg(long)]
    pub index: Option<usize>,
    /// Which series of a DICOM folder: its number in the list that is given where there are several, or its SeriesInstanceUID
    #[arg(long)]
    pub series: Option<String>,
    /// Read a packed NIfTI file although its data do not fit its checksum
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, clap::Args)]
pub struct Walk {
    /// Name of a built-in model, or the folder of a trained one
    #[arg(long, default_value = "brain-mri")]
    pub model: String,
    /// Steps of the sampling: evaluations of the network per voxel; denoising to one estimate takes four [default: 20]
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
    /// What to do
    #[arg(long, value_enum)]
    pub task: TaskName,
    /// File to write (.nii or .nii.gz), or a folder for a derived DICOM series, where a DICOM series came in
    #[arg(long)]
    pub output: PathBuf,
    /// Leave out all free text of a NIfTI header (description, names, extensions), in which names of persons may stand
    #[arg(long)]
    pub strip: bool,
    /// denoise: standard deviation of the noise in the scan's units, or auto [default: auto]
    #[arg(long)]
    pub sigma: Option<String>,
    /// denoise: kind of noise [default: auto]
    #[arg(long, value_enum)]
    pub noise: Option<NoiseName>,
    /// super-resolve: wanted spacing in mm, one number or x,y,z (right, front, top) [default: 1]; kspace from .npy: spacing of the
    /// result
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub spacing: Vec<f64>,
    /// super-resolve: profile of the slices [default: box]
    #[arg(long, value_enum)]
    pub profile: Option<ProfileName>,
    /// inpaint: volume whose nonzero voxels are missing; kspace: nonzero where k-space was sampled, its middle in the
    /// middle, one slice for all or one for each, for an image that was made from zero-filled k-space
    #[arg(long)]
    pub mask: Option<PathBuf>,
    /// outpaint: mm to add, as right=20,left=0,front=0,back=0,top=30,bottom=30
    #[arg(long, value_delimiter = ',')]
    pub extend: Vec<String>,
    /// kspace from .npy: coil sensitivities (.npy, shaped as the data) [default: estimated from the middle of k-space]
    #[arg(long)]
    pub sensitivities: Option<PathBuf>,
    /// Posterior samples: the output is their mean; 1 gives the single best estimate
    #[arg(long, default_value_t = 1)]
    pub samples: usize,
    /// File for the standard deviation of the estimate: that of the samples, times the factor that calibration found
    #[arg(long)]
    pub std: Option<PathBuf>,
    /// Files for the lower and the upper end of the 90 % interval: LOW.nii.gz,HIGH.nii.gz
    #[arg(long, value_delimiter = ',')]
    pub interval: Vec<PathBuf>,
    /// Write an interval although the model was not calibrated for the task; what it covers is unknown, and its header says so
    #[arg(long)]
    pub uncalibrated: bool,
    /// Posterior solver [default: hqs for one estimate, diffpir for samples; none to take noise away]
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(unmelt_diffusion::posterior::PosteriorSolver::NAMES))]
    pub solver: Option<String>,
    /// Highest noise level of the sampling, in units of the robust range [default: by task]
    #[arg(long)]
    pub sigma_max: Option<f64>,
    /// Lowest noise level of the sampling, in units of the robust range [default: 0.005]
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
    /// Spacing in mm
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
    /// File to write (.nii or .nii.gz), or a folder for DICOM, where a DICOM series came in
    pub output: PathBuf,
    /// Leave out all free text of a NIfTI header (description, names, extensions), in which names of persons may stand
    #[arg(long)]
    pub strip: bool,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}

#[derive(Debug, clap::Args)]
pub struct Synthesize {
    /// NIfTI file or folder of label maps (FreeSurfer numbers)
    #[arg(long)]
    pub labels: PathBuf,
    /// Folder to write to
    #[arg(long)]
    pub output: PathBuf,
    /// How many scans
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
    /// What is compared to it: one volume or several
    #[arg(required = true)]
    pub outputs: Vec<PathBuf>,
    /// Volume whose nonzero voxels are the foreground [default: above a twentieth of the truth's range]
    #[arg(long)]
    pub mask: Option<PathBuf>,
    /// Ends of an interval, whose coverage is measured: LOW.nii.gz,HIGH.nii.gz
    #[arg(long, value_delimiter = ',')]
    pub interval: Vec<PathBuf>,
    /// Table to write: a row for each volume (.csv or .parquet)
    #[arg(long)]
    pub table: Option<PathBuf>,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}
