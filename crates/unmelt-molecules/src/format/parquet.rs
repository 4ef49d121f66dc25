//! Molecules in a Parquet table, one row each.
//!
//! Columns: `atomic_numbers` (list), `positions` (list, x, y, z of each atom, Å); optional `formal_charges`
//! (list), `bond_begin`, `bond_end`, `bond_order` (lists, atoms from 0), and an `id`.

use std::fs::File;
use std::path::Path;

use nalgebra::Point3;
use polars::prelude::*;

use super::{Fault, Reading};
use crate::{Atom, Bond, BondOrder, Element, Error, Molecule, Result};

/// The list columns of a table of molecules.
struct Columns {
    numbers: ListChunked,
    positions: ListChunked,
    charges: Option<ListChunked>,
    bonds: Option<[ListChunked; 3]>,
    names: Option<Column>,
    /// Columns of numbers, which become data fields.
    fields: Vec<Column>,
}

/// Reads all molecules of a table; rows that make no molecule are reported, the rest is read.
pub(super) fn read(path: &Path) -> Result<Reading> {
    let fault = |e: PolarsError| Error::Format { kind: "Parquet", path: path.into(), fault: first_line(&e) };
    let file = File::open(path).map_err(Error::file("read", path))?;
    let own = ["id", "atomic_numbers", "positions", "formal_charges", "bond_begin", "bond_end", "bond_order"];
    let mut reader = ParquetReader::new(file);
    let schema = reader.schema().map_err(fault)?;
    let wanted = |(name, field): &(&PlSmallStr, &ArrowField)| {
        own.contains(&name.as_str()) || DataType::from_arrow_field(field).is_primitive_numeric()
    };
    let present: Vec<String> = schema.iter().filter(wanted).map(|(name, _)| name.to_string()).collect();
    let frame = reader.with_columns(Some(present)).finish().map_err(fault)?;
    let columns = Columns::of(&frame).map_err(fault)?;
    let mut reading = Reading::default();
    for row in 0..frame.height() {
        match columns.molecule(row) {
            Ok(molecule) => reading.molecules.push(molecule),
            Err(message) => reading.faults.push(Fault::new(row + 1, "row", message)),
        }
    }
    Ok(reading)
}

/// The first line of a polars error, which can run to many.
pub(super) fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}

impl Columns {
    fn of(frame: &DataFrame) -> PolarsResult<Self> {
        let list = |name: &str, inner: DataType| -> PolarsResult<ListChunked> {
            let column = frame.column(name)?.cast(&DataType::List(Box::new(inner)))?;
            Ok(column.list()?.clone())
        };
        let has = |name: &str| frame.column(name).is_ok();
        Ok(Self {
            numbers: list("atomic_numbers", DataType::UInt8)?,
            positions: list("positions", DataType::Float64)?,
            charges: has("formal_charges").then(|| list("formal_charges", DataType::Int8)).transpose()?,
            bonds: if has("bond_begin") {
                let bond = |name| list(name, DataType::UInt32);
                Some([bond("bond_begin")?, bond("bond_end")?, bond("bond_order")?])
            } else {
                None
            },
            names: frame.column("id").ok().map(|c| c.cast(&DataType::String)).transpose()?,
            fields: frame
                .columns()
                .iter()
                .filter(|c| c.name() != "id" && c.dtype().is_primitive_numeric())
                .map(|c| c.cast(&DataType::Float64))
                .collect::<PolarsResult<_>>()?,
        })
    }

    fn molecule(&self, row: usize) -> std::result::Result<Molecule, String> {
        let numbers = values(&self.numbers, row, "atomic_numbers", |s| {
            Ok(s.u8()?.iter().flatten().collect::<Vec<_>>())
        })?;
        let positions =
            values(&self.positions, row, "positions", |s| Ok(s.f64()?.iter().flatten().collect::<Vec<_>>()))?;
        let charges = match &self.charges {
            Some(list) => {
                values(list, row, "formal_charges", |s| Ok(s.i8()?.iter().flatten().collect::<Vec<_>>()))?
            }
            None => vec![0; numbers.len()],
        };
        if positions.len() != 3 * numbers.len() || charges.len() != numbers.len() {
            return Err(format!(
                "it has {} atomic numbers, {} coordinates and {} charges",
                numbers.len(),
                positions.len(),
                charges.len()
            ));
        }
        let atoms = numbers
            .iter()
            .zip(positions.chunks_exact(3))
            .zip(charges)
            .map(|((&number, p), charge)| {
                let element = Element::from_number(number)
                    .ok_or_else(|| format!("there is no element with number {number}"))?;
                Ok(Atom::new(element, charge, Point3::new(p[0], p[1], p[2])))
            })
            .collect::<std::result::Result<Vec<_>, String>>()?;
        let mut molecule = Molecule::new(atoms, self.bonds(row)?).map_err(|e| e.to_string())?;
        if let Some(name) = self.names.as_ref().and_then(|n| n.str().ok()).and_then(|n| n.get(row)) {
            molecule.name = name.to_string();
        }
        let value = |c: &Column| c.f64().ok().and_then(|values| values.get(row));
        let fields = self.fields.iter().filter_map(|c| Some((c.name().to_string(), value(c)?.to_string())));
        molecule.fields = fields.collect();
        Ok(molecule)
    }

    fn bonds(&self, row: usize) -> std::result::Result<Vec<Bond>, String> {
        let Some(lists) = &self.bonds else {
            return Ok(Vec::new());
        };
        let list =
            |k: usize| values(&lists[k], row, "bonds", |s| Ok(s.u32()?.iter().flatten().collect::<Vec<_>>()));
        let (begin, end, order) = (list(0)?, list(1)?, list(2)?);
        if begin.len() != end.len() || begin.len() != order.len() {
            return Err("its bond columns differ in length".into());
        }
        begin
            .iter()
            .zip(end)
            .zip(order)
            .map(|((&begin, end), code)| {
                let order = u8::try_from(code)
                    .ok()
                    .and_then(BondOrder::from_code)
                    .ok_or_else(|| format!("there is no bond order {code}"))?;
                Ok(Bond { begin: begin as usize, end: end as usize, order })
            })
            .collect()
    }
}

/// The entries of one list, by `take`.
fn values<T>(
    list: &ListChunked,
    row: usize,
    name: &str,
    take: impl Fn(&Series) -> PolarsResult<T>,
) -> std::result::Result<T, String> {
    let series = list.get_as_series(row).ok_or_else(|| format!("{name} is empty"))?;
    take(&series).map_err(|e| format!("{name}: {}", first_line(&e)))
}

/// A table of molecules, with the columns that [`read`] reads.
pub(super) fn frame(molecules: &[Molecule]) -> PolarsResult<DataFrame> {
    fn list<T, N>(name: &str, molecules: &[Molecule], f: impl Fn(&Molecule) -> Vec<T>) -> Column
    where
        N: PolarsNumericType<Native = T>,
        T: NumericNative,
    {
        let rows = molecules.iter().map(|m| ChunkedArray::<N>::from_vec("".into(), f(m)).into_series());
        let mut builder = ListPrimitiveChunkedBuilder::<N>::new(
            name.into(),
            molecules.len(),
            20 * molecules.len(),
            N::get_static_dtype(),
        );
        for row in rows {
            // A series of the builder's own type always fits.
            let _ = builder.append_series(&row);
        }
        builder.finish().into_series().into_column()
    }
    let names: Vec<&str> = molecules.iter().map(|m| m.name.as_str()).collect();
    let columns = vec![
        Column::new("id".into(), names),
        list::<u8, UInt8Type>("atomic_numbers", molecules, |m| {
            m.atoms().map(|a| a.element.number()).collect()
        }),
        list::<i8, Int8Type>("formal_charges", molecules, |m| m.atoms().map(|a| a.charge).collect()),
        list::<f32, Float32Type>("positions", molecules, |m| {
            m.atoms().flat_map(|a| a.position.iter().map(|x| *x as f32).collect::<Vec<_>>()).collect()
        }),
        list::<u32, UInt32Type>("bond_begin", molecules, |m| m.bonds().map(|b| b.begin as u32).collect()),
        list::<u32, UInt32Type>("bond_end", molecules, |m| m.bonds().map(|b| b.end as u32).collect()),
        list::<u8, UInt8Type>("bond_order", molecules, |m| m.bonds().map(|b| b.order.code()).collect()),
    ];
    DataFrame::new(molecules.len(), columns)
}

/// The columns of [`frame`].
pub(super) fn schema() -> Schema {
    let list = |inner: DataType| DataType::List(Box::new(inner));
    Schema::from_iter([
        Field::new("id".into(), DataType::String),
        Field::new("atomic_numbers".into(), list(DataType::UInt8)),
        Field::new("formal_charges".into(), list(DataType::Int8)),
        Field::new("positions".into(), list(DataType::Float32)),
        Field::new("bond_begin".into(), list(DataType::UInt32)),
        Field::new("bond_end".into(), list(DataType::UInt32)),
        Field::new("bond_order".into(), list(DataType::UInt8)),
    ])
}
