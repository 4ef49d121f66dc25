//! DICOM in and out: on series made here with dicom-object, and on public ones where they lie in `shared/` beside the
//! checkout.

mod broken;
mod cases;
mod geometry;
mod make;
mod pet;
mod pictures;
mod public;
mod reading;
mod series;
mod writing;
