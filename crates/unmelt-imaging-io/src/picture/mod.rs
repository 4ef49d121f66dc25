//! Pictures: PNG, TIFF and JPEG, gray or in colours.
//!
//! A picture is an axial slice as radiologists look at it: its columns run to the left of the patient and its rows to the back. A pixel
//! is 1 mm long, because pictures do not say how long it is.

mod display;
mod jpeg;
mod png;
mod tiff;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nalgebra::Matrix4;
use unmelt_diffusion::files::contained;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_imaging::{Acquisition, Grid, Lattice, Orientation, Series};

use crate::finite::make_finite;
use crate::scan_series::{ScanSeries, SeriesReading};
use crate::{Error, Result, Source};

pub(crate) use display::{check, write};

/// A format of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureKind {
    /// Portable Network Graphics.
    Png,
    /// Tagged Image File Format, of one page or several.
    Tiff,
    /// JPEG, which is read only.
    Jpeg,
    /// A DICOM image without a place in the patient, which is read only.
    Dicom,
}

impl PictureKind {
    /// "PNG", "TIFF", "JPEG", "DICOM".
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Tiff => "TIFF",
            Self::Jpeg => "JPEG",
            Self::Dicom => "DICOM",
        }
    }

    /// What a file of it is called in an error.
    fn file(self) -> &'static str {
        match self {
            Self::Png => "PNG file",
            Self::Tiff => "TIFF file",
            Self::Jpeg => "JPEG file",
            Self::Dicom => "DICOM file",
        }
    }

    /// The format that the first bytes of a file say, if they say one.
    fn of_start(start: &[u8]) -> Option<Self> {
        const STARTS: [(&[u8], PictureKind); 6] = [
            (b"\x89PNG\r\n\x1a\n", PictureKind::Png),
            (b"II*\0", PictureKind::Tiff),
            (b"MM\0*", PictureKind::Tiff),
            (b"II+\0", PictureKind::Tiff),
            (b"MM\0+", PictureKind::Tiff),
            (b"\xff\xd8\xff", PictureKind::Jpeg),
        ];
        STARTS.iter().find(|(bytes, _)| start.starts_with(bytes)).map(|(_, kind)| *kind)
    }

    /// The format of a file that is there, by its first bytes; none for other files.
    pub fn of_file(path: &Path) -> Option<Self> {
        let mut start = Vec::new();
        std::fs::File::open(path).ok()?.take(8).read_to_end(&mut start).ok()?;
        Self::of_start(&start)
    }

    /// The format that a name asks for when it is written to.
    pub fn of_name(path: &Path) -> Option<Self> {
        let end = path.extension()?.to_string_lossy().to_lowercase();
        match end.as_str() {
            "png" => Some(Self::Png),
            "tif" | "tiff" => Some(Self::Tiff),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            _ => None,
        }
    }
}

/// How exactly a picture stores a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Whole numbers from 0 to 255.
    Eight,
    /// Whole numbers from 0 to 65,535.
    Sixteen,
    /// 32-bit floats, which only TIFF has.
    Float,
}

impl Depth {
    /// The largest whole number; none for floats.
    pub fn largest(self) -> Option<f32> {
        match self {
            Self::Eight => Some(255.0),
            Self::Sixteen => Some(65_535.0),
            Self::Float => None,
        }
    }
}

/// What a picture said besides its pixels.
#[derive(Clone, Debug)]
pub struct PictureSource {
    /// Its format.
    pub kind: PictureKind,
    /// How exactly it stores a value.
    pub depth: Depth,
    /// The file.
    pub path: PathBuf,
}

/// The pixels of a picture.
struct Pixels {
    size: [usize; 2],
    channels: usize,
    depth: Depth,
    /// Row by row, the channels of a pixel side by side; one list for each page.
    pages: Vec<Vec<f32>>,
    warnings: Vec<String>,
}

/// Room for a picture that is about to be decoded.
struct Room<'a> {
    path: &'a Path,
    kind: PictureKind,
    /// Values that were decoded before.
    used: u64,
}

impl Room<'_> {
    /// Refuses a page of so many values where all together are too many.
    fn take(&mut self, size: [u64; 2], channels: u64) -> Result<()> {
        if size.contains(&0) {
            return Err(self.fault("it has no pixel"));
        }
        let values = size[0].saturating_mul(size[1]).saturating_mul(channels);
        self.used = self.used.saturating_add(values);
        within(limits().voxels, "voxels", self.used, &format!("values of {}", self.path.display()))?;
        Ok(())
    }

    fn fault(&self, fault: impl Into<String>) -> Error {
        Error::format(self.kind.file(), self.path, fault)
    }
}

/// Reads a picture; pages of a TIFF are frames, and red, green and blue are channels.
///
/// # Errors
/// A file that is no picture or a broken one, one with more values than the limits allow, colours that are not red, green and blue.
pub fn read(path: &Path) -> Result<SeriesReading> {
    let kind = PictureKind::of_file(path)
        .ok_or_else(|| Error::format("picture", path, "it does not begin as PNG, TIFF or JPEG"))?;
    let metadata = std::fs::metadata(path).map_err(Error::file("read", path))?;
    within(limits().input_bytes, "input_bytes", metadata.len(), &path.display().to_string())?;
    let file = std::fs::File::open(path).map_err(Error::file("read", path))?;
    let mut room = Room { path, kind, used: 0 };
    let decoded = contained(&path.display().to_string(), || match kind {
        PictureKind::Png => png::decode(file, &mut room),
        PictureKind::Tiff => tiff::decode(file, &mut room),
        // The first bytes say that it is none of the others.
        PictureKind::Jpeg | PictureKind::Dicom => jpeg::decode(file, &mut room),
    })?;
    let Pixels { size, channels, depth, pages, mut warnings } = decoded?;
    let orientation = Orientation { axes: [0, 1, 2], flips: [true, true, false] };
    let stored = stored_grid(size, [1.0; 2]);
    let points = stored.voxels();
    let frames = pages.len();
    let mut values = Vec::with_capacity(points * channels * frames);
    for page in pages {
        for channel in 0..channels {
            let plane: Vec<f32> = page.iter().skip(channel).step_by(channels).copied().collect();
            values.extend(orientation.gather(&plane, stored.shape));
        }
    }
    let broken = make_finite(&mut values);
    if broken > 0 {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        warnings.push(format!("{broken} values of {name} are NaN or infinite and are taken as 0"));
    }
    let lattice = Lattice { grid: orientation.to_ras(&stored), channels, frames, frame_step: 0.0 };
    let acquisition = Acquisition { orientation, ..Acquisition::default() };
    let series = Series::new(values, lattice).acquired(acquisition);
    let source = Source::Picture(Arc::new(PictureSource { kind, depth, path: path.into() }));
    Ok(SeriesReading { scan: ScanSeries { series, source }, warnings })
}

/// Where pixels lie whose columns and rows are so many mm apart: columns to the left, rows to the back, the middle at the origin.
pub(crate) fn stored_grid([columns, rows]: [usize; 2], [between_columns, between_rows]: [f64; 2]) -> Grid {
    let shape = [columns, rows, 1];
    let mut turned = Matrix4::identity();
    (turned[(0, 0)], turned[(1, 1)]) = (-1.0, -1.0);
    Grid { shape, affine: turned * Grid::centred(shape, [between_columns, between_rows, 1.0]).affine }
}

/// The channels of pixels without their alpha, which is said where it is not the same everywhere.
fn without_alpha(
    values: Vec<f32>,
    samples: usize,
    channels: usize,
    depth: Depth,
    room: &Room,
    warnings: &mut Vec<String>,
) -> Vec<f32> {
    if samples == channels {
        return values;
    }
    let opaque = depth.largest().unwrap_or(1.0);
    let transparent = values.chunks_exact(samples).filter(|p| p[channels] != opaque).count();
    if transparent > 0 {
        warnings.push(format!(
            "{transparent} pixels of {} are transparent; their colours are taken",
            room.path.display()
        ));
    }
    values.chunks_exact(samples).flat_map(|p| &p[..channels]).copied().collect()
}
