//! The layers that both networks are made of.

use burn::tensor::Tensor;
use unmelt_diffusion::{Result, Weights};
use unmelt_kernels::{MlpWeights, layer_norm, mlp};

/// x·W + b, with W `[in, out]`.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub(super) weight: Tensor<2>,
    pub(super) bias: Tensor<1>,
}

impl Linear {
    pub(super) fn bind(weights: &Weights, name: &str) -> Result<Self> {
        Ok(Self {
            weight: weights.get(&format!("{name}.weight"))?,
            bias: weights.get(&format!("{name}.bias"))?,
        })
    }

    /// From a weight `[out, in]`, as PyTorch stores it.
    pub(super) fn bind_transposed(weights: &Weights, name: &str) -> Result<Self> {
        let Self { weight, bias } = Self::bind(weights, name)?;
        // In the memory's order, which the factor sees to: a product with a transposed view rounds each row in a way that
        // depends on how many rows there are.
        Ok(Self { weight: weight.transpose().mul_scalar(1.0), bias })
    }

    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let rows = x.dims()[0];
        // A product of one row takes another path and rounds differently; a row must not depend on its company.
        let x = if rows == 1 { Tensor::cat(vec![x.clone(), x], 0) } else { x };
        (x.matmul(self.weight.clone()) + self.bias.clone().unsqueeze()).narrow(0, 0, rows)
    }
}

/// Two linear layers with SiLU between them, behind a norm if there is one.
#[derive(Clone, Debug)]
pub(super) struct Mlp(MlpWeights);

impl Mlp {
    pub(super) fn bind(weights: &Weights, name: &str, norm: Option<&str>) -> Result<Self> {
        let pair = |name: &str| -> Result<(Tensor<1>, Tensor<1>)> {
            Ok((weights.get(&format!("{name}.weight"))?, weights.get(&format!("{name}.bias"))?))
        };
        Ok(Self(MlpWeights {
            norm: norm.map(pair).transpose()?,
            first: weights.get(&format!("{name}.0.weight"))?,
            first_bias: weights.get(&format!("{name}.0.bias"))?,
            second: weights.get(&format!("{name}.1.weight"))?,
            second_bias: weights.get(&format!("{name}.1.bias"))?,
        }))
    }

    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        mlp(x, &self.0)
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
        layer_norm(x, self.weight.clone(), self.bias.clone())
    }
}
