//! Rings by size and functional groups: what kinds of molecules a set holds.

use std::collections::{BTreeMap, VecDeque};

use crate::{BondOrder, Element, Molecule};

/// Shares of molecules that hold a ring of a size ("ring of 5") or a functional group ("alcohol").
pub fn shares<'a>(molecules: impl IntoIterator<Item = &'a Molecule>) -> BTreeMap<String, f64> {
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    let mut total = 0.0;
    for molecule in molecules {
        total += 1.0;
        let mut sizes = ring_sizes(molecule);
        sizes.dedup();
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

/// Sizes of the smallest set of smallest rings, ascending: for each bond the shortest ring through it, as many as are
/// independent.
pub fn ring_sizes(molecule: &Molecule) -> Vec<usize> {
    let bonds: Vec<(usize, usize)> = molecule.bonds().map(|b| (b.begin, b.end)).collect();
    let mut rings: Vec<Vec<usize>> = bonds.iter().filter_map(|&bond| ring_through(molecule, bond)).collect();
    rings.sort_by_key(Vec::len);
    let number: BTreeMap<(usize, usize), usize> =
        bonds.iter().enumerate().map(|(k, (i, j))| ((*i.min(j), *i.max(j)), k)).collect();
    let mut basis: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    let words = bonds.len().div_ceil(64);
    let mut sizes = Vec::new();
    for ring in rings {
        if sizes.len() == molecule.rings() {
            break;
        }
        let mut bits = vec![0u64; words];
        for k in 0..ring.len() {
            let (i, j) = (ring[k], ring[(k + 1) % ring.len()]);
            let bond = number[&(i.min(j), i.max(j))];
            bits[bond / 64] ^= 1 << (bond % 64);
        }
        // Elimination over two values: what is left is independent of the rings before.
        while let Some(lead) = lead(&bits) {
            match basis.get(&lead) {
                Some(other) => bits.iter_mut().zip(other).for_each(|(a, b)| *a ^= b),
                None => {
                    basis.insert(lead, bits);
                    sizes.push(ring.len());
                    break;
                }
            }
        }
    }
    sizes
}

fn lead(bits: &[u64]) -> Option<usize> {
    let word = bits.iter().position(|w| *w != 0)?;
    Some(64 * word + bits[word].trailing_zeros() as usize)
}

/// The atoms of the shortest ring through a bond.
fn ring_through(molecule: &Molecule, (start, goal): (usize, usize)) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::from([(start, start)]);
    let mut queue = VecDeque::from([start]);
    while let Some(k) = queue.pop_front() {
        for (j, _) in molecule.neighbours(k) {
            if (k, j) == (start, goal) || before.contains_key(&j) {
                continue;
            }
            before.insert(j, k);
            if j == goal {
                let mut ring = vec![goal];
                while let Some(&last) = ring.last().filter(|k| **k != start) {
                    ring.push(before[&last]);
                }
                return Some(ring);
            }
            queue.push_back(j);
        }
    }
    None
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
        assert_eq!(ring_sizes(&molecule("C C C C C C C", &bonds)), [5, 5]);
        assert!(ring_sizes(&molecule("C C", &[(0, 1, 1)])).is_empty());
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
