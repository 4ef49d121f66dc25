//! Estimates without a network: fillings, interpolation, block matching, and what noise does to magnitudes.

pub(crate) mod block_matching;
pub(crate) mod filling;
pub(crate) mod interpolate;
pub mod rician;
