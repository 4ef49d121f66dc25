//! How the program says what went wrong: one sentence, perhaps a hint, and an exit code.

use std::path::Path;

use unmelt_diffusion::{ErrorKind, Fault, Subject};

use crate::{interrupt, say};

/// Why the program ends without its result.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    kind: ErrorKind,
    subject: Option<Subject>,
    code: u8,
}

impl Failure {
    /// Bad usage or bad input: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ErrorKind::Usage, subject: None, code: 2 }
    }

    /// Something failed on the way: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ErrorKind::Io, subject: None, code: 1 }
    }

    /// The same as a failure on the way.
    pub fn on_the_way(self) -> Self {
        Self { code: 1, ..self }
    }

    /// The work ended because it was asked to: exit code 130 or 143.
    pub fn stopped() -> Self {
        Self {
            message: "stopped on request".into(),
            kind: ErrorKind::Cancelled,
            subject: None,
            hint: Some("nothing was written; run the same command to start again".into()),
            code: interrupt::exit_code().unwrap_or(1),
        }
    }

    /// The same, as an error of this kind.
    pub fn of_kind(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// An error of the libraries. What was computed failed on the way, all else was known before.
    pub fn of(error: &dyn Fault) -> Self {
        let code = match (error.kind(), error.io_kind()) {
            (ErrorKind::Cancelled, _) => return Self::stopped(),
            (ErrorKind::Numeric, _) => 1,
            (ErrorKind::Io, Some(kind)) if is_on_the_way(kind) => 1,
            _ => 2,
        };
        let (kind, subject, hint) = (error.kind(), error.subject(), error.hint());
        Self { message: error.to_string(), hint, kind, subject, code }
    }

    /// The same, with the name of a file before the sentence.
    pub fn of_file(self, path: &Path) -> Self {
        Self { message: format!("{}: {}", path.display(), self.message), ..self }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints the sentence; the exit code for the shell.
    pub fn report(&self) -> u8 {
        eprintln!("error: {}", self.message);
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
        say::error_document(self.kind, &self.message, self.subject.as_ref(), self.hint.as_deref());
        self.code
    }
}

/// Whether writing failed for a reason that nobody could know before the work began.
fn is_on_the_way(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as K;
    matches!(
        kind,
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge | K::WriteZero | K::StaleNetworkFileHandle
    )
}

impl From<unmelt_diffusion::Error> for Failure {
    fn from(error: unmelt_diffusion::Error) -> Self {
        use unmelt_diffusion::Error as E;
        let failure = Self::of(&error);
        match error {
            E::Exists { .. } => failure.hint("give another name, or add --overwrite to replace it"),
            E::HoldsRun { checkpoint: true, .. } => {
                failure.hint("--resume goes on with it, --overwrite begins anew")
            }
            E::HoldsRun { checkpoint: false, .. } => {
                failure.hint("give another --output, or add --overwrite")
            }
            E::Taken { .. } => failure.on_the_way(),
            _ => failure,
        }
    }
}

impl From<unmelt_molecules::Error> for Failure {
    fn from(error: unmelt_molecules::Error) -> Self {
        match error {
            unmelt_molecules::Error::Core(core) => core.into(),
            other => Self::of(&other),
        }
    }
}

impl From<unmelt_imaging::Error> for Failure {
    fn from(error: unmelt_imaging::Error) -> Self {
        match error {
            unmelt_imaging::Error::Core(core) => core.into(),
            other => Self::of(&other),
        }
    }
}

impl From<unmelt_imaging_io::Error> for Failure {
    fn from(error: unmelt_imaging_io::Error) -> Self {
        match error {
            unmelt_imaging_io::Error::Core(core) => core.into(),
            other => Self::of(&other),
        }
    }
}
