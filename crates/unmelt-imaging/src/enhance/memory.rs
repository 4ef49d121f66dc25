//! Memory: whether the machine has what a volume wants, known before any of it is taken.

use unmelt_diffusion::machine::available_memory;

use crate::task::TaskKind;
use crate::{Error, Grid, Result, VolumeModel};

/// Bytes of each voxel that drawing a volume takes at its peak: 15 to 22 were measured, and a step more takes some.
pub(crate) const GENERATE: u64 = 24;

/// The same of denoising and of k-space, where 40 were measured.
pub(crate) const DENOISE: u64 = 36;

/// The same of a voxel of the result of other tasks, where 50 to 63 were measured.
pub(crate) const ENHANCE: u64 = 56;

/// Bytes of a voxel that a task takes at its peak.
pub(crate) fn per_voxel(kind: TaskKind) -> u64 {
    match kind {
        TaskKind::Denoise | TaskKind::KSpace => DENOISE,
        TaskKind::SuperResolve | TaskKind::Inpaint | TaskKind::Outpaint => ENHANCE,
    }
}

/// Bytes that the program takes before any work, its models included. This and the numbers below were fitted on ten cases, whose
/// peaks they meet within a tenth (docs/experiments.md).
const PROGRAM: u64 = 94 << 20;

/// Bytes that restoring a patch takes of each of its voxels, for each channel of the widest level.
const OF_PATCH: f64 = 6.5;

/// Bytes that a search or a sampling takes beside its volumes.
const OF_WALK: u64 = 70 << 20;

/// Bytes of a voxel of the result at the peak of denoising and of k-space, and of other tasks.
const OF_VOXEL: [u64; 2] = [46, 56];

/// What an enhancement is expected to take.
pub(crate) struct Expected<'a> {
    /// The grid of the result.
    pub grid: &'a Grid,
    /// The model.
    pub model: &'a VolumeModel,
    /// The task.
    pub kind: TaskKind,
    /// Posterior samples.
    pub samples: usize,
    /// Whether it searches or samples.
    pub walks: bool,
}

impl Expected<'_> {
    /// Bytes at the peak, the program included.
    pub fn bytes(&self) -> u64 {
        let of_voxel = OF_VOXEL[usize::from(per_voxel(self.kind) == ENHANCE)];
        // Mean and squares of several samples.
        let moments = if self.samples > 1 { 8 } else { 0 };
        let volumes = (self.grid.voxels() as u64).saturating_mul(of_voxel + moments);
        let walk = if self.walks { OF_WALK } else { 0 };
        of_network(self.grid, self.model).saturating_add(volumes).saturating_add(walk)
    }
}

/// The same of drawing a volume.
pub(crate) fn expected_of_generation(grid: &Grid, model: &VolumeModel) -> u64 {
    of_network(grid, model)
        .saturating_add((grid.voxels() as u64).saturating_mul(GENERATE))
        .saturating_add(OF_WALK)
}

/// Bytes of the program, of the weights and of restoring the largest patch.
fn of_network(grid: &Grid, model: &VolumeModel) -> u64 {
    let edges = grid.shape.map(|n| n.next_multiple_of(model.granularity()).min(model.patch) as u64);
    let width = model.network.channels.iter().copied().max().unwrap_or(1) as u64;
    let weights = 4 * model.layout().len() as u64;
    let patch = edges.iter().product::<u64>() * width;
    PROGRAM + 2 * weights + (patch as f64 * OF_PATCH) as u64
}

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
