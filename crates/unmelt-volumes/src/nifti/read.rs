//! Reading.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::nifti::{Endianness, Extension, NiftiHeader, NiftiType};
use flate2::read::MultiGzDecoder;

use super::NiftiSource;
use super::header::{SIZE_1, SIZE_2, fault, grid, parse, shape};
use crate::volume::make_finite;
use crate::{Error, Orientation, Reading, Result, Source, Volume};

/// Bytes that are decoded at a time; a file must deliver them before memory is taken for the next.
const CHUNK: usize = 1 << 20;

/// Reads a volume; `index` chooses one along the fourth dimension, where there are several.
pub fn read(path: &Path, index: Option<usize>) -> Result<Reading> {
    let (header_path, data_path) = pair(path);
    let mut input = open(&header_path)?;
    let mut start = Vec::new();
    take(&mut input, SIZE_1, &mut start, &header_path)?;
    if [start.first_chunk(), start.first_chunk()] != [Some(&(SIZE_1 as i32).to_le_bytes()); 2]
        && [&(SIZE_2 as i32).to_le_bytes(), &(SIZE_2 as i32).to_be_bytes()]
            .contains(&start.first_chunk().unwrap_or(&[0; 4]))
    {
        take(&mut input, SIZE_2 - SIZE_1, &mut start, &header_path)?;
    }
    let (header, length) = parse(&start, &header_path)?;
    let (shape, volumes) = shape(&header, &header_path)?;
    let kind = Kind::of(&header, &header_path)?;
    let index = choose(index, volumes, &header_path)?;
    let grid = grid(&header, shape, &header_path)?;
    let orientation = Orientation::of(&grid.affine)
        .ok_or_else(|| fault(path, "its affine is singular, so voxels have no place in the world"))?;
    let offset = f64::from(header.vox_offset);
    let two_files = data_path != header_path;
    let extensions = if two_files {
        Vec::new()
    } else {
        let room = (offset as usize).saturating_sub(length);
        let mut bytes = Vec::new();
        take(&mut input, room, &mut bytes, path)?;
        extensions(&bytes, header.endianness)
    };
    if two_files {
        input = open(&data_path)?;
        skip(&mut input, offset as u64, &data_path)?;
    }
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let count = count.ok_or_else(|| fault(path, "it claims more voxels than can be counted"))?;
    skip(&mut input, index as u64 * count as u64 * kind.size() as u64, &data_path)?;
    let mut voxels = decode(&mut input, count, kind, &header, &data_path)?;
    let mut warnings = Vec::new();
    let broken = make_finite(&mut voxels);
    if broken > 0 {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        warnings.push(format!("{broken} voxels of {name} are NaN or infinite and are taken as 0"));
    }
    let voxels = orientation.gather(&voxels, shape);
    let source = NiftiSource { header, extensions, orientation, grid };
    let volume = Volume { voxels, grid: orientation.to_ras(&grid), source: Source::Nifti(Arc::new(source)) };
    Ok(Reading { volume, warnings })
}

/// The files of header and voxels; one and the same for `.nii`.
fn pair(path: &Path) -> (PathBuf, PathBuf) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for (from, to) in [(".hdr", ".img"), (".hdr.gz", ".img.gz")] {
        if let Some(stem) = name.strip_suffix(from) {
            let other = path.with_file_name(format!("{stem}{to}"));
            let packed = path.with_file_name(format!("{stem}.img.gz"));
            return (path.into(), if other.exists() || !packed.exists() { other } else { packed });
        }
        if let Some(stem) = name.strip_suffix(to) {
            return (path.with_file_name(format!("{stem}{from}")), path.into());
        }
    }
    (path.into(), path.into())
}

/// The file, unpacked where its first bytes say gzip.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    let mut magic = [0; 2];
    let mut file = File::open(path).map_err(Error::file("read", path))?;
    let read = file.read(&mut magic).map_err(Error::file("read", path))?;
    let file = BufReader::new(File::open(path).map_err(Error::file("read", path))?);
    if read == 2 && magic == [0x1f, 0x8b] {
        return Ok(Box::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(file))));
    }
    Ok(Box::new(file))
}

/// Adds exactly `count` bytes to `to`, taking memory only for what is there.
fn take(input: &mut dyn Read, count: usize, to: &mut Vec<u8>, path: &Path) -> Result<()> {
    let got = input.take(count as u64).read_to_end(to).map_err(|e| unreadable(e, path))?;
    if got < count {
        return Err(fault(path, "it ends within its header"));
    }
    Ok(())
}

fn skip(input: &mut dyn Read, count: u64, path: &Path) -> Result<()> {
    let got = std::io::copy(&mut input.take(count), &mut std::io::sink()).map_err(|e| unreadable(e, path))?;
    if got < count {
        return Err(fault(path, "it is truncated: it ends before its voxels begin"));
    }
    Ok(())
}

fn unreadable(error: std::io::Error, path: &Path) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => fault(path, "it is truncated: its gzip stream ends early"),
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
            fault(path, format!("its gzip stream is damaged ({error})"))
        }
        _ => Error::file("read", path)(error),
    }
}

fn choose(index: Option<usize>, volumes: usize, path: &Path) -> Result<usize> {
    match index {
        None if volumes == 1 => Ok(0),
        None => Err(fault(path, format!("it holds {volumes} volumes; choose one with --index, from 0"))),
        Some(k) if k < volumes => Ok(k),
        Some(k) => {
            Err(fault(path, format!("it has no volume {k}: they go from 0 to {}", volumes.max(1) - 1)))
        }
    }
}

fn extensions(mut bytes: &[u8], endianness: Endianness) -> Vec<Extension> {
    let mut found = Vec::new();
    if bytes.len() < 4 || bytes[0] == 0 {
        return found;
    }
    bytes = &bytes[4..];
    let number = |b: &[u8]| {
        let word: [u8; 4] = b[..4].try_into().expect("four bytes");
        if endianness == Endianness::Big { i32::from_be_bytes(word) } else { i32::from_le_bytes(word) }
    };
    while bytes.len() >= 16 {
        let size = number(bytes);
        if size < 16 || size as usize > bytes.len() {
            break;
        }
        found.push(Extension::new(number(&bytes[4..]), bytes[8..size as usize].to_vec()));
        bytes = &bytes[size as usize..];
    }
    found
}

/// Scalar types.
#[derive(Clone, Copy)]
enum Kind {
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
    fn of(header: &NiftiHeader, path: &Path) -> Result<Self> {
        let kind = header
            .data_type()
            .map_err(|_| fault(path, format!("its data type {} is none of NIfTI's", header.datatype)))?;
        Ok(match kind {
            NiftiType::Uint8 => Self::U8,
            NiftiType::Int8 => Self::I8,
            NiftiType::Uint16 => Self::U16,
            NiftiType::Int16 => Self::I16,
            NiftiType::Uint32 => Self::U32,
            NiftiType::Int32 => Self::I32,
            NiftiType::Uint64 => Self::U64,
            NiftiType::Int64 => Self::I64,
            NiftiType::Float32 => Self::F32,
            NiftiType::Float64 => Self::F64,
            other => {
                let name = match other {
                    NiftiType::Rgb24 => "RGB colours",
                    NiftiType::Rgba32 => "RGBA colours",
                    NiftiType::Complex64 | NiftiType::Complex128 | NiftiType::Complex256 => "complex numbers",
                    _ => "128-bit floats",
                };
                return Err(fault(
                    path,
                    format!("its voxels are {name}; scalar volumes are what can be read"),
                ));
            }
        })
    }

    fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
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

/// Decodes `count` voxels, slope and intercept applied; a slope of 0 means none.
fn decode(
    input: &mut dyn Read,
    count: usize,
    kind: Kind,
    header: &NiftiHeader,
    path: &Path,
) -> Result<Vec<f32>> {
    let (slope, inter) = match (f64::from(header.scl_slope), f64::from(header.scl_inter)) {
        (slope, inter) if slope != 0.0 && slope.is_finite() => {
            (slope, if inter.is_finite() { inter } else { 0.0 })
        }
        _ => (1.0, 0.0),
    };
    let size = kind.size();
    let mut voxels = Vec::new();
    let mut bytes = Vec::new();
    while voxels.len() < count {
        let wanted = (count - voxels.len()).min(CHUNK / size) * size;
        bytes.clear();
        let got = input.take(wanted as u64).read_to_end(&mut bytes).map_err(|e| unreadable(e, path))?;
        if got < wanted {
            let have = voxels.len() + got / size;
            return Err(fault(path, format!("it is truncated: {have} of its {count} voxels are there")));
        }
        if header.endianness == Endianness::Big {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        voxels.extend(bytes.chunks_exact(size).map(|w| (kind.value(w) * slope + inter) as f32));
    }
    Ok(voxels)
}
