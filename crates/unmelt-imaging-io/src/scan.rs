//! A volume and what its file said besides.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use unmelt_imaging::Volume;

use crate::dicom::DicomSeries;
use crate::nifti::{self, NiftiSource};
use crate::picture::PictureSource;

/// A volume and what its file said besides.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The volume.
    pub volume: Volume,
    /// What its file said besides.
    pub source: Source,
}

/// Where a volume came from; writing goes back to its orientation and keeps its header.
#[derive(Clone, Debug)]
pub enum Source {
    /// An array in memory.
    Memory,
    /// A NIfTI file.
    Nifti(Arc<NiftiSource>),
    /// A DICOM series.
    Dicom(Arc<DicomSeries>),
    /// A picture.
    Picture(Arc<PictureSource>),
}

impl Scan {
    /// A volume that came from no file.
    pub fn new(volume: Volume) -> Self {
        Self { volume, source: Source::Memory }
    }

    /// Another volume with the same source, in the same orientation.
    pub fn with(&self, volume: Volume) -> Self {
        let acquisition = self.volume.acquisition.clone();
        Self { volume: Volume { acquisition, ..volume }, source: self.source.clone() }
    }

    /// The same place and source with other values.
    ///
    /// # Panics
    /// If the number of voxels is not the grid's.
    pub fn with_voxels(&self, voxels: Vec<f32>) -> Self {
        Self { volume: self.volume.with_voxels(voxels), source: self.source.clone() }
    }

    /// Takes the free text of its source away, in which names of persons may stand: of a NIfTI file its description, the names in its
    /// header and its extensions. A derived DICOM series has no such text.
    pub fn strip(&mut self) {
        self.source.strip();
    }
}

impl Source {
    /// Takes free text away.
    pub(crate) fn strip(&mut self) {
        if let Self::Nifti(source) = self {
            Arc::make_mut(source).clear_text();
        }
    }

    /// A file that it was read from, whose permissions say who may read what is made of it.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Memory | Self::Dicom(_) => None,
            Self::Nifti(source) => Some(&source.path),
            Self::Picture(source) => Some(&source.path),
        }
    }

    /// All files and folders that it was read from.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Memory => Vec::new(),
            Self::Nifti(source) => nifti::files(&source.path),
            Self::Dicom(series) => vec![series.path().into()],
            Self::Picture(source) => vec![source.path.clone()],
        }
    }
}
