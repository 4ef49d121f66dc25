//! The table of molecules that is written, by polars.

use polars_core::prelude::*;

use crate::Molecule;

/// The first line of a polars error, which can run to many.
pub(in super::super) fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}

/// A table of molecules, with the columns that the reader reads.
pub(in super::super) fn frame(molecules: &[Molecule]) -> PolarsResult<DataFrame> {
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
        list::<i16, Int16Type>("mass_numbers", molecules, |m| {
            m.atoms().map(|a| i16::try_from(a.isotope).unwrap_or(0)).collect()
        }),
        list::<u8, UInt8Type>("radical_electrons", molecules, |m| m.atoms().map(|a| a.radicals).collect()),
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
pub(in super::super) fn schema() -> Schema {
    let list = |inner: DataType| DataType::List(Box::new(inner));
    Schema::from_iter([
        Field::new("id".into(), DataType::String),
        Field::new("atomic_numbers".into(), list(DataType::UInt8)),
        Field::new("formal_charges".into(), list(DataType::Int8)),
        Field::new("mass_numbers".into(), list(DataType::Int16)),
        Field::new("radical_electrons".into(), list(DataType::UInt8)),
        Field::new("positions".into(), list(DataType::Float32)),
        Field::new("bond_begin".into(), list(DataType::UInt32)),
        Field::new("bond_end".into(), list(DataType::UInt32)),
        Field::new("bond_order".into(), list(DataType::UInt8)),
    ])
}
