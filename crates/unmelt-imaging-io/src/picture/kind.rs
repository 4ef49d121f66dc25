//! The formats of pictures, and what they say besides pixels.

use std::io::Read;
use std::path::{Path, PathBuf};

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
    pub(super) fn file(self) -> &'static str {
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
