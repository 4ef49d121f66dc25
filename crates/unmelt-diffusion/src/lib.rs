//! The diffusion core: schedules, processes, noise, training and checkpoints.
//!
//! It knows neither atoms nor voxels. Times run from 0 (clean) to 1 (noise); schedules and coefficients are
//! computed in f64 and cast last.

pub mod checkpoint;
mod error;
pub mod files;
pub mod grid;
mod noise;
mod parameters;
mod process;
mod real;
mod sampler;
mod schedule;
pub mod solver;
mod target;
pub mod train;

pub use error::{Error, Result};
pub use grid::Grid;
pub use noise::{Noise, Stream};
pub use parameters::{Entry, Init, Layout, Parameters, Weights, to_vec};
pub use process::{
    Categorical, CategoricalKind, Feature, FeatureProcess, FeatureSpec, Gaussian, Prediction, ProcessSpec,
    ProductProcess, State, Subspace, Value,
};
pub use real::Real;
pub use sampler::{Denoiser, Draw, Question, Sampler, SamplerConfig};
pub use schedule::{Level, Levels, Schedule, betas_of_alphas_cumprod, rescale_zero_terminal_snr};
pub use target::{Target, Threshold, combine, quantile};
