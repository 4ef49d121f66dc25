//! Gradients of the fused convolution.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::forward::{Operands, convolve};
use super::kernel_order::{channels_first, reversed};
use super::shape::{ConvShape, TilePlace};
use super::tile::{Scratch, TileSize, load};
use super::winograd::Winograd;
use crate::product::{Windows, add_column_sums, add_window_product_at};
use crate::tensors::{in_order, values};

/// Tiles are divided into at most this many parts, whatever the number of threads, so that sums over parts are
/// the same numbers on every machine size.
const PARTS: usize = 8;

/// Gradients of x, scale, shift, kernel and bias; none of x, scale and shift where `of_x` is false.
pub(super) fn backward(operands: &Operands, grad: FlexTensor, of_x: bool) -> [Option<FlexTensor>; 5] {
    let grad = in_order(grad);
    let grad = values(&grad);
    let shape = &operands.shape;
    let moments = operands.moments();
    let tensor = |k: usize, data: Vec<f32>| {
        let shape = operands.tensors[k].layout().shape().clone();
        Some(FlexTensor::from_data(TensorData::new(data, shape)))
    };
    let kernel = kernel_gradient(shape, &operands.seen(moments.as_ref()), grad);
    let bias = bias_gradient(shape, grad, operands.values(4).len());
    let mut gradients = [None, None, None, tensor(3, kernel), tensor(4, bias)];
    if of_x {
        let mut x = input_gradient(shape, grad, operands.values(3));
        if let Some(moments) = moments {
            let (scale, shift) = moments.backward(operands.values(0), operands.values(1), &mut x);
            gradients[1] = tensor(1, scale);
            gradients[2] = tensor(2, shift);
        }
        gradients[0] = tensor(0, x);
    }
    gradients
}

/// Σ over voxels, for each sample or for all.
fn bias_gradient(shape: &ConvShape, grad: &[f32], length: usize) -> Vec<f32> {
    let c = shape.channels_out;
    let per_sample: Vec<Vec<f32>> = grad
        .par_chunks(shape.output_voxels() * c)
        .map(|grad| {
            let mut sums = vec![0.0f64; c];
            for block in grad.chunks(512 * c) {
                let mut part = vec![0.0; c];
                add_column_sums(block, &mut part);
                sums.iter_mut().zip(part).for_each(|(a, b)| *a += f64::from(b));
            }
            sums.into_iter().map(|s| s as f32).collect()
        })
        .collect();
    let mut bias = vec![0.0; length];
    for (n, sums) in per_sample.iter().enumerate() {
        let start = if length == c { 0 } else { n * c };
        bias[start..start + c].iter_mut().zip(sums).for_each(|(a, b)| *a += b);
    }
    bias
}

/// The gradient of the kernel, `[C', C, kd, kh, kw]`.
fn kernel_gradient(shape: &ConvShape, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let sums = match Winograd::of(shape) {
        Some(winograd) => winograd.kernel_gradient(x, grad),
        None => kernel_sums(shape, x, grad),
    };
    channels_first(&sums, shape)
}

/// The gradient of the kernel, `[kd, kh, kw, C, C']`, window by window.
fn kernel_sums(shape: &ConvShape, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let tiles = shape.tiles();
    let (ci, co) = (shape.channels_in, shape.channels_out);
    let width = shape.kernel[2] * ci;
    let length = shape.kernel[0] * shape.kernel[1] * width * co;
    let share = tiles.len().div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = tiles
        .par_chunks(share)
        .map_init(Scratch::default, |scratch, tiles| {
            let mut sums = vec![0.0; length];
            for &place in tiles {
                load(shape, place, x, scratch);
                let size = TileSize::new(shape, place);
                load_gradient(shape, place, grad, size, &mut scratch.output);
                for (k, sums) in sums.chunks_exact_mut(width * co).enumerate() {
                    let start = size.offset(k / shape.kernel[1], k % shape.kernel[1], ci);
                    let windows =
                        Windows { data: &scratch.input[start..], stride: shape.stride[2] * ci, width };
                    add_window_product_at(sums, windows, &scratch.output, size.windows);
                }
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; length];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(a, b)| *a += b);
    }
    sums
}

/// The output rows of a tile at the pitch of its windows; zero where a window hangs over the end of a row.
fn load_gradient(shape: &ConvShape, place: TilePlace, grad: &[f32], size: TileSize, to: &mut Vec<f32>) {
    let c = shape.channels_out;
    let row = shape.output[2] * c;
    let plane = place.sample * shape.output[0] + place.plane;
    let start = (plane * shape.output[1] + place.first) * row;
    to.resize(size.windows * c, 0.0);
    let grad = &grad[start..start + place.rows * row];
    for (to, grad) in to.chunks_mut(size.window_pitch * c).zip(grad.chunks_exact(row)) {
        let (to, over) = to.split_at_mut(row);
        to.copy_from_slice(grad);
        over.fill(0.0);
    }
}

/// The gradient of what the kernel sees, summed over repeated voxels: that of x before norm and activation.
fn input_gradient(shape: &ConvShape, grad: &[f32], kernel: &[f32]) -> Vec<f32> {
    let transposed = shape.transposed();
    let zeros = vec![0.0; shape.channels_in];
    let gradient = convolve(&transposed, grad, &reversed(kernel, shape), |_| &zeros);
    if shape.upsample == [1; 3] { gradient } else { sum_repeated(shape, &gradient) }
}

/// Adds what belongs to the same stored voxel.
fn sum_repeated(shape: &ConvShape, gradient: &[f32]) -> Vec<f32> {
    let c = shape.channels_in;
    let ([_, h, w], [d, sh, sw]) = (shape.input, shape.source);
    let up = shape.upsample;
    let mut out = vec![0.0; shape.samples * shape.source_voxels() * c];
    out.par_chunks_mut(sw * c).enumerate().for_each(|(k, out)| {
        let (n, z, y) = (k / (d * sh), k / sh % d, k % sh);
        for dz in 0..up[0] {
            for dy in 0..up[1] {
                let plane = n * shape.input[0] + z * up[0] + dz;
                let start = (plane * h + y * up[1] + dy) * w * c;
                let row = &gradient[start..start + w * c];
                for (out, copies) in out.chunks_exact_mut(c).zip(row.chunks_exact(up[2] * c)) {
                    add_column_sums(copies, out);
                }
            }
        }
    });
    out
}
