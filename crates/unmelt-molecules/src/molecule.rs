//! A molecule: atoms in space, and the bonds between them as a graph.

use std::collections::BTreeMap;

use nalgebra::Point3;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;

use crate::Element;

/// An atom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Atom {
    /// Which element.
    pub element: Element,
    /// Formal charge in elementary charges.
    pub charge: i8,
    /// Position in Å.
    pub position: Point3<f64>,
    /// Mass number where an isotope is named, as 2 for deuterium; 0 for the natural mixture.
    pub isotope: u16,
    /// Unpaired electrons, where the file names them.
    pub radicals: u8,
}

impl Atom {
    /// An atom of the natural mixture of isotopes, without unpaired electrons.
    pub fn new(element: Element, charge: i8, position: Point3<f64>) -> Self {
        Self { element, charge, position, isotope: 0, radicals: 0 }
    }
}

/// The order of a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BondOrder {
    /// Single.
    Single,
    /// Double.
    Double,
    /// Triple.
    Triple,
    /// Aromatic, as some files have it; counts one and a half.
    Aromatic,
    /// A contact without shared electrons, as between a metal and a ligand; counts nothing.
    Zero,
    /// Both electrons come from the first atom; counts one for the second, which accepts them, and nothing for the first.
    Dative,
    /// A hydrogen bond; counts nothing.
    Hydrogen,
}

impl BondOrder {
    /// Orders 1, 2, 3, and 4 for aromatic, 8 for zero, 9 for dative, 10 for a hydrogen bond, as in SDF files.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Single),
            2 => Some(Self::Double),
            3 => Some(Self::Triple),
            4 => Some(Self::Aromatic),
            8 => Some(Self::Zero),
            9 => Some(Self::Dative),
            10 => Some(Self::Hydrogen),
            _ => None,
        }
    }

    /// The code in SDF files.
    pub fn code(self) -> u8 {
        match self {
            Self::Single => 1,
            Self::Double => 2,
            Self::Triple => 3,
            Self::Aromatic => 4,
            Self::Zero => 8,
            Self::Dative => 9,
            Self::Hydrogen => 10,
        }
    }

    /// What the bond adds to the valence of its second atom; to that of the first too, unless it is dative.
    pub fn valence(self) -> f64 {
        match self {
            Self::Single | Self::Dative => 1.0,
            Self::Double => 2.0,
            Self::Triple => 3.0,
            Self::Aromatic => 1.5,
            Self::Zero | Self::Hydrogen => 0.0,
        }
    }
}

/// A bond between the atoms number `begin` and `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bond {
    /// First atom, from 0.
    pub begin: usize,
    /// Second atom, from 0.
    pub end: usize,
    /// Order.
    pub order: BondOrder,
}

impl Bond {
    /// What the bond adds to the valence of an atom: nothing where it does not end there, and nothing to the donor of a
    /// dative bond.
    pub fn valence_at(&self, atom: usize) -> f64 {
        let gives_only = self.order == BondOrder::Dative && atom == self.begin;
        if gives_only || (atom != self.begin && atom != self.end) { 0.0 } else { self.order.valence() }
    }
}

/// A place of a fragment where something else is to be bonded, as `R#` or `*` marks it in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// The atom that bears it, from 0.
    pub atom: usize,
    /// What the file calls it: "R1", "*", "Du".
    pub label: String,
    /// Its number among the atoms of the file, from 1.
    pub place: usize,
}

/// Atoms in space and the bonds between them.
#[derive(Clone, Debug, Default)]
pub struct Molecule {
    /// Title line of the record that it came from.
    pub name: String,
    /// Data fields, in order.
    pub fields: Vec<(String, String)>,
    /// Where something else is to be bonded; only fragments have such places.
    pub attachments: Vec<Attachment>,
    /// Whether the file says that the positions are those of a drawing in two dimensions.
    pub is_drawing: bool,
    graph: UnGraph<Atom, BondOrder>,
}

/// Why a molecule could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MoleculeError {
    /// A coordinate is NaN or infinite.
    #[error("atom {0} has a coordinate that is not a finite number")]
    Position(usize),
    /// A bond names an atom that is not there.
    #[error("a bond names atom {0}, but there are {1} atoms")]
    BondEnd(usize, usize),
    /// A bond from an atom to itself.
    #[error("atom {0} is bonded to itself")]
    SelfBond(usize),
    /// Two bonds between the same atoms.
    #[error("atoms {0} and {1} are bonded twice")]
    DoubleEntry(usize, usize),
}

impl Molecule {
    /// A molecule of atoms and bonds. Atoms are numbered from 0, in messages from 1.
    pub fn new(
        atoms: impl IntoIterator<Item = Atom>,
        bonds: impl IntoIterator<Item = Bond>,
    ) -> Result<Self, MoleculeError> {
        let mut graph = UnGraph::default();
        for (k, atom) in atoms.into_iter().enumerate() {
            if !atom.position.iter().all(|x| x.is_finite()) {
                return Err(MoleculeError::Position(k + 1));
            }
            graph.add_node(atom);
        }
        let (count, mut seen) = (graph.node_count(), std::collections::HashSet::new());
        for bond in bonds {
            let (begin, end) = (bond.begin, bond.end);
            if let Some(end) = [begin, end].into_iter().find(|end| *end >= count) {
                return Err(MoleculeError::BondEnd(end.saturating_add(1), count));
            }
            if begin == end {
                return Err(MoleculeError::SelfBond(begin + 1));
            }
            if !seen.insert((begin.min(end), begin.max(end))) {
                return Err(MoleculeError::DoubleEntry(begin + 1, end + 1));
            }
            graph.add_edge(NodeIndex::new(begin), NodeIndex::new(end), bond.order);
        }
        Ok(Self { graph, ..Self::default() })
    }

    /// The same atoms with other bonds.
    pub fn with_bonds(&self, bonds: impl IntoIterator<Item = Bond>) -> Result<Self, MoleculeError> {
        let mut molecule = Self::new(self.atoms().copied(), bonds)?;
        molecule.name.clone_from(&self.name);
        molecule.fields.clone_from(&self.fields);
        molecule.attachments.clone_from(&self.attachments);
        molecule.is_drawing = self.is_drawing;
        Ok(molecule)
    }

    /// The atoms with a flag, in order, and the bonds between them.
    pub fn subset(&self, kept: &[bool]) -> Result<Self, crate::Error> {
        let mut new = vec![None; self.len()];
        let old: Vec<usize> = (0..self.len()).filter(|&k| kept[k]).collect();
        old.iter().enumerate().for_each(|(k, &o)| new[o] = Some(k));
        let bonds = self
            .bonds()
            .filter_map(|b| Some(Bond { begin: new[b.begin]?, end: new[b.end]?, order: b.order }));
        Ok(Self::new(old.iter().map(|&k| *self.atom(k)), bonds)?)
    }

    /// Number of atoms.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there is no atom.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The graph: atoms as nodes, bonds as edges.
    pub fn graph(&self) -> &UnGraph<Atom, BondOrder> {
        &self.graph
    }

    /// The atoms, in order.
    pub fn atoms(&self) -> impl ExactSizeIterator<Item = &Atom> {
        self.graph.node_weights().collect::<Vec<_>>().into_iter()
    }

    /// The atom number `k`, from 0.
    ///
    /// # Panics
    /// If there is none.
    pub fn atom(&self, k: usize) -> &Atom {
        &self.graph[NodeIndex::new(k)]
    }

    /// The bonds, in order.
    pub fn bonds(&self) -> impl Iterator<Item = Bond> + '_ {
        self.graph.edge_references().map(|e| Bond {
            begin: e.source().index(),
            end: e.target().index(),
            order: *e.weight(),
        })
    }

    /// The neighbours of an atom, with the orders of the bonds to them.
    pub fn neighbours(&self, atom: usize) -> impl Iterator<Item = (usize, BondOrder)> + '_ {
        let own = NodeIndex::new(atom);
        self.graph.edges(own).map(move |e| {
            let other = if e.source() == own { e.target() } else { e.source() };
            (other.index(), *e.weight())
        })
    }

    /// The bonds of an atom, each with its own first and second atom.
    pub fn bonds_of(&self, atom: usize) -> impl Iterator<Item = Bond> + '_ {
        self.graph.edges(NodeIndex::new(atom)).map(|e| {
            let [a, b] = self.graph.edge_endpoints(e.id()).map_or([e.source(), e.target()], |(a, b)| [a, b]);
            Bond { begin: a.index(), end: b.index(), order: *e.weight() }
        })
    }

    /// Sum of the bond orders at an atom.
    pub fn valence(&self, atom: usize) -> f64 {
        self.bonds_of(atom).map(|b| b.valence_at(atom)).sum()
    }

    /// Unpaired electrons of all atoms, as the file names them.
    pub fn radicals(&self) -> usize {
        self.atoms().map(|a| usize::from(a.radicals)).sum()
    }

    /// Molecular formula in Hill order, with the net charge.
    pub fn formula(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for atom in self.atoms() {
            *counts.entry(atom.element.symbol()).or_default() += 1;
        }
        let has_carbon = counts.contains_key("C");
        let rank = |symbol: &str| match symbol {
            "C" if has_carbon => 0,
            "H" if has_carbon => 1,
            _ => 2,
        };
        let mut parts: Vec<_> = counts.into_iter().collect();
        parts.sort_by_key(|(symbol, _)| (rank(symbol), *symbol));
        let mut text: String =
            parts.into_iter().map(|(s, n)| if n == 1 { s.to_string() } else { format!("{s}{n}") }).collect();
        let charge: i32 = self.atoms().map(|a| i32::from(a.charge)).sum();
        match charge {
            0 => {}
            1 => text.push('+'),
            -1 => text.push('-'),
            c => text.push_str(&format!("{c:+}")),
        }
        text
    }

    /// Number of connected parts.
    pub fn components(&self) -> usize {
        petgraph::algo::connected_components(&self.graph)
    }

    /// Number of independent rings: bonds − atoms + parts.
    pub fn rings(&self) -> usize {
        self.graph.edge_count() + self.components() - self.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(element: Element, x: f64) -> Atom {
        Atom::new(element, 0, Point3::new(x, 0.0, 0.0))
    }

    #[test]
    fn formulas_are_in_hill_order() {
        let of = |symbols: &[&str]| {
            let atoms = symbols.iter().map(|s| atom(Element::from_symbol(s).expect("known"), 0.0));
            Molecule::new(atoms, []).expect("valid").formula()
        };
        assert_eq!(of(&["O", "H", "C", "H", "N"]), "CH2NO");
        assert_eq!(of(&["O", "H", "H"]), "H2O");
        assert_eq!(of(&["Na", "Cl"]), "ClNa");
    }

    #[test]
    fn wrong_molecules_are_refused() {
        let two = || [atom(Element::C, 0.0), atom(Element::C, 1.5)];
        let bond = |begin, end| Bond { begin, end, order: BondOrder::Single };
        assert_eq!(Molecule::new(two(), [bond(0, 2)]).expect_err("refused"), MoleculeError::BondEnd(3, 2));
        assert_eq!(Molecule::new(two(), [bond(1, 1)]).expect_err("refused"), MoleculeError::SelfBond(2));
        assert!(Molecule::new(two(), [bond(0, 1), bond(1, 0)]).is_err());
        assert!(Molecule::new([atom(Element::C, f64::NAN)], []).is_err());
    }

    #[test]
    fn dative_bonds_count_for_the_acceptor() {
        let atoms = [
            atom(Element::N, 0.0),
            atom(Element::from_symbol("B").expect("boron"), 1.6),
            atom(Element::H, -1.0),
        ];
        let bonds = [
            Bond { begin: 0, end: 1, order: BondOrder::Dative },
            Bond { begin: 2, end: 0, order: BondOrder::Single },
            Bond { begin: 2, end: 1, order: BondOrder::Zero },
        ];
        let molecule = Molecule::new(atoms, bonds).expect("valid");
        assert_eq!([0, 1, 2].map(|k| molecule.valence(k)), [1.0, 1.0, 1.0]);
        assert_eq!(molecule.bonds().collect::<Vec<_>>(), bonds);
    }

    #[test]
    fn rings_and_parts_are_counted() {
        let atoms = (0..7).map(|k| atom(Element::C, k as f64));
        let bond = |begin, end| Bond { begin, end, order: BondOrder::Single };
        let bonds = [bond(0, 1), bond(1, 2), bond(2, 0), bond(3, 4)];
        let molecule = Molecule::new(atoms, bonds).expect("valid");
        assert_eq!((molecule.components(), molecule.rings()), (4, 1));
    }
}
