//! The layers that both networks are made of.

use burn::tensor::Tensor;
use unmelt_diffusion::{Result, Weights};
use unmelt_kernels::silu;

/// x·W + b, with W `[in, out]`.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    weight: Tensor<2>,
    bias: Tensor<1>,
}

impl Linear {
    pub(super) fn bind(weights: &Weights, name: &str) -> Result<Self> {
        Ok(Self {
            weight: weights.get(&format!("{name}.weight"))?,
            bias: weights.get(&format!("{name}.bias"))?,
        })
    }

    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.clone()) + self.bias.clone().unsqueeze()
    }
}

/// Two linear layers with SiLU between them.
#[derive(Clone, Debug)]
pub(super) struct Mlp {
    first: Linear,
    second: Linear,
}

impl Mlp {
    pub(super) fn bind(weights: &Weights, name: &str) -> Result<Self> {
        Ok(Self {
            first: Linear::bind(weights, &format!("{name}.0"))?,
            second: Linear::bind(weights, &format!("{name}.1"))?,
        })
    }

    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.second.forward(silu(self.first.forward(x)))
    }
}

/// Layer norm over the last dimension.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    weight: Tensor<1>,
    bias: Tensor<1>,
}

impl Norm {
    pub(super) fn bind(weights: &Weights, name: &str) -> Result<Self> {
        Ok(Self {
            weight: weights.get(&format!("{name}.weight"))?,
            bias: weights.get(&format!("{name}.bias"))?,
        })
    }

    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mean = x.clone().mean_dim(1);
        let centred = x - mean;
        let variance = centred.clone().powi_scalar(2).mean_dim(1);
        let unit = centred / (variance + 1e-5).sqrt();
        unit * self.weight.clone().unsqueeze() + self.bias.clone().unsqueeze()
    }
}
