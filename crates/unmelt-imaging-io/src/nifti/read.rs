//! Reading.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use unmelt_diffusion::files::limits::{limits, within};
use unmelt_imaging::{Acquisition, Grid, Lattice, Orientation, Rescale, Series};

use super::NiftiSource;
use super::extension;
use super::foreign;
use super::header::{Header, SIZE_1, VECTOR, fault};
use super::input::{Input, unreadable};
use super::place::{place, shape};
use super::voxels::{Kind, Stored, scale};
use crate::finite::make_finite;
use crate::scan_series::{ScanSeries, SeriesReading};
use crate::{Choice, Error, Reading, Result, Source};

/// Voxels that a packed file may hold however small it is: 512³ twice.
const FREE_VOXELS: u64 = 1 << 28;

/// Reads a volume; `index` chooses one along the fourth dimension, where there are several.
pub fn read(path: &Path, index: Option<usize>) -> Result<Reading> {
    read_with(path, &Choice { index, ..Choice::default() })
}

/// Reads a volume by a choice: which one, and whether damaged packed data are taken as they are.
pub fn read_with(path: &Path, choice: &Choice) -> Result<Reading> {
    one(read_file(path, choice, Wanted::One)?, path)
}

/// Reads all volumes of a file as the frames of a series, and red, green and blue as channels; one frame alone where the choice names
/// one by its index.
pub fn read_series(path: &Path, choice: &Choice) -> Result<SeriesReading> {
    read_file(path, choice, Wanted::All)
}

/// Reads a volume from the bytes of one file, packed or not; `name` is what messages call it.
pub fn read_bytes(bytes: Vec<u8>, name: &Path, choice: &Choice) -> Result<Reading> {
    one(read_input(Input::of_bytes(bytes, name)?, None, name, (choice, Wanted::One))?, name)
}

/// What is wanted of a file.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    /// One volume of single numbers.
    One,
    /// All frames and channels.
    All,
}

fn read_file(path: &Path, choice: &Choice, wanted: Wanted) -> Result<SeriesReading> {
    let (header_path, data_path) = pair(path);
    let data = (data_path != header_path).then_some(data_path);
    read_input(Input::open(&header_path)?, data, path, (choice, wanted))
}

/// The one volume of a reading.
fn one(reading: SeriesReading, path: &Path) -> Result<Reading> {
    let SeriesReading { scan, warnings } = reading;
    let count = scan.series.lattice().parts();
    let several = || Error::SeveralVolumes { path: path.into(), count };
    Ok(Reading { scan: scan.into_scan().ok_or_else(several)?, warnings })
}

/// Reads a volume whose header `input` begins with, and whose voxels stand behind it or in a file of their own.
fn read_input(
    mut input: Input,
    data: Option<PathBuf>,
    path: &Path,
    (choice, wanted): (&Choice, Wanted),
) -> Result<SeriesReading> {
    let mut warnings = Vec::new();
    let mut header = read_header(&mut input)?;
    let two_files = data.is_some();
    let header_path = input.path.clone();
    let data_path = data.unwrap_or_else(|| header_path.clone());
    if header.pair && !two_files && header.vox_offset < header.version.size() as f64 {
        return Err(fault(path, "its header is that of a pair of .hdr and .img; give the .hdr file"));
    }
    let (shape, volumes) = shape(&header, &header_path, &mut warnings)?;
    let colours = wanted == Wanted::All && header.datatype == RGB24;
    let kind = if colours { Kind::U8 } else { Kind::of(&header, &header_path)? };
    let scale = scale(&header, &header_path)?;
    let all_of_it = wanted == Wanted::All && choice.index.is_none();
    let index = if all_of_it { 0 } else { choose(choice.index, volumes, &header_path)? };
    let too_many = || fault(path, "it claims more voxels than can be counted");
    let points = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64)).ok_or_else(too_many)?;
    let count = points.checked_mul(if colours { 3 } else { 1 }).ok_or_else(too_many)?;
    let wanted_volumes = if all_of_it { volumes } else { 1 };
    let numbers = count.checked_mul(wanted_volumes as u64).ok_or_else(too_many)?;
    within(limits().voxels, "voxels", numbers, &format!("voxels of {}", path.display()))?;
    let place = place(&mut header, shape, &header_path, &mut warnings)?;
    let orientation = Orientation::of(&place.grid.affine)
        .ok_or_else(|| fault(path, "its affine is singular, so voxels have no place in the world"))?;
    let offset = offset(&header, two_files, &header_path, &mut warnings)?;
    let after_header = match two_files {
        // All that is left of the header's own file.
        true => None,
        false => Some(offset - header.version.size() as u64),
    };
    let extensions = extension::read(&mut input, after_header, header.big_endian, &mut warnings)?;
    finish(&mut input, choice.force, &mut warnings, two_files)?;
    if two_files {
        input = Input::open(&data_path)?;
        input.skip(offset)?;
    }
    let bytes = |volumes: u64| count.checked_mul(kind.size() as u64).and_then(|n| n.checked_mul(volumes));
    let all = bytes(volumes as u64).and_then(|n| n.checked_add(offset));
    let all = all.ok_or_else(|| fault(path, "it claims more voxels than can be counted"))?;
    check_length(&input, all, numbers, choice.force, &mut warnings)?;
    input.skip(bytes(index as u64).unwrap_or(u64::MAX))?;
    let stored = Stored { kind, big_endian: header.big_endian, scale, count: numbers as usize };
    let decoded = stored.decode(&mut input, &data_path, |e| unreadable(e, &data_path));
    // Where the packed data end too early, it is they that are broken.
    let (mut voxels, rounded) = match (decoded, input.damage()) {
        (Err(_), Some(fault)) => return Err(Error::Damaged { path: data_path, fault }),
        (decoded, _) => decoded?,
    };
    finish(&mut input, choice.force, &mut warnings, true)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let broken = make_finite(&mut voxels);
    if broken > 0 {
        warnings.push(format!("{broken} voxels of {name} are NaN or infinite and are taken as 0"));
    }
    if rounded > 0 {
        warnings.push(format!(
            "{rounded} voxels of {name} hold whole numbers above 16,777,216, which are rounded"
        ));
    }
    if colours {
        voxels = voxels.chunks_exact(count as usize).flat_map(planes).collect();
    }
    if orientation != Orientation::RAS {
        let mut turned = Vec::with_capacity(voxels.len());
        voxels.chunks_exact(points as usize).for_each(|part| turned.extend(orientation.gather(part, shape)));
        voxels = turned;
    }
    let lattice = match all_of_it {
        true => lattice(&header, orientation.to_ras(&place.grid), volumes, colours),
        false => Lattice {
            channels: if colours { 3 } else { 1 },
            ..Lattice::scalar(orientation.to_ras(&place.grid))
        },
    };
    if volumes > 1 && !all_of_it {
        one_of_many(&mut header);
    }
    let source = NiftiSource { header, extensions, grid: place.grid, qform: place.qform, path: path.into() };
    let rescale = Rescale { slope: scale.0, intercept: scale.1 };
    let acquisition = Acquisition { orientation, rescale, ..Acquisition::default() };
    let series = Series::new(voxels, lattice).acquired(acquisition);
    Ok(SeriesReading { scan: ScanSeries { series, source: Source::Nifti(Arc::new(source)) }, warnings })
}

/// NIfTI's number of colours of three bytes.
const RGB24: i16 = 128;

/// Red, green and blue one after the other, of voxels that have them side by side.
fn planes(colours: &[f32]) -> Vec<f32> {
    (0..3).flat_map(|channel| colours.iter().skip(channel).step_by(3)).copied().collect()
}

/// Channels and frames of a file whose volumes are all wanted. Vectors of three parts at one time are colours, as this program writes
/// them.
fn lattice(header: &Header, grid: Grid, volumes: usize, colours: bool) -> Lattice {
    let is_vector = header.intent_code == VECTOR && header.dim[0] == 5 && header.dim[4] <= 1 && volumes == 3;
    let (channels, frames) = match (colours, is_vector) {
        (true, _) => (3, volumes),
        (false, true) => (3, 1),
        (false, false) => (1, volumes),
    };
    let timed = header.dim[0] >= 4 && header.dim[4] > 1 && frames > 1;
    let frame_step = if timed { header.frame_step() } else { 0.0 };
    Lattice { grid, channels, frames, frame_step }
}

/// The files that a volume is read from: one, or those of header and voxels.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let (header, data) = pair(path);
    if header == data { vec![header] } else { vec![header, data] }
}

/// The files of header and voxels; one and the same for `.nii`. Endings may be in any case.
fn pair(path: &Path) -> (PathBuf, PathBuf) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let small = name.to_lowercase();
    // Lower case of other letters may have another length.
    let stem = |end: &str| {
        let stem =
            name.len().checked_sub(end.len()).filter(|_| small.ends_with(end) && small.len() == name.len());
        stem.and_then(|n| name.get(..n))
    };
    for (from, to) in [(".hdr", ".img"), (".hdr.gz", ".img.gz")] {
        if let Some(stem) = stem(from) {
            let others = [to, ".img", ".img.gz"].map(|end| beside(path, stem, end));
            let there = others.iter().find(|p| p.exists()).unwrap_or(&others[0]);
            return (path.into(), there.clone());
        }
        if let Some(stem) = stem(to) {
            let others = [from, ".hdr", ".hdr.gz"].map(|end| beside(path, stem, end));
            let there = others.iter().find(|p| p.exists()).unwrap_or(&others[0]);
            return (there.clone(), path.into());
        }
    }
    (path.into(), path.into())
}

/// The file of that stem and ending beside another, in capitals where it is so.
fn beside(path: &Path, stem: &str, end: &str) -> PathBuf {
    let capitals = path.with_file_name(format!("{stem}{}", end.to_uppercase()));
    let small = path.with_file_name(format!("{stem}{end}"));
    if capitals.exists() && !small.exists() { capitals } else { small }
}

fn read_header(input: &mut Input) -> Result<Header> {
    let path = input.path.clone();
    let mut bytes = Vec::new();
    input.take(SIZE_1 as u64, &mut bytes)?;
    let cut_off = || match input.damage() {
        Some(fault) => Error::Damaged { path: path.clone(), fault },
        None => fault(&path, "it ends within its header"),
    };
    let version = bytes.first_chunk().and_then(|start| Header::version_of(*start));
    let Some((version, _)) = version else {
        return Err(match foreign::kind(&bytes, &path) {
            Some(kind) => fault(&path, kind),
            None if bytes.len() < SIZE_1 => cut_off(),
            None => fault(&path, "it does not begin with a NIfTI header"),
        });
    };
    if bytes.len() < SIZE_1 {
        return Err(cut_off());
    }
    input.take((version.size() - SIZE_1) as u64, &mut bytes)?;
    Header::parse(&bytes, &path)
}

/// The byte at which the voxels begin.
fn offset(header: &Header, two_files: bool, path: &Path, warnings: &mut Vec<String>) -> Result<u64> {
    let offset = header.vox_offset;
    // An absurd place is found by the length of the file; this only keeps it a number.
    if !(0.0..=1e15).contains(&offset) || offset.fract() != 0.0 {
        return Err(fault(path, format!("its vox_offset is {offset}, which is no byte of a file")));
    }
    let size = header.version.size() as u64;
    if two_files || offset >= size as f64 {
        return Ok(offset as u64);
    }
    if offset > 0.0 {
        return Err(fault(path, format!("its voxels begin at byte {offset}, within its header")));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    warnings.push(format!("vox_offset of {name} is 0; {} is taken", size + 4));
    Ok(size + 4)
}

/// Whether a file can hold what its header promises, before memory is taken.
fn check_length(input: &Input, all: u64, count: u64, force: bool, warnings: &mut Vec<String>) -> Result<()> {
    let path = &input.path;
    if let Some(packed) = input.packed_length()
        && count > FREE_VOXELS
    {
        let subject = format!("{}: what its header promises, over its packed size", path.display());
        within(limits().unpacked_ratio, "unpacked_ratio", all / packed.max(1), &subject)?;
    }
    match input.plain_length() {
        Some(length) if length < all => {
            let text =
                format!("it is truncated: it has {length} of the {all} bytes that its header promises");
            if !force {
                return Err(fault(path, text));
            }
            warnings.push(format!("{}: {text}", path.display()));
        }
        Some(length) if length > all => {
            let more = length - all;
            warnings.push(format!("{more} bytes behind the voxels of {} are left out", path.display()));
        }
        _ => {}
    }
    Ok(())
}

/// Reads a packed file to its end, and says what its checksums say.
fn finish(input: &mut Input, force: bool, warnings: &mut Vec<String>, at_end: bool) -> Result<()> {
    if !at_end {
        return Ok(());
    }
    let path = input.path.clone();
    input.drain()?;
    if let Some(damage) = input.damage() {
        if !force {
            return Err(Error::Damaged { path, fault: damage });
        }
        warnings.push(format!("{}: {damage}; it is read all the same", path.display()));
    }
    warnings.extend(input.left_out().map(|text| format!("{}: {text}", path.display())));
    Ok(())
}

fn choose(index: Option<usize>, volumes: usize, path: &Path) -> Result<usize> {
    match index {
        None if volumes == 1 => Ok(0),
        None => Err(Error::SeveralVolumes { path: path.into(), count: volumes }),
        Some(k) if k < volumes => Ok(k),
        Some(k) => {
            Err(fault(path, format!("it has no volume {k}: they go from 0 to {}", volumes.max(1) - 1)))
        }
    }
}

/// One component of vectors, matrices or colours is a scalar.
fn one_of_many(header: &mut Header) {
    if matches!(header.intent_code, 1004..=1010 | 2003 | 2004) {
        (header.intent_code, header.intent, header.intent_name) = (0, [0.0; 3], [0; 16]);
    }
}
