//! A key that is the same for the same molecule, whatever the order of its atoms or its Kekulé form.
//!
//! Hydrogens on a heavier atom count as a property of it. The graph of what is left, with element, charge,
//! hydrogens and valence at each atom, fixes all bond orders up to resonance, so the key leaves them out: the two
//! Kekulé forms of a ring are one molecule, and so is the same ring with aromatic bonds. Isotopes count. Stereochemistry is
//! not part of it.
//!
//! Each connected part is put in canonical order by itself. Where that takes too long (large graphs in which many atoms look
//! alike without being so), the key rests on what refinement alone says: still the same for any order
//! of atoms, but different molecules may share it.

mod partition;
mod search;

use unmelt_diffusion::checkpoint::sha256;

use crate::{Element, Molecule};
use search::{Labelling, label};

/// What is known of an atom: element, charge, hydrogens, twice the valence, isotope.
type Known = [i32; 5];

/// The canonical form of a molecule.
pub(crate) struct Canonical {
    /// The key, 32 hexadecimal digits.
    pub key: String,
    /// The atoms but for the hydrogens that are a property of another atom, in canonical order.
    pub order: Vec<usize>,
}

impl Canonical {
    /// Finds it.
    pub fn of(molecule: &Molecule) -> Self {
        let kekulized = if molecule.has_aromatic_bonds() { molecule.kekulized().ok() } else { None };
        let skeleton = Skeleton::of(kekulized.as_ref().unwrap_or(molecule));
        let mut parts: Vec<(String, Vec<usize>)> = skeleton.parts().iter().map(Skeleton::labelled).collect();
        parts.sort();
        let text = match &parts[..] {
            [] => "[]".to_string(),
            [only] => only.0.clone(),
            _ => parts.iter().map(|p| p.0.as_str()).collect::<Vec<_>>().join("."),
        };
        Self {
            key: sha256(text.as_bytes())[..32].to_string(),
            order: parts.into_iter().flat_map(|p| p.1).collect(),
        }
    }
}

/// The canonical key of a molecule, 32 hexadecimal digits.
pub fn canonical_key(molecule: &Molecule) -> String {
    Canonical::of(molecule).key
}

/// The heavy graph: what is known of each atom, and its neighbours.
struct Skeleton {
    /// Numbers of the atoms in the molecule.
    kept: Vec<usize>,
    atoms: Vec<Known>,
    /// Ascending.
    neighbours: Vec<Vec<u32>>,
}

impl Skeleton {
    fn of(molecule: &Molecule) -> Self {
        let is_folded = |k: usize| {
            let atom = molecule.atom(k);
            let mut neighbours = molecule.neighbours(k);
            let only = neighbours.next();
            atom.element == Element::H
                && atom.charge == 0
                && atom.isotope == 0
                && neighbours.next().is_none()
                && only.is_some_and(|(j, order)| {
                    order == crate::BondOrder::Single && molecule.atom(j).element != Element::H
                })
        };
        let mut place = vec![None; molecule.len()];
        let kept: Vec<usize> = (0..molecule.len()).filter(|&k| !is_folded(k)).collect();
        kept.iter().enumerate().for_each(|(p, &k)| place[k] = Some(p as u32));
        let known = |&k: &usize| {
            let atom = molecule.atom(k);
            let hydrogens = molecule.neighbours(k).filter(|(j, _)| place[*j].is_none()).count();
            let valence = (2.0 * molecule.valence(k)) as i32;
            let isotope = i32::from(atom.isotope);
            [i32::from(atom.element.number()), i32::from(atom.charge), hydrogens as i32, valence, isotope]
        };
        let around = |&k: &usize| {
            let mut list: Vec<u32> = molecule.neighbours(k).filter_map(|(j, _)| place[j]).collect();
            list.sort_unstable();
            list
        };
        Self { atoms: kept.iter().map(known).collect(), neighbours: kept.iter().map(around).collect(), kept }
    }

    /// The connected parts.
    fn parts(self) -> Vec<Self> {
        let n = self.atoms.len();
        let (mut part, mut new) = (vec![None; n], vec![0; n]);
        let mut parts: Vec<Self> = Vec::new();
        for start in 0..n {
            if part[start].is_some() {
                continue;
            }
            part[start] = Some(parts.len());
            let (mut members, mut next) = (vec![start], 0);
            while let Some(&k) = members.get(next) {
                next += 1;
                for &j in &self.neighbours[k] {
                    if part[j as usize].is_none() {
                        part[j as usize] = Some(parts.len());
                        members.push(j as usize);
                    }
                }
            }
            members.sort_unstable();
            members.iter().enumerate().for_each(|(p, &k)| new[k] = p as u32);
            parts.push(Self {
                kept: members.iter().map(|&k| self.kept[k]).collect(),
                atoms: members.iter().map(|&k| self.atoms[k]).collect(),
                neighbours: members
                    .iter()
                    .map(|&k| self.neighbours[k].iter().map(|j| new[*j as usize]).collect())
                    .collect(),
            });
        }
        parts
    }

    /// The text that stands for a connected part, and its atoms in canonical order.
    fn labelled(&self) -> (String, Vec<usize>) {
        match label(&self.atoms, &self.neighbours) {
            Labelling::Canonical(order) => (self.text(&order), self.numbers(&order)),
            Labelling::Refined { order, cells } => (self.text_of_cells(&order, &cells), self.numbers(&order)),
        }
    }

    fn numbers(&self, order: &[u32]) -> Vec<usize> {
        order.iter().map(|k| self.kept[*k as usize]).collect()
    }

    /// What is known of the atoms in an order, and the places of their neighbours. Isotopes are said where there are any.
    fn text(&self, order: &[u32]) -> String {
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(p, k)| place[*k as usize] = p);
        let around = |k: u32| {
            let mut around: Vec<usize> =
                self.neighbours[k as usize].iter().map(|j| place[*j as usize]).collect();
            around.sort_unstable();
            around
        };
        if self.atoms.iter().any(|a| a[4] != 0) {
            let list: Vec<(Known, Vec<usize>)> =
                order.iter().map(|k| (self.atoms[*k as usize], around(*k))).collect();
            return format!("{list:?}");
        }
        let four = |[element, charge, hydrogens, valence, _]: Known| [element, charge, hydrogens, valence];
        let list: Vec<([i32; 4], Vec<usize>)> =
            order.iter().map(|k| (four(self.atoms[*k as usize]), around(*k))).collect();
        format!("{list:?}")
    }

    /// What is known of the atoms of each cell, how many they are, and the cells of their neighbours.
    fn text_of_cells(&self, order: &[u32], cells: &[(usize, usize)]) -> String {
        let mut colour = vec![0; order.len()];
        for &(begin, end) in cells {
            order[begin..end].iter().for_each(|k| colour[*k as usize] = begin);
        }
        let view = |&(begin, end): &(usize, usize)| {
            let k = order[begin] as usize;
            let mut around: Vec<usize> = self.neighbours[k].iter().map(|j| colour[*j as usize]).collect();
            around.sort_unstable();
            (self.atoms[k], end - begin, around)
        };
        format!("refined {:?}", cells.iter().map(view).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests;
