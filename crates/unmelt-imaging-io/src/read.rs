//! Volumes, pictures and series in: by what the file holds.

use std::path::Path;

use crate::picture::{self, PictureKind};
use crate::scan_series::{ScanSeries, SeriesReading};
use crate::{Error, Result, Scan, dicom, nifti};

/// A volume that was read, and what had to be corrected on the way.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The volume, and what its file said besides.
    pub scan: Scan,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// Which volume of a file or folder with several.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Index along the fourth dimension of a NIfTI file, from 0.
    pub index: Option<usize>,
    /// Which series of a DICOM folder: its number in the list of several, from 1, or its SeriesInstanceUID.
    pub series: Option<String>,
    /// Whether a packed file is read whose data do not fit its checksum: with a warning in place of an error.
    pub force: bool,
}

impl Scan {
    /// Reads a NIfTI file (.nii, .nii.gz, .hdr, .img) or a DICOM file or folder.
    pub fn read(path: &Path, choice: &Choice) -> Result<Reading> {
        let metadata = std::fs::metadata(path).map_err(Error::file("read", path))?;
        let is_dicom = metadata.is_dir() || dicom::is_dicom(path);
        if is_dicom && choice.force {
            return Err(not_there(path, "is DICOM, which has no checksum that could be passed over"));
        }
        match (is_dicom, choice.index, choice.series.as_deref()) {
            (true, None, series) => dicom::read(path, series),
            (false, _, None) => nifti::read_with(path, choice),
            (true, Some(_), _) => {
                Err(not_there(path, "is DICOM, and an index chooses among the volumes of a 4D NIfTI file"))
            }
            (false, _, Some(_)) => Err(not_there(path, "is no DICOM, so there is no series to choose")),
        }
    }
}

impl ScanSeries {
    /// Reads all frames and channels of a picture (PNG, TIFF, JPEG), a NIfTI file, or a DICOM file or folder.
    ///
    /// # Errors
    /// What cannot be read; several DICOM series that are not the times of one.
    pub fn read(path: &Path, choice: &Choice) -> Result<SeriesReading> {
        let metadata = std::fs::metadata(path).map_err(Error::file("read", path))?;
        if metadata.is_file() && PictureKind::of_file(path).is_some() {
            return match choice {
                Choice { index: None, series: None, force: false } => picture::read(path),
                _ => Err(Error::Request(format!(
                    "{} is a picture, which has no series, no volumes by index and no checksum to pass over",
                    path.display()
                ))),
            };
        }
        if metadata.is_dir() || dicom::is_dicom(path) {
            return dicom::read_series(path, choice);
        }
        match &choice.series {
            None => nifti::read_series(path, choice),
            Some(_) => Err(Error::Request(format!(
                "{} is no DICOM, so there is no series to choose",
                path.display()
            ))),
        }
    }
}

/// A choice where there is none.
fn not_there(path: &Path, why: &str) -> Error {
    Error::Request(format!("{} {why}", path.display()))
}
