//! Kernels in the orders that the products want; all are 1 to 3 dimensional, `[C', C, kd, kh, kw]` outside.

use rayon::prelude::*;

use super::shape::ConvShape;

/// `[C', C, kd, kh, kw]` as `[kd, kh, kw, C, C']`.
pub(super) fn channels_last(kernel: &[f32], shape: &ConvShape) -> Vec<f32> {
    let [places, ci, co] = sizes(shape);
    gathered(kernel, [places, ci, co], |[p, i, o]| (o * ci + i) * places + p)
}

/// `[kd, kh, kw, C, C']` as `[C', C, kd, kh, kw]`.
pub(super) fn channels_first(kernel: &[f32], shape: &ConvShape) -> Vec<f32> {
    let [places, ci, co] = sizes(shape);
    gathered(kernel, [co, ci, places], |[o, i, p]| (p * ci + i) * co + o)
}

/// `[C', C, kd, kh, kw]` as `[kd, kh, kw, C', C]` with its places in reverse: the kernel of the gradient of the input.
pub(super) fn reversed(kernel: &[f32], shape: &ConvShape) -> Vec<f32> {
    let [places, ci, co] = sizes(shape);
    gathered(kernel, [places, co, ci], |[p, o, i]| (o * ci + i) * places + places - 1 - p)
}

/// An array of these sizes, from where each of its elements is in `kernel`.
fn gathered(kernel: &[f32], [a, b, c]: [usize; 3], from: impl Fn([usize; 3]) -> usize + Sync) -> Vec<f32> {
    let mut out = vec![0.0; a * b * c];
    out.par_chunks_mut(b * c).enumerate().for_each(|(i, out)| {
        for (j, out) in out.chunks_exact_mut(c).enumerate() {
            out.iter_mut().enumerate().for_each(|(k, out)| *out = kernel[from([i, j, k])]);
        }
    });
    out
}

/// Places, channels in, channels out.
fn sizes(shape: &ConvShape) -> [usize; 3] {
    [shape.kernel.iter().product(), shape.channels_in, shape.channels_out]
}
