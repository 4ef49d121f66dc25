//! A part of a network: its tensors by the names that follow its own.

use burn::tensor::Tensor;
use unmelt_diffusion::{Init, Layout, Weights};
use unmelt_kernels::{ConvNorm, ConvStep, ConvWeights, conv};

use crate::Result;

/// Weights under a name.
#[derive(Clone)]
pub(super) struct Part<'a> {
    pub weights: &'a Weights,
    pub name: String,
    /// Spatial dimensions: 1, 2 or 3.
    pub dims: usize,
}

impl Part<'_> {
    pub fn at(&self, child: &str) -> Self {
        Self { name: join(&self.name, child), ..self.clone() }
    }

    pub fn has(&self, child: &str) -> bool {
        self.weights.contains(&join(&self.name, child))
    }

    pub fn tensor<const D: usize>(&self, child: &str) -> Result<Tensor<D>> {
        Ok(self.weights.get(&join(&self.name, child))?)
    }

    /// `x·Wᵀ + b` over the last dimension; b is optional.
    pub fn linear<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>> {
        let y = x.matmul(self.tensor::<2>("weight")?.transpose().unsqueeze());
        Ok(if self.has("bias") { y + self.tensor::<1>("bias")?.unsqueeze() } else { y })
    }

    /// Scale and shift of a group norm.
    pub fn norm(&self, groups: usize, epsilon: f64, silu: bool) -> Result<ConvNorm> {
        let (scale, shift) = (self.tensor("weight")?, self.tensor("bias")?);
        Ok(ConvNorm { scale, shift, groups, epsilon: epsilon as f32, silu })
    }

    /// Kernel `[C', C, k…]` as `[C', C, kd, kh, kw]`.
    pub fn kernel(&self) -> Result<Tensor<5>> {
        Ok(match self.dims {
            1 => {
                let kernel = self.tensor::<3>("weight")?;
                let [o, i, w] = kernel.dims();
                kernel.reshape([o, i, 1, 1, w])
            }
            2 => {
                let kernel = self.tensor::<4>("weight")?;
                let [o, i, h, w] = kernel.dims();
                kernel.reshape([o, i, 1, h, w])
            }
            _ => self.tensor("weight")?,
        })
    }

    /// The convolution `self`, behind a norm if there is one, with a bias of each sample added if there is one.
    pub fn conv(
        &self,
        x: Tensor<5>,
        norm: Option<&ConvNorm>,
        sample_bias: Option<Tensor<2>>,
        step: ConvStep,
    ) -> Result<Tensor<5>> {
        let bias = self.tensor::<1>("bias")?.unsqueeze::<2>();
        let bias = match sample_bias {
            Some(of_sample) => of_sample + bias,
            None => bias,
        };
        Ok(conv(x, norm, &ConvWeights { kernel: self.kernel()?, bias }, step))
    }
}

pub(super) fn join(name: &str, child: &str) -> String {
    if name.is_empty() { child.into() } else { format!("{name}.{child}") }
}

/// Adds `name.weight` `[outputs, inputs]` and `name.bias`, as PyTorch stores and starts them.
pub(super) fn add_linear(layout: &mut Layout, name: &str, inputs: usize, outputs: usize, bias: bool) {
    let bound = Init::Uniform(1.0 / (inputs as f64).sqrt());
    layout.add(format!("{name}.weight"), &[outputs, inputs], bound);
    if bias {
        layout.add(format!("{name}.bias"), &[outputs], bound);
    }
}

/// Adds a convolution's `name.weight` and `name.bias`, which starts by looking at the middle of its kernel alone: so
/// what is fine in the input gets through unmixed, and a denoiser learns from its first steps.
pub(super) fn add_centred_conv(
    layout: &mut Layout,
    name: &str,
    [inputs, outputs]: [usize; 2],
    kernel: &[usize],
) {
    let bound = (3.0 / inputs as f64).sqrt();
    layout.add(format!("{name}.weight"), &[&[outputs, inputs], kernel].concat(), Init::Centre(bound));
    layout.add(format!("{name}.bias"), &[outputs], Init::Zeros);
}

/// Adds a convolution's `name.weight` and `name.bias`; all 0 where `zero`.
pub(super) fn add_conv(
    layout: &mut Layout,
    name: &str,
    [inputs, outputs]: [usize; 2],
    kernel: &[usize],
    zero: bool,
) {
    let fan = (inputs * kernel.iter().product::<usize>()) as f64;
    let init = if zero { Init::Zeros } else { Init::Uniform(1.0 / fan.sqrt()) };
    let shape = [&[outputs, inputs], kernel].concat();
    layout.add(format!("{name}.weight"), &shape, init);
    layout.add(format!("{name}.bias"), &[outputs], init);
}
