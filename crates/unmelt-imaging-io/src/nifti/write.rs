//! Writing.

use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use unmelt_diffusion::files::AsideFile;
use unmelt_imaging::{Grid, Orientation};

use super::extension::{self, Extension};
use super::header::{Header, VECTOR, Version};
use super::place::set_grid;
use crate::scan_series::ScanSeries;
use crate::{Error, Result, Scan, Source};

/// The type of the voxels in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    Float32,
    /// 16-bit integers with slope 1: Hounsfield units.
    Int16,
    /// 8-bit integers from 0 on: gray pictures.
    Uint8,
    /// 16-bit integers from 0 on: gray pictures.
    Uint16,
    /// Red, green and blue, 8 bits of each: colour pictures.
    Rgb24,
}

impl Element {
    /// NIfTI's number of the type, and bits of a voxel.
    fn code(self) -> (i16, i16) {
        match self {
            Self::Float32 => (16, 32),
            Self::Int16 => (4, 16),
            Self::Uint8 => (2, 8),
            Self::Uint16 => (512, 16),
            Self::Rgb24 => (128, 24),
        }
    }

    fn put(self, value: f32, to: &mut Vec<u8>) {
        match self {
            Self::Float32 => to.extend(value.to_le_bytes()),
            Self::Int16 => {
                let bounded = value.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX));
                to.extend((bounded as i16).to_le_bytes());
            }
            Self::Uint16 => to.extend((value.round().clamp(0.0, 65_535.0) as u16).to_le_bytes()),
            Self::Uint8 | Self::Rgb24 => to.push(value.round().clamp(0.0, 255.0) as u8),
        }
    }
}

/// What is said of how voxels came to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Label<'a> {
    /// What was done, which is put in front of the header's description; nothing if empty.
    pub mark: &'a str,
    /// The record of how the volume was made, as JSON, in place of the one that the source has.
    pub record: Option<&'a str>,
    /// Whether the record of the source stays, because its values do.
    pub keeps_record: bool,
}

impl Label<'_> {
    /// Of values that are what they were.
    pub const SAME: Self = Self { mark: "", record: None, keeps_record: true };
}

/// Writes a volume (`.nii` or `.nii.gz`, in any case), whole or not at all, in the orientation of its source, with the
/// source's header: a grid that did not change keeps sform, qform and their codes bit for bit.
pub fn write(scan: &Scan, element: Element, path: &Path) -> Result<()> {
    write_marked(scan, element, Label::SAME, path)
}

/// The same with what was done to the volume.
pub fn write_marked(scan: &Scan, element: Element, label: Label, path: &Path) -> Result<()> {
    let volume = &scan.volume;
    let (source, orientation) = (&scan.source, volume.orientation());
    let file = File { source, orientation, grid: volume.grid, frame_step: 0.0, is_vector: false };
    file.write(&[&volume.voxels], [3, 1, 1, 1, 1, 1, 1, 1], element, label, path)
}

/// Writes a series: frames along the fourth dimension, with the times of its source; red, green and blue as colours of 8 bits if that
/// is the element, and otherwise as vectors along the fifth dimension.
pub fn write_series(scan: &ScanSeries, element: Element, label: Label, path: &Path) -> Result<()> {
    let (series, lattice) = (&scan.series, scan.series.lattice());
    let orientation = series.acquisition.orientation;
    let (channels, frames) = (lattice.channels, lattice.frames);
    let as_colours = element == Element::Rgb24 && channels == 3;
    let file = File {
        source: &scan.source,
        orientation,
        grid: lattice.grid,
        frame_step: lattice.frame_step,
        is_vector: channels > 1 && !as_colours,
    };
    let parts: Vec<&[f32]> = match as_colours {
        true => (0..frames).flat_map(|f| (0..channels).map(move |c| series.part(c, f))).collect(),
        false => (0..channels).flat_map(|c| (0..frames).map(move |f| series.part(c, f))).collect(),
    };
    let mut dim = [3, 1, 1, 1, 1, 1, 1, 1];
    let before = match &scan.source {
        Source::Nifti(source) => source.header.dim[4..8].iter().map(|n| (*n).max(1)).product::<i64>(),
        _ => 0,
    };
    match &scan.source {
        Source::Nifti(source) if before == frames as i64 && (channels == 1 || as_colours) => {
            dim[4..8].copy_from_slice(&source.header.dim[4..8]);
        }
        _ => {
            dim[4] = frames as i64;
            dim[5] = if as_colours { 1 } else { channels as i64 };
        }
    }
    dim[4..8].iter_mut().for_each(|n| *n = (*n).max(1));
    dim[0] = (4..8).rev().find(|k| dim[*k] > 1).unwrap_or(3) as i64;
    if as_colours || element != Element::Rgb24 {
        return file.write(&parts, dim, element, label, path);
    }
    Err(Error::Request("colours of 8 bits have three channels".into()))
}

/// What is written besides the voxels.
struct File<'a> {
    source: &'a Source,
    /// How the axes of the source relate to RAS.
    orientation: Orientation,
    grid: Grid,
    /// Seconds from one frame to the next, where the source does not say it.
    frame_step: f64,
    /// Whether the fields are the parts of vectors.
    is_vector: bool,
}

impl File<'_> {
    /// Writes fields of the grid one after the other; `dim` has the dimensions behind the third.
    fn write(
        &self,
        parts: &[&[f32]],
        dim: [i64; 8],
        element: Element,
        label: Label,
        path: &Path,
    ) -> Result<()> {
        let source = match self.source {
            Source::Nifti(source) => Some(source.as_ref()),
            _ => None,
        };
        let orientation = match self.source {
            Source::Nifti(_) | Source::Picture(_) | Source::Memory => self.orientation,
            Source::Dicom(_) => Orientation::RAS,
        };
        let mut header = source.map_or_else(Header::fresh, |s| s.header.clone());
        let mut extensions = source.map_or_else(Vec::new, |s| s.extensions.clone());
        if !label.keeps_record {
            extension::set_record(&mut extensions, label.record);
        }
        let grid = orientation.from_ras(&self.grid);
        if !source.is_some_and(|s| s.grid.same_as(&grid)) {
            set_grid(&mut header, source, &grid);
        }
        if source.is_none() && self.frame_step > 0.0 {
            header.set_frame_step(self.frame_step);
        }
        if self.is_vector {
            header.intent_code = VECTOR;
        }
        describe(&mut header, &grid, dim, element, &extensions);
        add_mark(&mut header.descrip, label.mark);
        let mut file = AsideFile::create(path)?;
        if let Some(read_from) = self.source.file() {
            file.no_more_readable_than(read_from);
        }
        let packed = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase().ends_with(".gz");
        let start = [header.to_bytes(), extension::to_bytes(&extensions)].concat();
        let voxels = Voxels { parts, orientation, shape: grid.shape, element };
        voxels.write(&start, packed, &mut file).map_err(Error::file("write", path))?;
        Ok(file.finish()?)
    }
}

/// Sets what follows from the voxels to come.
fn describe(header: &mut Header, grid: &Grid, mut dim: [i64; 8], element: Element, extensions: &[Extension]) {
    dim[1..4].copy_from_slice(&grid.shape.map(|n| n as i64));
    if dim.iter().any(|n| *n > i16::MAX.into()) {
        header.version = Version::Two;
    }
    (header.big_endian, header.pair) = (false, false);
    header.dim = dim;
    (header.datatype, header.bitpix) = element.code();
    (header.scl_slope, header.scl_inter) = (1.0, 0.0);
    (header.cal_min, header.cal_max) = (0.0, 0.0);
    let extended: usize = extensions.iter().map(Extension::size).sum();
    header.vox_offset = (header.version.size() + 4 + extended) as f64;
}

/// Puts a mark in front of a description, as much of which is kept as there is room for; an older mark goes.
fn add_mark(descrip: &mut [u8; 80], mark: &str) {
    if mark.is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(descrip).trim_matches(['\0', ' ']).to_owned();
    let before = match text.strip_prefix("unmelt ") {
        Some(old) => old.split_once("; ").map_or("", |(_, before)| before).to_owned(),
        None => text,
    };
    let joined = if before.is_empty() { mark.to_owned() } else { format!("{mark}; {before}") };
    *descrip = [0; 80];
    // The last byte stays 0. Text of other bytes than ASCII is cut between characters.
    let mut end = joined.len().min(79);
    while !joined.is_char_boundary(end) {
        end -= 1;
    }
    descrip[..end].copy_from_slice(&joined.as_bytes()[..end]);
}

/// Voxels in RAS order that are to be written in a file's.
struct Voxels<'a> {
    /// Fields that follow each other.
    parts: &'a [&'a [f32]],
    orientation: Orientation,
    /// As stored.
    shape: [usize; 3],
    element: Element,
}

impl Voxels<'_> {
    /// Writes what stands before the voxels and them, packed or not, to the last byte.
    fn write(&self, start: &[u8], packed: bool, out: impl Write) -> std::io::Result<()> {
        let out = BufWriter::new(out);
        if packed {
            let mut gzip = GzEncoder::new(out, Compression::fast());
            self.put(start, &mut gzip)?;
            return gzip.finish()?.flush();
        }
        let mut out = out;
        self.put(start, &mut out)?;
        out.flush()
    }

    fn put(&self, start: &[u8], out: &mut impl Write) -> std::io::Result<()> {
        out.write_all(start)?;
        let mut bytes = Vec::new();
        // Colours stand side by side.
        let together = if self.element == Element::Rgb24 { 3 } else { 1 };
        for parts in self.parts.chunks(together) {
            for row in self.orientation.stored_rows(self.shape) {
                bytes.clear();
                for at in row {
                    parts.iter().for_each(|part| self.element.put(part[at], &mut bytes));
                }
                out.write_all(&bytes)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for some bytes.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(self.0);
            self.0 -= count;
            if count == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_is_full_before_the_last_byte_is_an_error() {
        let values: Vec<f32> = (0..24).map(|k| (k as f32).sin()).collect();
        let voxels = Voxels {
            parts: &[&values],
            orientation: Orientation::RAS,
            shape: [2, 3, 4],
            element: Element::Float32,
        };
        for packed in [false, true] {
            let mut whole = Vec::new();
            voxels.write(b"start", packed, &mut whole).expect("memory");
            voxels.write(b"start", packed, Disk(whole.len())).expect("room");
            for room in 0..whole.len() {
                voxels.write(b"start", packed, Disk(room)).expect_err("no room");
            }
        }
    }

    #[test]
    fn a_mark_stands_before_what_was_there_and_replaces_an_older_one() {
        let marked = |text: &str, mark: &str| {
            let mut descrip = [0; 80];
            descrip[..text.len()].copy_from_slice(text.as_bytes());
            add_mark(&mut descrip, mark);
            assert_eq!(descrip[79], 0);
            String::from_utf8(descrip.to_vec()).expect("text").trim_end_matches('\0').to_owned()
        };
        assert_eq!(marked("TE=4.6", ""), "TE=4.6");
        assert_eq!(marked("", "unmelt 1: denoise"), "unmelt 1: denoise");
        assert_eq!(marked("TE=4.6", "unmelt 1: denoise"), "unmelt 1: denoise; TE=4.6");
        assert_eq!(marked("unmelt 1: denoise; TE=4.6", "unmelt 1: inpaint"), "unmelt 1: inpaint; TE=4.6");
        assert_eq!(marked("unmelt 1: denoise", "unmelt 1: inpaint"), "unmelt 1: inpaint");
        let long = "ä".repeat(39);
        assert!(marked(&long, "unmelt 1: x").starts_with("unmelt 1: x; ää"));
    }
}
