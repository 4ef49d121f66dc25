//! Bonds from distances, and stability, by the protocol of EDM (Hoogeboom et al. 2022, appendix E).

use crate::neighbourhoods::Neighbourhoods;
use crate::{Atom, Bond, BondOrder, Element, Molecule};

pub use crate::distances::{CHARGE_FIELD, bonded, total_charge};
pub(crate) use crate::neighbourhoods::unwrapped;

/// Lengths of single bonds in pm.
const SINGLE: &[(&str, &str, u16)] = &[
    ("H", "H", 74),
    ("H", "C", 109),
    ("H", "N", 101),
    ("H", "O", 96),
    ("H", "F", 92),
    ("H", "B", 119),
    ("H", "Si", 148),
    ("H", "P", 144),
    ("H", "As", 152),
    ("H", "S", 134),
    ("H", "Cl", 127),
    ("H", "Br", 141),
    ("H", "I", 161),
    ("C", "C", 154),
    ("C", "N", 147),
    ("C", "O", 143),
    ("C", "F", 135),
    ("C", "Si", 185),
    ("C", "P", 184),
    ("C", "S", 182),
    ("C", "Cl", 177),
    ("C", "Br", 194),
    ("C", "I", 214),
    ("N", "N", 145),
    ("N", "O", 140),
    ("N", "F", 136),
    ("N", "Cl", 175),
    ("N", "Br", 214),
    ("N", "S", 168),
    ("N", "I", 222),
    ("N", "P", 177),
    ("O", "O", 148),
    ("O", "F", 142),
    ("O", "Br", 172),
    ("O", "S", 151),
    ("O", "P", 163),
    ("O", "Si", 163),
    ("O", "Cl", 164),
    ("O", "I", 194),
    ("F", "F", 142),
    ("F", "S", 158),
    ("F", "Si", 160),
    ("F", "Cl", 166),
    ("F", "Br", 178),
    ("F", "P", 156),
    ("F", "I", 187),
    ("B", "Cl", 175),
    ("Si", "Si", 233),
    ("Si", "S", 200),
    ("Si", "Cl", 202),
    ("Si", "Br", 215),
    ("Si", "I", 243),
    ("Cl", "Cl", 199),
    ("Cl", "P", 203),
    ("Cl", "S", 207),
    ("Cl", "Br", 214),
    ("S", "S", 204),
    ("S", "Br", 225),
    ("S", "P", 210),
    ("S", "I", 234),
    ("Br", "Br", 228),
    ("Br", "P", 222),
    ("P", "P", 221),
    ("I", "I", 266),
];

/// Lengths of double bonds in pm.
const DOUBLE: &[(&str, &str, u16)] = &[
    ("C", "C", 134),
    ("C", "N", 129),
    ("C", "O", 120),
    ("C", "S", 160),
    ("N", "N", 125),
    ("N", "O", 121),
    ("O", "O", 121),
    ("O", "P", 150),
    ("P", "S", 186),
];

/// Lengths of triple bonds in pm.
const TRIPLE: &[(&str, &str, u16)] = &[("C", "C", 120), ("C", "N", 116), ("C", "O", 113), ("N", "N", 110)];

/// What a bond may be longer than its table by, in pm: single, double, triple.
const MARGINS: [f64; 3] = [10.0, 5.0, 3.0];

fn length(table: &[(&str, &str, u16)], a: Element, b: Element) -> Option<f64> {
    let (a, b) = (a.symbol(), b.symbol());
    let found = table.iter().find(|(x, y, _)| (*x == a && *y == b) || (*x == b && *y == a));
    found.map(|(_, _, pm)| f64::from(*pm))
}

/// The length of a single bond between two elements in Å, where the table has it.
pub fn single_bond_length(a: Element, b: Element) -> Option<f64> {
    length(SINGLE, a, b).map(|pm| 0.01 * pm)
}

/// The order of a bond between two elements at a distance in Å, if there is one.
pub fn bond_order(a: Element, b: Element, distance: f64) -> Option<BondOrder> {
    let pm = 100.0 * distance;
    let within = |table, margin| length(table, a, b).is_some_and(|l| pm < l + margin);
    if !within(SINGLE, MARGINS[0]) {
        None
    } else if !within(DOUBLE, MARGINS[1]) {
        Some(BondOrder::Single)
    } else if !within(TRIPLE, MARGINS[2]) {
        Some(BondOrder::Double)
    } else {
        Some(BondOrder::Triple)
    }
}

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
