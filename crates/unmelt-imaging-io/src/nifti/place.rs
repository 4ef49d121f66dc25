//! Where the voxels of a file lie: sform, qform, units, and what other programs leave broken in them.

use std::path::Path;

use nalgebra::{Matrix3, Matrix4, Vector3};
use unmelt_imaging::Grid;

use super::header::{Header, Version, fault};
use super::{NiftiSource, quaternion};
use crate::Result;

/// Lengths in mm that voxels may have, and places.
const SPACINGS: std::ops::RangeInclusive<f64> = 1e-9..=1e6;
const FARTHEST: f64 = 1e9;

/// Where a file says that its voxels lie, in mm.
pub(super) struct Place {
    /// The grid as stored: sform if its code is above 0, else qform, else the spacing alone as nibabel takes it.
    pub grid: Grid,
    /// The qform, where there is one beside an sform.
    pub qform: Option<Matrix4<f64>>,
}

/// Shape of the first three dimensions, and the number of volumes along the others.
pub(super) fn shape(header: &Header, path: &Path, warnings: &mut Vec<String>) -> Result<([usize; 3], usize)> {
    let count = header.dim[0];
    if !(1..=7).contains(&count) {
        return Err(fault(path, format!("it claims to have {count} dimensions")));
    }
    let mut dims = [1usize; 7];
    for (k, size) in header.dim[1..=count as usize].iter().enumerate() {
        dims[k] = match usize::try_from(*size) {
            Ok(0) if k > 0 => {
                warnings.push(format!("dimension {} of {} is 0 and is taken as 1", k + 1, name(path)));
                1
            }
            Ok(size) if size > 0 => size,
            _ => return Err(fault(path, format!("its dimension {} is {size}", k + 1))),
        };
    }
    if is_cifti(header, &dims, path) {
        return Err(fault(
            path,
            "it is a CIFTI file, whose rows belong to points of a surface and not to voxels; give a volume",
        ));
    }
    let volumes = dims[3..].iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    let volumes = volumes.ok_or_else(|| fault(path, "it claims more volumes than can be counted"))?;
    Ok(([dims[0], dims[1], dims[2]], volumes))
}

/// Whether the matrix of a CIFTI file is in it: by its intent, its shape, or its name.
fn is_cifti(header: &Header, dims: &[usize; 7], path: &Path) -> bool {
    let matrix = dims[..4] == [1; 4] && dims[4..].iter().any(|d| *d > 1);
    let name = name(path).to_lowercase();
    let stem = name.trim_end_matches(".gz").trim_end_matches(".nii");
    let kinds = [
        "dscalar", "dtseries", "dconn", "dlabel", "pscalar", "ptseries", "pconn", "plabel", "pdconn",
        "dpconn",
    ];
    (3000..3100).contains(&header.intent_code)
        || matrix
        || kinds.iter().any(|k| stem.ends_with(&format!(".{k}")))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The place of the voxels. What is broken in the header is mended there, so that what is written from it is whole, and said.
pub(super) fn place(
    header: &mut Header,
    shape: [usize; 3],
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Place> {
    let mut warn = |text: String| warnings.push(format!("{}: {text}", name(path)));
    let unit = header.unit().unwrap_or_else(|| {
        warn(format!("its unit of length, {}, is none of NIfTI's; mm are taken", header.xyzt_units & 7));
        1.0
    });
    for axis in 1..=3 {
        let spacing = header.pixdim[axis];
        if spacing < 0.0 {
            header.pixdim[axis] = -spacing;
            warn(format!("pixdim[{axis}] is {spacing}; {} is taken", -spacing));
        } else if spacing == 0.0 {
            header.pixdim[axis] = 1.0;
            warn(format!("pixdim[{axis}] is 0; 1 is taken"));
        }
    }
    let sform = (header.sform_code > 0).then(|| sform(header, unit));
    let qform = (header.qform_code > 0).then(|| qform(header, unit, sform.is_some_and(|s| is_usable(&s))));
    let refuse =
        |broken: &str| fault(path, format!("{broken}; write its header anew, as by nibabel's set_sform"));
    let singular = "its affine is singular or not finite, so voxels have no place in the world";
    let (affine, beside) = match (sform, qform) {
        (Some(sform), qform) if is_usable(&sform) => match qform {
            Some(Err(broken)) => {
                warn(format!("{broken}; its sform is taken"));
                replace_qform(header, &sform, unit);
                (sform, None)
            }
            Some(Ok(qform)) if opposed(&sform, &qform) => {
                warn("its sform and its qform disagree about the patient's sides; its sform is taken".into());
                replace_qform(header, &sform, unit);
                (sform, None)
            }
            Some(Ok(qform)) => (sform, Some(qform)),
            None => (sform, None),
        },
        (Some(_), Some(Ok(qform))) => {
            warn("its sform is singular or not finite; its qform is taken".into());
            set_sform(header, &qform, unit);
            (qform, None)
        }
        (Some(_), _) => return Err(refuse(singular)),
        (None, Some(qform)) => (qform.map_err(|broken| refuse(&broken))?, None),
        (None, None) => (by_spacing(header, shape, unit), None),
    };
    if header.pixdim[1..=3].iter().any(|s| !s.is_finite()) && is_usable(&affine) {
        warn("pixdim is not finite; the spacing of its sform is taken".into());
        let spacing = Grid { shape, affine }.spacing();
        (0..3).for_each(|k| header.pixdim[k + 1] = spacing[k] / unit);
    }
    if header.qform_code > 0 {
        mend_handedness(header, &mut warn);
        mend_quaternion(header);
    }
    if !is_usable(&affine) {
        return Err(refuse(singular));
    }
    let grid = Grid { shape, affine };
    let far = (0..3).any(|r| affine[(r, 3)].abs() > FARTHEST);
    if far || grid.spacing().iter().any(|s| !SPACINGS.contains(s)) {
        return Err(fault(path, format!("its voxels lie where no scan lies ({grid})")));
    }
    if unit == 1000.0 && grid.spacing().iter().any(|s| *s >= 100.0) {
        warn(format!(
            "its unit of length is the metre, so that its voxels are {:.0} mm long",
            grid.spacing()[0]
        ));
    }
    Ok(Place { grid, qform: beside })
}

/// Whether an affine is finite and gives every voxel a place of its own.
fn is_usable(affine: &Matrix4<f64>) -> bool {
    let linear = linear(affine);
    let size = linear.column_iter().map(|c| c.norm()).product::<f64>();
    affine.iter().all(|v| v.is_finite()) && size > 0.0 && linear.determinant().abs() > 1e-6 * size
}

fn linear(affine: &Matrix4<f64>) -> Matrix3<f64> {
    affine.fixed_view::<3, 3>(0, 0).into_owned()
}

/// Whether two affines lead to opposite sides: one is the other's mirror, or an axis runs backwards, as earlier versions of this program
/// wrote qforms. Spaces that differ for a reason, a scanner's and an atlas', are turned by less.
fn opposed(a: &Matrix4<f64>, b: &Matrix4<f64>) -> bool {
    let (a, b) = (linear(a), linear(b));
    let backwards = (0..3).any(|k| a.column(k).normalize().dot(&b.column(k).normalize()) < -0.5);
    backwards || a.determinant() * b.determinant() < 0.0
}

/// An affine in mm from one in the file's unit.
fn in_mm(mut affine: Matrix4<f64>, unit: f64) -> Matrix4<f64> {
    affine.fixed_view_mut::<3, 4>(0, 0).scale_mut(unit);
    affine
}

fn sform(header: &Header, unit: f64) -> Matrix4<f64> {
    let last = [0.0, 0.0, 0.0, 1.0];
    in_mm(Matrix4::from_fn(|r, c| if r < 3 { header.srow[r][c] } else { last[c] }), unit)
}

/// The affine of quaternion, offset and spacing (nifti1.h, method 2), or what is wrong with it.
fn qform(header: &Header, unit: f64, beside_sform: bool) -> std::result::Result<Matrix4<f64>, String> {
    let rotation = quaternion::rotation(header.quatern).ok_or("its qform is not a rotation")?;
    let handed = header.pixdim[0];
    if handed < 0.0 && handed != -1.0 && !beside_sform {
        return Err(format!(
            "its pixdim[0] is {handed}, of which programs disagree whether left is right; it must be 1 or -1"
        ));
    }
    let handed = if handed < 0.0 { -1.0 } else { 1.0 };
    let [dx, dy, dz] = [1, 2, 3].map(|k| header.pixdim[k]);
    let mut affine = Matrix4::identity();
    let columns = rotation * Matrix3::from_diagonal(&Vector3::new(dx, dy, handed * dz));
    affine.fixed_view_mut::<3, 3>(0, 0).copy_from(&columns);
    affine.fixed_view_mut::<3, 1>(0, 3).copy_from(&Vector3::from(header.offset));
    let affine = in_mm(affine, unit);
    if is_usable(&affine) { Ok(affine) } else { Err("its qform is singular or not finite".into()) }
}

/// A place by the spacing alone: the middle of the volume at the origin, the first axis to the left, as nibabel has it.
fn by_spacing(header: &Header, shape: [usize; 3], unit: f64) -> Matrix4<f64> {
    let mut affine = Grid::centred(shape, [1, 2, 3].map(|k| header.pixdim[k] * unit)).affine;
    affine[(0, 0)] = -affine[(0, 0)];
    affine[(0, 3)] = -affine[(0, 3)];
    affine
}

fn mend_handedness(header: &mut Header, warn: &mut impl FnMut(String)) {
    let handed = header.pixdim[0];
    if handed != 1.0 && handed != -1.0 {
        header.pixdim[0] = if handed < 0.0 { -1.0 } else { 1.0 };
        warn(format!("pixdim[0] is {handed}; {} is taken", header.pixdim[0]));
    }
}

/// Squares over 1 are refused by nibabel.
fn mend_quaternion(header: &mut Header) {
    let squares: f64 = header.quatern.iter().map(|v| v * v).sum();
    if squares > 1.0
        && let Some(rotation) = quaternion::rotation(header.quatern)
    {
        header.quatern = parts(header, &rotation);
    }
}

/// The parts of a quaternion as the file can hold them.
fn parts(header: &Header, rotation: &Matrix3<f64>) -> [f64; 3] {
    match header.version {
        Version::One => quaternion::parts_in_32_bits(rotation),
        Version::Two => {
            let parts = quaternion::parts(rotation);
            let squares: f64 = parts.iter().map(|v| v * v).sum();
            if squares > 1.0 { parts.map(|v| v * (1.0 - 1e-15) / squares.sqrt()) } else { parts }
        }
    }
}

fn set_sform(header: &mut Header, affine: &Matrix4<f64>, unit: f64) {
    header.srow = std::array::from_fn(|r| std::array::from_fn(|c| affine[(r, c)] / unit));
}

/// Puts an affine into quaternion, offset and spacing. A qform cannot hold shears: the closest rotation stands for it.
fn set_qform(header: &mut Header, affine: &Matrix4<f64>, unit: f64) {
    let mut directions = linear(affine);
    for (axis, mut column) in directions.column_iter_mut().enumerate() {
        let length = column.norm();
        header.pixdim[axis + 1] = length / unit;
        column /= length;
    }
    if let Some((rotation, handed)) = quaternion::closest(&directions) {
        header.pixdim[0] = handed;
        header.quatern = parts(header, &rotation);
    }
    header.offset = std::array::from_fn(|r| affine[(r, 3)] / unit);
}

/// Puts an sform in the place of a qform that cannot be used.
fn replace_qform(header: &mut Header, sform: &Matrix4<f64>, unit: f64) {
    set_qform(header, sform, unit);
    if !is_straight(sform) {
        header.qform_code = 0;
    }
}

/// Whether the columns of an affine are perpendicular to a thousandth.
fn is_straight(affine: &Matrix4<f64>) -> bool {
    let linear = linear(affine);
    let cosine = |a: usize, b: usize| linear.column(a).normalize().dot(&linear.column(b).normalize()).abs();
    cosine(0, 1).max(cosine(0, 2)).max(cosine(1, 2)) < 1e-3
}

/// Puts a new grid into sform, qform and spacing. Where the file's sform and qform led to two spaces, they go on to do so: both are
/// moved by what happened to the indices of the voxels.
pub(super) fn set_grid(header: &mut Header, source: Option<&NiftiSource>, grid: &Grid) {
    let unit = header.unit().unwrap_or(1.0);
    let moved = source.and_then(|s| {
        let indices = s.grid.affine.try_inverse()? * grid.affine;
        s.qform.map(|q| q * indices)
    });
    set_sform(header, &grid.affine, unit);
    let qform = moved.filter(is_straight);
    set_qform(header, qform.as_ref().unwrap_or(&grid.affine), unit);
    if header.sform_code <= 0 && header.qform_code <= 0 {
        // Without codes the place would be lost with the size.
        (header.sform_code, header.qform_code) = (1, 1);
    }
    if qform.is_none() && header.sform_code > 0 && !is_straight(&grid.affine) {
        // What a qform cannot hold the sform does alone.
        header.qform_code = 0;
    }
    // Times of slices that there are no more.
    (header.slice_start, header.slice_end, header.slice_code, header.slice_duration) = (0, 0, 0, 0.0);
}
