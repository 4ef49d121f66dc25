//! Molecules in a Parquet table, one row each.
//!
//! Columns: `atomic_numbers` (list), `positions` (list, x, y, z of each atom, Å); optional `formal_charges`, `mass_numbers`,
//! `radical_electrons` (lists), `bond_begin`, `bond_end`, `bond_order` (lists, atoms from 0), and an `id`. Columns of numbers
//! become data fields. Tables of generated molecules have `sample`, `unmelt_run` and the records of the runs in their footer.
//!
//! The reader is our own: it takes memory for what is there and not for what a header promises.

mod bits;
mod column;
mod metadata;
mod page;
mod thrift;
mod write;

pub(super) use write::{Records, columns};

use std::path::Path;

use nalgebra::Point3;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::files::{contained, unpacked_bound};

use super::{Preparation, Reading};
use crate::record_field::RECORD_FIELD;
use crate::{Atom, Bond, BondOrder, Element, Error, Molecule, Result};
use column::{Column, Row};
use metadata::{Leaf, Metadata};
use page::{Budget, Values};

/// Lists that make a molecule.
const LISTS: [&str; 8] = [
    "atomic_numbers",
    "positions",
    "formal_charges",
    "mass_numbers",
    "radical_electrons",
    "bond_begin",
    "bond_end",
    "bond_order",
];

/// Reads all molecules of a table; rows that make no molecule are reported, the rest is read.
pub(super) fn read(bytes: &[u8], path: &Path, preparation: &Preparation) -> Result<Reading> {
    let fault = |fault: String| Error::Format { kind: "Parquet", path: path.into(), fault };
    // The methods of packing are libraries of others.
    let table = contained(&path.display().to_string(), || Table::read(bytes))?.map_err(fault)?;
    let mut reading = Reading::default();
    for row in 0..table.rows {
        reading.add(row + 1, "row", preparation, table.molecule(row));
    }
    Ok(reading)
}

/// The columns of a table of molecules.
struct Table {
    rows: usize,
    lists: Vec<Column>,
    id: Option<Column>,
    /// Columns of numbers, which become data fields.
    fields: Vec<Column>,
    /// Records of the runs that made the molecules.
    records: Vec<String>,
}

impl Table {
    fn read(bytes: &[u8]) -> std::result::Result<Self, String> {
        let metadata = Metadata::read(bytes)?;
        within(limits().records, "records", metadata.rows, "its number of rows")
            .map_err(|e| e.to_string())?;
        let mut budget = Budget::new(unpacked_bound(bytes.len() as u64));
        let has = |name: &str| metadata.leaves.iter().any(|l| l.column == name);
        let missing = LISTS[..2].iter().find(|name| !has(name));
        if let Some(name) = missing {
            return Err(format!("it has no column {name} of a type that can be read"));
        }
        let mut table = Self {
            rows: usize::try_from(metadata.rows).unwrap_or(0),
            lists: Vec::new(),
            id: None,
            fields: Vec::new(),
            records: records(&metadata, &mut budget)?,
        };
        for leaf in &metadata.leaves {
            let Some(place) = table.place(leaf)? else { continue };
            let column = Column::read(bytes, leaf, &mut budget)?;
            if column.rows.len() != table.rows {
                return Err(format!(
                    "its column {} has {} rows, and the table {}",
                    column.name,
                    column.rows.len(),
                    table.rows
                ));
            }
            match place {
                Place::List => table.lists.push(column),
                Place::Id => table.id = Some(column),
                Place::Field => table.fields.push(column),
            }
        }
        Ok(table)
    }

    /// Where the values of a leaf belong, if anywhere.
    fn place(&self, leaf: &Leaf) -> std::result::Result<Option<Place>, String> {
        let name = leaf.column.as_str();
        if LISTS.contains(&name) {
            if !leaf.is_number || leaf.max_repetition == 0 {
                return Err(format!("its column {name} does not hold lists of numbers"));
            }
            if self.lists.iter().any(|c| c.name == name) {
                return Err(format!("its column {name} holds structures"));
            }
            return Ok(Some(Place::List));
        }
        let plain = leaf.max_repetition == 0 && leaf.max_definition <= 1;
        Ok(match name {
            "id" if plain && self.id.is_none() => Some(Place::Id),
            _ if plain && leaf.is_number => Some(Place::Field),
            _ => None,
        })
    }

    /// The column of lists with a name.
    fn list(&self, name: &str) -> Option<&Column> {
        self.lists.iter().find(|c| c.name == name)
    }

    /// The whole numbers of a row.
    fn ints(&self, name: &str, row: usize) -> std::result::Result<Option<Vec<i64>>, String> {
        let Some(column) = self.list(name) else { return Ok(None) };
        let range = entries(column, row)?;
        let whole = |x: &f64| (x.fract() == 0.0 && x.abs() < 1e15).then_some(*x as i64);
        Ok(Some(match &column.values {
            Values::Ints(values) => values[range].to_vec(),
            Values::Floats(values) => {
                let list = values[range].iter().map(whole).collect::<Option<_>>();
                list.ok_or_else(|| format!("{name} holds a number that is not whole"))?
            }
            Values::Texts(_) => return Err(format!("{name} does not hold numbers")),
        }))
    }

    fn molecule(&self, row: usize) -> std::result::Result<Molecule, String> {
        let numbers = self.ints("atomic_numbers", row)?.unwrap_or_default();
        let column = self.list("positions").ok_or("it has no positions")?;
        let positions: Vec<f64> = match (&column.values, entries(column, row)?) {
            (Values::Floats(values), range) => values[range].to_vec(),
            (Values::Ints(values), range) => values[range].iter().map(|x| *x as f64).collect(),
            (Values::Texts(_), _) => return Err("positions does not hold numbers".into()),
        };
        let charges = self.ints("formal_charges", row)?.unwrap_or_else(|| vec![0; numbers.len()]);
        if positions.len() != 3 * numbers.len() || charges.len() != numbers.len() {
            return Err(format!(
                "it has {} atomic numbers, {} coordinates and {} charges",
                numbers.len(),
                positions.len(),
                charges.len()
            ));
        }
        within(limits().molecule_atoms, "molecule_atoms", numbers.len() as u64, "the row")
            .map_err(|e| e.to_string())?;
        let mut atoms = Vec::with_capacity(numbers.len());
        for ((&number, p), charge) in numbers.iter().zip(positions.chunks_exact(3)).zip(charges) {
            let element = u8::try_from(number).ok().and_then(Element::from_number);
            let element = element.ok_or_else(|| format!("there is no element with number {number}"))?;
            let charge = i8::try_from(charge).map_err(|_| format!("no atom has the charge {charge}"))?;
            atoms.push(Atom::new(element, charge, Point3::new(p[0], p[1], p[2])));
        }
        self.refine(row, &mut atoms)?;
        let mut molecule = Molecule::new(atoms, self.bonds(row)?).map_err(|e| e.to_string())?;
        molecule.name = self.id.as_ref().and_then(|id| text(id, row)).unwrap_or_default();
        molecule.fields = self.fields.iter().filter_map(|c| self.field(c, row)).collect();
        Ok(molecule)
    }

    /// The data field that a column makes of a row.
    fn field(&self, column: &Column, row: usize) -> Option<(String, String)> {
        let value = text(column, row)?;
        if self.records.is_empty() || column.name != RECORD_FIELD {
            return Some((column.name.clone(), value));
        }
        let record = self.records.get(value.parse::<usize>().ok()?)?;
        (!record.is_empty()).then(|| (column.name.clone(), record.clone()))
    }

    /// Sets isotopes and unpaired electrons, where the table has them.
    fn refine(&self, row: usize, atoms: &mut [Atom]) -> std::result::Result<(), String> {
        for name in ["mass_numbers", "radical_electrons"] {
            let Some(values) = self.ints(name, row)? else { continue };
            if values.len() != atoms.len() {
                return Err(format!("it has {} atoms and {} {name}", atoms.len(), values.len()));
            }
            for (atom, value) in atoms.iter_mut().zip(values) {
                let wrong = || format!("{name} holds {value}");
                match name {
                    "mass_numbers" => atom.isotope = u16::try_from(value).map_err(|_| wrong())?,
                    _ => atom.radicals = u8::try_from(value).map_err(|_| wrong())?,
                }
            }
        }
        Ok(())
    }

    fn bonds(&self, row: usize) -> std::result::Result<Vec<Bond>, String> {
        let list = |name: &str| match self.ints(name, row) {
            Ok(Some(list)) => Ok(list),
            Ok(None) => Err(format!("the table has bonds and no {name}")),
            Err(fault) => Err(fault),
        };
        if !LISTS[5..].iter().any(|name| self.list(name).is_some()) {
            return Ok(Vec::new());
        }
        let (begin, end, order) = (list("bond_begin")?, list("bond_end")?, list("bond_order")?);
        if begin.len() != end.len() || begin.len() != order.len() {
            return Err("its bond columns differ in length".into());
        }
        let atom = |k: i64| usize::try_from(k).map_err(|_| format!("a bond names atom {k}"));
        begin
            .into_iter()
            .zip(end)
            .zip(order)
            .map(|((begin, end), code)| {
                let order = u8::try_from(code).ok().and_then(BondOrder::from_code);
                let order = order.ok_or_else(|| format!("there is no bond order {code}"))?;
                Ok(Bond { begin: atom(begin)?, end: atom(end)?, order })
            })
            .collect()
    }
}

/// The records of a table's footer. Every row has one of them at most, which takes memory once a row.
fn records(metadata: &Metadata, budget: &mut Budget) -> std::result::Result<Vec<String>, String> {
    let Some(text) = &metadata.records else { return Ok(Vec::new()) };
    let records: Vec<String> =
        serde_json::from_str(text).map_err(|e| format!("its records of runs cannot be read: {e}"))?;
    let longest = records.iter().map(String::len).max().unwrap_or(0) as u64;
    budget.take(longest.saturating_mul(metadata.rows))?;
    Ok(records)
}

enum Place {
    List,
    Id,
    Field,
}

/// Where the entries of a row are, all of which must be there.
fn entries(column: &Column, row: usize) -> std::result::Result<std::ops::Range<usize>, String> {
    match column.rows[row] {
        Row::There => Ok(column.range(row)),
        Row::Missing => Err(format!("{} is empty", column.name)),
        Row::Holed => Err(format!("{} has an entry that is missing", column.name)),
    }
}

/// The one value of a row as text.
fn text(column: &Column, row: usize) -> Option<String> {
    let at = column.range(row).next()?;
    match &column.values {
        Values::Ints(values) => values.get(at).map(i64::to_string),
        Values::Floats(values) => values.get(at).map(f64::to_string),
        Values::Texts(values) => values.get(at).map(|v| String::from_utf8_lossy(v).into_owned()),
    }
}
