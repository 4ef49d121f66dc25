//! The header of both versions (nifti1.h and nifti2.h of the NIfTI committee), in the widths of version 2.

use std::path::Path;

use ::nifti::{Endianness, NiftiHeader};

use crate::{Error, Result};

/// Bytes of a header of version 1.
pub(super) const SIZE_1: usize = 348;
/// Bytes of a header of version 2.
pub(super) const SIZE_2: usize = 540;
/// The intent of vectors, whose parts lie along the fifth dimension.
pub(super) const VECTOR: i32 = 1007;
/// What stands behind the magic of version 2; a transfer as text changes it.
const LINE_ENDS: [u8; 4] = *b"\r\n\x1a\n";

pub(super) fn fault(path: &Path, fault: impl Into<String>) -> Error {
    Error::format("NIfTI file", path, fault)
}

/// A version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Sizes up to 32,767, places as 32-bit floats.
    One,
    /// Sizes and places in 64 bits.
    Two,
}

impl Version {
    /// Bytes of its header.
    pub(super) fn size(self) -> usize {
        match self {
            Self::One => SIZE_1,
            Self::Two => SIZE_2,
        }
    }
}

/// The fields of a header, lengths in the file's own unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Which version the file is of.
    pub version: Version,
    /// Whether its numbers are big-endian.
    pub big_endian: bool,
    /// Whether its voxels lie in a file of their own (`.hdr` with `.img`).
    pub pair: bool,
    /// Number of dimensions, and the size of each.
    pub dim: [i64; 8],
    /// Type of the voxels, by NIfTI's number.
    pub datatype: i16,
    /// Bits of a voxel.
    pub bitpix: i16,
    /// Handedness of the qform (1 or −1), and the spacing along each dimension.
    pub pixdim: [f64; 8],
    /// Byte at which the voxels begin.
    pub vox_offset: f64,
    /// Factor that makes stored numbers values; 0 for none.
    pub scl_slope: f64,
    /// What is added after that.
    pub scl_inter: f64,
    /// Value shown as white.
    pub cal_max: f64,
    /// Value shown as black.
    pub cal_min: f64,
    /// Units of space (the lowest three bits) and of time.
    pub xyzt_units: i32,
    /// Which dimensions are frequency, phase and slice.
    pub dim_info: u8,
    /// First slice of the acquisition.
    pub slice_start: i64,
    /// Last slice of it.
    pub slice_end: i64,
    /// Order of the slices.
    pub slice_code: i32,
    /// Time of one slice.
    pub slice_duration: f64,
    /// Time of the first volume.
    pub toffset: f64,
    /// What the values mean, by NIfTI's number.
    pub intent_code: i32,
    /// Parameters of that.
    pub intent: [f64; 3],
    /// Name of that.
    pub intent_name: [u8; 16],
    /// Any text.
    pub descrip: [u8; 80],
    /// Name of another file.
    pub aux_file: [u8; 24],
    /// Text of version 1 that nothing reads.
    pub data_type: [u8; 10],
    /// Text of version 1 that nothing reads.
    pub db_name: [u8; 18],
    /// To which space the qform leads; 0 for none.
    pub qform_code: i32,
    /// To which space the sform leads; 0 for none.
    pub sform_code: i32,
    /// The last three parts of the qform's unit quaternion.
    pub quatern: [f64; 3],
    /// The qform's place of the first voxel.
    pub offset: [f64; 3],
    /// The first three rows of the sform.
    pub srow: [[f64; 4]; 3],
}

impl Header {
    /// The header of a volume without one: millimetres, scanner coordinates.
    pub fn fresh() -> Self {
        Self {
            version: Version::One,
            big_endian: false,
            pair: false,
            dim: [3, 1, 1, 1, 1, 1, 1, 1],
            datatype: 16,
            bitpix: 32,
            pixdim: [1.0; 8],
            vox_offset: 352.0,
            scl_slope: 1.0,
            scl_inter: 0.0,
            cal_max: 0.0,
            cal_min: 0.0,
            xyzt_units: 2,
            dim_info: 0,
            slice_start: 0,
            slice_end: 0,
            slice_code: 0,
            slice_duration: 0.0,
            toffset: 0.0,
            intent_code: 0,
            intent: [0.0; 3],
            intent_name: [0; 16],
            descrip: [0; 80],
            aux_file: [0; 24],
            data_type: [0; 10],
            db_name: [0; 18],
            qform_code: 1,
            sform_code: 1,
            quatern: [0.0; 3],
            offset: [0.0; 3],
            srow: [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        }
    }

    /// Takes all free text away.
    pub fn clear_text(&mut self) {
        (self.descrip, self.aux_file, self.intent_name) = ([0; 80], [0; 24], [0; 16]);
        (self.data_type, self.db_name) = ([0; 10], [0; 18]);
    }

    /// Millimetres of the file's unit of length; none where the header names no unit that there is.
    pub(super) fn unit(&self) -> Option<f64> {
        match self.xyzt_units & 7 {
            0 | 2 => Some(1.0),
            1 => Some(1000.0),
            3 => Some(0.001),
            _ => None,
        }
    }

    /// Seconds from one volume to the next; 0 where that is not known.
    pub(super) fn frame_step(&self) -> f64 {
        let unit = match self.xyzt_units & 0x38 {
            8 => 1.0,
            16 => 1e-3,
            24 => 1e-6,
            _ => return 0.0,
        };
        let step = self.pixdim[4] * unit;
        if step.is_finite() && step > 0.0 { step } else { 0.0 }
    }

    /// Says how many seconds lie between one volume and the next.
    pub(super) fn set_frame_step(&mut self, seconds: f64) {
        self.pixdim[4] = seconds;
        self.xyzt_units = self.xyzt_units & 7 | 8;
    }

    /// The version that `start`, the first four bytes of a file, begins, and whether it is big-endian.
    pub(super) fn version_of(start: [u8; 4]) -> Option<(Version, bool)> {
        [Version::One, Version::Two].into_iter().find_map(|version| {
            let size = version.size() as i32;
            (size.to_le_bytes() == start || size.to_be_bytes() == start)
                .then(|| (version, size.to_be_bytes() == start))
        })
    }

    /// The header in `bytes`, which are as many as its version has.
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let version = bytes.first_chunk().and_then(|start| Self::version_of(*start));
        let (version, big_endian) =
            version.ok_or_else(|| fault(path, "it does not begin with a NIfTI header"))?;
        let bytes = bytes.get(..version.size()).ok_or_else(|| fault(path, "it ends within its header"))?;
        let fields = Fields { bytes, big_endian };
        match version {
            Version::One => Self::version_1(&fields, path),
            Version::Two => Self::version_2(&fields, path),
        }
    }

    /// Version 1 is decoded by the `nifti` crate; its numbers are widened to those of version 2.
    fn version_1(f: &Fields, path: &Path) -> Result<Self> {
        let magic: [u8; 4] = f.bytes(344);
        if magic != *b"n+1\0" && magic != *b"ni1\0" {
            return Err(fault(path, "its header has no NIfTI magic, as an ANALYZE file has none"));
        }
        let h = NiftiHeader::from_reader(f.bytes).map_err(|e| fault(path, e.to_string()))?;
        // The crate goes by the number of dimensions, which is at most 7 in the right order of bytes.
        if (h.endianness == Endianness::Big) != f.big_endian {
            return Err(fault(path, "its number of dimensions is not from 0 to 7"));
        }
        let descrip = h.descrip.first_chunk().copied().unwrap_or([0; 80]);
        let wide = |row: [f32; 4]| row.map(f64::from);
        Ok(Self {
            version: Version::One,
            big_endian: f.big_endian,
            pair: magic == *b"ni1\0",
            dim: h.dim.map(|size| size.cast_signed().into()),
            datatype: h.datatype,
            bitpix: h.bitpix,
            pixdim: h.pixdim.map(f64::from),
            vox_offset: h.vox_offset.into(),
            scl_slope: h.scl_slope.into(),
            scl_inter: h.scl_inter.into(),
            cal_max: h.cal_max.into(),
            cal_min: h.cal_min.into(),
            xyzt_units: h.xyzt_units.into(),
            dim_info: h.dim_info,
            slice_start: h.slice_start.into(),
            slice_end: h.slice_end.into(),
            slice_code: h.slice_code.into(),
            slice_duration: h.slice_duration.into(),
            toffset: h.toffset.into(),
            intent_code: h.intent_code.into(),
            intent: [h.intent_p1, h.intent_p2, h.intent_p3].map(f64::from),
            intent_name: h.intent_name,
            descrip,
            aux_file: h.aux_file,
            data_type: h.data_type,
            db_name: h.db_name,
            qform_code: h.qform_code.into(),
            sform_code: h.sform_code.into(),
            quatern: [h.quatern_b, h.quatern_c, h.quatern_d].map(f64::from),
            offset: [h.quatern_x, h.quatern_y, h.quatern_z].map(f64::from),
            srow: [wide(h.srow_x), wide(h.srow_y), wide(h.srow_z)],
        })
    }

    fn version_2(f: &Fields, path: &Path) -> Result<Self> {
        let magic: [u8; 4] = f.bytes(4);
        if magic != *b"n+2\0" && magic != *b"ni2\0" {
            return Err(fault(path, "its header has no NIfTI magic"));
        }
        let ends: [u8; 4] = f.bytes(8);
        if ends != LINE_ENDS && ends != [0; 4] {
            return Err(fault(path, "it was changed by a transfer as text; transfer it as binary data"));
        }
        Ok(Self {
            version: Version::Two,
            big_endian: f.big_endian,
            pair: magic == *b"ni2\0",
            dim: std::array::from_fn(|k| f.i64(16 + 8 * k)),
            datatype: f.i16(12),
            bitpix: f.i16(14),
            pixdim: f.f64s(104),
            vox_offset: f.i64(168) as f64,
            scl_slope: f.f64(176),
            scl_inter: f.f64(184),
            cal_max: f.f64(192),
            cal_min: f.f64(200),
            xyzt_units: f.i32(500),
            dim_info: f.bytes::<1>(524)[0],
            slice_start: f.i64(224),
            slice_end: f.i64(232),
            slice_code: f.i32(496),
            slice_duration: f.f64(208),
            toffset: f.f64(216),
            intent_code: f.i32(504),
            intent: f.f64s(80),
            intent_name: f.bytes(508),
            descrip: f.bytes(240),
            aux_file: f.bytes(320),
            data_type: [0; 10],
            db_name: [0; 18],
            qform_code: f.i32(344),
            sform_code: f.i32(348),
            quatern: f.f64s(352),
            offset: f.f64s(376),
            srow: [f.f64s(400), f.f64s(432), f.f64s(464)],
        })
    }

    /// The bytes of the header, little-endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self.version {
            Version::One => self.to_version_1(),
            Version::Two => self.to_version_2(),
        }
    }

    fn to_version_1(&self) -> Vec<u8> {
        // Numbers of version 2 that are beyond those of version 1 end at its bounds.
        let short = |v: i64| v.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        let mut out = Out(vec![0; SIZE_1]);
        out.put(0, &(SIZE_1 as i32).to_le_bytes());
        out.put(4, &self.data_type);
        out.put(14, &self.db_name);
        out.put(38, b"r");
        out.put(39, &[self.dim_info]);
        self.dim.iter().enumerate().for_each(|(k, d)| out.put(40 + 2 * k, &short(*d).to_le_bytes()));
        out.f32s(56, &self.intent);
        out.put(68, &short(self.intent_code.into()).to_le_bytes());
        out.put(70, &self.datatype.to_le_bytes());
        out.put(72, &self.bitpix.to_le_bytes());
        out.put(74, &short(self.slice_start).to_le_bytes());
        out.f32s(76, &self.pixdim);
        out.f32s(108, &[self.vox_offset, self.scl_slope, self.scl_inter]);
        out.put(120, &short(self.slice_end).to_le_bytes());
        out.put(122, &[self.slice_code as u8, self.xyzt_units as u8]);
        out.f32s(124, &[self.cal_max, self.cal_min, self.slice_duration, self.toffset]);
        out.put(148, &self.descrip);
        out.put(228, &self.aux_file);
        out.put(252, &short(self.qform_code.into()).to_le_bytes());
        out.put(254, &short(self.sform_code.into()).to_le_bytes());
        out.f32s(256, &self.quatern);
        out.f32s(268, &self.offset);
        self.srow.iter().enumerate().for_each(|(k, row)| out.f32s(280 + 16 * k, row));
        out.put(328, &self.intent_name);
        out.put(344, if self.pair { b"ni1\0" } else { b"n+1\0" });
        out.0
    }

    fn to_version_2(&self) -> Vec<u8> {
        let mut out = Out(vec![0; SIZE_2]);
        out.put(0, &(SIZE_2 as i32).to_le_bytes());
        out.put(4, if self.pair { b"ni2\0" } else { b"n+2\0" });
        out.put(8, &LINE_ENDS);
        out.put(12, &self.datatype.to_le_bytes());
        out.put(14, &self.bitpix.to_le_bytes());
        self.dim.iter().enumerate().for_each(|(k, d)| out.put(16 + 8 * k, &d.to_le_bytes()));
        out.f64s(80, &self.intent);
        out.f64s(104, &self.pixdim);
        out.put(168, &(self.vox_offset as i64).to_le_bytes());
        out.f64s(176, &[self.scl_slope, self.scl_inter, self.cal_max, self.cal_min]);
        out.f64s(208, &[self.slice_duration, self.toffset]);
        out.put(224, &self.slice_start.to_le_bytes());
        out.put(232, &self.slice_end.to_le_bytes());
        out.put(240, &self.descrip);
        out.put(320, &self.aux_file);
        out.put(344, &self.qform_code.to_le_bytes());
        out.put(348, &self.sform_code.to_le_bytes());
        out.f64s(352, &self.quatern);
        out.f64s(376, &self.offset);
        self.srow.iter().enumerate().for_each(|(k, row)| out.f64s(400 + 32 * k, row));
        out.put(496, &self.slice_code.to_le_bytes());
        out.put(500, &self.xyzt_units.to_le_bytes());
        out.put(504, &self.intent_code.to_le_bytes());
        out.put(508, &self.intent_name);
        out.put(524, &[self.dim_info]);
        out.0
    }
}

/// Reads numbers of a header at their offsets.
struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes[at..at + N].try_into().expect("within the header")
    }

    fn word<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut word = self.bytes(at);
        if self.big_endian {
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

    fn f64s<const N: usize>(&self, at: usize) -> [f64; N] {
        std::array::from_fn(|k| self.f64(at + 8 * k))
    }
}

/// Bytes of a header to come.
struct Out(Vec<u8>);

impl Out {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn f32s(&mut self, at: usize, values: &[f64]) {
        values.iter().enumerate().for_each(|(k, v)| self.put(at + 4 * k, &(*v as f32).to_le_bytes()));
    }

    fn f64s(&mut self, at: usize, values: &[f64]) {
        values.iter().enumerate().for_each(|(k, v)| self.put(at + 8 * k, &v.to_le_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_come_back_as_they_were_written() {
        for version in [Version::One, Version::Two] {
            let mut header = Header::fresh();
            header.version = version;
            header.dim = [5, 7, 6, 5, 4, 3, 1, 1];
            header.pixdim = [-1.0, 0.5, 0.25, 2.0, 3.0, 1.0, 1.0, 1.0];
            header.quatern = [0.5, -0.25, 0.125];
            header.offset = [1.0, 2.0, 4.0];
            header.srow = [[1.5, 0.0, 0.25, 9.0], [0.0, 2.0, 0.0, 8.0], [0.5, 0.0, 4.0, 7.0]];
            header.descrip[..4].copy_from_slice(b"text");
            header.aux_file[..3].copy_from_slice(b"aux");
            header.intent_name[..4].copy_from_slice(b"name");
            (header.intent_code, header.intent) = (3, [12.0, 0.0, 1.0]);
            (header.slice_start, header.slice_end, header.slice_code) = (1, 3, 2);
            (header.slice_duration, header.toffset, header.dim_info) = (0.5, 0.25, 57);
            (header.xyzt_units, header.qform_code, header.sform_code) = (11, 1, 4);
            (header.scl_slope, header.scl_inter, header.cal_max, header.cal_min) = (2.0, -1.0, 9.0, -9.0);
            let bytes = header.to_bytes();
            assert_eq!(bytes.len(), version.size());
            assert_eq!(Header::parse(&bytes, Path::new("a.nii")).expect("readable"), header);
        }
    }
}
