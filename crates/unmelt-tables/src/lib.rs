//! Tables written as CSV or Parquet, in batches of rows.
//!
//! Parquet is written by polars' own writer and Arrow arrays. Its data frames are left out: they cost half of the build, and
//! nothing here sorts, joins or computes.
//!
//! ```
//! use unmelt_tables::{Column, ParquetWriter, Values, write_csv};
//!
//! let rows = [
//!     Column::new("name", Values::Text(vec!["ethanol".into(), "water".into()])),
//!     Column::new("dipole", Values::F64(vec![Some(1.69), None])),
//! ];
//! let mut text = Vec::new();
//! write_csv(&mut text, &rows, true)?;
//! assert_eq!(text, b"name,dipole\nethanol,1.69\nwater,\n");
//!
//! let mut table = ParquetWriter::new(Vec::new(), &rows)?;
//! table.write(&rows)?;
//! let bytes = table.finish(&[])?;
//! assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod column;
mod csv;
mod parquet;

pub use column::{Column, Lists, Values};
pub use csv::write_csv;
pub use parquet::ParquetWriter;
