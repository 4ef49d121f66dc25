//! EDM (Hoogeboom et al., "Equivariant Diffusion for Molecule Generation in 3D", 2022): its models and the import of its
//! checkpoints.

mod args;
mod datasets;
mod import;
mod model;
mod pickle;

pub use import::{EdmImport, PropertyNorm};
pub use model::EdmModel;
