//! A series and what its file said besides.

use std::path::Path;

use unmelt_imaging::{Series, Volume};

use crate::nifti::{self, Element};
use crate::picture::{self, PictureKind};
use crate::{Choice, Derivation, Error, Result, Scan, Source, dicom, output};

/// Signals, images or volumes on one lattice, with all their frames and channels, and what their file said besides.
#[derive(Clone, Debug)]
pub struct ScanSeries {
    /// The values.
    pub series: Series,
    /// What its file said besides.
    pub source: Source,
}

/// A series that was read, and what had to be corrected on the way.
#[derive(Clone, Debug)]
pub struct SeriesReading {
    /// The series, and what its file said besides.
    pub scan: ScanSeries,
    /// One sentence each.
    pub warnings: Vec<String>,
}

impl ScanSeries {
    /// A series that came from no file.
    pub fn new(series: Series) -> Self {
        Self { series, source: Source::Memory }
    }

    /// The one frame of a scan.
    pub fn of(scan: Scan) -> Self {
        Self { series: Series::of(scan.volume), source: scan.source }
    }

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

    /// The one volume of a series that has no other frame and channel.
    pub fn into_scan(self) -> Option<Scan> {
        let Self { series, source } = self;
        series.into_volume().map(|volume| Scan { volume, source })
    }

    /// One channel of one frame.
    ///
    /// # Panics
    /// If there is no such channel or frame.
    pub fn scan(&self, channel: usize, frame: usize) -> Scan {
        Scan { volume: self.series.volume(channel, frame), source: self.source.clone() }
    }

    /// Another series with the same source, in the same orientation.
    pub fn with(&self, series: Series) -> Self {
        let acquisition = self.series.acquisition.clone();
        Self { series: series.acquired(acquisition), source: self.source.clone() }
    }

    /// Volumes made of those of this series, one of each, in the order of its values.
    ///
    /// # Panics
    /// If there are not as many, or they do not lie on one grid.
    pub fn with_volumes(&self, volumes: Vec<Volume>) -> Self {
        let lattice = self.series.lattice();
        assert_eq!(volumes.len(), lattice.parts(), "one volume of each");
        self.with(Series::joined(volumes, lattice.channels, lattice.frame_step))
    }

    /// Takes the free text of its source away, as [`Scan::strip`].
    pub fn strip(&mut self) {
        self.source.strip();
    }

    /// Checks, before the work, that what is made of the series can be written under this name, as [`Scan::check_output`].
    pub fn check_output(&self, path: &Path) -> Result<()> {
        if let Some(kind) = PictureKind::of_name(path) {
            output::check_folder(path)?;
            picture::check(self, kind, path)?;
        } else {
            output::check(path, matches!(self.source, Source::Dicom(_)))?;
            let lattice = self.series.lattice();
            if !output::is_nifti(path) && !lattice.is_scalar() {
                return Err(Error::Request(format!(
                    "could not write {}: a derived DICOM series holds one volume, and there are {}; give a name ending in .nii.gz",
                    path.display(),
                    lattice.parts()
                )));
            }
        }
        self.source.keep(path)
    }

    /// Writes the series as NIfTI, as a picture or as a derived DICOM series, by the name. Whole numbers of a gray picture and colours
    /// of 8 bits stay such in NIfTI. What had to be changed to fit the numbers of a picture is returned, a sentence each.
    ///
    /// # Errors
    /// What [`check_output`](Self::check_output) finds, and what cannot be written.
    pub fn write(&self, path: &Path, derivation: &Derivation) -> Result<Vec<String>> {
        self.check_output(path)?;
        if let Some(kind) = PictureKind::of_name(path) {
            return picture::write(self, kind, path);
        }
        if self.series.lattice().is_scalar() && !matches!(self.source, Source::Picture(_)) {
            return self.scan(0, 0).write(path, derivation).map(|()| Vec::new());
        }
        let element = self.element();
        nifti::write_series(self, element, output::Said::of(&self.source, derivation).label(), path)?;
        Ok(Vec::new())
    }

    /// The type of voxels that holds the values: of pictures whole numbers, of other series floats.
    fn element(&self) -> Element {
        let values = self.series.values();
        let whole = |most: f32| values.iter().all(|v| v.fract() == 0.0 && (0.0..=most).contains(v));
        let channels = self.series.lattice().channels;
        match (&self.source, channels) {
            (_, 3) if whole(255.0) => Element::Rgb24,
            (Source::Picture(_), 1) if whole(255.0) => Element::Uint8,
            (Source::Picture(_), 1) if whole(65_535.0) => Element::Uint16,
            _ => Element::Float32,
        }
    }
}
