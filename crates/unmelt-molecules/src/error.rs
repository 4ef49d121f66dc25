//! The error of this crate.

use std::path::PathBuf;

use unmelt_diffusion::{ErrorKind, Fault, Subject};

/// What can go wrong with molecules; every message is a sentence that says what and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the diffusion core.
    #[error(transparent)]
    Core(#[from] unmelt_diffusion::Error),
    /// A file that is not in the format that it should be in.
    #[error("{path} is not a usable {kind} file: {fault}", path = path.display())]
    Format {
        /// "SDF", "Parquet", …
        kind: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// A file name whose ending names no format that can be read or written.
    #[error("{path} has no ending that names a format; use one of {endings}", path = path.display())]
    UnknownFormat {
        /// Which file.
        path: PathBuf,
        /// The endings that are known.
        endings: &'static str,
    },
    /// A run with filters that let nothing through for long.
    #[error(
        "{kept} of {wanted} molecules were kept of {drawn} drawn, and of the last {in_a_row} none passes the filters"
    )]
    GaveUp {
        /// Molecules that were drawn.
        drawn: u64,
        /// Molecules that passed.
        kept: u64,
        /// Molecules that were wanted.
        wanted: u64,
        /// Molecules drawn one after another of which none passed.
        in_a_row: u64,
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

    /// A field of a request that cannot be honoured.
    pub(crate) fn field(field: &str, sentence: impl Into<String>) -> Self {
        Self::Core(unmelt_diffusion::Error::field(field, sentence))
    }

    /// The error as one of the core, for what the core calls back.
    pub(crate) fn into_core(self) -> unmelt_diffusion::Error {
        match self {
            Self::Core(core) => core,
            other => unmelt_diffusion::Error::plain(other.kind(), other.to_string()),
        }
    }

    /// Whether the caller's own request ended the work.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Core(e) if e.is_stopped())
    }
}

impl Fault for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Core(core) => core.kind(),
            Self::Format { .. } => ErrorKind::Input,
            Self::UnknownFormat { .. } => ErrorKind::Unsupported,
            Self::GaveUp { .. } => ErrorKind::Numeric,
            Self::Request(_) => ErrorKind::Usage,
        }
    }

    fn subject(&self) -> Option<Subject> {
        match self {
            Self::Core(core) => core.subject(),
            Self::Format { path, .. } | Self::UnknownFormat { path, .. } => Some(Subject::File(path.clone())),
            Self::GaveUp { .. } => Some(Subject::Field("filters".into())),
            Self::Request(_) => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Core(core) => core.hint(),
            Self::GaveUp { .. } => {
                Some("ask for less, let a formula name the elements, or allow more draws".into())
            }
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

impl From<crate::MoleculeError> for Error {
    fn from(error: crate::MoleculeError) -> Self {
        Self::Request(error.to_string())
    }
}

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
