//! Rust's errors as Python's.

use pyo3::create_exception;
use pyo3::exceptions::{
    PyException, PyFileExistsError, PyFileNotFoundError, PyKeyboardInterrupt, PyOSError, PyPermissionError,
    PyValueError,
};
use pyo3::prelude::*;
use unmelt_diffusion::{ErrorKind, Fault};

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

impl<E: Fault> IntoPython for E {
    fn into_python(self) -> PyErr {
        let text = match self.hint() {
            Some(hint) => format!("{self}; {hint}"),
            None => self.to_string(),
        };
        match (self.kind(), self.io_kind()) {
            (ErrorKind::Cancelled, _) => PyKeyboardInterrupt::new_err(()),
            (ErrorKind::Input, _) => FormatError::new_err(text),
            (ErrorKind::Model, _) => ModelError::new_err(text),
            (ErrorKind::Numeric, _) => NumericalError::new_err(text),
            (ErrorKind::Io, Some(std::io::ErrorKind::NotFound)) => PyFileNotFoundError::new_err(text),
            (ErrorKind::Io, Some(std::io::ErrorKind::PermissionDenied)) => PyPermissionError::new_err(text),
            (ErrorKind::Io, Some(std::io::ErrorKind::AlreadyExists)) => PyFileExistsError::new_err(text),
            (ErrorKind::Io, _) => PyOSError::new_err(text),
            (ErrorKind::Usage | ErrorKind::Limit | ErrorKind::Unsupported, _) => PyValueError::new_err(text),
        }
    }
}

/// A value that is not what an argument must be.
pub fn bad_argument(name: &str, fault: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(format!("{name} {fault}"))
}
