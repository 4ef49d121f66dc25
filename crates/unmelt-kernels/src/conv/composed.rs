//! The convolution and its gradients in closed form, composed from tensor operations and a few products: what GPUs run.
//!
//! Automatic differentiation of [`conv_plain`](super::conv_plain) goes over the voxels some sixty times for a norm; this does so
//! twenty times. A convolution with a stride is one without, of which every other voxel is kept.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::products::{convolve, correlate};
use super::{ConvStep, NormSetting, repeat_voxels};

/// The operands; scale and shift are not looked at without a norm.
#[derive(Clone, Debug)]
pub(super) struct Composed {
    pub x: Tensor<5>,
    pub scale: Tensor<1>,
    pub shift: Tensor<1>,
    /// `[C', C, kd, kh, kw]`.
    pub kernel: Tensor<5>,
    pub bias: Tensor<2>,
    pub norm: NormSetting,
    pub step: ConvStep,
}

/// Gradients of x, scale, shift, kernel and bias.
pub(super) struct Gradients {
    /// None where it is not asked for.
    pub x: Option<Tensor<5>>,
    /// Of scale and shift, where there is a norm and that of x is asked for.
    pub norm: Option<[Tensor<1>; 2]>,
    pub kernel: Tensor<5>,
    pub bias: Tensor<2>,
}

impl Composed {
    pub fn forward(&self) -> Tensor<5> {
        let normed = Normed::of(self);
        let y = convolve(self.seen(normed.as_ref()), self.kernel.clone());
        let y = (0..3).fold(y, |y, axis| every_other(y, axis, self.step.stride[axis]));
        let [n, channels] = self.bias.dims();
        y + self.bias.clone().reshape([n, 1, 1, 1, channels])
    }

    /// The gradients, those of x and of its norm where `of_x`.
    pub fn backward(&self, grad: Tensor<5>, of_x: bool) -> Gradients {
        let normed = Normed::of(self);
        let seen = self.seen(normed.as_ref());
        let bias = sum_of_voxels(grad.clone());
        let bias = if self.bias.dims()[0] == 1 { bias.sum_dim(0) } else { bias };
        let [_, d, h, w, _] = seen.dims();
        let lengths = [d, h, w];
        let grad = (0..3).fold(grad, |g, axis| spread(g, axis, self.step.stride[axis], lengths[axis]));
        let kernel = self.kernel_gradient(seen, grad.clone());
        let of_seen = of_x.then(|| self.seen_gradient(grad));
        let (x, norm) = match (normed, of_seen) {
            (Some(normed), Some(of_seen)) => {
                let (x, norm) = normed.backward(of_seen);
                (Some(x), Some(norm))
            }
            (_, of_seen) => (of_seen, None),
        };
        Gradients { x, norm, kernel, bias }
    }

    /// The gradient of x as normalised and activated, from that of the output without stride: the convolution by the reversed kernel.
    fn seen_gradient(&self, grad: Tensor<5>) -> Tensor<5> {
        let reversed = self.kernel.clone().flip([2, 3, 4]).swap_dims(0, 1);
        (0..3).fold(convolve(grad, reversed), |g, axis| sum_of_repeated(g, axis, self.step.upsample[axis]))
    }

    /// What the kernel sees: x normalised, activated, repeated.
    fn seen(&self, normed: Option<&Normed>) -> Tensor<5> {
        repeat_voxels(normed.map_or_else(|| self.x.clone(), Normed::activated), self.step.upsample)
    }

    fn kernel_gradient(&self, seen: Tensor<5>, grad: Tensor<5>) -> Tensor<5> {
        let [out, c, kd, kh, kw] = self.kernel.dims();
        let [n, d, h, w, _] = seen.dims();
        let windows = windows(seen, [kd, kh, kw]).reshape([n, d * h * w, kd * kh * kw * c]);
        let products = correlate(windows, grad.reshape([n, d * h * w, out]));
        products.sum_dim(0).reshape([kd, kh, kw, c, out]).permute([4, 3, 0, 1, 2])
    }
}

/// x in the course of its norm.
struct Normed<'a> {
    of: &'a Composed,
    /// x less the mean of its group.
    centred: Tensor<5>,
    /// 1 / standard deviation of the group of each channel, `[N, 1, 1, 1, C]`.
    inverse: Tensor<5>,
    /// Before the activation.
    value: Tensor<5>,
}

impl<'a> Normed<'a> {
    fn of(of: &'a Composed) -> Option<Self> {
        (of.norm.groups > 0).then(|| {
            let centred = of.x.clone() - mean_of_group(sum_of_voxels(of.x.clone()), &of.x, of.norm.groups);
            let squares = sum_of_voxels(centred.clone() * centred.clone());
            let variance = mean_of_group(squares, &of.x, of.norm.groups);
            let inverse = variance.add_scalar(of.norm.epsilon).sqrt().recip();
            let value = centred.clone() * (inverse.clone() * wide(&of.scale)) + wide(&of.shift);
            Self { of, centred, inverse, value }
        })
    }

    fn activated(&self) -> Tensor<5> {
        let value = self.value.clone();
        if self.of.norm.silu { crate::silu(value) } else { value }
    }

    /// Gradients of x, and of scale and shift, from that of what is seen.
    fn backward(self, grad: Tensor<5>) -> (Tensor<5>, [Tensor<1>; 2]) {
        let Self { of, centred, inverse, value } = self;
        let grad = if of.norm.silu { grad * slope_of_silu(value) } else { grad };
        let sums = sum_of_voxels(grad.clone());
        let products = sum_of_voxels(grad.clone() * centred.clone());
        let [n, c] = sums.dims();
        let flat = inverse.clone().reshape([n, c]);
        let scale = (products.clone() * flat).sum_dim(0).reshape([c]);
        let shift = sums.clone().sum_dim(0).reshape([c]);
        let scales = of.scale.clone().reshape([1, c]);
        let mean = mean_of_group(sums * scales.clone(), &of.x, of.norm.groups);
        let slope = mean_of_group(products * scales, &of.x, of.norm.groups);
        let cubed = inverse.clone() * inverse.clone() * inverse.clone();
        let x = grad * (inverse.clone() * wide(&of.scale)) - centred * (cubed * slope) - inverse * mean;
        (x, [scale, shift])
    }
}

/// The derivative of SiLU: s(x)·(1 + x·(1 − s(x))), s the logistic function.
fn slope_of_silu(x: Tensor<5>) -> Tensor<5> {
    let s = sigmoid(x.clone());
    let rest = s.clone().neg().add_scalar(1.0);
    s * (x * rest).add_scalar(1.0)
}

/// `[C]` as `[1, 1, 1, 1, C]`.
fn wide(v: &Tensor<1>) -> Tensor<5> {
    let [c] = v.dims();
    v.clone().reshape([1, 1, 1, 1, c])
}

/// Sums over the voxels of each sample, `[N, C]`: along one dimension after the other, so that many of them are at work.
fn sum_of_voxels(x: Tensor<5>) -> Tensor<2> {
    let [n, d, h, w, c] = x.dims();
    let x = x.reshape([n, d, h * w * c]).sum_dim(1).reshape([n, h, w * c]).sum_dim(1);
    x.reshape([n, w, c]).sum_dim(1).reshape([n, c])
}

/// From sums over the voxels of x, the mean of the group of each channel, `[N, 1, 1, 1, C]`.
fn mean_of_group(sums: Tensor<2>, x: &Tensor<5>, groups: usize) -> Tensor<5> {
    let [n, d, h, w, c] = x.dims();
    let per = c / groups;
    let means = sums.reshape([n, groups, per]).sum_dim(2).div_scalar((d * h * w * per) as f64);
    means.expand([n, groups, per]).reshape([n, 1, 1, 1, c])
}

/// Dimensions as what lies before D, H or W, that one, and what lies behind.
fn around(dims: [usize; 5], axis: usize) -> [usize; 3] {
    let at = axis + 1;
    [dims[..at].iter().product(), dims[at], dims[at + 1..].iter().product()]
}

/// With a length along D, H or W put in.
fn with_length(mut dims: [usize; 5], axis: usize, length: usize) -> [usize; 5] {
    dims[axis + 1] = length;
    dims
}

/// The first voxel, the third and so on, where the stride is 2.
fn every_other(x: Tensor<5>, axis: usize, stride: usize) -> Tensor<5> {
    if stride == 1 {
        return x;
    }
    let dims = x.dims();
    let [before, length, behind] = around(dims, axis);
    let mut x = x.reshape([before, length, behind]);
    if !length.is_multiple_of(2) {
        x = Tensor::cat(vec![x.clone(), Tensor::zeros([before, 1, behind], &x.device())], 1);
    }
    let half = length.div_ceil(2);
    let pairs = x.reshape([before * half, 2, behind]);
    pairs.slice([0..before * half, 0..1, 0..behind]).reshape(with_length(dims, axis, half))
}

/// The adjoint of [`every_other`]: zeros in between, up to a length.
fn spread(x: Tensor<5>, axis: usize, stride: usize, length: usize) -> Tensor<5> {
    if stride == 1 {
        return x;
    }
    let dims = x.dims();
    let [before, half, behind] = around(dims, axis);
    let x = x.reshape([before * half, 1, behind]);
    let zeros = Tensor::zeros([before * half, 1, behind], &x.device());
    let x = Tensor::cat(vec![x, zeros], 1).reshape([before, 2 * half, behind]);
    x.slice([0..before, 0..length, 0..behind]).reshape(with_length(dims, axis, length))
}

/// The adjoint of repeating voxels.
fn sum_of_repeated(x: Tensor<5>, axis: usize, factor: usize) -> Tensor<5> {
    if factor == 1 {
        return x;
    }
    let dims = x.dims();
    let [before, length, behind] = around(dims, axis);
    let parts = x.reshape([before * length / factor, factor, behind]).sum_dim(1);
    parts.reshape(with_length(dims, axis, length / factor))
}

/// The voxels that a kernel sees around each voxel, zero beyond the edge, `[N, D, H, W, kd·kh·kw·C]`.
fn windows(x: Tensor<5>, kernel: [usize; 3]) -> Tensor<5> {
    if kernel == [1; 3] {
        return x;
    }
    let [n, d, h, w, c] = x.dims();
    let [pd, ph, pw] = kernel.map(|k| k / 2);
    let padded = Tensor::zeros([n, d + 2 * pd, h + 2 * ph, w + 2 * pw, c], &x.device());
    let padded = padded.slice_assign([0..n, pd..pd + d, ph..ph + h, pw..pw + w, 0..c], x);
    let mut parts = Vec::with_capacity(kernel.iter().product());
    for i in 0..kernel[0] {
        for j in 0..kernel[1] {
            parts.extend(
                (0..kernel[2]).map(|k| padded.clone().slice([0..n, i..i + d, j..j + h, k..k + w, 0..c])),
            );
        }
    }
    Tensor::cat(parts, 4)
}
