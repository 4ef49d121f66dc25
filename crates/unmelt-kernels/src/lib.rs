//! Fused tensor operations on burn's backend extension, with hand-written gradients.
//!
//! Every operation has a plain composition of burn operations as its definition; that composition also
//! runs on devices that have no fused implementation. On the Flex CPU backend a fused one takes its place,
//! with run-time dispatch to AVX-512, AVX2 or portable code. This crate knows no diffusion.

mod blocks;
mod conv;
mod layer_norm;
mod messages;
mod mlp;
mod norm;
mod offset;
mod pair_layer;
mod product;
mod sigmoid;
mod silu;
mod simd;
mod softmax;
mod tensors;
#[cfg(test)]
mod test_numbers;

pub use conv::{ConvNorm, ConvStep, ConvWeights, conv, conv_plain, group_norm, repeat_voxels};
pub use layer_norm::layer_norm;
pub use messages::{EdgeGraph, MessageInputs, MessageWeights, Reduction, messages, messages_plain};
pub use mlp::{MlpWeights, mlp, mlp_plain};
pub use pair_layer::{PairInputs, PairOutputs, PairWeights, pair_count, pair_layer, pair_layer_plain};
pub use sigmoid::sigmoid;
pub use silu::silu;
pub use simd::{check_environment, instruction_set};
pub use softmax::softmax_rows;

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Whether `device` (with or without gradients) is the Flex CPU backend, for which fused code exists.
fn is_flex(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether `device` (with or without gradients) is an NVIDIA GPU, for which some operations are composed with care.
#[cfg(feature = "cuda")]
fn is_cuda(device: &Device) -> bool {
    use burn_cubecl::CubeDevice;
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Cube(CubeDevice::Cuda(_)))
}

/// No device is an NVIDIA GPU for a program that was built without them.
#[cfg(not(feature = "cuda"))]
fn is_cuda(_device: &Device) -> bool {
    false
}
