//! Processes: how one feature of a state melts into noise and back.

mod categorical;
mod gaussian;
mod given;
mod product;

pub use categorical::{Categorical, CategoricalKind};
pub use gaussian::{Gaussian, Subspace};
pub use given::{Given, Mask};
pub use product::{
    Feature, FeatureProcess, FeatureSpec, Prediction, ProcessSpec, ProductProcess, State, Value,
};
