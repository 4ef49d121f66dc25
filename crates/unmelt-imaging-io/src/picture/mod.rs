//! Pictures: PNG, TIFF and JPEG, gray or in colours.
//!
//! A picture is an axial slice as radiologists look at it: its columns run to the left of the patient and its rows to the back. A pixel
//! is 1 mm long, because pictures do not say how long it is.

mod display;
mod jpeg;
mod kind;
mod pixels;
mod png;
mod read;
mod samples;
mod tiff;

pub(crate) use display::{check, write};
pub use kind::{Depth, PictureKind, PictureSource};
pub use read::read;
pub(crate) use read::stored_grid;
