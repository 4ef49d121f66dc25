//! The table of molecules that is written.

use unmelt_tables::{Column, Values};

use crate::Molecule;
use crate::molecule::{Atom, Bond};

/// The columns of a table of molecules, those that the reader reads.
pub(in super::super) fn columns(molecules: &[Molecule]) -> Vec<Column> {
    fn atoms<T>(molecules: &[Molecule], f: impl Fn(&Atom) -> T) -> Vec<Vec<T>> {
        molecules.iter().map(|m| m.atoms().map(&f).collect()).collect()
    }
    fn bonds<T>(molecules: &[Molecule], f: impl Fn(&Bond) -> T) -> Vec<Vec<T>> {
        molecules.iter().map(|m| m.bonds().map(|b| f(&b)).collect()).collect()
    }
    let names = molecules.iter().map(|m| m.name.clone()).collect();
    let positions =
        |m: &Molecule| m.atoms().flat_map(|a| a.position.coords.iter().map(|x| *x as f32)).collect();
    vec![
        Column::new("id", Values::Text(names)),
        Column::new("atomic_numbers", atoms(molecules, |a| a.element.number())),
        Column::new("formal_charges", atoms(molecules, |a| a.charge)),
        Column::new("mass_numbers", atoms(molecules, |a| i16::try_from(a.isotope).unwrap_or(0))),
        Column::new("radical_electrons", atoms(molecules, |a| a.radicals)),
        Column::new("positions", molecules.iter().map(positions).collect::<Vec<Vec<f32>>>()),
        Column::new("bond_begin", bonds(molecules, |b| b.begin as u32)),
        Column::new("bond_end", bonds(molecules, |b| b.end as u32)),
        Column::new("bond_order", bonds(molecules, |b| b.order.code())),
    ]
}
