//! Whether a molecule's bonds make sense: valences by element and formal charge, no open ones.

use crate::{Element, Molecule};

/// Valences that an element with a formal charge can have without radicals. An ion has those of the neutral
/// element with as many electrons.
fn valences(element: Element, charge: i8) -> &'static [u32] {
    match (element.symbol(), charge) {
        ("H", 0) => &[1],
        ("H", 1 | -1) | ("He" | "Ne" | "Ar" | "Kr" | "Xe", 0) => &[0],
        ("Li" | "Na" | "K", 0) => &[1],
        ("Li" | "Na" | "K", 1) => &[0],
        ("Be" | "Mg" | "Ca", 0) => &[2],
        ("Be" | "Mg" | "Ca", 2) => &[0],
        ("B" | "Al", 0) => &[3],
        ("B" | "Al", -1) => &[4],
        ("C" | "Si" | "Ge", 0) => &[4],
        ("C" | "Si" | "Ge", 1 | -1) => &[3],
        ("N", 0) => &[3],
        ("N", 1) => &[4],
        ("N", -1) => &[2],
        ("P" | "As", 0) => &[3, 5],
        ("P" | "As", 1) => &[4],
        ("P" | "As", -1) => &[2, 4, 6],
        ("O", 0) => &[2],
        ("O", 1) => &[3],
        ("O", -1) => &[1],
        ("S" | "Se" | "Te", 0) => &[2, 4, 6],
        ("S" | "Se" | "Te", 1) => &[3, 5],
        ("S" | "Se" | "Te", -1) => &[1],
        ("F", 0) => &[1],
        ("Cl" | "Br" | "I", 0) => &[1, 3, 5, 7],
        ("F" | "Cl" | "Br" | "I", -1) => &[0],
        ("F" | "Cl" | "Br" | "I", 1) => &[2],
        _ => &[],
    }
}

/// Whether every atom of the molecule has a valence that its element and charge allow. In an aromatic system an
/// atom may hold one more than its single bonds.
pub fn is_valid(molecule: &Molecule) -> bool {
    !molecule.is_empty() && (0..molecule.len()).all(|k| atom_is_valid(molecule, k))
}

/// What the bonds of an atom fall short of the next valence that its element and charge allow; 0 where they exceed all.
pub fn open_valence(molecule: &Molecule, k: usize) -> u32 {
    let atom = molecule.atom(k);
    let sum = molecule.valence(k).round() as u32;
    valences(atom.element, atom.charge).iter().find(|v| **v >= sum).map_or(0, |v| v - sum)
}

/// Whether an atom has a valence that its element and charge allow.
pub(crate) fn atom_is_valid(molecule: &Molecule, k: usize) -> bool {
    let (mut sum, mut aromatic) = (0, 0);
    for (_, order) in molecule.neighbours(k) {
        match order.code() {
            4 => aromatic += 1,
            code => sum += u32::from(code),
        }
    }
    let atom = molecule.atom(k);
    let allowed = valences(atom.element, atom.charge);
    let total = sum + aromatic;
    allowed.contains(&total) || (aromatic > 0 && allowed.contains(&(total + 1)))
}
