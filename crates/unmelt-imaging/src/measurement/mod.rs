//! What scanners, masks and sampling keep of a volume, as linear maps with adjoints.

mod fourier;
mod identity;
pub mod kspace;
mod mask;
mod sampled;
mod slices;

pub(crate) use fourier::opposite;
pub use fourier::{Fourier, random_cartesian_lines};
pub(crate) use fourier::{missing_level, without_lines};
pub use identity::Identity;
pub use mask::Mask;
pub use slices::{Profile, Slices};
