//! Networks over voxels.

mod attention;
mod part;
mod unet;

pub use unet::{UNet, UNetConfig};
