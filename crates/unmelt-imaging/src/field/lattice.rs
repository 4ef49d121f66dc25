//! Points, channels and frames: signals, images, volumes, and series of each.

use crate::Grid;

/// Where values lie, how many each point has, and at how many times: a gray image has one channel and one frame, a colour image
/// three channels, a series of volumes several frames.
///
/// Values stand in memory point by point, then channel by channel, then frame by frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lattice {
    /// The points.
    pub grid: Grid,
    /// Values at each point and time: 1 for gray, 3 for red, green and blue.
    pub channels: usize,
    /// Times, or whatever the frames are numbered by.
    pub frames: usize,
    /// From one frame to the next, in seconds; 0 where that is not known, or frames are no times.
    pub frame_step: f64,
}

impl Lattice {
    /// One value at each point.
    pub fn scalar(grid: Grid) -> Self {
        Self { grid, channels: 1, frames: 1, frame_step: 0.0 }
    }

    /// Points along the three axes.
    pub fn shape(&self) -> [usize; 3] {
        self.grid.shape
    }

    /// How many axes have more than one point: 1 for signals, 2 for images, 3 for volumes.
    pub fn dimensions(&self) -> usize {
        self.grid.shape.iter().filter(|n| **n > 1).count()
    }

    /// Fields of one channel and one frame.
    pub fn parts(&self) -> usize {
        self.channels.saturating_mul(self.frames)
    }

    /// Values in all.
    pub fn values(&self) -> usize {
        self.grid.voxels().saturating_mul(self.parts())
    }

    /// Whether there is one value at each point.
    pub fn is_scalar(&self) -> bool {
        self.parts() == 1
    }
}

impl std::fmt::Display for Lattice {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}", self.grid)?;
        match self.channels {
            1 => {}
            n => write!(f, ", {n} channels")?,
        }
        match (self.frames, self.frame_step) {
            (1, _) => Ok(()),
            (n, 0.0) => write!(f, ", {n} frames"),
            (n, step) => write!(f, ", {n} frames of {step} s"),
        }
    }
}
