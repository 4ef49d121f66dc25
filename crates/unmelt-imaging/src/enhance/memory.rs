//! Memory: whether the machine has what a volume wants, known before any of it is taken.

use unmelt_diffusion::machine::available_memory;

use crate::{Error, Grid, Result};

/// Bytes of each voxel that drawing a volume takes at its peak: 15 to 22 were measured, and a step more takes some.
pub(crate) const GENERATE: u64 = 24;

/// The same of denoising and of k-space, where 40 were measured.
pub(crate) const DENOISE: u64 = 36;

/// The same of a voxel of the result of other tasks, where 50 to 63 were measured.
pub(crate) const ENHANCE: u64 = 56;

/// Refuses work on a grid that takes `per_voxel` bytes of each voxel where the machine has less than that.
pub(crate) fn check(grid: &Grid, per_voxel: u64) -> Result<()> {
    match available_memory() {
        Some(available) => enough(grid, per_voxel, available),
        None => Ok(()),
    }
}

fn enough(grid: &Grid, per_voxel: u64, available: u64) -> Result<()> {
    let wanted = (grid.voxels() as u64).saturating_mul(per_voxel);
    if wanted <= available {
        return Ok(());
    }
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    Err(Error::Request(format!(
        "the work on a volume of {grid} takes about {:.1} GB of memory, and this machine has {:.1} GB free; use fewer or \
         larger voxels, a part of the volume, or a machine with more memory",
        gigabytes(wanted),
        gigabytes(available)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_does_not_have_is_not_taken() {
        let grid = Grid::centred([1000, 1000, 900], [1.0; 3]);
        enough(&grid, 30, 27_000_000_000).expect("just enough");
        let said = enough(&grid, 30, 26_000_000_000).expect_err("too little").to_string();
        assert!(
            said.contains("27.0 GB") && said.contains("26.0 GB") && said.contains("1000 × 1000 × 900"),
            "{said}"
        );
        assert!(enough(&Grid { shape: [usize::MAX; 3], ..grid }, u64::MAX, u64::MAX - 1).is_err());
    }
}
