//! Scaffolds: what is left of a molecule without its side chains (Bemis & Murcko 1996).

use crate::{Element, Molecule, Result};

/// The rings of a molecule and the chains between them, hydrogens left out; empty for a molecule without rings.
pub fn murcko_scaffold(molecule: &Molecule) -> Result<Molecule> {
    let mut kept: Vec<bool> = molecule.atoms().map(|a| a.element != Element::H).collect();
    let heavy = |k: usize| molecule.neighbours(k).filter(|(j, _)| molecule.atom(*j).element != Element::H);
    let mut degree: Vec<usize> = (0..molecule.len()).map(|k| heavy(k).count()).collect();
    let mut ends: Vec<usize> = (0..molecule.len()).filter(|&k| kept[k] && degree[k] < 2).collect();
    while let Some(end) = ends.pop() {
        kept[end] = false;
        for (j, _) in heavy(end).filter(|(j, _)| kept[*j]) {
            degree[j] -= 1;
            // What had two neighbours and lost one is an end now; one of several ends is on the list already.
            if degree[j] == 1 {
                ends.push(j);
            }
        }
    }
    molecule.subset(&kept)
}
