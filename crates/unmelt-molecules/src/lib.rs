//! E(3)-equivariant diffusion of 3D molecules: formats, networks, data, metrics and pipelines.
//!
//! ```
//! use burn::tensor::Device;
//! use unmelt_diffusion::job::Job;
//! use unmelt_molecules::format::write_sdf;
//! use unmelt_molecules::{GenerateRequest, Generator, models};
//!
//! let generator = Generator::load(&models::find("qm9")?, &Device::flex())?;
//! let request = GenerateRequest { steps: 10, seed: 7, atoms: Some(12), ..GenerateRequest::default() };
//! let molecules = generator.generate(&request, 0..2, &Job::new(), &mut |_| ())?;
//! let mut sdf = Vec::new();
//! for molecule in &molecules {
//!     write_sdf(&mut sdf, molecule).expect("memory does not run out");
//! }
//! assert_eq!(molecules[1].len(), 12);
//! # Ok::<(), unmelt_molecules::Error>(())
//! ```

mod blocks;
mod bond_lengths;
mod bond_orders;
mod card_check;
mod condition_specs;
mod conditions;
mod distances;
pub mod edm;
mod element;
mod error;
pub mod evaluate;
mod filter;
mod fine_tuning;
pub mod format;
mod formula;
mod fragment;
mod generate;
mod graph_model;
mod kekule;
mod key;
mod key_set;
mod memory;
pub mod models;
mod molecule;
mod molecule_json;
mod molecule_model;
mod neighbourhoods;
pub mod network;
mod objective;
pub mod perception;
mod plan;
mod predictor;
mod preview;
mod property;
mod property_target;
mod record_field;
pub mod replay;
mod request;
mod requested;
mod sampling_run;
mod scaffold;
mod smiles;
mod solid;
mod split;
mod tasks;
mod training;
mod valence;
mod validation;
mod validity;
mod vocabulary;
mod wanted;

pub use element::Element;
pub use error::{Error, Result};
pub use filter::{Filter, FilterSet};
pub use formula::{ElementLimit, Formula};
pub use fragment::{Fragments, add_hydrogens};
pub use generate::{Frame, Generator};
pub use graph_model::{FeatureSchedules, GraphLoss, GraphModel, NetworkSize, POSITION_SCALE};
pub use kekule::KekuleError;
pub use key::canonical_key;
pub use key_set::KeySet;
pub use molecule::{Atom, Attachment, Bond, BondOrder, Molecule, MoleculeError};
pub use molecule_model::MoleculeModel;
pub use objective::{GraphBatch, GraphObjective, TrainingSet};
pub use plan::Plan;
pub use preview::preview;
pub use property::{Property, PropertySource};
pub use property_target::PropertyTarget;
pub use request::{Beginning, GenerateRequest, USUAL_CANDIDATES};
pub use sampling_run::{Batch, SamplingRun, USUAL_MAX_DRAWS};
pub use scaffold::murcko_scaffold;
pub use smiles::canonical_smiles;
pub use solid::{missing_hydrogens, with_hydrogens, without_geometry};
pub use split::Split;
pub use training::{TrainingConfig, TrainingRun};
pub use valence::Verdict;
pub use validation::ValidationConfig;
pub use validity::{is_valid, verdicts};
pub use vocabulary::{BOND_CLASSES, Vocabulary, bond_class};
pub use wanted::{Shard, Wanted};
