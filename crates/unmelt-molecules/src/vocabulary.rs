//! The classes of a model: elements, charges and bond orders, with their frequencies in the data.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::{BondOrder, Element, Error, Molecule, Result};

/// Bond classes: none, single, double, triple.
pub const BOND_CLASSES: usize = 4;

/// What a model knows of the molecules that it was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// Atomic numbers, ascending.
    pub elements: Vec<u8>,
    /// Formal charges, ascending.
    pub charges: Vec<i8>,
    /// Frequency of each element.
    pub element_frequencies: Vec<f64>,
    /// Frequency of each charge.
    pub charge_frequencies: Vec<f64>,
    /// Frequency of no bond, single, double and triple bonds among all pairs.
    pub bond_frequencies: Vec<f64>,
    /// Molecules by number of atoms.
    pub sizes: BTreeMap<usize, u64>,
    /// Fewest and most atoms besides hydrogen; none on cards that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heavy_atoms: Option<[usize; 2]>,
    /// Positions are divided by this many Å.
    pub position_scale: f64,
}

impl Vocabulary {
    /// Counts the classes of molecules; empty ones are left out.
    pub fn of<'a>(molecules: impl IntoIterator<Item = &'a Molecule>, position_scale: f64) -> Result<Self> {
        let mut elements: BTreeMap<u8, u64> = BTreeMap::new();
        let mut charges: BTreeMap<i8, u64> = BTreeMap::new();
        let mut sizes: BTreeMap<usize, u64> = BTreeMap::new();
        let mut bonds = [0u64; BOND_CLASSES];
        let mut heavy: Option<[usize; 2]> = None;
        for molecule in molecules.into_iter().filter(|m| !m.is_empty()) {
            let count = heavy_atoms(molecule);
            heavy = Some(heavy.map_or([count; 2], |[least, most]| [least.min(count), most.max(count)]));
            *sizes.entry(molecule.len()).or_default() += 1;
            for atom in molecule.atoms() {
                *elements.entry(atom.element.number()).or_default() += 1;
                *charges.entry(atom.charge).or_default() += 1;
            }
            let pairs = molecule.len() * (molecule.len().max(1) - 1) / 2;
            let mut none = pairs as u64;
            for bond in molecule.bonds() {
                bonds[bond_class(bond.order)?] += 1;
                none -= 1;
            }
            bonds[0] += none;
        }
        if elements.is_empty() {
            return Err(Error::Request("there is no molecule to learn from".into()));
        }
        Ok(Self {
            element_frequencies: frequencies(elements.values().copied()),
            charge_frequencies: frequencies(charges.values().copied()),
            bond_frequencies: frequencies(bonds.map(|n| n.max(1)).into_iter()),
            elements: elements.into_keys().collect(),
            charges: charges.into_keys().collect(),
            sizes,
            heavy_atoms: heavy,
            position_scale,
        })
    }

    /// The class of an element.
    pub fn element_class(&self, element: Element) -> Option<usize> {
        self.elements.iter().position(|&n| n == element.number())
    }

    /// The class of a formal charge.
    pub fn charge_class(&self, charge: i8) -> Option<usize> {
        self.charges.iter().position(|&c| c == charge)
    }
}

/// Atoms besides hydrogen.
pub(crate) fn heavy_atoms(molecule: &Molecule) -> usize {
    molecule.atoms().filter(|a| a.element != Element::H).count()
}

/// The number of atoms at `u` in (0, 1) of the cumulative distribution of sizes above `least`, of molecules by number of
/// atoms; none if there is no larger molecule.
pub(crate) fn draw_size_above(sizes: &BTreeMap<usize, u64>, least: usize, u: f64) -> Option<usize> {
    let larger = || sizes.range(least + 1..);
    let total: u64 = larger().map(|(_, count)| count).sum();
    let mut rest = u * total as f64;
    for (&size, &count) in larger() {
        rest -= count as f64;
        if rest < 0.0 {
            return Some(size);
        }
    }
    larger().next_back().map(|(&size, _)| size)
}

/// The class of a bond order; aromatic, dative, zero-order and hydrogen bonds have none.
pub fn bond_class(order: BondOrder) -> Result<usize> {
    match order {
        BondOrder::Single | BondOrder::Double | BondOrder::Triple => Ok(usize::from(order.code())),
        BondOrder::Aromatic => Err(Error::Request(
            "a molecule has aromatic bonds; write its bonds in Kekulé form (single and double) first".into(),
        )),
        BondOrder::Zero | BondOrder::Dative | BondOrder::Hydrogen => Err(Error::Request(
            "a molecule has dative, zero-order or hydrogen bonds, which the model does not know".into(),
        )),
    }
}

fn frequencies(counts: impl Iterator<Item = u64> + Clone) -> Vec<f64> {
    let total: u64 = counts.clone().sum();
    counts.map(|n| n as f64 / total as f64).collect()
}
