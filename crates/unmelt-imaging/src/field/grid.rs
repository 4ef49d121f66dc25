//! Where voxels lie: shape, and the affine from voxel index to millimetres in RAS.

use nalgebra::{Matrix3, Matrix4, Vector3, Vector4};

/// A grid of voxels in the world: x to the right, y to the front, z to the top of the patient, in mm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Voxels along the three axes; the first runs fastest in memory.
    pub shape: [usize; 3],
    /// Voxel index (i, j, k, 1) to (x, y, z, 1) in mm.
    pub affine: Matrix4<f64>,
}

impl std::fmt::Display for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let ([nx, ny, nz], [x, y, z]) = (self.shape, self.spacing());
        let first = self.world([0.0; 3]);
        write!(f, "{nx} × {ny} × {nz} voxels of {x:.2} × {y:.2} × {z:.2} mm, ")?;
        write!(f, "the first at {:.1}, {:.1}, {:.1} mm", first[0], first[1], first[2])
    }
}

impl Grid {
    /// A grid along the axes of the world, centred on its origin; spacing in mm.
    pub fn centred(shape: [usize; 3], spacing: [f64; 3]) -> Self {
        let mut affine = Matrix4::identity();
        for a in 0..3 {
            affine[(a, a)] = spacing[a];
            affine[(a, 3)] = -0.5 * (shape[a] as f64 - 1.0) * spacing[a];
        }
        Self { shape, affine }
    }

    /// Number of voxels.
    pub fn voxels(&self) -> usize {
        self.shape.iter().fold(1, |n, d| n.saturating_mul(*d))
    }

    /// Distance between neighbours along each axis, in mm.
    pub fn spacing(&self) -> [f64; 3] {
        std::array::from_fn(|a| self.affine.fixed_view::<3, 1>(0, a).norm())
    }

    /// World position of a voxel index, in mm.
    pub fn world(&self, index: [f64; 3]) -> Vector3<f64> {
        (self.affine * Vector4::new(index[0], index[1], index[2], 1.0)).xyz()
    }

    /// Whether both have the same shape, and voxels in the same places to a hundredth of a voxel.
    pub fn same_as(&self, other: &Self) -> bool {
        self.near(other, 0.01)
    }

    /// Whether both have the same shape, and voxels in the same places to a part of a voxel.
    pub fn near(&self, other: &Self, part: f64) -> bool {
        let tolerance = part * self.spacing().into_iter().fold(f64::INFINITY, f64::min);
        let corners = (0..8).map(|k| std::array::from_fn(|a| (k >> a & 1) as f64 * self.shape[a] as f64));
        self.shape == other.shape
            && corners.into_iter().all(|c| (self.world(c) - other.world(c)).norm() <= tolerance)
    }

    /// The grid of every `step`-th part: `spacing` in mm along the same axes, covering the same edges.
    pub fn with_spacing(&self, spacing: [f64; 3]) -> Self {
        let old = self.spacing();
        let shape: [usize; 3] =
            std::array::from_fn(|a| ((self.shape[a] as f64 * old[a] / spacing[a]).round() as usize).max(1));
        let mut affine = self.affine;
        for a in 0..3 {
            // Edges stay: the first centre moves by half the difference of the voxels.
            let ratio = self.shape[a] as f64 / shape[a] as f64;
            let column = self.affine.fixed_view::<4, 1>(0, a).into_owned();
            affine.set_column(a, &(column * ratio));
            let origin = affine.column(3).into_owned() + column * (0.5 * (ratio - 1.0));
            affine.set_column(3, &origin);
        }
        Self { shape, affine }
    }

    /// The grid with voxels added at (positive) or cut from (negative) the low and the high end of each axis.
    pub fn extended(&self, low: [isize; 3], high: [isize; 3]) -> Self {
        let shape = std::array::from_fn(|a| (self.shape[a] as isize + low[a] + high[a]).max(0) as usize);
        let origin = self.world(std::array::from_fn(|a| -(low[a] as f64)));
        let mut affine = self.affine;
        affine.fixed_view_mut::<3, 1>(0, 3).copy_from(&origin);
        Self { shape, affine }
    }
}

/// How stored axes relate to RAS: stored axis `axes[a]` runs along world axis a, backwards where `flips[a]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation {
    /// For each world axis the stored one.
    pub axes: [usize; 3],
    /// For each world axis whether the stored one runs against it.
    pub flips: [bool; 3],
}

impl Orientation {
    /// Stored as RAS.
    pub const RAS: Self = Self { axes: [0, 1, 2], flips: [false; 3] };

    /// The closest orientation of an affine, with zooms and shears taken out (as nibabel's `io_orientation`).
    pub fn of(affine: &Matrix4<f64>) -> Option<Self> {
        let mut directions: Matrix3<f64> = affine.fixed_view::<3, 3>(0, 0).into_owned();
        for mut column in directions.column_iter_mut() {
            let length = column.norm();
            if !(length.is_finite() && length > 0.0) {
                return None;
            }
            column /= length;
        }
        let svd = directions.svd(true, true);
        if svd.singular_values.min() < 1e-6 {
            return None;
        }
        let rotation = svd.u? * svd.v_t?;
        let mut axes = [usize::MAX; 3];
        let mut flips = [false; 3];
        for stored in 0..3 {
            let column = rotation.column(stored);
            let free = (0..3).filter(|&w| axes[w] == usize::MAX);
            let world = free.max_by(|&a, &b| column[a].abs().total_cmp(&column[b].abs()))?;
            axes[world] = stored;
            flips[world] = column[world] < 0.0;
        }
        Some(Self { axes, flips })
    }

    /// The grid that voxels stored in `grid` have when they are put in RAS order.
    pub fn to_ras(&self, grid: &Grid) -> Grid {
        let mut affine = Matrix4::identity();
        let mut origin = [0.0; 3];
        for world in 0..3 {
            let stored = self.axes[world];
            let column = grid.affine.fixed_view::<4, 1>(0, stored).into_owned();
            affine.set_column(world, &if self.flips[world] { -column } else { column });
            if self.flips[world] {
                origin[stored] = grid.shape[stored] as f64 - 1.0;
            }
        }
        affine.fixed_view_mut::<3, 1>(0, 3).copy_from(&grid.world(origin));
        Grid { shape: self.axes.map(|a| grid.shape[a]), affine }
    }

    /// The inverse of [`to_ras`](Self::to_ras).
    pub fn from_ras(&self, grid: &Grid) -> Grid {
        let mut affine = Matrix4::identity();
        let mut shape = [0; 3];
        let mut origin = [0.0; 3];
        for world in 0..3 {
            let column = grid.affine.fixed_view::<4, 1>(0, world).into_owned();
            affine.set_column(self.axes[world], &if self.flips[world] { -column } else { column });
            shape[self.axes[world]] = grid.shape[world];
            if self.flips[world] {
                origin[world] = grid.shape[world] as f64 - 1.0;
            }
        }
        affine.fixed_view_mut::<3, 1>(0, 3).copy_from(&grid.world(origin));
        Grid { shape, affine }
    }

    /// Start and steps in stored memory of the voxels in RAS order.
    fn strides(&self, stored: [usize; 3]) -> (usize, [isize; 3]) {
        let steps = [1, stored[0] as isize, (stored[0] * stored[1]) as isize];
        let mut start = 0;
        let strides = std::array::from_fn(|world| {
            let axis = self.axes[world];
            if !self.flips[world] {
                return steps[axis];
            }
            start += (stored[axis] as isize - 1) * steps[axis];
            -steps[axis]
        });
        (start as usize, strides)
    }

    /// Voxels of a stored array of this shape, in RAS order.
    pub fn gather<T: Copy>(&self, data: &[T], stored: [usize; 3]) -> Vec<T> {
        let (start, strides) = self.strides(stored);
        let mut out = Vec::with_capacity(data.len());
        self.walk(stored, start, strides, |at| out.push(data[at]));
        out
    }

    /// Voxels in RAS order back in a stored array of this shape.
    pub fn scatter<T: Copy + Default>(&self, ras: &[T], stored: [usize; 3]) -> Vec<T> {
        let (start, strides) = self.strides(stored);
        let mut out = vec![T::default(); ras.len()];
        let mut next = ras.iter();
        self.walk(stored, start, strides, |at| {
            if let Some(v) = next.next() {
                out[at] = *v;
            }
        });
        out
    }

    /// Where the voxels of a stored array of this shape lie in RAS order: its rows along the first stored axis, one after another.
    pub fn stored_rows(&self, stored: [usize; 3]) -> impl Iterator<Item = impl Iterator<Item = usize>> {
        let ras = self.axes.map(|a| stored[a] as isize);
        let steps = [1, ras[0], ras[0] * ras[1]];
        let (mut start, mut strides) = (0, [0; 3]);
        for world in 0..3 {
            strides[self.axes[world]] = if self.flips[world] { -steps[world] } else { steps[world] };
            if self.flips[world] {
                start += (ras[world] - 1) * steps[world];
            }
        }
        let [nx, ny, nz] = stored.map(|n| n as isize);
        (0..nz).flat_map(move |k| {
            (0..ny).map(move |j| {
                let row = start + k * strides[2] + j * strides[1];
                (0..nx).map(move |i| (row + i * strides[0]) as usize)
            })
        })
    }

    fn walk(&self, stored: [usize; 3], start: usize, strides: [isize; 3], mut visit: impl FnMut(usize)) {
        let [nx, ny, nz] = self.axes.map(|a| stored[a] as isize);
        for k in 0..nz {
            for j in 0..ny {
                let row = start as isize + k * strides[2] + j * strides[1];
                (0..nx).for_each(|i| visit((row + i * strides[0]) as usize));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn orientations_go_there_and_back(order in 0usize..6, flips in any::<[bool; 3]>(), angle in -0.5f64..0.5) {
            let axes = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][order];
            let orientation = Orientation { axes, flips };
            let turn = nalgebra::Rotation3::from_euler_angles(angle, 0.3 * angle, -0.2 * angle).to_homogeneous();
            let ras = Grid { affine: turn * Grid::centred([3, 4, 5], [1.0, 2.0, 3.0]).affine, shape: [3, 4, 5] };
            let stored = orientation.from_ras(&ras);
            prop_assert!(orientation.to_ras(&stored).same_as(&ras));
            prop_assert_eq!(Orientation::of(&stored.affine), Some(orientation));
            let data: Vec<usize> = (0..60).collect();
            let there = orientation.gather(&data, stored.shape);
            let rows = orientation.stored_rows(stored.shape).flatten().map(|at| there[at]);
            prop_assert_eq!(rows.collect::<Vec<_>>(), data.clone());
            prop_assert_eq!(orientation.scatter(&there, stored.shape), data);
        }
    }

    #[test]
    fn a_new_spacing_keeps_the_edges() {
        let grid = Grid::centred([10, 10, 4], [1.0, 1.0, 5.0]);
        let fine = grid.with_spacing([1.0, 1.0, 1.0]);
        assert_eq!(fine.shape, [10, 10, 20]);
        let edge = |g: &Grid| g.world([-0.5; 3]);
        assert!((edge(&grid) - edge(&fine)).norm() < 1e-9);
        let far = |g: &Grid| g.world(g.shape.map(|n| n as f64 - 0.5));
        assert!((far(&grid) - far(&fine)).norm() < 1e-9);
    }
}
