//! Convolution over one, two or three dimensions, channels last, with what surrounds it in a residual U-Net.
//!
//! ```text
//! a = upsample(silu(group_norm(x)))        each of the three only where asked for
//! y = a ⋆ W + b                            kernel 1 or 3 per dimension, stride 1 or 2, same padding
//! ```
//!
//! x is `[N, D, H, W, C]`; fewer dimensions are a D or H of 1 with a kernel of 1. The window of a padded row
//! along W is a matrix whose rows overlap in memory, so kd·kh products of `[voxels, kw·C]` by `[kw·C, C']` make
//! the convolution without an unfolded copy. Norm and activation happen while rows are copied into the padded
//! tile of a thread, and again in the backward pass: nothing of the size of the input is kept but x itself.

mod autodiff;
mod backward;
#[cfg(any(feature = "cuda", test))]
mod composed;
#[cfg(feature = "cuda")]
mod cuda;
mod forward;
mod group_norm;
mod kernel_order;
#[cfg(any(feature = "cuda", test))]
mod products;
mod shape;
mod tile;
mod winograd;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, module};

pub use shape::ConvStep;

/// Group norm on the input, and whether SiLU follows it.
#[derive(Clone, Debug)]
pub struct ConvNorm {
    /// Scale, `[C]`.
    pub scale: Tensor<1>,
    /// Shift, `[C]`.
    pub shift: Tensor<1>,
    /// Number of groups; a divisor of C.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether SiLU follows.
    pub silu: bool,
}

/// Kernel and bias.
#[derive(Clone, Debug)]
pub struct ConvWeights {
    /// W, `[C', C, kd, kh, kw]`, each k 1 or 3.
    pub kernel: Tensor<5>,
    /// b, `[1, C']`, or `[N, C']` for a bias of each sample.
    pub bias: Tensor<2>,
}

/// The convolution of `x` `[N, D, H, W, C]`, in one fused pass where the device has one; `[N, D', H', W', C']`.
///
/// # Panics
/// If a shape does not fit the others.
pub fn conv(x: Tensor<5>, norm: Option<&ConvNorm>, weights: &ConvWeights, step: ConvStep) -> Tensor<5> {
    if !(crate::is_flex(&x.device()) || crate::is_cuda(&x.device())) {
        return conv_plain(x, norm, weights, step);
    }
    let device = weights.bias.device();
    let setting = NormSetting::of(norm);
    let (scale, shift) = match norm {
        Some(n) => (n.scale.clone(), n.shift.clone()),
        None => (Tensor::zeros([1], &device), Tensor::zeros([1], &device)),
    };
    let tensors = ConvTensors {
        x: x.into_dispatch(),
        scale: scale.into_dispatch(),
        shift: shift.into_dispatch(),
        kernel: weights.kernel.clone().into_dispatch(),
        bias: weights.bias.clone().into_dispatch(),
    };
    Tensor::from_dispatch(<Dispatch as ConvOps>::fused_conv(tensors, setting, step))
}

/// The convolution as a composition of burn operations: its definition, and what devices without a fused pass run.
pub fn conv_plain(x: Tensor<5>, norm: Option<&ConvNorm>, weights: &ConvWeights, step: ConvStep) -> Tensor<5> {
    let [_, _, kd, kh, kw] = weights.kernel.dims();
    let x = match norm {
        Some(norm) => group_norm(x, norm),
        None => x,
    };
    let x = repeat_voxels(x, step.upsample).permute([0, 4, 1, 2, 3]);
    let padding = [kd / 2, kh / 2, kw / 2];
    let options = ConvOptions::new(step.stride, padding, [1, 1, 1], 1);
    let y = module::conv3d(x, weights.kernel.clone(), None, options).permute([0, 2, 3, 4, 1]);
    let [n, channels] = weights.bias.dims();
    y + weights.bias.clone().reshape([n, 1, 1, 1, channels])
}

/// Group norm of x `[N, D, H, W, C]`, and SiLU where the norm has it.
pub fn group_norm(x: Tensor<5>, norm: &ConvNorm) -> Tensor<5> {
    let dims = x.dims();
    let [n, d, h, w, c] = dims;
    let grouped = x.reshape([n, d * h * w, norm.groups, c / norm.groups]);
    let mean = |x: Tensor<4>| x.mean_dim(3).mean_dim(1);
    let centred = grouped.clone() - mean(grouped);
    let variance = mean(centred.clone().powi_scalar(2));
    let normed = (centred / (variance + norm.epsilon).sqrt()).reshape(dims);
    let wide = |v: &Tensor<1>| v.clone().reshape([1, 1, 1, 1, c]);
    let normed = normed * wide(&norm.scale) + wide(&norm.shift);
    if norm.silu { crate::silu(normed) } else { normed }
}

/// Every voxel `factors` times along D, H and W: nearest-neighbour upsampling.
pub fn repeat_voxels(x: Tensor<5>, factors: [usize; 3]) -> Tensor<5> {
    let [n, d, h, w, c] = x.dims();
    if factors == [1; 3] {
        return x;
    }
    let [a, b, e] = factors;
    let x = x.reshape([n * d, 1, h, w * c]).repeat_dim(1, a).reshape([n * d * a * h, 1, w, c]);
    let x = x.repeat_dim(1, b).reshape([n * d * a * h * b, w, 1, c]);
    x.repeat_dim(2, e).reshape([n, d * a, h * b, w * e, c])
}

/// The tensors of one backend; without a norm, scale and shift are one unused number.
#[derive(ExtensionType)]
pub(crate) struct ConvTensors<B: Backend> {
    pub(crate) x: FloatTensor<B>,
    pub(crate) scale: FloatTensor<B>,
    pub(crate) shift: FloatTensor<B>,
    pub(crate) kernel: FloatTensor<B>,
    pub(crate) bias: FloatTensor<B>,
}

/// What of [`ConvNorm`] is no tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormSetting {
    /// 0: no norm.
    groups: usize,
    epsilon: f32,
    silu: bool,
}

impl NormSetting {
    fn of(norm: Option<&ConvNorm>) -> Self {
        match norm {
            Some(n) => Self { groups: n.groups, epsilon: n.epsilon, silu: n.silu },
            None => Self { groups: 0, epsilon: 0.0, silu: false },
        }
    }
}

#[backend_extension(Flex, Cube: cfg(feature = "cuda"), Autodiff)]
pub(crate) trait ConvOps: Backend {
    fn fused_conv(
        #[extension_type] tensors: ConvTensors<Self>,
        norm: NormSetting,
        step: ConvStep,
    ) -> FloatTensor<Self>;
}

impl ConvOps for Flex {
    fn fused_conv(tensors: ConvTensors<Self>, norm: NormSetting, step: ConvStep) -> FlexTensor {
        forward::Operands::new(tensors, norm, step).forward()
    }
}

/// What automatic differentiation needs of a backend that convolves in one piece.
trait Convolution: ConvOps {
    /// What the gradients are made of.
    type Operands: Clone + std::fmt::Debug + Send + 'static;

    fn operands(tensors: ConvTensors<Self>, norm: NormSetting, step: ConvStep) -> Self::Operands;

    fn output(operands: &Self::Operands) -> FloatTensor<Self>;

    /// Gradients of x, scale, shift, kernel and bias; none of x, scale and shift where `of_x` is false.
    fn gradients(
        operands: &Self::Operands,
        grad: FloatTensor<Self>,
        of_x: bool,
    ) -> [Option<FloatTensor<Self>>; 5];
}

impl Convolution for Flex {
    type Operands = forward::Operands;

    fn operands(tensors: ConvTensors<Self>, norm: NormSetting, step: ConvStep) -> Self::Operands {
        forward::Operands::new(tensors, norm, step)
    }

    fn output(operands: &Self::Operands) -> FlexTensor {
        operands.forward()
    }

    fn gradients(operands: &Self::Operands, grad: FlexTensor, of_x: bool) -> [Option<FlexTensor>; 5] {
        backward::backward(operands, grad, of_x)
    }
}

#[cfg(test)]
mod tests;
