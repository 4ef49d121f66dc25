//! NIfTI-1 and NIfTI-2 files: `.nii`, `.nii.gz`, `.hdr` with `.img`, of either byte order.
//!
//! Headers of version 2 are turned into those of version 1, which is what is written.

mod header;
mod read;
mod write;

use nifti::{Extension, NiftiHeader};

use crate::{Grid, Orientation};

pub use read::read;
pub use write::{Element, write};

/// What a NIfTI file said besides its voxels.
#[derive(Clone, Debug)]
pub struct NiftiSource {
    /// The header.
    pub header: NiftiHeader,
    /// Its extensions.
    pub extensions: Vec<Extension>,
    /// How its axes relate to RAS.
    pub orientation: Orientation,
    /// Its grid as stored.
    pub grid: Grid,
}
