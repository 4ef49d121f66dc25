//! Networks over molecules.

mod config;
mod egnn;
mod graph_denoiser;
mod graph_input;
mod layers;
mod properties;
mod vectors;

pub use config::GraphDenoiserConfig;
pub use egnn::{Egnn, EgnnConfig, EgnnInput};
pub use graph_denoiser::{GraphDenoiser, GraphOutput, split_predictions};
pub(crate) use graph_input::pair_index;
pub use graph_input::{GraphInput, Noisy};
