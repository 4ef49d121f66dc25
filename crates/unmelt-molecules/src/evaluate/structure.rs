//! Rings by size and functional groups: what kinds of molecules a set holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::blocks::{Neighbours, neighbours, ring_systems};
use crate::{BondOrder, Element, Molecule};

/// Shares of molecules that hold a ring of a size ("ring of 5") or a functional group ("alcohol").
pub fn shares<'a>(molecules: impl IntoIterator<Item = &'a Molecule>) -> BTreeMap<String, f64> {
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    let mut total = 0.0;
    for molecule in molecules {
        total += 1.0;
        let sizes = ring_sizes(molecule);
        let rings =
            sizes.iter().map(|n| if *n > 8 { "ring of 9 or more".into() } else { format!("ring of {n}") });
        let mut names: Vec<String> = rings.chain(groups(molecule).into_iter().map(String::from)).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().for_each(|name| *counts.entry(name).or_default() += 1.0);
    }
    counts.values_mut().for_each(|c| *c /= total);
    counts
}

/// Sizes of rings, each once, ascending: for each bond in a ring the length of the shortest one through it.
pub fn ring_sizes(molecule: &Molecule) -> Vec<usize> {
    let bonds: Vec<(usize, usize)> = molecule.bonds().map(|b| (b.begin, b.end)).collect();
    let graph = neighbours(molecule.len(), bonds.iter().copied());
    let systems = ring_systems(&graph);
    let mut in_ring = vec![false; bonds.len()];
    systems.iter().flatten().for_each(|&b| in_ring[b] = true);
    let degree: Vec<usize> =
        graph.iter().map(|list| list.iter().filter(|&&(_, b)| in_ring[b]).count()).collect();
    let mut search = RingSearch { graph: &graph, in_ring: &in_ring, seen: vec![0; graph.len()], round: 0 };
    let mut sizes = BTreeSet::new();
    for system in &systems {
        // A ring that is alone has as many bonds as atoms.
        if system.iter().all(|&b| degree[bonds[b].0] == 2 && degree[bonds[b].1] == 2) {
            sizes.insert(system.len());
            continue;
        }
        let mut done: BTreeSet<usize> = BTreeSet::new();
        for &b in system {
            if done.contains(&b) {
                continue;
            }
            sizes.extend(search.shortest(bonds[b]));
            // All bonds of a chain without branches are in the same rings.
            let (i, j) = bonds[b];
            for (mut at, mut by) in [(i, b), (j, b)] {
                while degree[at] == 2 {
                    let Some(&(next, bond)) = graph[at].iter().find(|&&(_, c)| in_ring[c] && c != by) else {
                        break;
                    };
                    if !done.insert(bond) {
                        break;
                    }
                    (at, by) = (next, bond);
                }
            }
        }
    }
    sizes.into_iter().collect()
}

struct RingSearch<'a> {
    graph: &'a Neighbours,
    in_ring: &'a [bool],
    /// The search in which an atom was seen.
    seen: Vec<u32>,
    round: u32,
}

impl RingSearch<'_> {
    /// The length of the shortest ring through a bond.
    fn shortest(&mut self, (start, goal): (usize, usize)) -> Option<usize> {
        self.round += 1;
        self.seen[start] = self.round;
        let (mut level, mut length) = (vec![start], 1);
        while !level.is_empty() {
            let mut next = Vec::new();
            length += 1;
            for k in level {
                for &(j, b) in &self.graph[k] {
                    if !self.in_ring[b] || self.seen[j] == self.round || (k, j) == (start, goal) {
                        continue;
                    }
                    if j == goal {
                        return Some(length);
                    }
                    self.seen[j] = self.round;
                    next.push(j);
                }
            }
            level = next;
        }
        None
    }
}

/// The functional groups of a molecule, each as often as it is found.
pub fn groups(m: &Molecule) -> Vec<&'static str> {
    let view = View { m };
    let of_bonds = m.bonds().filter_map(|b| view.bond(b.begin, b.end, b.order));
    of_bonds.chain((0..m.len()).filter_map(|k| view.atom(k))).collect()
}

struct View<'a> {
    m: &'a Molecule,
}

impl View<'_> {
    fn element(&self, k: usize) -> Element {
        self.m.atom(k).element
    }

    fn hydrogens(&self, k: usize) -> usize {
        self.m.neighbours(k).filter(|(j, _)| self.element(*j) == Element::H).count()
    }

    /// Neighbours of an element at a bond order.
    fn around(&self, k: usize, element: Element, order: BondOrder) -> impl Iterator<Item = usize> + '_ {
        let fits = move |(j, o): &(usize, BondOrder)| self.element(*j) == element && *o == order;
        self.m.neighbours(k).filter(fits).map(|(j, _)| j)
    }

    fn is_carbonyl(&self, k: usize) -> bool {
        self.element(k) == Element::C && self.around(k, Element::O, BondOrder::Double).next().is_some()
    }

    fn bond(&self, i: usize, j: usize, order: BondOrder) -> Option<&'static str> {
        let pair = |a: Element, b: Element| {
            let (x, y) = (self.element(i), self.element(j));
            (x, y) == (a, b) || (x, y) == (b, a)
        };
        match order {
            BondOrder::Double if pair(Element::C, Element::C) => Some("alkene"),
            BondOrder::Double if pair(Element::C, Element::N) => Some("imine"),
            BondOrder::Triple if pair(Element::C, Element::C) => Some("alkyne"),
            BondOrder::Triple if pair(Element::C, Element::N) => Some("nitrile"),
            _ => None,
        }
    }

    fn atom(&self, k: usize) -> Option<&'static str> {
        match self.element(k) {
            Element::C if self.is_carbonyl(k) => Some(self.carbonyl(k)),
            Element::O if self.m.atom(k).charge == 0 => self.oxygen(k),
            Element::N if self.m.atom(k).charge == 0 => self.nitrogen(k),
            _ => None,
        }
    }

    fn carbonyl(&self, k: usize) -> &'static str {
        let oxygens: Vec<usize> = self.around(k, Element::O, BondOrder::Single).collect();
        if oxygens.iter().any(|&o| self.hydrogens(o) > 0) {
            "carboxylic acid"
        } else if !oxygens.is_empty() {
            "ester"
        } else if self.around(k, Element::N, BondOrder::Single).next().is_some() {
            "amide"
        } else if self.hydrogens(k) > 0 {
            "aldehyde"
        } else {
            "ketone"
        }
    }

    fn oxygen(&self, k: usize) -> Option<&'static str> {
        let carbons: Vec<usize> = self.around(k, Element::C, BondOrder::Single).collect();
        if carbons.iter().any(|&c| self.is_carbonyl(c)) {
            return None;
        }
        match (carbons.len(), self.hydrogens(k)) {
            (1, 1) => Some("alcohol"),
            (2, _) => Some("ether"),
            _ => None,
        }
    }

    fn nitrogen(&self, k: usize) -> Option<&'static str> {
        let single = self.m.neighbours(k).all(|(_, order)| order == BondOrder::Single);
        let carbons: Vec<usize> = self.around(k, Element::C, BondOrder::Single).collect();
        if !single || carbons.is_empty() || carbons.iter().any(|&c| self.is_carbonyl(c)) {
            return None;
        }
        Some(match self.hydrogens(k) {
            0 => "tertiary amine",
            1 => "secondary amine",
            _ => "primary amine",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Atom, Bond};
    use nalgebra::Point3;

    fn molecule(symbols: &str, bonds: &[(usize, usize, u8)]) -> Molecule {
        let atoms = symbols.split(' ').enumerate().map(|(k, s)| {
            Atom::new(Element::from_symbol(s).expect("known"), 0, Point3::new(k as f64, 0.0, 0.0))
        });
        let bonds = bonds.iter().map(|&(begin, end, order)| Bond {
            begin,
            end,
            order: BondOrder::from_code(order).expect("known"),
        });
        Molecule::new(atoms, bonds).expect("valid")
    }

    #[test]
    fn rings_are_the_smallest() {
        // Norbornane: two rings of five, though one of six goes around.
        let bonds = [(0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 1), (4, 5, 1), (5, 0, 1), (0, 6, 1), (3, 6, 1)];
        assert_eq!(ring_sizes(&molecule("C C C C C C C", &bonds)), [5]);
        assert!(ring_sizes(&molecule("C C", &[(0, 1, 1)])).is_empty());
        // A ring of three at a bond of one of five, and a ring of four by itself.
        let bonds = [(0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 1), (4, 0, 1), (0, 5, 1), (5, 1, 1), (2, 6, 1)];
        let more = [(6, 7, 1), (7, 8, 1), (8, 9, 1), (9, 6, 1)];
        let both: Vec<_> = bonds.into_iter().chain(more).collect();
        assert_eq!(ring_sizes(&molecule("C C C C C C C C C C", &both)), [3, 4, 5]);
    }

    #[test]
    fn large_rings_and_sheets_are_quick() {
        let symbols = vec!["C"; 20_000].join(" ");
        let ring: Vec<_> = (0..20_000).map(|k| (k, (k + 1) % 20_000, 1)).collect();
        assert_eq!(ring_sizes(&molecule(&symbols, &ring)), [20_000]);
        // A ladder of rings of four, and the large ring with a bond across.
        let ladder: Vec<_> = (0..9_999)
            .flat_map(|k| [(k, k + 1, 1), (10_000 + k, 10_001 + k, 1), (k, 10_000 + k, 1)])
            .collect();
        assert_eq!(ring_sizes(&molecule(&symbols, &ladder)), [4]);
        let across: Vec<_> = ring.into_iter().chain([(0, 100, 1)]).collect();
        assert_eq!(ring_sizes(&molecule(&symbols, &across)), [101, 19_901]);
    }

    #[test]
    fn groups_are_told_apart() {
        let acid = molecule("C O O H C", &[(0, 1, 2), (0, 2, 1), (2, 3, 1), (0, 4, 1)]);
        assert_eq!(groups(&acid), ["carboxylic acid"]);
        let ester = molecule("C O O C C", &[(0, 1, 2), (0, 2, 1), (2, 3, 1), (0, 4, 1)]);
        assert_eq!(groups(&ester), ["ester"]);
        let amide = molecule("C O N H H C", &[(0, 1, 2), (0, 2, 1), (2, 3, 1), (2, 4, 1), (0, 5, 1)]);
        assert_eq!(groups(&amide), ["amide"]);
        let amine = molecule("C N H H", &[(0, 1, 1), (1, 2, 1), (1, 3, 1)]);
        assert_eq!(groups(&amine), ["primary amine"]);
        let nitrile = molecule("C C N", &[(0, 1, 1), (1, 2, 3)]);
        assert_eq!(groups(&nitrile), ["nitrile"]);
    }
}
