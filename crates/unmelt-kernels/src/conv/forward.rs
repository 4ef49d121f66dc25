//! The fused convolution.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::group_norm::Moments;
use super::kernel_order::channels_last;
use super::shape::{ConvShape, ConvStep};
use super::tile::{Scratch, TileSize, load};
use super::winograd::Winograd;
use super::{ConvTensors, NormSetting};
use crate::product::{Windows, window_product};
use crate::tensors::{in_order, values};

/// The operands, contiguous: x, scale, shift, kernel, bias.
#[derive(Clone, Debug)]
pub(super) struct Operands {
    pub tensors: [FlexTensor; 5],
    pub norm: NormSetting,
    pub shape: ConvShape,
}

impl Operands {
    pub fn new(t: ConvTensors<Flex>, norm: NormSetting, step: ConvStep) -> Self {
        let tensors = [t.x, t.scale, t.shift, t.kernel, t.bias].map(in_order);
        let dims = |k: usize| -> [usize; 5] {
            tensors[k]
                .layout()
                .shape()
                .iter()
                .copied()
                .collect::<Vec<_>>()
                .try_into()
                .expect("five dimensions")
        };
        let shape = ConvShape::new(dims(0), dims(3), step);
        if norm.groups > 0 {
            assert!(shape.channels_in.is_multiple_of(norm.groups), "groups divide the channels");
        }
        Self { tensors, norm, shape }
    }

    pub fn values(&self, k: usize) -> &[f32] {
        values(&self.tensors[k])
    }

    pub fn moments(&self) -> Option<Moments> {
        Moments::of(self.values(0), self.shape.samples, self.values(1), self.values(2), self.norm)
    }

    /// x as the kernel sees it: normalised and activated.
    pub fn seen(&self, moments: Option<&Moments>) -> Cow<'_, [f32]> {
        let x = self.values(0);
        moments.map_or(Cow::Borrowed(x), |m| Cow::Owned(m.applied(x)))
    }

    /// Bias of a sample.
    fn bias(&self, sample: usize) -> &[f32] {
        let (all, c) = (self.values(4), self.shape.channels_out);
        let start = if all.len() == c { 0 } else { sample * c };
        &all[start..start + c]
    }

    pub fn forward(&self) -> FlexTensor {
        let kernel = channels_last(self.values(3), &self.shape);
        let seen = self.seen(self.moments().as_ref());
        let y = convolve(&self.shape, &seen, &kernel, |n| self.bias(n));
        let [d, h, w] = self.shape.output;
        FlexTensor::from_data(TensorData::new(y, [self.shape.samples, d, h, w, self.shape.channels_out]))
    }
}

/// `[N, D', H', W', C']` from `x` and a kernel `[kd, kh, kw, C, C']`.
pub(super) fn convolve<'a>(
    shape: &ConvShape,
    x: &[f32],
    kernel: &[f32],
    bias: impl Fn(usize) -> &'a [f32] + Sync,
) -> Vec<f32> {
    if let Some(winograd) = Winograd::of(shape) {
        return winograd.convolve(x, kernel, bias);
    }
    let row = shape.output[2] * shape.channels_out;
    let mut y = vec![0.0; shape.samples * shape.output_voxels() * shape.channels_out];
    let mut outputs = Vec::new();
    let mut rest = y.as_mut_slice();
    for place in shape.tiles() {
        let (tile, behind) = rest.split_at_mut(place.rows * row);
        outputs.push((place, tile));
        rest = behind;
    }
    outputs.into_par_iter().for_each_init(Scratch::default, |scratch, (place, out)| {
        load(shape, place, x, scratch);
        let size = TileSize::new(shape, place);
        scratch.output.resize(size.windows * shape.channels_out, 0.0);
        products(shape, size, scratch, kernel);
        let bias = bias(place.sample);
        let pitch = size.window_pitch * shape.channels_out;
        for (out, sums) in out.chunks_exact_mut(row).zip(scratch.output.chunks(pitch)) {
            for (out, sums) in out.chunks_exact_mut(bias.len()).zip(sums.chunks_exact(bias.len())) {
                out.iter_mut().zip(sums).zip(bias).for_each(|((y, s), b)| *y = s + b);
            }
        }
    });
    y
}

/// The sums of all kernel rows, in `scratch.output`.
fn products(shape: &ConvShape, size: TileSize, scratch: &mut Scratch, kernel: &[f32]) {
    let (ci, co) = (shape.channels_in, shape.channels_out);
    let width = shape.kernel[2] * ci;
    for (k, kernel) in kernel.chunks_exact(width * co).enumerate() {
        let start = size.offset(k / shape.kernel[1], k % shape.kernel[1], ci);
        let windows = Windows { data: &scratch.input[start..], stride: shape.stride[2] * ci, width };
        window_product(&mut scratch.output, windows, kernel, size.windows, k > 0);
    }
}
