//! Import of EDM's checkpoints: `args.pickle` and `generative_model_ema.npy`, which is a file of PyTorch, in; a model folder
//! out. Neither file is executed.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use pytorch_reader::{DType, PytorchReader};
use safetensors::Dtype;
use unmelt_diffusion::built_in::PROGRAM;
use unmelt_diffusion::checkpoint::{
    Arrays, CARD_FORMAT, Card, ModelFiles, Precision, Provenance, WeightsRecord, check_name, floats,
    values_in_layout,
};
use unmelt_diffusion::domain::Field;
use unmelt_diffusion::files::contained;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::model_folder::write_model;
use unmelt_diffusion::{Layout, Schedule};

use super::EdmModel;
use super::args::Args;
use super::datasets::Dataset;
use crate::{Error, MoleculeModel, Property, PropertySource, Result};

/// The tensor of the schedule.
const GAMMA: &str = "gamma.gamma";

/// Largest difference of α² between EDM's own schedule, which it keeps in 32 bits, and ours.
const SCHEDULE_TOLERANCE: f64 = 1e-4;

/// How the values of a property are made ready for a conditional network. EDM computes it from its training data and does
/// not store it.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyNorm {
    name: String,
    mean: f64,
    deviation: f64,
}

impl FromStr for PropertyNorm {
    type Err = String;

    /// Reads "alpha=75.3,6.3": name, mean and mean absolute deviation.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is no norm; write name, mean and mean absolute deviation, as in alpha=75.3,6.3"
            )
        };
        let (name, numbers) = text.split_once('=').ok_or_else(wrong)?;
        let (mean, deviation) = numbers.split_once(',').ok_or_else(wrong)?;
        let number = |t: &str| t.trim().parse::<f64>().map_err(|_| wrong());
        Self::new(name.trim(), number(mean)?, number(deviation)?).ok_or_else(wrong)
    }
}

impl PropertyNorm {
    /// The mean and the mean absolute deviation of a property; none unless both are finite and the second above 0.
    pub fn new(name: &str, mean: f64, deviation: f64) -> Option<Self> {
        let usable = mean.is_finite() && deviation.is_finite() && deviation > 0.0;
        usable.then(|| Self { name: name.into(), mean, deviation })
    }

    fn property(&self) -> Property {
        let unit = match self.name.as_str() {
            "mu" => "D",
            "alpha" => "Bohr³",
            "gap" | "homo" | "lumo" => "eV",
            "Cv" => "cal/(mol K)",
            _ => "",
        };
        // Mean absolute deviations are about 0.8 standard deviations; no more is known of the range.
        let range = [self.mean - 5.0 * self.deviation, self.mean + 5.0 * self.deviation];
        let (name, column) = (self.name.clone(), self.name.clone());
        let source = PropertySource { name, column, minus: None, unit: unit.into() };
        Property { source, mean: self.mean, deviation: self.deviation, range }
    }
}

/// An import.
#[derive(Clone, Debug)]
pub struct EdmImport {
    /// The folder with `args.pickle` and the weights.
    pub folder: PathBuf,
    /// Norms of the properties, for a conditional checkpoint.
    pub norms: Vec<PropertyNorm>,
}

impl EdmImport {
    /// Writes the model's folder; returns its card.
    pub fn write(&self, output: &Path) -> Result<Card<MoleculeModel>> {
        let args = Args::read(&self.folder)?;
        let path = self.checkpoint(&args)?;
        let dataset = Dataset::find(&args.dataset, args.remove_h)?;
        let fault = |fault: String| Error::Format { kind: "EDM checkpoint", path: path.clone(), fault };
        let elements = dataset.elements();
        // A placeholder until the checkpoint's own schedule is read; every other number is checked before that.
        let mut model = EdmModel {
            atomic_number: args.include_charges,
            sizes: dataset.sizes,
            heavy_atoms: dataset.heavy_atoms,
            scales: args.normalize_factors,
            network: args.network(elements.len()),
            schedule: args.named_schedule().unwrap_or(Schedule::COSINE),
            properties: self.properties(&args)?,
            elements,
        };
        model.check(&Field::new("the settings:")).map_err(|e| fault(e.to_string()))?;
        let layout = model.network.layout();
        let mut arrays = read_arrays(&path, &layout)?;
        model.schedule = schedule(&args, arrays.remove(GAMMA)).map_err(fault)?;
        model.schedule.build().map_err(|e| fault(e.to_string()))?;
        let values = values_in_layout(&layout, &arrays).map_err(|e| fault(e.to_string()))?;
        let name = self.folder.file_name().map(|n| n.to_string_lossy().into_owned());
        let name = name.filter(|n| check_name(n).is_ok()).unwrap_or_else(|| "edm".into());
        let card = Card {
            format: CARD_FORMAT,
            conditions: model.conditions(),
            name,
            description:
                "EDM (Hoogeboom et al. 2022): generates elements and positions; bonds are guessed from the \
                          distances of the finished molecule."
                    .into(),
            model: MoleculeModel::Edm(Box::new(model)),
            provenance: Provenance {
                trained_by: format!("EDM, {} epochs; imported by {PROGRAM}", args.current_epoch),
                data: args.dataset.clone(),
                ..Provenance::default()
            },
            weights: WeightsRecord::default(),
        };
        write_model(output, &card, &layout, &values, Precision::Single)?;
        MoleculeModel::card(&ModelFiles::read(output)?)
    }

    /// The file of the checkpoint that is there.
    fn checkpoint(&self, args: &Args) -> Result<PathBuf> {
        let files = args.checkpoints();
        files.iter().map(|f| self.folder.join(f)).find(|p| p.is_file()).ok_or_else(|| {
            Error::Request(format!(
                "{} holds neither {} nor {}, the weights of EDM",
                self.folder.display(),
                files[0],
                files[1]
            ))
        })
    }

    fn properties(&self, args: &Args) -> Result<Vec<Property>> {
        if let Some(norm) = self.norms.iter().find(|n| !args.conditioning.contains(&n.name)) {
            let known = args.conditioning.join(", ");
            let known = if known.is_empty() { "on no property".into() } else { format!("on {known}") };
            return Err(Error::Request(format!(
                "the checkpoint is conditioned {known}, not on {}, whose norm was given",
                norm.name
            )));
        }
        let twice =
            self.norms.iter().enumerate().find(|(k, n)| self.norms[..*k].iter().any(|o| o.name == n.name));
        if let Some((_, norm)) = twice {
            return Err(Error::Request(format!("the norm of {} is given twice", norm.name)));
        }
        let norm = |name: &String| {
            let found = self.norms.iter().find(|n| n.name == *name);
            found.map(PropertyNorm::property).ok_or_else(|| {
                Error::Request(format!(
                    "the checkpoint is conditioned on {name} and does not store how its values are normalised; give \
                     the norm {name}=MEAN,MAD with the mean and the mean absolute deviation of its training data"
                ))
            })
        };
        args.conditioning.iter().map(norm).collect()
    }
}

/// The schedule of a checkpoint: by its name where that agrees with γ = −ln(α²/σ²) of the file, else the file's.
fn schedule(args: &Args, gamma: Option<(Vec<usize>, Vec<f32>)>) -> std::result::Result<Schedule, String> {
    let named = args.named_schedule();
    let Some((_, gamma)) = gamma else {
        return named.ok_or_else(|| "it holds no schedule (gamma.gamma)".into());
    };
    let own: Vec<f64> = gamma.iter().map(|g| 1.0 / (1.0 + f64::from(*g).exp())).collect();
    let Some(named) = named else {
        return Ok(Schedule::Tabulated { alphas_cumprod: own, starts_at_zero: true });
    };
    // Checked first, for its table has as many entries as the settings say.
    let table = named
        .build()
        .map_err(|e| format!("its schedule: {e}"))?
        .alphas_cumprod()
        .unwrap_or_default()
        .to_vec();
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < SCHEDULE_TOLERANCE;
    if table.len() == own.len() && table.iter().zip(&own).all(near) {
        Ok(named)
    } else {
        Err("its schedule (gamma.gamma) is not the one that args.pickle names".into())
    }
}

/// The tensors of a PyTorch file that a layout wants, and the schedule's, as f32. The reader is another project's and runs
/// contained; no tensor is unpacked that does not have the shape that is wanted.
fn read_arrays(path: &Path, layout: &Layout) -> Result<Arrays> {
    let length = std::fs::metadata(path).map_err(Error::file("read", path))?.len();
    within(limits().input_bytes, "input_bytes", length, &path.display().to_string())?;
    let read = contained(&path.display().to_string(), || wanted_arrays(path, layout))?;
    read.map_err(|fault| Error::Format { kind: "EDM checkpoint", path: path.into(), fault })
}

fn wanted_arrays(path: &Path, layout: &Layout) -> std::result::Result<Arrays, String> {
    let reader = PytorchReader::new(path).map_err(|e| e.to_string())?;
    let mut tensors: Vec<_> = reader.tensors().iter().collect();
    tensors.sort_by_key(|(name, _)| *name);
    let mut arrays = Arrays::new();
    for (name, tensor) in tensors {
        let name = name.strip_prefix("module.").unwrap_or(name);
        // Of EDM's, it says where its tensors are.
        if name == "buffer" {
            continue;
        }
        check_shape(name, tensor.shape(), layout)?;
        let dtype = match tensor.dtype() {
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::F32 => Dtype::F32,
            DType::F64 => Dtype::F64,
            other => return Err(format!("tensor {name} has the type {other:?}, want a float")),
        };
        let bytes = tensor.read().map_err(|e| e.to_string())?;
        arrays.insert(name.into(), (tensor.shape().to_vec(), floats(name, dtype, &bytes)?));
    }
    Ok(arrays)
}

/// Checks that a tensor is wanted, in its shape.
fn check_shape(name: &str, shape: &[usize], layout: &Layout) -> std::result::Result<(), String> {
    if name == GAMMA {
        let count = shape.iter().fold(1usize, |count, n| count.saturating_mul(*n)) as u64;
        // There is one entry more than steps.
        return within(limits().steps, "steps", count.saturating_sub(1), "its schedule")
            .map_err(|e| e.to_string());
    }
    match layout.entries().iter().find(|e| e.name == name) {
        Some(entry) if entry.shape == shape => Ok(()),
        Some(entry) => Err(format!("its tensor {name} has shape {shape:?} instead of {:?}", entry.shape)),
        None => Err(format!(
            "it has the tensor {name}, which the network that its settings describe does not want"
        )),
    }
}
