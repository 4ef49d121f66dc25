//! Canonical SMILES: one text for one molecule, whatever the order of its atoms or its Kekulé form.
//!
//! Atoms are visited in the order of the canonical labelling, double bonds are put where that order has them first.
//! Rings are written in Kekulé form, with the smallest number that is free; aromatic bonds without a Kekulé form, which say
//! less, with small letters. Isotopes are written, dative bonds as arrows and bonds of order zero as `~`, as RDKit
//! reads them. Stereochemistry is not written.

mod multiple;

use std::collections::{BTreeSet, HashMap};

use crate::key::Canonical;
use crate::valence::is_metal;
use crate::{Bond, BondOrder, Element, Molecule};

/// The canonical SMILES of a molecule.
pub fn canonical_smiles(molecule: &Molecule) -> String {
    write(molecule, &Canonical::of(molecule).order)
}

/// The SMILES of a molecule for an order of its atoms but for folded hydrogens.
pub(crate) fn write(molecule: &Molecule, order: &[usize]) -> String {
    let kekulized = if molecule.has_aromatic_bonds() { molecule.kekulized().ok() } else { None };
    let graph = Graph::new(kekulized.as_ref().unwrap_or(molecule), order);
    let mut visited = vec![false; order.len()];
    let mut parts = Vec::new();
    for start in 0..order.len() {
        if !visited[start] {
            parts.push(graph.part(start, &mut visited));
        }
    }
    parts.join(".")
}

/// What a bond is, seen from one of its atoms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    Single,
    Double,
    Triple,
    Aromatic,
    Given,
    Taken,
    Loose,
}

impl Link {
    fn of(bond: &Bond, from: usize) -> Self {
        match bond.order {
            BondOrder::Single => Self::Single,
            BondOrder::Double => Self::Double,
            BondOrder::Triple => Self::Triple,
            BondOrder::Aromatic => Self::Aromatic,
            BondOrder::Dative if bond.begin == from => Self::Given,
            BondOrder::Dative => Self::Taken,
            BondOrder::Zero | BondOrder::Hydrogen => Self::Loose,
        }
    }

    fn order(self) -> usize {
        match self {
            Self::Single | Self::Aromatic => 1,
            Self::Double => 2,
            Self::Triple => 3,
            Self::Given | Self::Taken | Self::Loose => 0,
        }
    }
}

/// An atom as it is written.
struct Vertex {
    element: Element,
    charge: i8,
    isotope: u16,
    hydrogens: usize,
}

/// The molecule in canonical order.
struct Graph {
    atoms: Vec<Vertex>,
    /// Ascending.
    neighbours: Vec<Vec<(usize, Link)>>,
}

/// What is still to be written.
enum Task {
    /// An atom and the text before it.
    Atom(usize, usize, &'static str),
    Text(&'static str),
}

impl Graph {
    fn new(molecule: &Molecule, order: &[usize]) -> Self {
        let mut place = vec![None; molecule.len()];
        order.iter().enumerate().for_each(|(p, &k)| place[k] = Some(p));
        let atoms = order.iter().map(|&k| {
            let atom = molecule.atom(k);
            let hydrogens = molecule.neighbours(k).filter(|(j, _)| place[*j].is_none()).count();
            Vertex { element: atom.element, charge: atom.charge, isotope: atom.isotope, hydrogens }
        });
        let mut bonds: Vec<Bond> = molecule
            .bonds()
            .filter_map(|b| Some(Bond { begin: place[b.begin]?, end: place[b.end]?, order: b.order }))
            .collect();
        bonds.sort_unstable_by_key(|b| (b.begin.min(b.end), b.begin.max(b.end)));
        if bonds.iter().all(|b| b.order != BondOrder::Aromatic) {
            let mut orders: Vec<(usize, usize, u8)> =
                bonds.iter().map(|b| (b.begin, b.end, b.order.code())).collect();
            multiple::to_the_first(order.len(), &mut orders);
            for (bond, (.., code)) in bonds.iter_mut().zip(orders) {
                bond.order = BondOrder::from_code(code).unwrap_or(bond.order);
            }
        }
        let mut neighbours = vec![Vec::new(); order.len()];
        for bond in &bonds {
            neighbours[bond.begin].push((bond.end, Link::of(bond, bond.begin)));
            neighbours[bond.end].push((bond.begin, Link::of(bond, bond.end)));
        }
        neighbours.iter_mut().for_each(|list| list.sort_unstable());
        Self { atoms: atoms.collect(), neighbours }
    }

    fn is_aromatic(&self, k: usize) -> bool {
        self.neighbours[k].iter().any(|(_, link)| *link == Link::Aromatic)
    }

    /// An atom as text: bare where its hydrogens follow from its bonds, in brackets else.
    fn text(&self, k: usize) -> String {
        let Vertex { element, charge, isotope, hydrogens } = self.atoms[k];
        let aromatic = self.is_aromatic(k);
        let bonds: usize = self.neighbours[k].iter().map(|(_, link)| link.order()).sum();
        let symbol = match aromatic {
            true => element.symbol().to_lowercase(),
            false => element.symbol().into(),
        };
        let valences = default_valences(element);
        let implied = valences.iter().find(|v| **v >= bonds + usize::from(aromatic));
        let implied = implied.map(|v| v - bonds - usize::from(aromatic));
        let follows = match aromatic {
            true => element == Element::C && implied == Some(hydrogens) || hydrogens == 0,
            false => implied == Some(hydrogens),
        };
        // Readers differ in what they take hydrogens from where a bond has no order or leads to a metal.
        let is_plain = self.neighbours[k]
            .iter()
            .all(|(j, link)| *link < Link::Given && !is_metal(self.atoms[*j].element));
        if charge == 0 && isotope == 0 && follows && is_plain && !valences.is_empty() {
            return symbol;
        }
        let isotope = if isotope == 0 { String::new() } else { isotope.to_string() };
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
        format!("[{isotope}{symbol}{hydrogens}{charge}]")
    }

    /// What is written between two atoms.
    fn symbol(&self, from: usize, to: usize, link: Link) -> &'static str {
        match link {
            Link::Single if self.is_aromatic(from) && self.is_aromatic(to) => "-",
            Link::Single | Link::Aromatic => "",
            Link::Double => "=",
            Link::Triple => "#",
            Link::Given => "->",
            Link::Taken => "<-",
            Link::Loose => "~",
        }
    }

    /// Bonds that close rings on a walk from an atom, by the atom where they open: the atoms where they close, in the order in
    /// which the walk comes to these.
    fn rings(&self, start: usize) -> HashMap<usize, Vec<usize>> {
        let mut rings: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut seen: HashMap<usize, usize> = HashMap::from([(start, usize::MAX)]);
        let mut walk = vec![(start, 0)];
        while let Some(top) = walk.last_mut() {
            let k = top.0;
            let Some(&(j, _)) = self.neighbours[k].get(top.1) else {
                walk.pop();
                continue;
            };
            top.1 += 1;
            match seen.get(&j) {
                None => {
                    seen.insert(j, k);
                    walk.push((j, 0));
                }
                // Atoms that were seen and are not the one before are ahead on the walk, or behind and have closed already.
                Some(_) if seen[&k] == j => {}
                Some(_) if rings.get(&k).is_some_and(|closing| closing.contains(&j)) => {}
                Some(_) => rings.entry(j).or_default().push(k),
            }
        }
        rings
    }

    /// A connected part as text.
    fn part(&self, start: usize, visited: &mut [bool]) -> String {
        let rings = self.rings(start);
        let mut closing: HashMap<(usize, usize), usize> = HashMap::new();
        let (mut free, mut next): (BTreeSet<usize>, usize) = (BTreeSet::new(), 1);
        let mut text = String::new();
        let mut tasks = vec![Task::Atom(start, usize::MAX, "")];
        while let Some(task) = tasks.pop() {
            let (k, from, before) = match task {
                Task::Atom(k, from, before) => (k, from, before),
                Task::Text(other) => {
                    text.push_str(other);
                    continue;
                }
            };
            visited[k] = true;
            text.push_str(before);
            text.push_str(&self.text(k));
            // The ring that closes first gets the smallest number.
            for &j in rings.get(&k).into_iter().flatten() {
                let number = free.pop_first().unwrap_or_else(|| {
                    next += 1;
                    next - 1
                });
                closing.insert((k, j), number);
            }
            let mut children = Vec::new();
            let mut closed = Vec::new();
            for &(j, link) in &self.neighbours[k] {
                if let Some(number) = closing.get(&(k, j)) {
                    // The order is said where the ring opens.
                    text.push_str(self.symbol(k, j, link));
                    text.push_str(&ring_number(*number));
                } else if let Some(number) = closing.remove(&(j, k)) {
                    text.push_str(&ring_number(number));
                    closed.push(number);
                } else if j != from {
                    children.push((j, link));
                }
            }
            free.extend(closed);
            for (at, &(j, link)) in children.iter().enumerate().rev() {
                let is_branch = at + 1 < children.len();
                if is_branch {
                    tasks.push(Task::Text(")"));
                }
                tasks.push(Task::Atom(j, k, self.symbol(k, j, link)));
                if is_branch {
                    tasks.push(Task::Text("("));
                }
            }
        }
        text
    }
}

fn ring_number(number: usize) -> String {
    match number {
        0..=9 => number.to_string(),
        10..=99 => format!("%{number}"),
        _ => format!("%({number})"),
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
