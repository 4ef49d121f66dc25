//! Parameters of a network: one flat vector on the device, and the names and shapes of its parts.
//!
//! One vector makes the optimiser, the EMA, gradient clipping and checkpoints a handful of operations on any
//! device, whatever the number of layers; a network sees its parts by name, as [`Weights`].

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::noise::{Noise, Stream};

/// How a tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Uniform in ±`bound`.
    Uniform(f64),
    /// A kernel `[C', C, k…]` that looks at the middle alone: uniform in ±`bound` there, 0 around it.
    Centre(f64),
}

/// One named tensor within the vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Name, as in the weights file.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// First element within the vector.
    pub offset: usize,
    /// How it starts.
    pub init: Init,
}

impl Entry {
    /// Number of elements; the largest number there is for a shape beyond it.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |count, n| count.saturating_mul(*n))
    }

    /// Whether the tensor has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Names and shapes of all tensors of a network, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    entries: Vec<Entry>,
    len: usize,
}

impl Layout {
    /// Adds a tensor.
    pub fn add(&mut self, name: impl Into<String>, shape: &[usize], init: Init) {
        let entry = Entry { name: name.into(), shape: shape.to_vec(), offset: self.len, init };
        self.len = self.len.saturating_add(entry.len());
        self.entries.push(entry);
    }

    /// Adds `name.weight` `[inputs, outputs]` and `name.bias`, uniform in ±1/√inputs (PyTorch's default).
    pub fn add_linear(&mut self, name: &str, inputs: usize, outputs: usize) {
        let bound = Init::Uniform(1.0 / (inputs as f64).sqrt());
        self.add(format!("{name}.weight"), &[inputs, outputs], bound);
        self.add(format!("{name}.bias"), &[outputs], bound);
    }

    /// Adds `name.weight` and `name.bias` of a norm.
    pub fn add_norm(&mut self, name: &str, width: usize) {
        self.add(format!("{name}.weight"), &[width], Init::Ones);
        self.add(format!("{name}.bias"), &[width], Init::Zeros);
    }

    /// Adds all tensors of another layout, `name.` before their names unless it is empty.
    pub fn add_all(&mut self, name: &str, other: &Self) {
        let dot = if name.is_empty() { "" } else { "." };
        other.entries.iter().for_each(|e| self.add(format!("{name}{dot}{}", e.name), &e.shape, e.init));
    }

    /// The tensors, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Number of parameters; the largest number there is for a network beyond it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Starting values for a seed.
    pub fn initial_values(&self, seed: u64) -> Vec<f32> {
        let noise = Noise::new(seed);
        let mut values = vec![0.0; self.len];
        for (k, entry) in self.entries.iter().enumerate() {
            let part = &mut values[entry.offset..entry.offset + entry.len()];
            match entry.init {
                Init::Zeros => {}
                Init::Ones => part.fill(1.0),
                Init::Uniform(bound) => {
                    noise.uniform(Stream::new(k as u64, u16::MAX, Stream::INITIAL), part);
                    part.iter_mut().for_each(|x| *x = (*x * 2.0 - 1.0) * bound as f32);
                }
                Init::Centre(bound) => {
                    let places = entry.shape.iter().skip(2).product::<usize>();
                    noise.uniform(Stream::new(k as u64, u16::MAX, Stream::INITIAL), part);
                    part.iter_mut().enumerate().for_each(|(i, x)| {
                        *x = if i % places == places / 2 { (*x * 2.0 - 1.0) * bound as f32 } else { 0.0 };
                    });
                }
            }
        }
        values
    }
}

/// A network's parameters on a device.
#[derive(Clone, Debug)]
pub struct Parameters {
    layout: Arc<Layout>,
    values: Tensor<1>,
}

impl Parameters {
    /// Puts values on a device (without gradients).
    ///
    /// # Panics
    /// If the number of values is not the layout's.
    pub fn new(layout: Arc<Layout>, values: Vec<f32>, device: &Device) -> Self {
        assert_eq!(values.len(), layout.len(), "one value per parameter");
        let shape = [values.len()];
        let values = Tensor::from_data(TensorData::new(values, shape), &device.clone().inner());
        Self { layout, values }
    }

    /// Names and shapes.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The vector.
    pub fn values(&self) -> Tensor<1> {
        self.values.clone()
    }

    /// Replaces the vector.
    pub fn set(&mut self, values: Tensor<1>) {
        self.values = values;
    }

    /// The vector on the host.
    pub fn to_vec(&self) -> Vec<f32> {
        to_vec(self.values.clone())
    }

    /// The parts by name, without gradients.
    pub fn weights(&self) -> Weights {
        self.parts(|part| part)
    }

    /// The parts by name, each a leaf of the gradient graph.
    pub fn tracked_weights(&self) -> Weights {
        self.parts(|part| part.autodiff().require_grad())
    }

    fn parts(&self, f: impl Fn(Tensor<1>) -> Tensor<1>) -> Weights {
        let part = |e: &Entry| {
            let values = self.values.clone().slice(e.offset..e.offset + e.len());
            (e.name.clone(), (e.shape.clone(), f(values)))
        };
        Weights { tensors: self.layout.entries.iter().map(part).collect() }
    }

    /// The gradient of every parameter as one vector; 0 for those that the loss does not depend on.
    pub fn gradient(&self, tracked: &Weights, gradients: &Gradients) -> Tensor<1> {
        let device = self.values.device();
        let parts = self.layout.entries.iter().map(|e| {
            let (_, tensor) = &tracked.tensors[&e.name];
            tensor.grad(gradients).unwrap_or_else(|| Tensor::zeros([e.len()], &device))
        });
        Tensor::cat(parts.collect(), 0)
    }
}

/// Tensors by name, as a network asks for them.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, (Vec<usize>, Tensor<1>)>,
}

impl Weights {
    /// Weights from flat tensors with their shapes.
    pub fn new(tensors: BTreeMap<String, (Vec<usize>, Tensor<1>)>) -> Self {
        Self { tensors }
    }

    /// The tensor of that name with `D` dimensions.
    pub fn get<const D: usize>(&self, name: &str) -> Result<Tensor<D>> {
        let missing = || Error::Weights { name: name.into(), fault: "have no tensor".into() };
        let (shape, tensor) = self.tensors.get(name).ok_or_else(missing)?;
        let shape: [usize; D] = shape.as_slice().try_into().map_err(|_| Error::Weights {
            name: name.into(),
            fault: format!("have shape {shape:?} instead of {D} dimensions"),
        })?;
        Ok(tensor.clone().reshape(shape))
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Checks that every tensor of a layout is there in its shape.
    pub fn check(&self, layout: &Layout) -> Result<()> {
        for entry in layout.entries() {
            let fault = |fault: String| Error::Weights { name: entry.name.clone(), fault };
            match self.tensors.get(&entry.name) {
                None => return Err(fault("have no tensor".into())),
                Some((shape, _)) if *shape != entry.shape => {
                    return Err(fault(format!("have shape {shape:?} instead of {:?}", entry.shape)));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The same tensors outside of the gradient graph.
    pub fn detached(&self) -> Self {
        let detach = |(name, (shape, tensor)): (&String, &(Vec<usize>, Tensor<1>))| {
            (name.clone(), (shape.clone(), tensor.clone().inner()))
        };
        Self { tensors: self.tensors.iter().map(detach).collect() }
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }
}

/// A tensor's elements on the host.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert_dtype(burn::tensor::DType::F32)
        .try_into_vec::<f32>()
        .expect("just converted to f32")
}
