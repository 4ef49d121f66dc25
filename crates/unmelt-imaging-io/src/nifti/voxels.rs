//! Types of voxels, and the numbers of them.

use std::io::Read;
use std::path::Path;

use super::header::{Header, fault};
use crate::Result;

/// Bytes that are decoded at a time; a file must deliver them before memory is taken for the next.
const CHUNK: usize = 1 << 20;

/// Scalar types.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Kind {
    pub fn of(header: &Header, path: &Path) -> Result<Self> {
        let other = match header.datatype {
            2 => return Ok(Self::U8),
            256 => return Ok(Self::I8),
            512 => return Ok(Self::U16),
            4 => return Ok(Self::I16),
            768 => return Ok(Self::U32),
            8 => return Ok(Self::I32),
            1280 => return Ok(Self::U64),
            1024 => return Ok(Self::I64),
            16 => return Ok(Self::F32),
            64 => return Ok(Self::F64),
            128 => "RGB colours",
            2304 => "RGBA colours",
            32 | 1792 | 2048 => "complex numbers",
            1536 => "128-bit floats",
            1 => "single bits",
            other => return Err(fault(path, format!("its data type {other} is none of NIfTI's"))),
        };
        Err(fault(path, format!("its voxels are {other}; make a volume of single numbers of them")))
    }

    /// Bytes of a voxel.
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether its whole numbers may be too large for 32-bit floats.
    fn is_wide(self) -> bool {
        matches!(self, Self::U32 | Self::I32 | Self::U64 | Self::I64)
    }

    /// A little-endian word as a number.
    fn value(self, word: &[u8]) -> f64 {
        macro_rules! number {
            ($t:ty) => {
                <$t>::from_le_bytes(word.try_into().expect("words have their size")) as f64
            };
        }
        match self {
            Self::U8 => number!(u8),
            Self::I8 => number!(i8),
            Self::U16 => number!(u16),
            Self::I16 => number!(i16),
            Self::U32 => number!(u32),
            Self::I32 => number!(i32),
            Self::U64 => number!(u64),
            Self::I64 => number!(i64),
            Self::F32 => number!(f32),
            Self::F64 => number!(f64),
        }
    }
}

/// Slope and intercept; a slope of 0 or one that is not finite means none.
pub(super) fn scale(header: &Header, path: &Path) -> Result<(f64, f64)> {
    let (slope, inter) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 || !slope.is_finite() {
        return Ok((1.0, 0.0));
    }
    if !inter.is_finite() {
        return Err(fault(path, format!("its scl_slope is {slope}, but its scl_inter is {inter}")));
    }
    Ok((slope, inter))
}

/// What is to be decoded.
pub(super) struct Stored {
    pub kind: Kind,
    pub big_endian: bool,
    /// Slope and intercept.
    pub scale: (f64, f64),
    pub count: usize,
}

impl Stored {
    /// Decodes the voxels; and how many whole numbers were rounded to 32-bit floats. `failed` says what a failed reading means.
    pub fn decode(
        &self,
        input: &mut dyn Read,
        path: &Path,
        failed: impl Fn(std::io::Error) -> crate::Error,
    ) -> Result<(Vec<f32>, usize)> {
        let (size, count) = (self.kind.size(), self.count);
        let (slope, inter) = self.scale;
        let (mut voxels, mut bytes, mut rounded) = (Vec::new(), Vec::new(), 0);
        while voxels.len() < count {
            let wanted = (count - voxels.len()).min(CHUNK / size) * size;
            bytes.clear();
            let got = input.take(wanted as u64).read_to_end(&mut bytes).map_err(&failed)?;
            if got < wanted {
                let have = voxels.len() + got / size;
                return Err(fault(path, format!("it is truncated: {have} of its {count} voxels are there")));
            }
            if self.big_endian {
                bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
            }
            if voxels.capacity() - voxels.len() < bytes.len() / size {
                // Twice as many as are there, but never more than there will be.
                let more = (voxels.len() + CHUNK).min(count - voxels.len());
                let none = || fault(path, format!("there is no memory for its {count} voxels"));
                voxels.try_reserve_exact(more).map_err(|_| none())?;
            }
            if self.kind.is_wide() && slope == 1.0 {
                rounded += bytes
                    .chunks_exact(size)
                    .map(|w| self.kind.value(w))
                    .filter(|v| f64::from(*v as f32) != *v)
                    .count();
            }
            voxels.extend(bytes.chunks_exact(size).map(|w| (self.kind.value(w) * slope + inter) as f32));
        }
        Ok((voxels, rounded))
    }
}
