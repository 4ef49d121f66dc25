//! DICOM series in, derived series out.
//!
//! Identifying tags are neither printed nor logged: messages name files, series UIDs and geometry.

mod charset;
mod codestream;
mod dataset;
mod decimal;
mod file;
mod flat;
mod frame;
mod frames;
mod geometry;
mod image;
mod mosaic;
mod origin;
mod parse;
mod pet;
mod pixels;
mod place;
mod read;
mod resample;
mod series;
mod source;
mod stored;
mod tags;
mod uid;
mod write;

use std::path::Path;

pub use origin::DicomSeries;
pub use read::{read, read_series};
pub use write::write;

/// Whether a file looks like DICOM: its beginning, with or without a preamble, or a name that says so.
pub fn is_dicom(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["dcm", "dicom", "ima"].contains(&extension.as_str()) || read::has_beginning(path)
}
