//! Scaffolds: what is left of a molecule without its side chains (Bemis & Murcko 1996).

use crate::{Element, Molecule, Result};

/// The rings of a molecule and the chains between them, hydrogens left out; empty for a molecule without rings.
pub fn murcko_scaffold(molecule: &Molecule) -> Result<Molecule> {
    let n = molecule.len();
    let mut kept: Vec<bool> = molecule.atoms().map(|a| a.element != Element::H).collect();
    let degree = |kept: &[bool], k: usize| molecule.neighbours(k).filter(|(j, _)| kept[*j]).count();
    loop {
        let ends: Vec<usize> = (0..n).filter(|&k| kept[k] && degree(&kept, k) < 2).collect();
        if ends.is_empty() {
            break;
        }
        ends.into_iter().for_each(|k| kept[k] = false);
    }
    molecule.subset(&kept)
}
