//! The diffusion core: schedules, processes, noise, training and checkpoints.
//!
//! It knows neither atoms nor voxels. Times run from 0 (clean) to 1 (noise); schedules and coefficients are
//! computed in f64 and cast last.
//!
//! A walk from noise to data, with a network that knows the data to be N(2, 0.5²):
//!
//! ```
//! use unmelt_diffusion::solver::{Solver, Walk};
//! use unmelt_diffusion::{Level, Schedule};
//!
//! fn network(x: f64, Level { alpha, sigma }: Level) -> f64 {
//!     let gain = alpha * 0.25 / (alpha * alpha * 0.25 + sigma * sigma);
//!     2.0 + gain * (x - alpha * 2.0)
//! }
//!
//! let schedule = Schedule::COSINE.build()?;
//! let levels = (0..=20).map(|i| schedule.at(1.0 - i as f64 / 20.0)).collect();
//! let solver = Solver::from_name("dpm++2m").expect("a known name");
//! let mut walk = Walk::new(solver, levels)?;
//! let mut state = vec![0.0]; // the middle of the noise
//! let mut noise = |_step: usize| vec![0.0]; // none is wanted: the solver is deterministic
//! while !walk.is_finished() {
//!     let level = walk.query(&mut state, &mut noise).level;
//!     let clean = vec![network(state[0], level)];
//!     walk.answer(&mut state, &clean, &mut noise);
//! }
//! assert!((state[0] - 2.0).abs() < 0.05);
//! # Ok::<(), unmelt_diffusion::Error>(())
//! ```

pub mod budget;
pub mod built_in;
pub mod checkpoint;
pub mod condition;
pub mod device;
pub mod domain;
mod error;
pub mod fault;
pub mod files;
pub mod grid;
pub mod guidance;
pub mod job;
pub mod machine;
pub mod measurement;
mod model_files;
pub mod model_folder;
mod noise;
mod parameters;
pub mod posterior;
mod process;
mod real;
pub mod registry;
pub mod run_record;
mod sampler;
mod schedule;
pub mod solver;
mod target;
pub mod train;

pub use error::{At, Error, Result};
pub use fault::{ErrorKind, Fault, Subject};
pub use grid::Grid;
pub use noise::{Noise, Stream};
pub use parameters::{Entry, Init, Layout, Parameters, Weights, to_vec};
pub use process::{
    Categorical, CategoricalKind, Feature, FeatureProcess, FeatureSpec, Gaussian, Given, Mask, Prediction,
    ProcessSpec, ProductProcess, State, Subspace, Value,
};
pub use real::Real;
pub use sampler::{Denoiser, DenoiserInput, Previous, SampleSpec, Sampler, SamplerConfig, Step};
pub use schedule::{Level, Levels, Schedule, betas_of_alphas_cumprod, rescale_zero_terminal_snr};
pub use target::{Target, Threshold, combine, quantile};
