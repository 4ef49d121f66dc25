//! Rust's errors as Python's.

use std::io::ErrorKind;

use pyo3::create_exception;
use pyo3::exceptions::{
    PyException, PyFileExistsError, PyFileNotFoundError, PyKeyboardInterrupt, PyOSError, PyPermissionError,
    PyValueError,
};
use pyo3::prelude::*;

create_exception!(
    unmelt,
    UnmeltError,
    PyException,
    "What unmelt raises where no exception of Python's own fits."
);
create_exception!(unmelt, FormatError, UnmeltError, "A file that is not what it should be.");
create_exception!(unmelt, ModelError, UnmeltError, "A model whose card or weights cannot be used.");
create_exception!(
    unmelt,
    NumericalError,
    UnmeltError,
    "Sampling or training left the finite numbers, or filters let nothing through."
);

/// An error that Python understands.
pub trait IntoPython {
    /// The exception.
    fn into_python(self) -> PyErr;
}

/// `?` with an error of the Rust crates.
pub trait OrRaise<T> {
    /// The value, or the exception.
    fn or_raise(self) -> PyResult<T>;
}

impl<T, E: IntoPython> OrRaise<T> for Result<T, E> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(IntoPython::into_python)
    }
}

/// A message with options of the command line called as Python calls them: "--attach" is "attach".
fn pythonic(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(" --") {
        text.push_str(&rest[..=at]);
        let word = rest[at + 3..].find(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        let end = word.map_or(rest.len(), |n| at + 3 + n);
        text.push_str(&rest[at + 3..end].replace('-', "_"));
        rest = &rest[end..];
    }
    text + rest
}

impl IntoPython for unmelt_diffusion::Error {
    fn into_python(self) -> PyErr {
        use unmelt_diffusion::Error as E;
        let text = pythonic(&self.to_string());
        match self {
            E::File { source, .. } => match source.kind() {
                ErrorKind::NotFound => PyFileNotFoundError::new_err(text),
                ErrorKind::PermissionDenied => PyPermissionError::new_err(text),
                _ => PyOSError::new_err(text),
            },
            E::Format { kind, .. } if kind.contains("card") || kind.contains("weights") => {
                ModelError::new_err(text)
            }
            E::Format { .. } | E::Broken { .. } => FormatError::new_err(text),
            E::Exists { .. } | E::HoldsRun { .. } => PyFileExistsError::new_err(text),
            E::Weights { .. } => ModelError::new_err(text),
            E::NotFinite { .. } => NumericalError::new_err(text),
            E::Stopped => PyKeyboardInterrupt::new_err(()),
            _ => PyValueError::new_err(text),
        }
    }
}

impl IntoPython for unmelt_molecules::Error {
    fn into_python(self) -> PyErr {
        use unmelt_molecules::Error as E;
        match self {
            E::Core(core) => core.into_python(),
            E::Format { .. } => FormatError::new_err(pythonic(&self.to_string())),
            E::GaveUp { .. } => NumericalError::new_err(self.to_string()),
            _ => PyValueError::new_err(pythonic(&self.to_string())),
        }
    }
}

impl IntoPython for unmelt_volumes::Error {
    fn into_python(self) -> PyErr {
        use unmelt_volumes::Error as E;
        match self {
            E::Core(core) => core.into_python(),
            E::Format { .. } | E::Damaged { .. } => FormatError::new_err(pythonic(&self.to_string())),
            _ => PyValueError::new_err(pythonic(&self.to_string())),
        }
    }
}

/// A value that is not what an argument must be.
pub fn bad_argument(name: &str, fault: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(format!("{name} {fault}"))
}
