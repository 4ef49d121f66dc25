//! Atoms and bonds as JSON, for requests that name a molecule. Titles and data fields are left out: they may name what a request
//! has no use for.

use nalgebra::Point3;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unmelt_diffusion::files::limits::{limits, within};

use crate::{Atom, Bond, BondOrder, Element, Molecule};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Graph {
    /// Element, formal charge, position in Å, mass number, unpaired electrons.
    atoms: Vec<(String, i8, [f64; 3], u16, u8)>,
    /// First atom and second atom from 0, and the order's code in SDF files.
    bonds: Vec<(usize, usize, u8)>,
}

impl Serialize for Molecule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let atom = |a: &Atom| (a.element.symbol().into(), a.charge, a.position.into(), a.isotope, a.radicals);
        Graph {
            atoms: self.atoms().map(atom).collect(),
            bonds: self.bonds().map(|b| (b.begin, b.end, b.order.code())).collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Molecule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let graph = Graph::deserialize(deserializer)?;
        within(limits().molecule_atoms, "molecule_atoms", graph.atoms.len() as u64, "a molecule")
            .map_err(D::Error::custom)?;
        let atom = |(symbol, charge, position, isotope, radicals): &(String, i8, [f64; 3], u16, u8)| {
            let element = Element::from_symbol(symbol)
                .ok_or_else(|| D::Error::custom(format!("\"{symbol}\" is no element")))?;
            let plain = Atom::new(element, *charge, Point3::from(*position));
            Ok(Atom { isotope: *isotope, radicals: *radicals, ..plain })
        };
        let bond = |(begin, end, code): &(usize, usize, u8)| {
            let order = BondOrder::from_code(*code)
                .ok_or_else(|| D::Error::custom(format!("{code} is no order of a bond")))?;
            Ok(Bond { begin: *begin, end: *end, order })
        };
        let atoms = graph.atoms.iter().map(atom).collect::<Result<Vec<_>, D::Error>>()?;
        let bonds = graph.bonds.iter().map(bond).collect::<Result<Vec<_>, D::Error>>()?;
        Self::new(atoms, bonds).map_err(D::Error::custom)
    }
}
