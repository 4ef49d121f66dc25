//! The models that generate molecules, as they stand on a card.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unmelt_diffusion::checkpoint::{CARD_FILE, Card, ModelFiles};
use unmelt_diffusion::{FeatureSpec, Layout, State};

use crate::condition_specs::settle;
use crate::edm::EdmModel;
use crate::{Beginning, Error, GenerateRequest, GraphModel, Molecule, Property, Result};

/// The key that the card of an EDM model has.
const EDM: &str = "edm";

/// The model part of a card.
#[derive(Clone, Debug, PartialEq)]
pub enum MoleculeModel {
    /// A graph denoiser.
    Graph(Box<GraphModel>),
    /// A model of EDM.
    Edm(Box<EdmModel>),
}

impl Serialize for MoleculeModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Graph(model) => model.serialize(serializer),
            Self::Edm(model) => BTreeMap::from([(EDM, model)]).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for MoleculeModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let mut value = serde_json::Value::deserialize(deserializer)?;
        match value.get_mut(EDM) {
            Some(model) => parsed(model.take()).map(Self::Edm),
            None => parsed(value).map(Self::Graph),
        }
        .map_err(D::Error::custom)
    }
}

/// A model of JSON; the error names the field.
fn parsed<M: DeserializeOwned>(value: serde_json::Value) -> std::result::Result<Box<M>, String> {
    serde_path_to_error::deserialize(value).map(Box::new).map_err(|e| e.to_string())
}

impl MoleculeModel {
    /// The card of a model's files, with every number checked.
    pub fn card(files: &ModelFiles) -> Result<Card<Self>> {
        let mut card: Card<Self> = files.checked_card(Self::check_card)?;
        settle(&mut card, files)?;
        let (stated, found) = (card.weights.parameters, card.model.layout().len() as u64);
        if stated == found {
            return Ok(card);
        }
        let fault = format!("weights.parameters is {stated}, but the network has {found} parameters");
        let path = files.origin.join(CARD_FILE);
        Err(unmelt_diffusion::Error::Model { part: "model card", path, fault }.into())
    }

    /// Names and shapes of the network's parameters.
    pub fn layout(&self) -> Layout {
        match self {
            Self::Graph(model) => model.network.layout(),
            Self::Edm(model) => model.network.layout(),
        }
    }

    /// The features of a state, in order.
    pub fn features(&self) -> Vec<FeatureSpec> {
        match self {
            Self::Graph(model) => model.features.clone(),
            Self::Edm(model) => model.features(),
        }
    }

    /// Properties that may be asked for.
    pub fn properties(&self) -> &[Property] {
        match self {
            Self::Graph(model) => &model.properties,
            Self::Edm(model) => &model.properties,
        }
    }

    /// Atomic numbers of the elements that it knows.
    pub fn elements(&self) -> &[u8] {
        match self {
            Self::Graph(model) => &model.vocabulary.elements,
            Self::Edm(model) => &model.elements,
        }
    }

    /// Fewest and most atoms besides hydrogen of the training data, where that is known.
    pub fn heavy_atoms(&self) -> Option<[usize; 2]> {
        match self {
            Self::Graph(model) => model.vocabulary.heavy_atoms,
            Self::Edm(model) => model.heavy_atoms,
        }
    }

    /// Molecules of the training data by number of atoms.
    pub fn sizes(&self) -> &BTreeMap<usize, u64> {
        match self {
            Self::Graph(model) => &model.vocabulary.sizes,
            Self::Edm(model) => &model.sizes,
        }
    }

    /// Elements per feature of a molecule of n atoms.
    pub fn lengths(&self, n: usize) -> Vec<usize> {
        match self {
            Self::Graph(model) => model.lengths(n).to_vec(),
            Self::Edm(model) => model.lengths(n),
        }
    }

    /// A molecule as a clean state.
    pub fn encode(&self, molecule: &Molecule) -> Result<State<f32>> {
        match self {
            Self::Graph(model) => model.encode(molecule),
            Self::Edm(model) => model.encode(molecule),
        }
    }

    /// A clean state as a molecule.
    pub fn decode(&self, state: &State<f32>) -> Result<Molecule> {
        match self {
            Self::Graph(model) => model.decode(state),
            Self::Edm(model) => model.decode(state),
        }
    }

    /// The graph denoiser, for what only it can do.
    pub fn graph(&self) -> Result<&GraphModel> {
        match self {
            Self::Graph(model) => Ok(model),
            Self::Edm(_) => Err(Error::field(
                "beginning",
                "an EDM model knows neither formulas nor fragments; take a model that was trained with them, such \
                 as qm9",
            )),
        }
    }

    /// Whether it estimates the properties of molecules, and so can choose among candidates.
    pub fn estimates_properties(&self) -> bool {
        matches!(self, Self::Graph(model) if !model.properties.is_empty())
    }

    /// Checks that the model has an answer to a request of this kind.
    pub fn check(&self, request: &GenerateRequest) -> Result<()> {
        let Self::Edm(model) = self else { return Ok(()) };
        if matches!(request.beginning, Beginning::Formula(_) | Beginning::Fragments(_)) {
            self.graph()?;
        }
        if request.candidates.is_some_and(|n| n > 1) {
            return Err(Error::field(
                "candidates",
                "an EDM model does not estimate properties, so it cannot choose among candidates",
            ));
        }
        let missing = model.properties.iter().find(|p| request.targets.iter().all(|(n, _)| !p.is_named(n)));
        if let Some(p) = missing {
            return Err(Error::field(
                "targets",
                format!(
                    "the model was trained with {name} given and has no answer without it; name the property {name} and its \
                 value",
                    name = p.source.name
                ),
            ));
        }
        let usual = GenerateRequest::default();
        if request.guidance != usual.guidance && request.guidance != 1.0 {
            return Err(Error::field(
                "guidance",
                "an EDM model has no answer without its properties, so it cannot be guided beyond its answer with them; \
                 leave the guidance out",
            ));
        }
        if request.temperature != usual.temperature {
            return Err(Error::field(
                "temperature",
                "an EDM model draws no classes, so a temperature changes nothing; leave it out",
            ));
        }
        Ok(())
    }
}
