//! Canonical SMILES: one text for one molecule, whatever the order of its atoms or its Kekulé form.
//!
//! Atoms are visited in the order of the canonical labelling, double bonds are put where that order has them first.
//! Rings are written in Kekulé form; aromatic bonds of a file, which say less, with small letters. Stereochemistry is
//! not written.

use std::collections::BTreeMap;

use crate::key::Canonical;
use crate::{Element, Molecule};

/// Steps of the search for a Kekulé form before the file's own is taken.
const BUDGET: usize = 100_000;

/// Larger molecules have no SMILES: the text would be of no use to anybody, and walking them takes a deep stack.
const MOST_ATOMS: usize = 1_000;

/// The canonical SMILES of a molecule; empty for one of more than a thousand heavy atoms.
pub fn canonical_smiles(molecule: &Molecule) -> String {
    write(molecule, &Canonical::of(molecule).order)
}

/// The SMILES of a molecule for an order of its atoms but for folded hydrogens.
pub(crate) fn write(molecule: &Molecule, order: &[usize]) -> String {
    if order.len() > MOST_ATOMS {
        return String::new();
    }
    let graph = Graph::new(molecule, order);
    let mut writer =
        Writer { graph: &graph, visited: vec![false; order.len()], rings: BTreeMap::new(), next: 1 };
    let mut parts = Vec::new();
    for k in 0..order.len() {
        if !writer.visited[k] {
            writer.find_rings(k);
            let mut text = String::new();
            writer.atom(k, None, &mut text);
            parts.push(text);
        }
    }
    parts.join(".")
}

/// The molecule in canonical order: atoms as written, and bonds of order 1, 2, 3 or 4 for aromatic.
struct Graph {
    atoms: Vec<(Element, i8, usize)>,
    neighbours: Vec<Vec<(usize, u8)>>,
}

impl Graph {
    fn new(molecule: &Molecule, order: &[usize]) -> Self {
        let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(p, &k)| (k, p)).collect();
        let hydrogens = |k: usize| molecule.neighbours(k).filter(|(j, _)| !place.contains_key(j)).count();
        let atoms = order.iter().map(|&k| {
            let atom = molecule.atom(k);
            (atom.element, atom.charge, hydrogens(k))
        });
        let mut bonds: Vec<(usize, usize, u8)> = molecule
            .bonds()
            .filter_map(|b| {
                let (i, j) = (*place.get(&b.begin)?, *place.get(&b.end)?);
                Some((i.min(j), i.max(j), b.order.code()))
            })
            .collect();
        bonds.sort_unstable();
        kekulize(order.len(), &mut bonds);
        let mut neighbours = vec![Vec::new(); order.len()];
        for (i, j, order) in bonds {
            neighbours[i].push((j, order));
            neighbours[j].push((i, order));
        }
        neighbours.iter_mut().for_each(|list| list.sort_unstable());
        Self { atoms: atoms.collect(), neighbours }
    }

    /// An atom as text: bare where its hydrogens follow from its bonds, in brackets else.
    fn text(&self, k: usize) -> String {
        let (element, charge, hydrogens) = self.atoms[k];
        let aromatic = self.neighbours[k].iter().any(|(_, order)| *order == 4);
        let bonds: usize =
            self.neighbours[k].iter().map(|(_, o)| if *o == 4 { 1 } else { usize::from(*o) }).sum();
        let symbol = match aromatic {
            true => element.symbol().to_lowercase(),
            false => element.symbol().into(),
        };
        let implied = default_valences(element).iter().find(|v| **v >= bonds + usize::from(aromatic));
        let implied = implied.map(|v| v - bonds - usize::from(aromatic));
        let plain = match aromatic {
            true => element == Element::C && implied == Some(hydrogens) || hydrogens == 0,
            false => implied == Some(hydrogens),
        };
        if charge == 0 && plain && !default_valences(element).is_empty() {
            return symbol;
        }
        let hydrogens = match hydrogens {
            0 => String::new(),
            1 => "H".into(),
            n => format!("H{n}"),
        };
        let charge = match charge {
            0 => String::new(),
            1 => "+".into(),
            -1 => "-".into(),
            q => format!("{q:+}"),
        };
        format!("[{symbol}{hydrogens}{charge}]")
    }
}

/// Valences of the elements that need no brackets (Weininger 1988).
fn default_valences(element: Element) -> &'static [usize] {
    match element.symbol() {
        "B" => &[3],
        "C" => &[4],
        "N" => &[3, 5],
        "O" => &[2],
        "P" => &[3, 5],
        "S" => &[2, 4, 6],
        "F" | "Cl" | "Br" | "I" => &[1],
        _ => &[],
    }
}

/// Moves multiple bonds to the first places, in the order of the bonds, that leave every atom its valence.
fn kekulize(atoms: usize, bonds: &mut [(usize, usize, u8)]) {
    if bonds.iter().any(|(_, _, order)| *order == 4) {
        return;
    }
    // What each atom has to give beyond single bonds.
    let mut left = vec![0u8; atoms];
    for &(i, j, order) in bonds.iter() {
        left[i] += order - 1;
        left[j] += order - 1;
    }
    let free: Vec<usize> =
        (0..bonds.len()).filter(|&k| left[bonds[k].0] > 0 && left[bonds[k].1] > 0).collect();
    // How many bonds to come an atom has, to see dead ends early.
    let mut coming = vec![0u8; atoms];
    for &k in &free {
        coming[bonds[k].0] += 1;
        coming[bonds[k].1] += 1;
    }
    let mut extra = vec![0u8; free.len()];
    let mut search = Kekule { bonds, free: &free, left, coming, budget: BUDGET };
    if search.place(0, &mut extra) {
        for (&k, &extra) in free.iter().zip(&extra) {
            bonds[k].2 = 1 + extra;
        }
    }
}

struct Kekule<'a> {
    bonds: &'a [(usize, usize, u8)],
    free: &'a [usize],
    left: Vec<u8>,
    coming: Vec<u8>,
    budget: usize,
}

impl Kekule<'_> {
    fn place(&mut self, at: usize, extra: &mut [u8]) -> bool {
        let Some(&bond) = self.free.get(at) else {
            return self.left.iter().all(|l| *l == 0);
        };
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 {
            return false;
        }
        let (i, j, _) = self.bonds[bond];
        self.coming[i] -= 1;
        self.coming[j] -= 1;
        for order in (0..=self.left[i].min(self.left[j]).min(2)).rev() {
            self.left[i] -= order;
            self.left[j] -= order;
            let dead = [i, j].iter().any(|&k| self.left[k] > 2 * self.coming[k]);
            extra[at] = order;
            if !dead && self.place(at + 1, extra) {
                return true;
            }
            self.left[i] += order;
            self.left[j] += order;
        }
        self.coming[i] += 1;
        self.coming[j] += 1;
        false
    }
}

struct Writer<'a> {
    graph: &'a Graph,
    visited: Vec<bool>,
    /// Digits of the bonds that close rings.
    rings: BTreeMap<(usize, usize), u32>,
    next: u32,
}

impl Writer<'_> {
    /// Numbers the bonds that a walk from an atom finds closed.
    fn find_rings(&mut self, start: usize) {
        let mut seen = vec![false; self.graph.atoms.len()];
        self.walk(start, start, &mut seen, &mut Vec::new());
    }

    fn walk(&mut self, k: usize, from: usize, seen: &mut [bool], path: &mut Vec<usize>) {
        seen[k] = true;
        path.push(k);
        for &(j, _) in &self.graph.neighbours[k] {
            if j == from {
                continue;
            }
            let bond = (k.min(j), k.max(j));
            if !seen[j] {
                self.walk(j, k, seen, path);
            } else if path.contains(&j) && !self.rings.contains_key(&bond) {
                self.rings.insert(bond, self.next);
                self.next += 1;
            }
        }
        path.pop();
    }

    fn atom(&mut self, k: usize, from: Option<usize>, text: &mut String) {
        self.visited[k] = true;
        text.push_str(&self.graph.text(k));
        let neighbours = self.graph.neighbours[k].clone();
        for &(j, order) in &neighbours {
            if let Some(&digit) = self.rings.get(&(k.min(j), k.max(j))) {
                // The order is said where the ring opens.
                if !self.visited[j] {
                    text.push_str(symbol(order));
                }
                text.push_str(&if digit < 10 { digit.to_string() } else { format!("%{digit:02}") });
            }
        }
        let children: Vec<(usize, u8)> = neighbours
            .into_iter()
            .filter(|(j, _)| Some(*j) != from && !self.rings.contains_key(&(k.min(*j), k.max(*j))))
            .collect();
        for (at, &(j, order)) in children.iter().enumerate() {
            let branch = at + 1 < children.len();
            text.push_str(if branch { "(" } else { "" });
            text.push_str(symbol(order));
            self.atom(j, Some(k), text);
            text.push_str(if branch { ")" } else { "" });
        }
    }
}

fn symbol(order: u8) -> &'static str {
    match order {
        2 => "=",
        3 => "#",
        _ => "",
    }
}
