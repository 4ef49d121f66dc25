//! The table of molecules that is written.

use unmelt_tables::{Column, Values};

use super::metadata::RECORDS;
use crate::Molecule;
use crate::molecule::{Atom, Bond};
use crate::record_field::{NUMBER_FIELD, RECORD_FIELD, field};

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

/// The records of runs that made the molecules of a table, each once.
#[derive(Debug, Default)]
pub(in super::super) struct Records(Vec<String>);

impl Records {
    /// Whether all of these molecules say how they were made.
    pub fn are_in(molecules: &[Molecule]) -> bool {
        let is_recorded = |m: &Molecule| field(m, RECORD_FIELD).is_some() && number(m).is_some();
        !molecules.is_empty() && molecules.iter().all(is_recorded)
    }

    /// The columns that say how molecules were made: which record, and the number within its seed. A molecule that does not say it has
    /// an empty record.
    pub fn columns(&mut self, molecules: &[Molecule]) -> Vec<Column> {
        let places = molecules.iter().map(|m| self.place(record(m))).collect();
        let numbers = molecules.iter().map(|m| number(m).unwrap_or_default()).collect();
        vec![Column::new(NUMBER_FIELD, Values::U64(numbers)), Column::new(RECORD_FIELD, Values::U32(places))]
    }

    /// The place of a record in the list.
    fn place(&mut self, record: &str) -> u32 {
        let found = self.0.iter().rposition(|other| other == record).unwrap_or_else(|| {
            self.0.push(record.into());
            self.0.len() - 1
        });
        found as u32
    }

    /// The text of the footer, if there is a record.
    pub fn text(&self) -> Option<(&'static str, String)> {
        let text = || serde_json::to_string(&self.0).expect("texts become JSON");
        (!self.0.is_empty()).then(|| (RECORDS, text()))
    }
}

/// The record of a molecule; empty where it does not say how it was made.
fn record(molecule: &Molecule) -> &str {
    number(molecule).and_then(|_| field(molecule, RECORD_FIELD)).unwrap_or_default()
}

/// The number of a molecule within its seed.
fn number(molecule: &Molecule) -> Option<u64> {
    field(molecule, NUMBER_FIELD)?.trim().parse().ok()
}
