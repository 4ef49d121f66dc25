//! The data that EDM's checkpoints were trained on: the order of their elements and the sizes of their molecules. A
//! checkpoint does not carry these; EDM has them in its configuration (MIT licence).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Element, Error, Result};

/// One data set.
#[derive(Clone, Debug, Deserialize)]
pub struct Dataset {
    name: String,
    hydrogens: bool,
    elements: Vec<String>,
    /// Molecules by number of atoms.
    pub sizes: BTreeMap<usize, u64>,
    /// Fewest and most atoms besides hydrogen, where that is known.
    #[serde(default)]
    pub heavy_atoms: Option<[usize; 2]>,
}

impl Dataset {
    /// The data set that a checkpoint names.
    pub fn find(name: &str, remove_hydrogens: bool) -> Result<Self> {
        let known: Vec<Self> =
            serde_json::from_str(include_str!("datasets.json")).expect("the table is part of the program");
        let wanted = |d: &Self| d.name == name && d.hydrogens != remove_hydrogens;
        let names = known.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", ");
        known.into_iter().find(wanted).ok_or_else(|| {
            let without = if remove_hydrogens { " without hydrogens" } else { "" };
            Error::Request(format!(
                "the checkpoint was trained on \"{name}\"{without}, whose elements are not known; known are {names}"
            ))
        })
    }

    /// Atomic numbers in the order of the network's classes.
    pub fn elements(&self) -> Vec<u8> {
        self.elements.iter().filter_map(|e| Element::from_symbol(e)).map(|e| e.number()).collect()
    }
}
