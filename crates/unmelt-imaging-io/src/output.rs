//! Volumes out: NIfTI or a derived DICOM series, by the name of what is written.

use std::path::{Path, PathBuf};

use unmelt_diffusion::files::{distinct, lies_within};

use crate::nifti::{Element, Label, foreign};
use crate::{Derivation, Error, Result, Scan, Source, dicom, nifti};

/// Ends of names that are no names of folders.
const FILES: [&str; 8] = [".hdr", ".img", ".dcm", ".gz", ".npy", ".csv", ".json", ".nii"];

/// Whether a name is that of a NIfTI file that can be written.
pub fn is_nifti(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

/// Checks, before the work, that a result can be written under this name. A folder of DICOM files needs a series that
/// came in as one.
pub fn check(path: &Path, dicom_came_in: bool) -> Result<()> {
    if is_nifti(path) {
        return check_folder(path);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_file_name = FILES.iter().any(|end| name.ends_with(end)) || foreign::by_name(path).is_some();
    if path.is_file() || is_file_name {
        return Err(Error::Output { path: path.into(), fault: "is no name to write to" });
    }
    if !dicom_came_in {
        let fault = "would be a folder of DICOM files, which only a DICOM series can become";
        return Err(Error::Output { path: path.into(), fault });
    }
    Ok(())
}

/// Checks that the folder of a file to be written is there.
pub(crate) fn check_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match folder.is_dir() && !path.is_dir() {
        true => Ok(()),
        false => Err(Error::Request(format!("could not write {}: there is no such folder", path.display()))),
    }
}

impl Source {
    /// Refuses a name under which a result would replace what was read, or would mix with it.
    pub(crate) fn keep(&self, path: &Path) -> Result<()> {
        let files = self.files();
        // What came from bytes in memory has the name of no file.
        let inputs: Vec<&Path> = files.iter().map(PathBuf::as_path).filter(|p| p.exists()).collect();
        distinct(&inputs, &[path])?;
        match inputs.iter().find(|folder| folder.is_dir() && !is_nifti(path) && lies_within(path, folder)) {
            None => Ok(()),
            Some(folder) => Err(Error::Request(format!(
                "{} lies in {}, which the series was read from, and the files of both would mix; give the name of a folder \
                 outside of it",
                path.display(),
                folder.display()
            ))),
        }
    }

    /// What was done, for the front of the description of a NIfTI header; nothing where a file only changed its name or packing and
    /// has a description of its own.
    fn mark(&self, derivation: &Derivation) -> String {
        let described = matches!(self, Self::Nifti(s) if s.header.descrip[0] != 0);
        if derivation.is_conversion() && described { String::new() } else { derivation.mark() }
    }

    /// The record of how the values were made, as JSON, where this program wrote one beside them.
    pub fn record(&self) -> Option<&str> {
        match self {
            Self::Nifti(source) => source.record(),
            Self::Dicom(series) => series.record(),
            Self::Memory | Self::Picture(_) => None,
        }
    }
}

/// What is said in a NIfTI file of how its values came to be.
pub(crate) struct Said {
    mark: String,
    record: Option<String>,
    keeps_record: bool,
}

impl Said {
    /// Of what was done to values of a source. A conversion keeps the values and what the source says of them.
    pub fn of(source: &Source, derivation: &Derivation) -> Self {
        let own = derivation.record.as_ref().map(|r| r.to_json());
        let keeps_record = derivation.is_conversion() && matches!(source, Source::Nifti(_));
        let kept = if derivation.is_conversion() { source.record().map(str::to_owned) } else { None };
        Self { mark: source.mark(derivation), record: own.or(kept), keeps_record }
    }

    pub fn label(&self) -> Label<'_> {
        Label { mark: &self.mark, record: self.record.as_deref(), keeps_record: self.keeps_record }
    }
}

impl Scan {
    /// Checks, before the work, that what is made of the volume can be written under this name: as [`check`], and what the
    /// volume was read from is not replaced, nor is a derived series put among the files of its source.
    pub fn check_output(&self, path: &Path) -> Result<()> {
        check(path, matches!(self.source, Source::Dicom(_)))?;
        self.source.keep(path)
    }

    /// Writes the volume as NIfTI or as a derived DICOM series, by the name. What was done stands in front of the description of a
    /// NIfTI header; a file that only changed its name or its packing keeps its own.
    ///
    /// CT is written as int16 if that holds it: whole Hounsfield units are what an estimate is good for. What was only converted
    /// keeps its fractions, as 32-bit floats.
    ///
    /// # Errors
    /// What [`check_output`](Self::check_output) finds, and what cannot be written.
    pub fn write(&self, path: &Path, derivation: &Derivation) -> Result<()> {
        self.check_output(path)?;
        if !is_nifti(path) {
            return dicom::write(self, derivation, path);
        }
        let converted = derivation.is_conversion();
        let fits = |v: &f32| v.abs() <= f32::from(i16::MAX) && (!converted || v.fract() == 0.0);
        let whole = self.volume.is_ct() && self.volume.voxels.iter().all(fits);
        let element = if whole { Element::Int16 } else { Element::Float32 };
        let said = Said::of(&self.source, derivation);
        nifti::write_marked(self, element, said.label(), path)
    }

    /// Writes a map that belongs to a volume in the same place: a standard deviation, an end of an interval. It is NIfTI with
    /// 32-bit floats, whatever the volume is, and `what` it is stands in the header's description in plain ASCII.
    pub fn write_map(&self, path: &Path, derivation: &Derivation, what: &str) -> Result<()> {
        check(path, false)?;
        self.source.keep(path)?;
        let mark = format!("{}, {what}", derivation.mark());
        nifti::write_marked(self, Element::Float32, Label { mark: &mark, ..Label::default() }, path)
    }
}
