//! Where a frame lies: its affine, and its file in sentences.

use std::path::Path;

use nalgebra::{Matrix4, Vector3};

use super::frame::Frame;

/// The name of a frame's file below the folder that is read.
pub(super) fn file(frame: &Frame, path: &Path) -> String {
    let name = frame.image.path.strip_prefix(path).ok().filter(|p| !p.as_os_str().is_empty());
    let name = name.unwrap_or(&frame.image.path).display().to_string();
    if frame.image.frames > 1 { format!("{name} (frame {})", frame.index + 1) } else { name }
}

/// From LPS vectors to an affine in RAS.
pub(super) fn affine(origin: Vector3<f64>, columns: [Vector3<f64>; 3]) -> Matrix4<f64> {
    let mut affine = Matrix4::identity();
    for (c, column) in columns.iter().chain([&origin]).enumerate() {
        for r in 0..3 {
            affine[(r, c)] = if r < 2 { -column[r] } else { column[r] };
        }
    }
    affine
}
