//! What to do with a volume.

use crate::measurement::{Fourier, Profile};
use crate::{Error, Grid, Result};

/// What to do with a volume.
#[derive(Clone)]
pub enum Task {
    /// Take noise away; its standard deviation in the scan's units, estimated if not given.
    Denoise {
        /// Standard deviation of the noise.
        sigma: Option<f64>,
        /// Whether it is Rician; estimated if not given.
        rician: Option<bool>,
    },
    /// Resolve a finer grid along the same axes.
    SuperResolve {
        /// Wanted spacing in mm.
        spacing: [f64; 3],
        /// How the scan's voxels weigh what they cover.
        profile: Profile,
    },
    /// Fill the marked voxels; the others stay bit for bit.
    Inpaint {
        /// True where a voxel is missing.
        missing: Vec<bool>,
    },
    /// Extend the field of view by voxels at the low and the high end of right, front and top.
    Outpaint {
        /// Voxels added at the left, the back and the bottom.
        low: [usize; 3],
        /// Voxels added at the right, the front and the top.
        high: [usize; 3],
    },
    /// Reconstruct from undersampled k-space; the volume given is where the result goes.
    KSpace {
        /// The sampling, in units of the data.
        measurement: Fourier,
        /// The data.
        data: Vec<f32>,
    },
}

/// The kinds of tasks, without their details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKind {
    /// [`Task::Denoise`].
    Denoise,
    /// [`Task::SuperResolve`].
    SuperResolve,
    /// [`Task::Inpaint`].
    Inpaint,
    /// [`Task::Outpaint`].
    Outpaint,
    /// [`Task::KSpace`].
    KSpace,
}

impl TaskKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Denoise, Self::SuperResolve, Self::Inpaint, Self::Outpaint, Self::KSpace];

    /// The name, as on a card and on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denoise => "denoise",
            Self::SuperResolve => "super-resolve",
            Self::Inpaint => "inpaint",
            Self::Outpaint => "outpaint",
            Self::KSpace => "kspace",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Most voxels that a field of view grows by along an axis.
const MOST_ADDED: usize = 4096;

impl Task {
    /// What kind of task it is.
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Denoise { .. } => TaskKind::Denoise,
            Self::SuperResolve { .. } => TaskKind::SuperResolve,
            Self::Inpaint { .. } => TaskKind::Inpaint,
            Self::Outpaint { .. } => TaskKind::Outpaint,
            Self::KSpace { .. } => TaskKind::KSpace,
        }
    }

    /// The name on a command line.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// An extended field of view: mm to add to a grid at the left, the back and the bottom, and at the right, the front and the
    /// top, rounded to voxels.
    ///
    /// # Errors
    /// Lengths below 0 or not finite, more than 4,096 voxels along an axis.
    pub fn outpaint(grid: &Grid, low: [f64; 3], high: [f64; 3]) -> Result<Self> {
        let spacing = grid.spacing();
        let voxels = |mm: [f64; 3]| -> Result<[usize; 3]> {
            let mut out = [0; 3];
            for a in 0..3 {
                if !(mm[a].is_finite() && mm[a] >= 0.0) {
                    let text =
                        format!("the field of view grows by lengths of at least 0 mm, not by {}", mm[a]);
                    return Err(Error::Request(text));
                }
                let count = (mm[a] / spacing[a]).round();
                if count > MOST_ADDED as f64 {
                    return Err(too_wide(format!("{:e} mm", mm[a])));
                }
                out[a] = count as usize;
            }
            Ok(out)
        };
        let (low, high) = (voxels(low)?, voxels(high)?);
        check_extension(low, high)?;
        Ok(Self::Outpaint { low, high })
    }

    /// Where the walk begins, in units of the robust range: high enough for what the data leave open.
    pub(crate) fn sigma_max(&self, grid: &Grid, samples: usize) -> f64 {
        match self {
            Self::Denoise { .. } => 0.1,
            Self::SuperResolve { spacing, .. } => {
                let old = grid.spacing();
                // About what interpolation gets wrong: little is left to decide above that.
                let wrong: f64 = (0..3).map(|a| (old[a] / spacing[a] - 1.0).max(0.0).powi(2)).sum();
                (0.01 * wrong).clamp(0.01, 0.15)
            }
            // The biharmonic filling is refined; samples must forget it.
            Self::Inpaint { .. } if samples == 1 => 0.02,
            Self::Inpaint { .. } => 1.0,
            Self::Outpaint { .. } => 1.0,
            Self::KSpace { .. } => 0.6,
        }
    }
}

/// Whether a field of view may grow by so many voxels.
pub(crate) fn check_extension(low: [usize; 3], high: [usize; 3]) -> Result<()> {
    if low == [0; 3] && high == [0; 3] {
        return Err(Error::Request("nothing is to be added to the field of view".into()));
    }
    match (0..3).map(|a| low[a].saturating_add(high[a])).find(|count| *count > MOST_ADDED) {
        Some(count) => Err(too_wide(format!("{count}"))),
        None => Ok(()),
    }
}

fn too_wide(found: String) -> Error {
    Error::Request(format!(
        "the field of view cannot grow by more than {MOST_ADDED} voxels along an axis, and {found} were asked for"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_become_voxels_and_impossible_ones_sentences() {
        let grid = Grid::centred([4; 3], [1.0, 2.0, 3.0]);
        let Ok(Task::Outpaint { low, high }) = Task::outpaint(&grid, [0.0, 4.0, 0.0], [0.0, 0.0, 7.0]) else {
            panic!("an extension")
        };
        assert_eq!((low, high), ([0, 2, 0], [0, 0, 2]));
        for (low, high) in [([1e300, 0.0, 0.0], [1.0; 3]), ([0.0; 3], [0.0; 3]), ([4000.0; 3], [4000.0; 3])] {
            assert!(Task::outpaint(&grid, low, high).is_err());
        }
        for wrong in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(Task::outpaint(&grid, [wrong; 3], [1.0; 3]).is_err());
        }
        assert!(check_extension([usize::MAX; 3], [1; 3]).is_err());
        assert!(TaskKind::ALL.iter().all(|kind| TaskKind::from_name(kind.name()) == Some(*kind)));
    }
}
