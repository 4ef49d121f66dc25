//! NIfTI files: every orientation, both byte orders, both versions, what other programs write, and files that lie.
//!
//! What is tested on public scans runs where they lie in `shared/` beside the checkout (or in `UNMELT_DATA`).

mod broken;
mod cases;
mod files;
mod mended;
mod places;
mod raw;
mod series;
mod written;
