//! Values on grids: where they lie, how they are distributed, and what is drawn and convolved on them.

pub(crate) mod coarse_field;
pub(crate) mod convolve;
pub(crate) mod grid;
pub mod intensity;
pub(crate) mod lattice;
pub mod mask;
pub(crate) mod random_stream;
pub(crate) mod series;
pub(crate) mod values;
