//! Series out: NIfTI, a picture or a derived DICOM series, by the name of what is written.

use std::path::Path;

use crate::nifti::{self, Element};
use crate::picture::{self, PictureKind};
use crate::scan_series::ScanSeries;
use crate::{Derivation, Error, Result, Source, output};

impl ScanSeries {
    /// Checks, before the work, that what is made of the series can be written under this name, as [`Scan::check_output`](crate::Scan::check_output).
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
