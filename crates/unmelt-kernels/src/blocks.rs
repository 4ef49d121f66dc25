//! Operations of one tensor that are done block by block, on all cores.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use crate::tensors::{in_order, values};

/// Elements that one thread works on at a time, where nothing else divides a tensor.
pub(crate) const BLOCK: usize = 1 << 15;

/// A tensor of the same shape: `f` writes each block of the output from that of the input.
pub(crate) fn map(x: FlexTensor, block: usize, f: impl Fn(&[f32], &mut [f32]) + Sync) -> FlexTensor {
    let x = in_order(x);
    let mut output = vec![0.0; x.layout().num_elements()];
    output.par_chunks_mut(block).zip(values(&x).par_chunks(block)).for_each(|(y, x)| f(x, y));
    FlexTensor::from_data(TensorData::new(output, x.layout().shape().clone()))
}

/// The gradient of the input: `f` changes each block of the output's gradient in place, given that of what was saved.
pub(crate) fn map_gradient(
    saved: FlexTensor,
    grad: FlexTensor,
    block: usize,
    f: impl Fn(&[f32], &mut [f32]) + Sync,
) -> FlexTensor {
    let (saved, grad) = (in_order(saved), in_order(grad));
    let mut g = values(&grad).to_vec();
    g.par_chunks_mut(block).zip(values(&saved).par_chunks(block)).for_each(|(g, saved)| f(saved, g));
    FlexTensor::from_data(TensorData::new(g, grad.layout().shape().clone()))
}
