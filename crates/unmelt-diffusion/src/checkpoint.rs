//! Models on disk: `model.safetensors` and the card `model.json` that says what it is.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::condition::ConditionSpec;
use crate::domain::Field;
use crate::error::{Error, Result};
use crate::files::limits::{limits, within};
pub use crate::model_files::{CARD_FILE, ModelFiles, WEIGHTS_FILE, WeightsRecord, sha256};
use crate::parameters::{Entry, Layout, Weights};

/// The version of the card's format that this program writes.
pub const CARD_FORMAT: u32 = 2;

/// The version of cards that do not say one. They have no conditions, and the name alone of a model that the training began with.
const FIRST_FORMAT: u32 = 1;

fn first_format() -> u32 {
    FIRST_FORMAT
}

/// Most bytes of a model's name, which stands in the title of every molecule.
const MOST_NAME: usize = 200;

/// Most samples or steps that a training can have seen.
const MOST_SEEN: u64 = 1 << 53;

/// What a model is: all that is needed to use it, and where it comes from. `M` is the part of its domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card<M> {
    /// Version of this format.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Name of the model.
    pub name: String,
    /// One sentence on what it does and what it does not.
    pub description: String,
    /// Architecture, processes and data statistics.
    pub model: M,
    /// What the network can be told besides its noisy input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionSpec>,
    /// Where the weights come from.
    pub provenance: Provenance,
    /// The weights that belong to this card.
    pub weights: WeightsRecord,
}

impl<M> Card<M> {
    fn check_conditions(&self) -> Result<()> {
        let part = Field::new("conditions");
        for (k, condition) in self.conditions.iter().enumerate() {
            condition.check(&part.field(k))?;
            if self.conditions[..k].iter().any(|other| other.name == condition.name) {
                return Err(part.field(k).field("name").fault("must be a name of its own"));
            }
        }
        Ok(())
    }
}

/// Where weights come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The program and version that trained them.
    pub trained_by: String,
    /// The data, with source and licence.
    pub data: String,
    /// The model whose weights the training began with, if any; what follows counts from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_with: Option<BeganWith>,
    /// Training samples seen.
    pub samples_seen: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Time spent training, in minutes.
    pub minutes: f64,
    /// Measured quality, by name.
    #[serde(default)]
    pub measured: BTreeMap<String, f64>,
    /// How it was measured.
    #[serde(default)]
    pub protocol: String,
}

/// A model whose weights a training began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct BeganWith {
    /// Name of the model.
    pub name: String,
    /// SHA-256 of its weights, in hexadecimal; empty on older cards, which do not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

impl BeganWith {
    /// The model of a card.
    pub fn of<M>(card: &Card<M>) -> Self {
        Self { name: card.name.clone(), sha256: card.weights.sha256.clone() }
    }
}

/// [`BeganWith`] as it can stand in a file; older cards have the name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Whole(NameAndDigest),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameAndDigest {
    name: String,
    #[serde(default)]
    sha256: String,
}

impl From<Written> for BeganWith {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(name) => Self { name, sha256: String::new() },
            Written::Whole(NameAndDigest { name, sha256 }) => Self { name, sha256 },
        }
    }
}

/// Checks the name of a model: letters on one line, at most 200 bytes of them.
pub fn check_name(name: &str) -> Result<()> {
    match name.trim().is_empty() || name.len() > MOST_NAME || name.contains(char::is_control) {
        true => {
            Err(Error::setting("name", "some letters on one line, at most 200 bytes", format!("{name:?}")))
        }
        false => Ok(()),
    }
}

impl Provenance {
    /// Checks the numbers: a later training adds its own to them.
    fn check(&self) -> Result<()> {
        let part = Field::new("provenance");
        part.whole("samples_seen", self.samples_seen, 0..=MOST_SEEN)?;
        part.whole("steps", self.steps, 0..=MOST_SEEN)?;
        part.number("minutes", self.minutes, 0.0..=1e12)?;
        let measured = part.field("measured");
        self.measured.iter().try_for_each(|(name, value)| measured.number(name, *value, -1e15..=1e15))
    }
}

impl ModelFiles {
    /// The card: known keys only, known format. Cards of an earlier format come as those of the present one.
    pub fn card<M: DeserializeOwned>(&self) -> Result<Card<M>> {
        self.checked_card(|_| Ok(()))
    }

    /// The card with the part of its domain checked; an error of `check` is told as a fault of the card's file.
    pub fn checked_card<M: DeserializeOwned>(&self, check: impl FnOnce(&M) -> Result<()>) -> Result<Card<M>> {
        let path = self.origin.join(CARD_FILE);
        let fault = |fault: String| Error::Model { part: "model card", path: path.clone(), fault };
        within(limits().card_bytes, "card_bytes", self.card.len() as u64, &path.display().to_string())?;
        let mut json = serde_json::Deserializer::from_slice(&self.card);
        let mut card: Card<M> =
            serde_path_to_error::deserialize(&mut json).map_err(|e| fault(e.to_string()))?;
        json.end().map_err(|e| fault(e.to_string()))?;
        if !(FIRST_FORMAT..=CARD_FORMAT).contains(&card.format) {
            let versions =
                format!("its format is {}, this program reads {FIRST_FORMAT} to {CARD_FORMAT}", card.format);
            return Err(fault(versions));
        }
        card.format = CARD_FORMAT;
        check_name(&card.name).map_err(|e| fault(e.to_string()))?;
        card.check_conditions()
            .and_then(|()| card.provenance.check())
            .and_then(|()| check(&card.model))
            .map_err(|e| fault(e.to_string()))?;
        Ok(card)
    }

    /// The weights, checked against the card's hash.
    pub fn weights<M>(&self, card: &Card<M>, device: &Device) -> Result<Weights> {
        read_weights(&self.weights, &self.checked_weights(card)?, device)
    }

    /// The weights as values of a layout, checked against the card's hash.
    pub fn values<M>(&self, card: &Card<M>, layout: &Layout) -> Result<Vec<f32>> {
        values_in_layout(layout, &read_arrays(&self.weights, &self.checked_weights(card)?)?)
    }

    /// The path of the weights for messages, if they are those that the card belongs to.
    fn checked_weights<M>(&self, card: &Card<M>) -> Result<PathBuf> {
        let path = self.origin.join(WEIGHTS_FILE);
        let found = sha256(&self.weights);
        if found != card.weights.sha256 {
            let fault = format!(
                "its SHA-256 starts with {}, the card wants {}; the file is truncated, altered or of another model",
                &found[..12],
                card.weights.sha256.get(..12).unwrap_or(&card.weights.sha256),
            );
            return Err(Error::Model { part: "weights file", path, fault });
        }
        Ok(path)
    }
}

/// Width of the numbers in a weights file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Matrices and kernels in whole numbers of 8 bits with a scale for each row, which stand beside them as `NAME.scale`; the rest in
    /// 16 bits.
    Byte,
    /// 16 bits: enough to use a model.
    Half,
    /// 32 bits: what training goes on from.
    Single,
}

/// The bytes of a safetensors file with every tensor of a layout.
pub fn weights_bytes(
    layout: &Layout,
    values: &[f32],
    precision: Precision,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>> {
    let stored: Vec<Stored> = layout
        .entries()
        .iter()
        .flat_map(|e| Stored::of(e, &values[e.offset..e.offset + e.len()], precision))
        .collect();
    let broken = |e: safetensors::SafeTensorError| Error::Weights {
        name: "the file".into(),
        fault: format!("cannot be written ({e})"),
    };
    let views = stored
        .iter()
        .map(|s| Ok((&s.name, TensorView::new(s.dtype, s.shape.clone(), &s.data).map_err(broken)?)))
        .collect::<Result<Vec<_>>>()?;
    safetensors::serialize(views, metadata).map_err(broken)
}

/// A tensor as it stands in a file.
struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// What the names of scales end with.
const SCALE: &str = ".scale";

impl Stored {
    /// A tensor of a layout, with its scales behind it where it has some.
    fn of(entry: &Entry, values: &[f32], precision: Precision) -> Vec<Self> {
        let stored = |dtype, data| Self { name: entry.name.clone(), dtype, shape: entry.shape.clone(), data };
        match precision {
            Precision::Byte if entry.shape.len() > 1 && !entry.is_empty() => {
                let rows = values.chunks_exact(values.len() / entry.shape[0]);
                let scales: Vec<f32> = rows.clone().map(scale_of_row).collect();
                let whole =
                    rows.zip(&scales).flat_map(|(row, s)| row.iter().map(|x| byte(*x, *s).cast_unsigned()));
                let whole = stored(Dtype::I8, whole.collect());
                let data = scales.iter().flat_map(|x| x.to_le_bytes()).collect();
                let name = format!("{}{SCALE}", entry.name);
                vec![whole, Self { name, dtype: Dtype::F32, shape: vec![scales.len()], data }]
            }
            Precision::Byte | Precision::Half => {
                let data = values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes());
                vec![stored(Dtype::F16, data.collect())]
            }
            Precision::Single => {
                vec![stored(Dtype::F32, values.iter().flat_map(|x| x.to_le_bytes()).collect())]
            }
        }
    }
}

/// A number as a multiple of a scale.
fn byte(x: f32, scale: f32) -> i8 {
    (x / scale).round().clamp(-127.0, 127.0) as i8
}

/// The scale of a row with the least squared error: its largest number, or some less, so that many are exacter and a few cut off.
fn scale_of_row(row: &[f32]) -> f32 {
    let largest = row.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    if largest == 0.0 {
        return 1.0;
    }
    let error =
        |scale: f32| row.iter().map(|x| (x - f32::from(byte(*x, scale)) * scale).powi(2)).sum::<f32>();
    let scales = (0..10).map(|k| largest * (1.0 - 0.05 * k as f32) / 127.0);
    scales.min_by(|a, b| error(*a).total_cmp(&error(*b))).unwrap_or(largest / 127.0)
}

/// Tensors of a safetensors file (f16, bf16, f32, f64 or [scaled bytes](Precision::Byte)) as f32 on a device; `path` is for messages.
pub fn read_weights(bytes: &[u8], path: &Path, device: &Device) -> Result<Weights> {
    let tensors = read_arrays(bytes, path)?
        .into_iter()
        .map(|(name, (shape, values))| {
            let count = values.len();
            let tensor = Tensor::<1>::from_data(TensorData::new(values, [count]), device);
            (name, (shape, tensor))
        })
        .collect();
    Ok(Weights::new(tensors))
}

/// Tensors by name, each with its shape.
pub type Arrays = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Tensors of a safetensors file on the host, as f32.
pub fn read_arrays(bytes: &[u8], path: &Path) -> Result<Arrays> {
    let fault = |fault: String| Error::Model { part: "weights file", path: path.into(), fault };
    let file = SafeTensors::deserialize(bytes).map_err(|e| fault(e.to_string()))?;
    // A checkpoint holds each parameter four times, and weights of 8 bits have scales beside them.
    let count = file.iter().map(|(_, view)| view.shape().iter().product::<usize>() as u64).sum::<u64>();
    within(limits().parameters, "parameters", count / 5, &path.display().to_string())?;
    let mut arrays = file
        .iter()
        .map(|(name, view)| {
            let values = floats(name, view.dtype(), view.data()).map_err(fault)?;
            Ok((name.to_string(), (view.shape().to_vec(), values)))
        })
        .collect::<Result<Arrays>>()?;
    for (name, _) in file.iter().filter(|(_, view)| view.dtype() == Dtype::I8) {
        scale_rows(name, &mut arrays).map_err(fault)?;
    }
    Ok(arrays)
}

/// Multiplies the rows of a tensor by its scales, which are taken away.
fn scale_rows(name: &str, arrays: &mut Arrays) -> std::result::Result<(), String> {
    let scales = arrays.remove(&format!("{name}{SCALE}"));
    let (shape, values) = arrays.get_mut(name).ok_or_else(|| format!("tensor {name} stands there twice"))?;
    let rows = shape.first().copied().unwrap_or(0);
    let (_, scales) = scales
        .filter(|(shape, _)| rows > 0 && *shape == [rows])
        .ok_or_else(|| format!("tensor {name} has no scale for each of its rows"))?;
    let columns = values.len() / rows;
    values.iter_mut().enumerate().for_each(|(k, x)| *x *= scales[k / columns.max(1)]);
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(format!("tensor {name} has scales that make its numbers infinite")),
    }
}

/// The numbers of a tensor, little-endian, as f32; or what is wrong with it.
pub fn floats(name: &str, dtype: Dtype, data: &[u8]) -> std::result::Result<Vec<f32>, String> {
    let values: Vec<f32> = match dtype {
        Dtype::F16 => words(data).map(|b| f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => words(data).map(|b| half::bf16::from_le_bytes(b).to_f32()).collect(),
        Dtype::F32 => words(data).map(f32::from_le_bytes).collect(),
        Dtype::F64 => words(data).map(|b| f64::from_le_bytes(b) as f32).collect(),
        Dtype::I8 => data.iter().map(|b| f32::from(b.cast_signed())).collect(),
        Dtype::I64 => words(data).map(|b| i64::from_le_bytes(b) as f32).collect(),
        other => return Err(format!("tensor {name} has the type {other:?}, want a float")),
    };
    if values.iter().any(|x| !x.is_finite()) {
        return Err(format!("tensor {name} holds a number that is not finite"));
    }
    Ok(values)
}

fn words<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    data.chunks_exact(N).map(|chunk| chunk.try_into().expect("chunks have this length"))
}

/// The values of a layout from arrays by name: every name and shape must match, none may be left over.
pub fn values_in_layout(layout: &Layout, arrays: &Arrays) -> Result<Vec<f32>> {
    // Memory is taken only once every tensor is known to be there.
    let mut found = Vec::with_capacity(layout.entries().len());
    for entry in layout.entries() {
        let fault = |fault: String| Error::Weights { name: entry.name.clone(), fault };
        let (shape, data) = arrays.get(&entry.name).ok_or_else(|| fault("have no tensor".into()))?;
        if *shape != entry.shape {
            return Err(fault(format!("have shape {shape:?} instead of {:?}", entry.shape)));
        }
        found.push((entry, data));
    }
    if let Some(name) = arrays.keys().find(|n| layout.entries().iter().all(|e| e.name != **n)) {
        return Err(Error::Weights { name: name.clone(), fault: "have a tensor that nothing wants".into() });
    }
    let mut values = vec![0.0; layout.len()];
    for (entry, data) in found {
        values[entry.offset..entry.offset + entry.len()].copy_from_slice(data);
    }
    Ok(values)
}
