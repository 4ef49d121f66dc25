//! NIfTI-1 and NIfTI-2 files: `.nii`, `.nii.gz`, `.hdr` with `.img`, of either byte order.
//!
//! Lengths are millimetres inside, and in the file's own unit in what is written. A file is written in the version that it came in,
//! and in version 2 where an axis is too long for version 1.

mod extension;
pub(crate) mod foreign;
mod header;
mod input;
mod place;
mod quaternion;
mod read;
mod voxels;
mod write;

use std::path::PathBuf;

use nalgebra::Matrix4;
use unmelt_imaging::Grid;

pub use extension::Extension;
pub use header::{Header, Version};
pub(crate) use read::files;
pub use read::{read, read_bytes, read_series, read_with};
pub use write::{Element, Label, write, write_marked, write_series};

/// What a NIfTI file said besides its voxels.
#[derive(Clone, Debug)]
pub struct NiftiSource {
    /// The header, what was broken in it mended.
    pub header: Header,
    /// Its extensions.
    pub extensions: Vec<Extension>,
    /// Its grid as stored, in mm.
    pub grid: Grid,
    /// The file.
    pub path: PathBuf,
    /// The affine of its qform in mm, where it has one beside its sform.
    qform: Option<Matrix4<f64>>,
}

impl NiftiSource {
    /// The record of how the volume was made, as JSON, if this program wrote one.
    pub fn record(&self) -> Option<&str> {
        extension::record(&self.extensions)
    }

    /// Takes all free text away: description, names, extensions.
    pub fn clear_text(&mut self) {
        self.header.clear_text();
        self.extensions.clear();
    }
}
