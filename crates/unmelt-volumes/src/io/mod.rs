//! Volumes in and out: NIfTI, DICOM, arrays of NumPy.

pub(crate) mod derivation;
pub mod dicom;
pub mod nifti;
pub mod npy;
pub mod output;
pub(crate) mod read;
