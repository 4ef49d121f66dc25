//! Several scalar volumes on one lattice: the frames of a series, the channels of a picture.

use crate::volume::Acquisition;
use crate::{Lattice, Volume};

/// Values on a lattice: an image, a series of volumes, a colour image, a single volume.
///
/// ```
/// use unmelt_imaging::{Grid, Lattice, Series};
///
/// let lattice = Lattice { frames: 2, ..Lattice::scalar(Grid::centred([4, 3, 1], [1.0; 3])) };
/// let series = Series::new((0..24).map(|k| k as f32).collect(), lattice);
/// assert_eq!(series.volumes().count(), 2);
/// assert_eq!(series.volume(0, 1).voxels[0], 12.0);
/// ```
#[derive(Clone, Debug)]
pub struct Series {
    values: Vec<f32>,
    lattice: Lattice,
    /// How the values were measured and stored.
    pub acquisition: Acquisition,
}

impl Series {
    /// Values on a lattice, of which nothing else is known.
    ///
    /// # Panics
    /// If the number of values is not the lattice's, or it has no channel or no frame.
    pub fn new(values: Vec<f32>, lattice: Lattice) -> Self {
        assert_eq!(values.len(), lattice.values(), "one value per point, channel and frame");
        assert!(lattice.parts() > 0, "a channel and a frame");
        Self { values, lattice, acquisition: Acquisition::default() }
    }

    /// The same, measured and stored in this way.
    pub fn acquired(self, acquisition: Acquisition) -> Self {
        Self { acquisition, ..self }
    }

    /// One volume of one channel.
    pub fn of(volume: Volume) -> Self {
        let Volume { voxels, grid, acquisition } = volume;
        Self { values: voxels, lattice: Lattice::scalar(grid), acquisition }
    }

    /// Volumes on one grid, channel by channel and frame by frame; their frames `step` seconds apart.
    ///
    /// # Panics
    /// If they do not lie on one grid, or there are not as many as whole frames have channels.
    pub fn joined(volumes: Vec<Volume>, channels: usize, step: f64) -> Self {
        let first = volumes.first().expect("a volume");
        assert!(volumes.iter().all(|v| v.grid == first.grid), "one grid");
        assert!(channels > 0 && volumes.len().is_multiple_of(channels), "whole frames");
        let frames = volumes.len() / channels;
        let lattice = Lattice { grid: first.grid, channels, frames, frame_step: step };
        let acquisition = first.acquisition.clone();
        let values = volumes.into_iter().flat_map(|v| v.voxels).collect();
        Self { values, lattice, acquisition }
    }

    /// Where the values lie.
    pub fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// All values, point by point, then channel by channel, then frame by frame.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values of one channel of one frame.
    ///
    /// # Panics
    /// If there is no such channel or frame.
    pub fn part(&self, channel: usize, frame: usize) -> &[f32] {
        assert!(channel < self.lattice.channels && frame < self.lattice.frames, "a part of the series");
        let points = self.lattice.grid.voxels();
        let number = frame * self.lattice.channels + channel;
        &self.values[number * points..(number + 1) * points]
    }

    /// One channel of one frame.
    ///
    /// # Panics
    /// If there is no such channel or frame.
    pub fn volume(&self, channel: usize, frame: usize) -> Volume {
        let (voxels, grid) = (self.part(channel, frame).to_vec(), self.lattice.grid);
        Volume { voxels, grid, acquisition: self.acquisition.clone() }
    }

    /// Every channel of every frame, in the order of the values.
    pub fn volumes(&self) -> impl Iterator<Item = Volume> {
        let Lattice { channels, frames, .. } = self.lattice;
        (0..frames).flat_map(move |f| (0..channels).map(move |c| self.volume(c, f)))
    }

    /// The one volume of a series that has no other.
    pub fn into_volume(self) -> Option<Volume> {
        let Self { values, lattice, acquisition } = self;
        lattice.is_scalar().then_some(Volume { voxels: values, grid: lattice.grid, acquisition })
    }
}
