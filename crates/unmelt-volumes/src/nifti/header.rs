//! The header: both versions, the affine, and what can be wrong with them.

use std::io::Cursor;
use std::path::Path;

use ::nifti::{Endianness, NiftiHeader};
use nalgebra::{Matrix3, Matrix4, Quaternion, UnitQuaternion, Vector3};

use crate::{Error, Grid, Result};

/// Bytes of a header of version 1.
pub(super) const SIZE_1: usize = 348;
/// Bytes of a header of version 2.
pub(super) const SIZE_2: usize = 540;

pub(super) fn fault(path: &Path, fault: impl Into<String>) -> Error {
    Error::format("NIfTI file", path, fault)
}

/// The header at the start of `bytes`, and how many bytes it takes.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<(NiftiHeader, usize)> {
    let size = bytes.first_chunk::<4>().ok_or_else(|| fault(path, "it is shorter than a header"))?;
    let sizes = [i32::from_le_bytes(*size), i32::from_be_bytes(*size)];
    if sizes.contains(&(SIZE_2 as i32)) {
        let header = bytes.first_chunk::<SIZE_2>().ok_or_else(|| fault(path, "its header is cut off"))?;
        let endianness = if sizes[0] == SIZE_2 as i32 { Endianness::Little } else { Endianness::Big };
        return Ok((version_2(header, endianness, path)?, SIZE_2));
    }
    if !sizes.contains(&(SIZE_1 as i32)) {
        return Err(fault(path, "it does not begin with a NIfTI header"));
    }
    let bytes = bytes.get(..SIZE_1).ok_or_else(|| fault(path, "its header is cut off"))?;
    let magic = &bytes[344..348];
    if magic != b"n+1\0" && magic != b"ni1\0" {
        return Err(fault(path, "its header has no NIfTI magic, as an ANALYZE file has none"));
    }
    let header = NiftiHeader::from_reader(Cursor::new(bytes)).map_err(|e| fault(path, e.to_string()))?;
    Ok((header, SIZE_1))
}

/// Reads numbers of a header of version 2 at their offsets.
struct Fields<'a> {
    bytes: &'a [u8; SIZE_2],
    endianness: Endianness,
}

impl Fields<'_> {
    fn word<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut word: [u8; N] = self.bytes[at..at + N].try_into().expect("within the header");
        if self.endianness == Endianness::Big {
            word.reverse();
        }
        word
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.word(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.word(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.word(at))
    }

    fn f64(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.word(at))
    }

    fn f32s<const N: usize>(&self, at: usize) -> [f32; N] {
        std::array::from_fn(|k| self.f64(at + 8 * k) as f32)
    }
}

/// A header of version 2 (nifti2.h of the NIfTI committee) as one of version 1.
fn version_2(bytes: &[u8; SIZE_2], endianness: Endianness, path: &Path) -> Result<NiftiHeader> {
    let f = Fields { bytes, endianness };
    if !(bytes[4..].starts_with(b"n+2\0") || bytes[4..].starts_with(b"ni2\0")) {
        return Err(fault(path, "its header has no NIfTI magic"));
    }
    let mut dim = [0u16; 8];
    for (k, d) in dim.iter_mut().enumerate() {
        let value = f.i64(16 + 8 * k);
        *d = u16::try_from(value)
            .map_err(|_| fault(path, format!("its dimension {k} is {value}, more than can be held")))?;
    }
    let narrow = |value: i32| value.clamp(0, i32::from(i16::MAX)) as i16;
    Ok(NiftiHeader {
        dim,
        datatype: f.i16(12),
        bitpix: f.i16(14),
        intent_p1: f.f64(80) as f32,
        intent_p2: f.f64(88) as f32,
        intent_p3: f.f64(96) as f32,
        pixdim: f.f32s(104),
        vox_offset: f.i64(168) as f32,
        scl_slope: f.f64(176) as f32,
        scl_inter: f.f64(184) as f32,
        cal_max: f.f64(192) as f32,
        cal_min: f.f64(200) as f32,
        slice_duration: f.f64(208) as f32,
        toffset: f.f64(216) as f32,
        slice_start: f.i64(224).clamp(0, i64::from(i16::MAX)) as i16,
        slice_end: f.i64(232).clamp(0, i64::from(i16::MAX)) as i16,
        descrip: bytes[240..320].to_vec(),
        aux_file: bytes[320..344].try_into().expect("24 bytes"),
        qform_code: narrow(f.i32(344)),
        sform_code: narrow(f.i32(348)),
        quatern_b: f.f64(352) as f32,
        quatern_c: f.f64(360) as f32,
        quatern_d: f.f64(368) as f32,
        quatern_x: f.f64(376) as f32,
        quatern_y: f.f64(384) as f32,
        quatern_z: f.f64(392) as f32,
        srow_x: f.f32s(400),
        srow_y: f.f32s(432),
        srow_z: f.f32s(464),
        slice_code: narrow(f.i32(496)) as u8,
        xyzt_units: narrow(f.i32(500)) as u8,
        intent_code: narrow(f.i32(504)),
        intent_name: bytes[508..524].try_into().expect("16 bytes"),
        dim_info: bytes[524],
        magic: if bytes[4..].starts_with(b"ni2") { *b"ni1\0" } else { *b"n+1\0" },
        endianness,
        ..NiftiHeader::default()
    })
}

/// Shape of the first three dimensions, and the number of volumes along the others.
pub(super) fn shape(header: &NiftiHeader, path: &Path) -> Result<([usize; 3], usize)> {
    let count = header.dim[0] as usize;
    if !(1..=7).contains(&count) {
        return Err(fault(path, format!("it claims to have {count} dimensions")));
    }
    let dims = &header.dim[1..=count];
    if let Some(k) = dims.iter().position(|&d| d == 0 || d > i16::MAX as u16) {
        // Version 1 holds signed numbers.
        return Err(fault(path, format!("its dimension {} is {}", k + 1, dims[k] as i16)));
    }
    let of = |k: usize| dims.get(k).map_or(1, |&d| usize::from(d));
    let volumes = dims.iter().skip(3).map(|&d| usize::from(d)).product();
    Ok(([of(0), of(1), of(2)], volumes))
}

/// The grid as stored: sform if its code is above 0, else qform, else the spacing alone as nibabel takes it.
pub(super) fn grid(header: &NiftiHeader, shape: [usize; 3], path: &Path) -> Result<Grid> {
    let affine = if header.sform_code > 0 {
        sform(header)
    } else if header.qform_code > 0 {
        qform(header, path)?
    } else {
        let [x, y, z] = spacing(header, path)?;
        let mut affine = Grid::centred(shape, [x, y, z]).affine;
        affine[(0, 0)] = -x;
        affine[(0, 3)] = -affine[(0, 3)];
        affine
    };
    let linear = affine.fixed_view::<3, 3>(0, 0).into_owned();
    let size = linear.column_iter().map(|c| c.norm()).product::<f64>();
    if !affine.iter().all(|v| v.is_finite()) || linear.determinant().abs() <= 1e-6 * size.max(1e-30) {
        return Err(fault(
            path,
            "its affine is singular or not finite, so voxels have no place in the world",
        ));
    }
    Ok(Grid { shape, affine })
}

fn sform(header: &NiftiHeader) -> Matrix4<f64> {
    let rows = [header.srow_x, header.srow_y, header.srow_z, [0.0, 0.0, 0.0, 1.0]];
    Matrix4::from_fn(|r, c| f64::from(rows[r][c]))
}

fn spacing(header: &NiftiHeader, path: &Path) -> Result<[f64; 3]> {
    let spacing = [1, 2, 3].map(|k| f64::from(header.pixdim[k]));
    match spacing.iter().position(|s| !(s.is_finite() && *s > 0.0)) {
        Some(k) => Err(fault(path, format!("its voxel spacing along axis {} is {} mm", k + 1, spacing[k]))),
        None => Ok(spacing),
    }
}

/// The affine of quaternion, offset and spacing (nifti1.h, method 2).
fn qform(header: &NiftiHeader, path: &Path) -> Result<Matrix4<f64>> {
    let [dx, dy, dz] = spacing(header, path)?;
    let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let squares = b * b + c * c + d * d;
    if !squares.is_finite() || squares > 1.0 + 1e-5 {
        return Err(fault(path, "its qform is not a rotation"));
    }
    let a = (1.0 - squares).max(0.0).sqrt();
    let rotation = UnitQuaternion::from_quaternion(Quaternion::new(a, b, c, d)).to_rotation_matrix();
    let handed = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let linear = rotation.matrix() * Matrix3::from_diagonal(&Vector3::new(dx, dy, handed * dz));
    let mut affine = Matrix4::identity();
    affine.fixed_view_mut::<3, 3>(0, 0).copy_from(&linear);
    let offset = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
    affine.fixed_view_mut::<3, 1>(0, 3).copy_from(&Vector3::from(offset));
    Ok(affine)
}

/// Puts a new affine into the fields that were in use, and the spacing.
pub(super) fn set_grid(header: &mut NiftiHeader, grid: &Grid) {
    let spacing = grid.spacing();
    for a in 0..3 {
        header.pixdim[a + 1] = spacing[a] as f32;
    }
    let row = |r: usize| std::array::from_fn(|c| grid.affine[(r, c)] as f32);
    (header.srow_x, header.srow_y, header.srow_z) = (row(0), row(1), row(2));
    let mut directions: Matrix3<f64> = grid.affine.fixed_view::<3, 3>(0, 0).into_owned();
    for (mut column, length) in directions.column_iter_mut().zip(spacing) {
        column /= length;
    }
    // A qform cannot hold shears: the closest rotation stands for it.
    let svd = directions.svd(true, true);
    if let (Some(u), Some(v_t)) = (svd.u, svd.v_t) {
        directions = u * v_t;
    }
    header.pixdim[0] = 1.0;
    if directions.determinant() < 0.0 {
        header.pixdim[0] = -1.0;
        directions.column_mut(2).neg_mut();
    }
    let mut q = UnitQuaternion::from_matrix(&directions).into_inner();
    if q.w < 0.0 {
        q = -q;
    }
    (header.quatern_b, header.quatern_c, header.quatern_d) = (q.i as f32, q.j as f32, q.k as f32);
    (header.quatern_x, header.quatern_y, header.quatern_z) = (row(0)[3], row(1)[3], row(2)[3]);
}
