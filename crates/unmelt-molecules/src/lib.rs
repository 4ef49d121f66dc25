//! E(3)-equivariant diffusion of 3D molecules: formats, networks, data, metrics and pipelines.
//!
//! ```
//! use burn::tensor::Device;
//! use unmelt_molecules::format::write_sdf;
//! use unmelt_molecules::{GenerateRequest, Generator, models};
//!
//! let generator = Generator::load(&models::find("qm9")?, &Device::flex())?;
//! let request = GenerateRequest { steps: 10, seed: 7, atoms: Some(12), ..GenerateRequest::default() };
//! let molecules = generator.generate(&request, 0..2, &mut || true)?;
//! let mut sdf = Vec::new();
//! for molecule in &molecules {
//!     write_sdf(&mut sdf, molecule).expect("memory does not run out");
//! }
//! assert_eq!(molecules[1].len(), 12);
//! # Ok::<(), unmelt_molecules::Error>(())
//! ```

mod element;
mod error;
pub mod evaluate;
pub mod format;
mod generate;
mod graph_model;
mod key;
pub mod models;
mod molecule;
pub mod network;
mod objective;
pub mod perception;
mod training;
mod validity;
mod vocabulary;

pub use element::Element;
pub use error::{Error, Result};
pub use generate::{GenerateRequest, Generator, MAX_ATOMS};
pub use graph_model::{GraphLoss, GraphModel, NetworkSize, POSITION_SCALE};
pub use key::canonical_key;
pub use molecule::{Atom, Bond, BondOrder, Molecule, MoleculeError};
pub use objective::{GraphObjective, TrainingSet};
pub use training::{TrainingConfig, TrainingRun, TrainingSummary};
pub use validity::is_valid;
pub use vocabulary::{BOND_CLASSES, Vocabulary, bond_class};
