//! E(3)-equivariant diffusion of 3D molecules: formats, networks, data, metrics and pipelines.

mod element;
mod error;
pub mod format;
mod graph_model;
mod molecule;
pub mod network;
mod objective;
mod training;
mod vocabulary;

pub use element::Element;
pub use error::{Error, Result};
pub use graph_model::{GraphLoss, GraphModel, NetworkSize, POSITION_SCALE};
pub use molecule::{Atom, Bond, BondOrder, Molecule, MoleculeError};
pub use objective::{GraphObjective, TrainingSet};
pub use training::{TrainingConfig, TrainingRun, TrainingSummary};
pub use vocabulary::{BOND_CLASSES, Vocabulary, bond_class};
