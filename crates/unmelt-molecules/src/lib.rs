//! E(3)-equivariant diffusion of 3D molecules: formats, networks, data, metrics and pipelines.

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
