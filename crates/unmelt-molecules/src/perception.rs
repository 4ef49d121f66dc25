//! Bonds from distances, and stability, by the protocol of EDM (Hoogeboom et al. 2022, appendix E).

use crate::neighbourhoods::Neighbourhoods;
use crate::{Atom, Bond, Element, Molecule};

pub use crate::bond_lengths::bond_order;
pub use crate::distances::{CHARGE_FIELD, bonded, total_charge};
pub(crate) use crate::neighbourhoods::unwrapped;

/// Bonds reach no further in Å; no entry of the tables does.
const REACH: f64 = 2.8;

/// Molecules of so many atoms are looked at pair by pair, larger ones by neighbourhoods.
const PAIRWISE: usize = 1024;

/// The bonds that the distances between a molecule's atoms suggest.
pub fn perceive_bonds(molecule: &Molecule) -> Vec<Bond> {
    let atoms: Vec<Atom> = molecule.atoms().copied().collect();
    let bond = |i: usize, j: usize| {
        let (a, b) = (&atoms[i], &atoms[j]);
        let distance = (a.position - b.position).norm();
        let order = (distance < REACH).then(|| bond_order(a.element, b.element, distance)).flatten();
        order.map(|order| Bond { begin: i, end: j, order })
    };
    if atoms.len() <= PAIRWISE {
        let pairs = (1..atoms.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
        return pairs.filter_map(|(i, j)| bond(i, j)).collect();
    }
    let neighbours = Neighbourhoods::new(&atoms, None);
    let mut bonds = Vec::new();
    for j in 0..atoms.len() {
        let mut near: Vec<usize> = neighbours.near(j).filter(|&i| i < j).collect();
        near.sort_unstable();
        bonds.extend(near.into_iter().filter_map(|i| bond(i, j)));
    }
    bonds
}

/// Sums of bond orders that make an atom stable in the protocol; formal charges play no part.
fn stable_valences(element: Element) -> &'static [u32] {
    match element.symbol() {
        "H" | "F" | "Cl" | "Br" | "I" => &[1],
        "O" => &[2],
        "N" | "B" | "Al" | "As" => &[3],
        "C" | "Si" | "S" => &[4],
        "P" | "Bi" => &[3, 5],
        "Hg" => &[1, 2],
        _ => &[],
    }
}

/// Number of stable atoms, from positions and elements alone.
pub fn stable_atoms(molecule: &Molecule) -> usize {
    let mut valences = vec![0u32; molecule.len()];
    for bond in perceive_bonds(molecule) {
        let order = u32::from(bond.order.code());
        valences[bond.begin] += order;
        valences[bond.end] += order;
    }
    let stable = |(k, valence): (usize, &u32)| stable_valences(molecule.atom(k).element).contains(valence);
    valences.iter().enumerate().filter(|(k, v)| stable((*k, v))).count()
}

/// Whether all atoms are stable; a molecule without atoms is not.
pub fn is_stable(molecule: &Molecule) -> bool {
    !molecule.is_empty() && stable_atoms(molecule) == molecule.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BondOrder;

    #[test]
    fn orders_follow_the_distance() {
        let of = |d| bond_order(Element::C, Element::C, d);
        assert_eq!(of(1.54), Some(BondOrder::Single));
        assert_eq!(of(1.34), Some(BondOrder::Double));
        assert_eq!(of(1.20), Some(BondOrder::Triple));
        assert_eq!(of(1.65), None);
        assert_eq!(bond_order(Element::H, Element::C, 1.09), Some(BondOrder::Single));
        assert_eq!(bond_order(Element::H, Element::H, 0.9), None);
    }
}
