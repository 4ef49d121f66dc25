//! Processes: how one feature of a state melts into noise and back.

mod categorical;
mod gaussian;
mod product;

pub use categorical::{Categorical, CategoricalKind};
pub use gaussian::{Gaussian, Subspace};
pub use product::{
    Feature, FeatureProcess, FeatureSpec, Prediction, ProcessSpec, ProductProcess, State, Value,
};
