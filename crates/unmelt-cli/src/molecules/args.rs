//! What can be typed after `unmelt molecules`.

use std::path::PathBuf;

use clap::Subcommand;
use unmelt_diffusion::device::DeviceName;

#[derive(Debug, Subcommand)]
pub enum Molecules {
    /// Write new molecules to a file
    Generate(Box<Generate>),
    /// Train a model on your own molecules
    Train(Train),
    /// Measure validity, stability, uniqueness and novelty of molecules in a file, or of a model
    #[command(mut_args(only_for_a_model))]
    Evaluate(Evaluate),
    /// Convert a checkpoint of another program to a model
    Import(Import),
    /// Describe a model: network, properties with units, training data, measured quality
    Info {
        /// Name of a built-in model, or the folder of a trained one
        #[arg(long, default_value = "qm9")]
        model: String,
    },
}

/// Of the arguments of `evaluate`: what says how a model is sampled says nothing of molecules in a file.
fn only_for_a_model(arg: clap::Arg) -> clap::Arg {
    const OF_SAMPLING: [&str; 8] =
        ["count", "steps", "solver", "grid", "temperature", "seed", "batch", "device"];
    match OF_SAMPLING.contains(&arg.get_id().as_str()) {
        true => arg.conflicts_with("molecules"),
        false => arg,
    }
}

#[derive(Debug, clap::Args)]
pub struct Generate {
    /// Number of molecules
    #[arg(long, default_value_t = 100)]
    pub count: u64,
    /// File to write: .sdf (with bonds), .xyz or .parquet
    #[arg(long)]
    pub output: PathBuf,
    /// Table to write beside it (.csv or .parquet): sample, seed, SMILES, formula, atoms, stable, valid, connected,
    /// rings, key [default: the output's name with .csv]
    #[arg(long)]
    pub table: Option<PathBuf>,
    /// Name of a built-in model, or the folder of a trained one
    #[arg(long, default_value = "qm9")]
    pub model: String,
    #[command(flatten)]
    pub sampling: Sampling,
    /// Number of the first molecule within the seed, to continue where another run ended
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// Generate only the I-th of N parts of --count, for job arrays: the parts together are the molecules of one run
    #[arg(long, value_name = "I/N", conflicts_with_all = ["filter", "contains"])]
    pub shard: Option<unmelt_molecules::Shard>,
    /// Number of atoms of every molecule, hydrogens included [default: drawn as in the training data]
    #[arg(long)]
    pub atoms: Option<usize>,
    /// Target value of a property, as in dipole=3.5 or, with its unit, dipole=3.5D; `unmelt molecules info` lists
    /// properties, units and ranges. May be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub property: Vec<unmelt_molecules::PropertyTarget>,
    /// Strength of the classifier-free guidance towards the properties: 1 is the conditional prediction alone, at half
    /// the cost; more extrapolates beyond it
    #[arg(long, default_value_t = 2.0, requires = "property")]
    pub guidance: f64,
    /// Noise levels of the positions between which the guidance acts, from 0 (clean) to 1 (noise): 0.2,0.9 [default: all]
    #[arg(long, value_name = "LOW,HIGH", requires = "property", value_parser = interval)]
    pub guidance_interval: Option<[f64; 2]>,
    /// Molecules to draw for each one that is kept, at as many times the cost; the one whose estimated properties are
    /// nearest to the targets is kept [default: 8, or 1 for a model that estimates no properties]
    #[arg(long, requires = "property")]
    pub candidates: Option<usize>,
    /// Molecular formula of every molecule, hydrogens included: C7H10O2
    #[arg(long, conflicts_with_all = ["atoms", "scaffold", "link", "vary"])]
    pub formula: Option<unmelt_molecules::Formula>,
    /// A fragment to keep as it is, with the rest grown around it (.sdf or .mol)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["link", "vary"])]
    pub scaffold: Option<PathBuf>,
    /// Two or more fragments to keep where they are, with a linker grown between them: files, all records of each
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "vary")]
    pub link: Vec<PathBuf>,
    /// Atoms of the scaffold or of the fragments that new atoms may bond to, counted from 1 through all files; each
    /// gives up a hydrogen where it has no open valence [default: all atoms with an open valence]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub attach: Vec<u32>,
    /// A molecule to vary: noise is added up to --strength and removed again (.sdf, .mol, .parquet)
    #[arg(long, value_name = "FILE", conflicts_with = "atoms")]
    pub vary: Option<PathBuf>,
    /// Share of noise in the positions, from 0 to 1, at which sampling begins: 0.2 mostly gives the same molecule
    /// again, 0.3 close relatives, 0.5 distant ones; at 1 nothing of the molecule is left
    #[arg(long, default_value_t = 0.3, requires = "vary")]
    pub strength: f64,
    /// Keep only molecules that pass: valid, connected, stable, unique, novel; sampling continues until --count are
    /// kept
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub filter: Vec<unmelt_molecules::Filter>,
    /// Keep only molecules with these numbers of atoms: N>=1, O<=2, F=0, or N for at least one
    #[arg(long, value_delimiter = ',', value_name = "LIMITS")]
    pub contains: Vec<unmelt_molecules::ElementLimit>,
    /// Give up after this many molecules in a row of which none passes --filter and --contains [default: 10000]
    #[arg(long, value_name = "N")]
    pub max_draws: Option<u64>,
    /// Molecules that do not count as novel, for --filter novel [default: the training data, where the model knows it]
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// File for the trajectory of the first molecule from noise, a frame per evaluation (.sdf or .xyz)
    #[arg(long, value_name = "FILE")]
    pub trajectory: Option<PathBuf>,
    /// Picture of the first twelve molecules, as balls and sticks (.png)
    #[arg(long, value_name = "FILE")]
    pub preview: Option<PathBuf>,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}

/// Reads "0.2,0.9".
fn interval(text: &str) -> Result<[f64; 2], String> {
    let numbers =
        text.split_once(',').and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
    numbers.ok_or_else(|| format!("\"{text}\" is no interval; write two numbers, as in 0.2,0.9"))
}

/// How a model is sampled.
#[derive(Debug, clap::Args)]
pub struct Sampling {
    /// Steps from noise to molecule; most solvers evaluate the network once a step
    #[arg(long, default_value_t = 100)]
    pub steps: usize,
    /// Solver of the positions; bonds and atoms are always drawn from their posterior
    #[arg(long, default_value = "sde-dpm++2m", value_parser = clap::builder::PossibleValuesParser::new(unmelt_diffusion::solver::Solver::NAMES))]
    pub solver: String,
    /// Times that the steps visit: trailing (evenly spaced), karras, logsnr, or power:P (P above 1: finer towards the
    /// end)
    #[arg(long, default_value = "power:1.25")]
    pub grid: String,
    /// Temperature of atoms and bonds: below 1 likelier ones are drawn more often, which compensates for few steps (0.7
    /// with 25 steps)
    #[arg(long, default_value_t = 1.0)]
    pub temperature: f64,
    /// Seed: the same seed gives the same molecules, whatever the batch
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Molecules computed at a time; it changes speed and memory, not the molecules
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub batch: u64,
    /// Where to compute: cpu, cuda, cuda:N or wgpu
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
}

#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// Molecules: .sdf, .xyz, .parquet, or a folder of such files
    pub molecules: Option<PathBuf>,
    /// Generate the molecules instead: name of a built-in model, or the folder of a trained one
    #[arg(long)]
    pub model: Option<String>,
    /// How many molecules to generate
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,
    #[command(flatten)]
    pub sampling: Sampling,
    /// Molecules that do not count as novel, such as the training data
    #[arg(long)]
    pub reference: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Import {
    /// The program that the checkpoint is of
    #[arg(long, value_enum)]
    pub from: Source,
    /// The folder of the checkpoint: args.pickle with generative_model_ema.npy or generative_model.npy
    pub folder: PathBuf,
    /// Folder to write the model to [default: the checkpoint's folder]
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Mean and mean absolute deviation of a property in the training data, for a conditional checkpoint, which does not
    /// store them. May be given several times
    #[arg(long, value_name = "NAME=MEAN,MAD")]
    pub norm: Vec<unmelt_molecules::edm::PropertyNorm>,
    #[command(flatten)]
    pub writing: crate::outputs::Writing,
}

/// Programs whose checkpoints can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// Equivariant Diffusion for Molecule Generation in 3D (Hoogeboom et al. 2022)
    Edm,
}

#[derive(Debug, clap::Args)]
pub struct Train {
    /// Molecules to learn from: .parquet, .sdf, .xyz, or a folder of such files
    #[arg(long)]
    pub data: PathBuf,
    #[command(flatten)]
    pub run: crate::training::RunOptions,
}
