//! The error of this crate.

use std::path::{Path, PathBuf};

use unmelt_diffusion::{ErrorKind, Fault, Subject};

/// What can go wrong with files of volumes; every message is a sentence that says what and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the diffusion core.
    #[error(transparent)]
    Core(#[from] unmelt_diffusion::Error),
    /// A file or folder whose content is not what it should be.
    #[error("{path} is not a usable {kind}: {fault}", path = path.display())]
    Format {
        /// "NIfTI file", "DICOM file", …
        kind: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// A packed file whose data do not fit its checksum, or that is cut off.
    #[error("{path} is damaged: {fault}; get it anew", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// Several volumes in a file where one is wanted.
    #[error("{path} holds {count} volumes; choose one by its index, from 0", path = path.display())]
    SeveralVolumes {
        /// Which file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// Several DICOM series where one is wanted.
    #[error("{path} holds {} series; choose one by its number or its SeriesInstanceUID:{}", series.len(), list(series), path = path.display())]
    SeveralSeries {
        /// Which folder.
        path: PathBuf,
        /// One line for each series: its UID and what it is, without any identifying tag.
        series: Vec<String>,
    },
    /// A name that cannot be written to.
    #[error("{path} {fault}; use a name ending in .nii or .nii.gz, or a folder for DICOM", path = path.display())]
    Output {
        /// Which name.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A request that cannot be fulfilled.
    #[error("{0}")]
    Request(String),
}

impl Error {
    /// A file operation that failed, for `map_err`.
    pub fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let wrap = unmelt_diffusion::Error::file(doing, path);
        move |source| Self::Core(wrap(source))
    }

    /// A file that is not a usable `kind`.
    pub(crate) fn format(kind: &'static str, path: &Path, fault: impl Into<String>) -> Self {
        Self::Format { kind, path: path.into(), fault: fault.into() }
    }
}

impl Fault for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Core(core) => core.kind(),
            Self::Format { .. } | Self::Damaged { .. } => ErrorKind::Input,
            Self::SeveralVolumes { .. } | Self::SeveralSeries { .. } => ErrorKind::Usage,
            Self::Output { .. } | Self::Request(_) => ErrorKind::Usage,
        }
    }

    fn subject(&self) -> Option<Subject> {
        match self {
            Self::Core(core) => core.subject(),
            Self::Format { path, .. }
            | Self::Damaged { path, .. }
            | Self::SeveralVolumes { path, .. }
            | Self::SeveralSeries { path, .. }
            | Self::Output { path, .. } => Some(Subject::File(path.clone())),
            Self::Request(_) => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Core(core) => core.hint(),
            _ => None,
        }
    }

    fn io_kind(&self) -> Option<std::io::ErrorKind> {
        match self {
            Self::Core(core) => core.io_kind(),
            _ => None,
        }
    }
}

/// For a [`VolumeSource`](unmelt_imaging::VolumeSource) of files.
impl From<Error> for unmelt_imaging::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Core(core) => Self::Core(core),
            other => Self::Core(unmelt_diffusion::Error::plain(other.kind(), other.to_string())),
        }
    }
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
