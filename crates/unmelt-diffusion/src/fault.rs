//! What front ends ask of every error: its kind, what it is about, and what can be done.

use std::path::PathBuf;

use serde::Serialize;

/// What kind of error: front ends make exit codes, exceptions and answers of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// What was asked cannot be done as asked.
    Usage,
    /// A file or another input is not what it should be.
    Input,
    /// A model's card or weights cannot be used.
    Model,
    /// Input asks for more than a limit.
    Limit,
    /// The caller asked to stop.
    Cancelled,
    /// The system could not read, write or run something, or a name is taken.
    Io,
    /// The computation left the finite numbers or did not come to its end.
    Numeric,
    /// The program or this build of it cannot do this.
    Unsupported,
}

/// What an error is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A file or a folder.
    File(PathBuf),
    /// A field of a request, of settings or of a card, by its path: "guidance", "training.steps".
    Field(String),
    /// What was typed for an option of a command line.
    Option(String),
    /// A limit, by its name.
    Limit(String),
}

/// An error of any of the crates, as front ends see it. Exit codes, exceptions and answers are made of these; no text is matched.
///
/// ```
/// use unmelt_diffusion::fault::{ErrorKind, Fault, Subject};
/// use unmelt_diffusion::{Grid, Schedule};
///
/// let levels = Schedule::COSINE.build()?;
/// let error = Grid::Trailing.times(0, &levels).expect_err("no steps");
/// assert_eq!(error.kind(), ErrorKind::Usage);
/// assert_eq!(error.subject(), Some(Subject::Field("steps".into())));
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
pub trait Fault: std::error::Error {
    /// What kind of error it is.
    fn kind(&self) -> ErrorKind;

    /// What it is about, where it is about one thing.
    fn subject(&self) -> Option<Subject> {
        None
    }

    /// What can be done, as a sentence without capital and full stop.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The system's own kind of an error of reading or writing.
    fn io_kind(&self) -> Option<std::io::ErrorKind> {
        None
    }
}
