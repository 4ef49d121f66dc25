//! A key that is the same for the same molecule, whatever the order of its atoms or its Kekulé form.
//!
//! Hydrogens on a heavier atom count as a property of it. The graph of what is left, with element, charge,
//! hydrogens and valence at each atom, fixes all bond orders up to resonance, so the key leaves them out: the two
//! Kekulé forms of a ring are one molecule. Stereochemistry is not part of it.
//!
//! The labelling is found by refinement and individualisation (McKay & Piperno 2014): ties that refinement leaves
//! are broken in every way, and the smallest description wins. Atoms with the same neighbours need no trial.

use std::collections::BTreeMap;

use unmelt_diffusion::checkpoint::sha256;

use crate::{Element, Molecule};

/// Labellings to try before the rest is taken for equivalent. No molecule of QM9 comes near it.
const BUDGET: usize = 5_000;

/// The heavy graph: what is known of each atom, and its neighbours.
struct Skeleton {
    /// Numbers of the atoms in the molecule.
    kept: Vec<usize>,
    atoms: Vec<[i32; 4]>,
    neighbours: Vec<Vec<usize>>,
}

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
        let skeleton = Skeleton::of(molecule);
        let mut search = Search { skeleton: &skeleton, best: None, left: BUDGET };
        search.run(skeleton.refine(skeleton.initial_colours()));
        let (description, order) = search.best.unwrap_or_default();
        Self {
            key: sha256(format!("{description:?}").as_bytes())[..32].to_string(),
            order: order.into_iter().map(|k| skeleton.kept[k]).collect(),
        }
    }
}

/// The canonical key of a molecule, 32 hexadecimal digits.
pub fn canonical_key(molecule: &Molecule) -> String {
    Canonical::of(molecule).key
}

impl Skeleton {
    fn of(molecule: &Molecule) -> Self {
        let is_folded = |k: usize| {
            let atom = molecule.atom(k);
            let mut neighbours = molecule.neighbours(k);
            let only = neighbours.next();
            atom.element == Element::H
                && atom.charge == 0
                && neighbours.next().is_none()
                && only.is_some_and(|(j, _)| molecule.atom(j).element != Element::H)
        };
        let kept: Vec<usize> = (0..molecule.len()).filter(|&k| !is_folded(k)).collect();
        let place: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(p, &k)| (k, p)).collect();
        let atoms = kept
            .iter()
            .map(|&k| {
                let atom = molecule.atom(k);
                let hydrogens = molecule.neighbours(k).filter(|(j, _)| !place.contains_key(j)).count();
                let valence = (2.0 * molecule.valence(k)) as i32;
                [i32::from(atom.element.number()), i32::from(atom.charge), hydrogens as i32, valence]
            })
            .collect();
        let neighbours = kept
            .iter()
            .map(|&k| {
                let mut list: Vec<usize> =
                    molecule.neighbours(k).filter_map(|(j, _)| place.get(&j).copied()).collect();
                list.sort_unstable();
                list
            })
            .collect();
        Self { kept, atoms, neighbours }
    }

    fn initial_colours(&self) -> Vec<usize> {
        rank(&self.atoms)
    }

    /// Splits colours by the colours of neighbours until nothing splits any more.
    fn refine(&self, mut colours: Vec<usize>) -> Vec<usize> {
        loop {
            let views: Vec<(usize, Vec<usize>)> = (0..colours.len())
                .map(|k| {
                    let mut around: Vec<usize> = self.neighbours[k].iter().map(|&j| colours[j]).collect();
                    around.sort_unstable();
                    (colours[k], around)
                })
                .collect();
            let next = rank(&views);
            if next == colours {
                return colours;
            }
            colours = next;
        }
    }

    /// Whether two atoms of one colour can be exchanged because all their neighbours are the same.
    fn are_twins(&self, a: usize, b: usize) -> bool {
        let without = |k: usize, other: usize| self.neighbours[k].iter().filter(move |&&j| j != other);
        without(a, b).eq(without(b, a))
    }

    /// The graph in the order of a labelling, and that order.
    fn describe(&self, colours: &[usize]) -> (Description, Vec<usize>) {
        let mut order: Vec<usize> = (0..colours.len()).collect();
        order.sort_by_key(|&k| colours[k]);
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(p, &k)| place[k] = p);
        let view = |&k: &usize| {
            let mut around: Vec<usize> = self.neighbours[k].iter().map(|&j| place[j]).collect();
            around.sort_unstable();
            (self.atoms[k], around)
        };
        (order.iter().map(view).collect(), order)
    }
}

type Description = Vec<([i32; 4], Vec<usize>)>;

/// For each item the number of items below it.
fn rank<T: Ord + Clone>(items: &[T]) -> Vec<usize> {
    let mut sorted = items.to_vec();
    sorted.sort_unstable();
    items.iter().map(|x| sorted.partition_point(|y| y < x)).collect()
}

struct Search<'a> {
    skeleton: &'a Skeleton,
    best: Option<(Description, Vec<usize>)>,
    left: usize,
}

impl Search<'_> {
    fn run(&mut self, colours: Vec<usize>) {
        let Some(cell) = first_tie(&colours) else {
            self.left = self.left.saturating_sub(1);
            let found = self.skeleton.describe(&colours);
            if self.best.as_ref().is_none_or(|b| found.0 < b.0) {
                self.best = Some(found);
            }
            return;
        };
        let mut tried: Vec<usize> = Vec::new();
        for &k in &cell {
            if tried.iter().any(|&t| self.skeleton.are_twins(t, k)) || (self.left == 0 && self.best.is_some())
            {
                continue;
            }
            tried.push(k);
            let mut next: Vec<(usize, bool)> = colours.iter().map(|&c| (c, true)).collect();
            next[k].1 = false;
            self.run(self.skeleton.refine(rank(&next)));
        }
    }
}

/// The atoms of the first colour that more than one atom has.
fn first_tie(colours: &[usize]) -> Option<Vec<usize>> {
    let mut cells: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (k, &c) in colours.iter().enumerate() {
        cells.entry(c).or_default().push(k);
    }
    cells.into_values().find(|cell| cell.len() > 1)
}
