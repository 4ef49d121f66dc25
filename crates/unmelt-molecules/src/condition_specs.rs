//! What the networks of molecules can be told, for their cards.

use unmelt_diffusion::checkpoint::{CARD_FILE, Card, ModelFiles};
use unmelt_diffusion::condition::{ConditionKind, ConditionSpec, NullValue};

use crate::edm::EdmModel;
use crate::tasks::{share_with_atoms, share_with_elements, share_with_property};
use crate::{GraphModel, MoleculeModel, Property, Result};

/// The name of the condition that atoms with their places and bonds are given.
const ATOMS: &str = "atoms";

/// The name of the condition that all elements are given.
const ELEMENTS: &str = "elements";

impl GraphModel {
    /// What the network can be told: parts of the molecule, its elements, and its properties, each of which the training left out of a
    /// share of the molecules.
    pub fn conditions(&self) -> Vec<ConditionSpec> {
        let given = |name: &str, features: &[&str], share: f64| ConditionSpec {
            name: name.into(),
            kind: ConditionKind::Given { features: features.iter().map(|f| f.to_string()).collect() },
            null: Some(NullValue::Nothing),
            dropped: 1.0 - share,
        };
        let dropped = 1.0 - share_with_property(self.properties.len());
        let properties =
            self.properties.iter().map(|p| ConditionSpec { null: Some(NullValue::Zeros), dropped, ..of(p) });
        [
            given(ATOMS, &["positions", "atoms", "charges", "bonds"], share_with_atoms()),
            given(ELEMENTS, &["atoms"], share_with_elements()),
        ]
        .into_iter()
        .chain(properties)
        .collect()
    }
}

impl EdmModel {
    /// What the network must be told.
    pub fn conditions(&self) -> Vec<ConditionSpec> {
        self.properties.iter().map(of).collect()
    }
}

/// A property as a condition that must be given.
fn of(property: &Property) -> ConditionSpec {
    ConditionSpec {
        name: property.source.name.clone(),
        kind: ConditionKind::Scalar { unit: property.source.unit.clone(), range: property.range },
        null: None,
        dropped: 0.0,
    }
}

impl MoleculeModel {
    /// What the network can be told besides noisy molecules.
    pub fn conditions(&self) -> Vec<ConditionSpec> {
        match self {
            Self::Graph(model) => model.conditions(),
            Self::Edm(model) => model.conditions(),
        }
    }
}

/// Fills in the conditions of a card that does not say them, as those of the first format do not.
///
/// # Errors
/// The card says others than its network has.
pub(crate) fn settle(card: &mut Card<MoleculeModel>, files: &ModelFiles) -> Result<()> {
    let own = card.model.conditions();
    let what =
        |all: &[ConditionSpec]| all.iter().map(|c| (c.name.clone(), c.kind.clone())).collect::<Vec<_>>();
    if card.conditions.is_empty() {
        card.conditions = own;
    } else if what(&card.conditions) != what(&own) {
        let names = own.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        let fault =
            format!("conditions must be those of the network, {names}, with the ranges of its properties");
        let path = files.origin.join(CARD_FILE);
        return Err(unmelt_diffusion::Error::Model { part: "model card", path, fault }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    #[test]
    fn cards_of_the_first_format_get_the_conditions_of_their_network() {
        let files = models::find("qm9").expect("built in");
        let card = MoleculeModel::card(&files).expect("a card");
        let names: Vec<_> = card.conditions.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names[..2], [ATOMS, ELEMENTS]);
        assert!(names.contains(&"dipole"));
        assert_eq!(card.format, unmelt_diffusion::checkpoint::CARD_FORMAT);
        // What is written is read again, and other conditions than the network's are refused.
        let written = serde_json::to_value(&card).expect("JSON");
        let read = |card: &serde_json::Value| {
            MoleculeModel::card(&ModelFiles { card: card.to_string().into_bytes(), ..files.clone() })
        };
        assert_eq!(read(&written).expect("as written").conditions, card.conditions);
        for (place, to) in [
            ("/conditions/2/name", serde_json::json!("charm")),
            ("/conditions/2/dropped", serde_json::json!(1.5)),
            ("/conditions/1/name", serde_json::json!("atoms")),
        ] {
            let mut other = written.clone();
            *other.pointer_mut(place).expect("there") = to;
            let error = read(&other).expect_err(place).to_string();
            assert!(error.contains("conditions"), "{place}: {error}");
        }
    }
}
