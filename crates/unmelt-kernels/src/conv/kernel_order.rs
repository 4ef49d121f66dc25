//! Kernels in the orders that the products want; all are 1 to 3 dimensional, `[C', C, kd, kh, kw]` outside.

use rayon::prelude::*;

use super::shape::ConvShape;

/// `[C', C, kd, kh, kw]` as `[kd, kh, kw, C, C']`.
pub(super) fn channels_last(kernel: &[f32], shape: &ConvShape) -> Vec<f32> {
    let (places, ci, co) = sizes(shape);
    let mut out = vec![0.0; kernel.len()];
    out.par_chunks_mut(ci * co).enumerate().for_each(|(p, out)| {
        for (i, out) in out.chunks_exact_mut(co).enumerate() {
            out.iter_mut().enumerate().for_each(|(o, out)| *out = kernel[(o * ci + i) * places + p]);
        }
    });
    out
}

/// `[kd, kh, kw, C, C']` as `[C', C, kd, kh, kw]`.
pub(super) fn channels_first(kernel: &[f32], shape: &ConvShape) -> Vec<f32> {
    let (places, ci, co) = sizes(shape);
    let mut out = vec![0.0; kernel.len()];
    out.par_chunks_mut(ci * places).enumerate().for_each(|(o, out)| {
        for (i, out) in out.chunks_exact_mut(places).enumerate() {
            out.iter_mut().enumerate().for_each(|(p, out)| *out = kernel[(p * ci + i) * co + o]);
        }
    });
    out
}

/// `[C', C, kd, kh, kw]` as `[kd, kh, kw, C', C]` with its places in reverse: the kernel of the gradient of the input.
pub(super) fn reversed(kernel: &[f32], shape: &ConvShape) -> Vec<f32> {
    let (places, ci, co) = sizes(shape);
    let mut out = vec![0.0; kernel.len()];
    out.par_chunks_mut(co * ci).enumerate().for_each(|(p, out)| {
        let from = kernel.iter().skip(places - 1 - p).step_by(places);
        out.iter_mut().zip(from).for_each(|(out, k)| *out = *k);
    });
    out
}

fn sizes(shape: &ConvShape) -> (usize, usize, usize) {
    (shape.kernel.iter().product(), shape.channels_in, shape.channels_out)
}
