//! The error of this crate.

use std::path::PathBuf;

use unmelt_diffusion::{ErrorKind, Fault, Subject};

/// What can go wrong with volumes; every message is a sentence that says what and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the diffusion core.
    #[error(transparent)]
    Core(#[from] unmelt_diffusion::Error),
    /// Data that are not what they should be.
    #[error("{subject} is not a usable {kind}: {fault}")]
    Data {
        /// "k-space file", "model card", …
        kind: &'static str,
        /// The name of the data, for people.
        subject: String,
        /// What is wrong with them.
        fault: String,
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

    /// Data that are not a usable `kind`.
    pub(crate) fn data(
        kind: &'static str,
        subject: impl std::fmt::Display,
        fault: impl Into<String>,
    ) -> Self {
        Self::Data { kind, subject: subject.to_string(), fault: fault.into() }
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
            Self::Data { .. } => ErrorKind::Input,
            Self::Request(_) => ErrorKind::Usage,
        }
    }

    fn subject(&self) -> Option<Subject> {
        match self {
            Self::Core(core) => core.subject(),
            _ => None,
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

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
