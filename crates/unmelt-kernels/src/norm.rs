//! Layer norm of rows, and its gradient.

use burn::tensor::Tensor;

use crate::simd::multiversion;

/// Added to the variance.
const NORM_EPSILON: f32 = 1e-5;

/// Partial sums kept side by side: one AVX-512 register.
const LANES: usize = 16;

/// Layer norm over the last dimension, as a composition of burn operations.
pub(crate) fn layer_norm_plain(x: Tensor<2>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<2> {
    let mean = x.clone().mean_dim(1);
    let centred = x - mean;
    let variance = centred.clone().powi_scalar(2).mean_dim(1);
    centred / (variance + NORM_EPSILON).sqrt() * scale.unsqueeze() + shift.unsqueeze()
}

multiversion! {
    /// Layer norm of each row.
    pub(crate) fn norm_rows(input: &[f32], scale: &[f32], shift: &[f32], output: &mut [f32]) = norm_rows_body
}

#[inline(always)]
fn norm_rows_body(input: &[f32], scale: &[f32], shift: &[f32], output: &mut [f32]) {
    let d = scale.len();
    for (x, y) in input.chunks_exact(d).zip(output.chunks_exact_mut(d)) {
        let (mean, rstd) = moments(x);
        for k in 0..d {
            y[k] = (x[k] - mean) * rstd * scale[k] + shift[k];
        }
    }
}

/// Mean and 1/√(variance + ε) of a row.
#[inline(always)]
fn moments(x: &[f32]) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = lane_sum(x, |v| v) / n;
    let variance = lane_sum(x, |v| (v - mean) * (v - mean)) / n;
    (mean, 1.0 / (variance + NORM_EPSILON).sqrt())
}

/// Σ f(x), in sixteen lanes so that it vectorises.
#[inline(always)]
pub(crate) fn lane_sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let blocks = x.chunks_exact(LANES);
    let rest: f32 = blocks.remainder().iter().map(|&v| f(v)).sum();
    for block in blocks {
        for k in 0..LANES {
            lanes[k] += f(block[k]);
        }
    }
    fold(lanes) + rest
}

/// Σ a·b, in sixteen lanes so that it vectorises.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (x, y) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = x.remainder().iter().zip(y.remainder()).map(|(a, b)| a * b).sum();
    for (x, y) in x.zip(y) {
        for k in 0..LANES {
            lanes[k] += x[k] * y[k];
        }
    }
    fold(lanes) + rest
}

/// The sum of the lanes, by halves.
#[inline(always)]
fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for k in 0..half {
            lanes[k] += lanes[k + half];
        }
        half /= 2;
    }
    lanes[0]
}

multiversion! {
    /// Adds the gradient of the layer norm's input to `out`, and those of its scale and shift.
    pub(crate) fn norm_gradient(input: &[f32], grad: &[f32], weight: &[f32], out: &mut [f32], scale: &mut [f32], shift: &mut [f32]) = norm_gradient_body
}

#[inline(always)]
fn norm_gradient_body(
    input: &[f32],
    grad: &[f32],
    weight: &[f32],
    out: &mut [f32],
    scale: &mut [f32],
    shift: &mut [f32],
) {
    let d = weight.len();
    let mut weighted = vec![0.0f32; d];
    let mut unit = vec![0.0f32; d];
    for ((x, g), y) in input.chunks_exact(d).zip(grad.chunks_exact(d)).zip(out.chunks_exact_mut(d)) {
        let (mean, rstd) = moments(x);
        for k in 0..d {
            unit[k] = (x[k] - mean) * rstd;
            scale[k] += g[k] * unit[k];
            shift[k] += g[k];
            weighted[k] = g[k] * weight[k];
        }
        let ones = lane_sum(&weighted, |v| v) / d as f32;
        let along = dot(&weighted, &unit) / d as f32;
        for k in 0..d {
            y[k] += rstd * (weighted[k] - ones - unit[k] * along);
        }
    }
}
