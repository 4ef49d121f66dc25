//! Kekulé forms of aromatic bonds: single and double ones that leave every atom its valence.
//!
//! Which atoms take part in a double bond, and in which order partners are tried, is as in RDKit's sanitization (release
//! 2026.9): each system of fused rings by itself, atoms as far as they are found from the first one, partners by number. So
//! the form is the one that RDKit writes. Where that order leads into a thicket, any form that exists is found
//! by a maximum matching.

use petgraph::algo::maximum_matching;
use petgraph::graph::{NodeIndex, UnGraph};

use crate::blocks::{Neighbours, neighbours, ring_systems};
use crate::valence::{Allowed, is_early, listed};
use crate::{Bond, BondOrder, Element, Molecule};

/// Steps of the ordered search, for each atom of a ring system.
const STEPS_PER_ATOM: usize = 200;

/// Atoms that a message names.
const NAMED: usize = 8;

/// Why aromatic bonds have no Kekulé form. Atoms are numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KekuleError {
    /// An aromatic bond that is in no ring.
    #[error(
        "the aromatic bond between atoms {0} and {1} is in no ring; write it as a single or a double bond"
    )]
    NoRing(usize, usize),
    /// Atoms that find no partner for a double bond.
    #[error(
        "its aromatic bonds have no Kekulé form, as {atoms} left without a double bond; give all hydrogens and charges, or write single and double bonds",
        atoms = named(.0)
    )]
    NoForm(Vec<usize>),
}

fn named(atoms: &[usize]) -> String {
    let list: Vec<String> = atoms.iter().take(NAMED).map(usize::to_string).collect();
    match (list.len(), atoms.len() > NAMED) {
        (1, _) => format!("atom {} is", list[0]),
        (_, more) => format!("atoms {}{} are", list.join(", "), if more { " and others" } else { "" }),
    }
}

impl Molecule {
    /// Whether a bond is aromatic, without being single or double.
    pub fn has_aromatic_bonds(&self) -> bool {
        self.bonds().any(|b| b.order == BondOrder::Aromatic)
    }

    /// The molecule with single and double bonds for its aromatic ones. One without aromatic bonds stays as it is.
    pub fn kekulized(&self) -> Result<Self, KekuleError> {
        if !self.has_aromatic_bonds() {
            return Ok(self.clone());
        }
        let mut bonds: Vec<Bond> = self.bonds().collect();
        let graph = neighbours(self.len(), bonds.iter().map(|b| (b.begin, b.end)));
        let systems = ring_systems(&graph);
        check_rings(&bonds, &graph, &systems)?;
        let is_aromatic: Vec<bool> = (0..self.len())
            .map(|k| graph[k].iter().any(|&(_, b)| bonds[b].order == BondOrder::Aromatic))
            .collect();
        let mut doubles = Vec::new();
        for system in systems {
            if system.iter().any(|&b| bonds[b].order == BondOrder::Aromatic) {
                let system = System::of(self, &bonds, &graph, &system, &is_aromatic);
                doubles.extend(system.double_bonds()?);
            }
        }
        for bond in bonds.iter_mut().filter(|b| b.order == BondOrder::Aromatic) {
            bond.order = BondOrder::Single;
        }
        doubles.into_iter().for_each(|b| bonds[b].order = BondOrder::Double);
        // The same bonds between the same atoms are always allowed.
        Ok(self.with_bonds(bonds).unwrap_or_else(|_| self.clone()))
    }
}

/// Every aromatic bond is in a ring, or between two atoms that have others in rings.
fn check_rings(bonds: &[Bond], graph: &Neighbours, systems: &[Vec<usize>]) -> Result<(), KekuleError> {
    let mut in_ring = vec![false; bonds.len()];
    systems.iter().flatten().for_each(|&b| in_ring[b] = true);
    let aromatic = |b: usize| bonds[b].order == BondOrder::Aromatic;
    let has_other = |k: usize| graph[k].iter().any(|&(_, b)| in_ring[b] && aromatic(b));
    for (b, bond) in bonds.iter().enumerate() {
        if aromatic(b) && !in_ring[b] && !(has_other(bond.begin) && has_other(bond.end)) {
            return Err(KekuleError::NoRing(bond.begin + 1, bond.end + 1));
        }
    }
    Ok(())
}

/// A system of fused rings. Atoms are numbered by their places in it.
struct System {
    /// Numbers of its atoms in the molecule, ascending.
    atoms: Vec<usize>,
    /// Whether an atom is to have a double bond.
    wants: Vec<bool>,
    /// Whether an atom has aromatic bonds.
    is_aromatic: Vec<bool>,
    /// Neighbours in the system, ascending, each with the number of its bond and whether that is aromatic.
    neighbours: Vec<Vec<(usize, usize, bool)>>,
}

impl System {
    fn of(m: &Molecule, bonds: &[Bond], graph: &Neighbours, system: &[usize], aromatic: &[bool]) -> Self {
        let mut atoms: Vec<usize> = system.iter().flat_map(|&b| [bonds[b].begin, bonds[b].end]).collect();
        atoms.sort_unstable();
        atoms.dedup();
        let inside = |&(j, b): &(usize, usize)| {
            let place = atoms.binary_search(&j).ok()?;
            Some((place, b, bonds[b].order == BondOrder::Aromatic))
        };
        let neighbours = atoms.iter().map(|&k| {
            let mut list: Vec<_> = graph[k].iter().filter_map(inside).collect();
            list.sort_unstable();
            list
        });
        Self {
            neighbours: neighbours.collect(),
            wants: atoms.iter().map(|&k| aromatic[k] && wants_double_bond(m, k)).collect(),
            is_aromatic: atoms.iter().map(|&k| aromatic[k]).collect(),
            atoms,
        }
    }

    /// The bonds that are double.
    fn double_bonds(&self) -> Result<Vec<usize>, KekuleError> {
        let mates = match self.ordered() {
            Some(mates) => mates,
            None => self.any()?,
        };
        let bond = |k: usize, mate: usize| self.neighbours[k].iter().find(|n| n.0 == mate).map(|n| n.1);
        let pairs = mates.iter().enumerate().filter_map(|(k, m)| m.filter(|m| k < *m).map(|m| (k, m)));
        Ok(pairs.filter_map(|(k, mate)| bond(k, mate)).collect())
    }

    /// Atoms in the order in which they are found from the first one, over aromatic atoms alone.
    fn order(&self) -> Vec<usize> {
        let mut seen: Vec<bool> = self.is_aromatic.iter().map(|a| !a).collect();
        let mut order = Vec::new();
        for start in 0..self.atoms.len() {
            if std::mem::replace(&mut seen[start], true) {
                continue;
            }
            let mut next = order.len();
            order.push(start);
            while let Some(&k) = order.get(next) {
                next += 1;
                for &(j, ..) in &self.neighbours[k] {
                    if !std::mem::replace(&mut seen[j], true) {
                        order.push(j);
                    }
                }
            }
        }
        order
    }

    /// The first form in that order; none where there is none or the search takes too long.
    fn ordered(&self) -> Option<Vec<Option<usize>>> {
        let order = self.order();
        let mut mates: Vec<Option<usize>> = vec![None; self.atoms.len()];
        // Places in the order where a partner was chosen, and as which of those that were free.
        let mut choices: Vec<(usize, usize)> = Vec::new();
        let (mut at, mut option) = (0, 0);
        let mut steps = STEPS_PER_ATOM * self.atoms.len();
        while let Some(&k) = order.get(at) {
            if !self.wants[k] || mates[k].is_some() {
                at += 1;
                continue;
            }
            steps = steps.checked_sub(1)?;
            let is_free =
                |&&(j, _, aromatic): &&(usize, usize, bool)| aromatic && self.wants[j] && mates[j].is_none();
            if let Some(&(j, ..)) = self.neighbours[k].iter().filter(is_free).nth(option) {
                (mates[k], mates[j]) = (Some(j), Some(k));
                choices.push((at, option));
                (at, option) = (at + 1, 0);
                continue;
            }
            // A wrong choice was made before: the last one is made in another way.
            let (before, chosen) = choices.pop()?;
            if let Some(mate) = mates[order[before]].take() {
                mates[mate] = None;
            }
            (at, option) = (before, chosen + 1);
        }
        Some(mates)
    }

    /// Any form.
    fn any(&self) -> Result<Vec<Option<usize>>, KekuleError> {
        let mut graph: UnGraph<(), ()> = UnGraph::default();
        self.atoms.iter().for_each(|_| {
            graph.add_node(());
        });
        for (k, list) in self.neighbours.iter().enumerate() {
            for &(j, _, aromatic) in list {
                if k < j && aromatic && self.wants[k] && self.wants[j] {
                    graph.add_edge(NodeIndex::new(k), NodeIndex::new(j), ());
                }
            }
        }
        let matching = maximum_matching(&graph);
        let mates: Vec<Option<usize>> =
            (0..self.atoms.len()).map(|k| matching.mate(NodeIndex::new(k)).map(|m| m.index())).collect();
        let alone: Vec<usize> = (0..self.atoms.len())
            .filter(|&k| self.wants[k] && mates[k].is_none())
            .map(|k| self.atoms[k] + 1)
            .collect();
        if alone.is_empty() { Ok(mates) } else { Err(KekuleError::NoForm(alone)) }
    }
}

/// Whether an atom with aromatic bonds has one bond too few if all of them are single.
fn wants_double_bond(molecule: &Molecule, k: usize) -> bool {
    let atom = molecule.atom(k);
    let (mut singles, mut sum, mut counted) = (0, 0.0, 0);
    for bond in molecule.bonds_of(k) {
        let valence = bond.valence_at(k);
        sum += valence;
        singles += if bond.order == BondOrder::Aromatic { 1 } else { valence as i32 };
        counted += i32::from(valence > 0.0);
    }
    let allowed = Allowed::of(atom.element, atom.charge);
    let explicit = aromatic_valence(&allowed, sum);
    let radicals = i32::from(atom.radicals);
    let hydrogens = allowed.least().map_or(0, |least| (least - explicit - radicals - allowed.shift).max(0));
    let charge = i32::from(atom.charge);
    let charge =
        if is_early(atom.element) || (atom.element == Element::C && charge > 0) { -charge } else { charge };
    let own = listed(i32::from(atom.element.number()));
    let total = explicit + hydrogens;
    let mut valence = own[0] + charge;
    for v in own[1..].iter().filter(|v| **v > 0) {
        if total <= valence {
            break;
        }
        valence = v + charge;
    }
    let singles = singles + hydrogens;
    // A neutral oxide with a double bond to oxygen, as O=n1ccccc1.
    let is_oxide = matches!(atom.element.symbol(), "N" | "P" | "As") && charge == 0 && radicals == 0;
    if is_oxide && (total, singles, valence, counted, hydrogens) == (5, 4, 3, 3, 0) {
        valence = 5;
    }
    counted + hydrogens + radicals < valence && valence == singles + 1 + radicals
}

/// The valence of an atom by its aromatic bonds, each one and a half: the largest allowed one that is at most one and a half less.
fn aromatic_valence(allowed: &Allowed, sum: f64) -> i32 {
    let fitting = allowed.least().and_then(|least| {
        let nearest = allowed.list_of_electrons().iter().rfind(|v| **v >= 0 && f64::from(**v) <= sum);
        let nearest = nearest.copied().unwrap_or(least);
        (sum > f64::from(least) && sum - f64::from(nearest) <= 1.5).then_some(nearest)
    });
    fitting.unwrap_or((sum + 0.1).round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Atom;

    /// A ring of atoms with aromatic bonds: symbol, charge, hydrogens, unpaired electrons. The double bonds are said by the place
    /// of their first atom, the bond from the last atom to the first by the last.
    fn doubles(atoms: &[(&str, i8, usize, u8)]) -> Option<Vec<usize>> {
        let n = atoms.len();
        let mut all = Vec::new();
        for (symbol, charge, _, radicals) in atoms {
            let element = Element::from_symbol(symbol).expect("known");
            all.push(Atom { radicals: *radicals, ..Atom::new(element, *charge, nalgebra::Point3::origin()) });
        }
        let mut bonds: Vec<Bond> =
            (0..n).map(|k| Bond { begin: k, end: (k + 1) % n, order: BondOrder::Aromatic }).collect();
        for (k, (_, _, hydrogens, _)) in atoms.iter().enumerate() {
            for _ in 0..*hydrogens {
                bonds.push(Bond { begin: k, end: all.len(), order: BondOrder::Single });
                all.push(Atom::new(Element::H, 0, nalgebra::Point3::origin()));
            }
        }
        let form = Molecule::new(all, bonds).expect("valid").kekulized().ok()?;
        Some(form.bonds().enumerate().filter(|(_, b)| b.order == BondOrder::Double).map(|(k, _)| k).collect())
    }

    #[test]
    fn forms_are_those_of_rdkit() {
        type Case<'a> = (&'a str, &'a [(&'a str, i8, usize, u8)], &'a [usize]);
        let c = ("C", 0, 1, 0);
        let cases: [Case<'_>; 14] = [
            ("benzene", &[c; 6], &[0, 2, 4]),
            ("benzene without hydrogens", &[("C", 0, 0, 0); 6], &[0, 2, 4]),
            ("pyridine", &[c, c, c, ("N", 0, 0, 0), c, c], &[0, 2, 4]),
            ("pyridinium", &[c, c, c, ("N", 1, 1, 0), c, c], &[0, 2, 4]),
            ("pyrrole", &[c, c, c, ("N", 0, 1, 0), c], &[1, 4]),
            ("furan", &[c, c, c, ("O", 0, 0, 0), c], &[1, 4]),
            ("thiophene", &[c, c, c, ("S", 0, 0, 0), c], &[1, 4]),
            ("pyrylium", &[c, c, c, ("O", 1, 0, 0), c, c], &[0, 2, 4]),
            ("imidazolium", &[c, c, ("N", 0, 1, 0), c, ("N", 1, 1, 0)], &[0, 3]),
            ("cyclopentadienyl anion", &[("C", -1, 1, 0), c, c, c, c], &[1, 3]),
            ("tropylium", &[("C", 1, 1, 0), c, c, c, c, c, c], &[1, 3, 5]),
            ("phenyl radical", &[("C", 0, 0, 1), c, c, c, c, c], &[0, 2, 4]),
            ("phenyl anion", &[("C", -1, 0, 0), c, c, c, c, c], &[0, 2, 4]),
            ("borabenzene with hydrogen", &[("B", -1, 1, 0), c, c, c, c, c], &[0, 2, 4]),
        ];
        for (name, ring, wanted) in cases {
            assert_eq!(doubles(ring).as_deref(), Some(wanted), "{name}");
        }
        assert_eq!(doubles(&[c, c, c, ("N", 0, 0, 0), c]), None, "pyrrole without its hydrogen");
    }

    #[test]
    fn sheets_of_graphite_end() {
        // Bricks of hexagons, 100 by 100, on a torus.
        let at = |x: usize, y: usize| (y % 100) * 100 + x % 100;
        let mut bonds = Vec::new();
        for y in 0..100 {
            for x in 0..100 {
                bonds.push((at(x, y), at(x + 1, y)));
                if (x + y) % 2 == 0 {
                    bonds.push((at(x, y), at(x, y + 1)));
                }
            }
        }
        let atoms = (0..10_000).map(|_| Atom::new(Element::C, 0, nalgebra::Point3::origin()));
        let bonds = bonds.into_iter().map(|(begin, end)| Bond { begin, end, order: BondOrder::Aromatic });
        let form = Molecule::new(atoms, bonds).expect("valid").kekulized().expect("a form");
        assert_eq!(form.bonds().filter(|b| b.order == BondOrder::Double).count(), 5_000);
        assert!(crate::is_valid(&form));
    }
}
