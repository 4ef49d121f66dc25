//! Networks over voxels.

mod attention;
mod config;
mod part;
mod unet;

pub use config::UNetConfig;
pub use unet::UNet;
