//! Files of volumes: NIfTI, DICOM, arrays of NumPy.
//!
//! Reading gives a [`Scan`]: a volume, and what its file said besides. Writing goes back to the orientation of the source and keeps
//! its header.

mod derivation;
pub mod dicom;
mod error;
mod finite;
pub mod nifti;
mod nifti_files;
pub mod npy;
pub mod output;
mod picture;
mod read;
mod scan;
mod scan_series;
mod series_output;
mod table;

pub use derivation::Derivation;
pub use error::{Error, Result};
pub use nifti_files::{NiftiFiles, nifti_files};
pub use picture::{Depth, PictureKind, PictureSource};
pub use read::{Choice, Reading};
pub use scan::{Scan, Source};
pub use scan_series::{ScanSeries, SeriesReading};
pub use table::{Row, write_table};
