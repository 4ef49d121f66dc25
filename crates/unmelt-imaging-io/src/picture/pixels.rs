//! The pixels of a picture that is being decoded.

use std::path::Path;

use unmelt_diffusion::files::limits::{limits, within};

use super::kind::{Depth, PictureKind};
use crate::{Error, Result};

/// The pixels of a picture.
pub(super) struct Pixels {
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) depth: Depth,
    /// Row by row, the channels of a pixel side by side; one list for each page.
    pub(super) pages: Vec<Vec<f32>>,
    pub(super) warnings: Vec<String>,
}

/// Room for a picture that is about to be decoded.
pub(super) struct Room<'a> {
    pub(super) path: &'a Path,
    pub(super) kind: PictureKind,
    /// Values that were decoded before.
    pub(super) used: u64,
}

impl Room<'_> {
    /// Refuses a page of so many values where all together are too many.
    pub(super) fn take(&mut self, size: [u64; 2], channels: u64) -> Result<()> {
        if size.contains(&0) {
            return Err(self.fault("it has no pixel"));
        }
        let values = size[0].saturating_mul(size[1]).saturating_mul(channels);
        self.used = self.used.saturating_add(values);
        within(limits().voxels, "voxels", self.used, &format!("values of {}", self.path.display()))?;
        Ok(())
    }

    pub(super) fn fault(&self, fault: impl Into<String>) -> Error {
        Error::format(self.kind.file(), self.path, fault)
    }
}

/// The channels of pixels without their alpha, which is said where it is not the same everywhere.
pub(super) fn without_alpha(
    values: Vec<f32>,
    samples: usize,
    channels: usize,
    depth: Depth,
    room: &Room,
    warnings: &mut Vec<String>,
) -> Vec<f32> {
    if samples == channels {
        return values;
    }
    let opaque = depth.largest().unwrap_or(1.0);
    let transparent = values.chunks_exact(samples).filter(|p| p[channels] != opaque).count();
    if transparent > 0 {
        warnings.push(format!(
            "{transparent} pixels of {} are transparent; their colours are taken",
            room.path.display()
        ));
    }
    values.chunks_exact(samples).flat_map(|p| &p[..channels]).copied().collect()
}
