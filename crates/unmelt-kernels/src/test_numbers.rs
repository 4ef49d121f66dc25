//! Deterministic tensors for tests.

use burn::tensor::{Device, Tensor, TensorData};

/// Deterministic numbers in (−1, 1).
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A tensor of such numbers, tracked where the device tracks.
pub(crate) fn tensor<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    let tensor = Tensor::from_data(TensorData::new(numbers(seed, count), shape), device);
    if device.is_autodiff() { tensor.require_grad() } else { tensor }
}
