//! How the program says what went wrong: one sentence, perhaps a hint, and an exit code.

use unmelt_diffusion::ErrorKind;

use crate::{interrupt, say};

/// Why the program ends without its result.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    kind: ErrorKind,
    code: u8,
}

impl Failure {
    /// Bad usage or bad input: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ErrorKind::Usage, code: 2 }
    }

    /// Something failed on the way: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ErrorKind::Io, code: 1 }
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
            hint: Some("nothing was written; run the same command to start again".into()),
            code: interrupt::exit_code().unwrap_or(1),
        }
    }

    /// The same, as an error of this kind.
    pub fn of_kind(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// An error of molecules or volumes: what was computed failed on the way, all else was known before.
    fn of_wing(kind: ErrorKind, message: String) -> Self {
        match kind {
            ErrorKind::Numeric => Self::failed(message),
            _ => Self::usage(message),
        }
        .of_kind(kind)
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
        say::error_document(self.kind, &self.message, self.hint.as_deref());
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
        let kind = error.kind();
        let failure = match &error {
            E::NotFinite { at, .. } if at.contains("sampling") => Self::failed(error.to_string())
                .hint("more --steps, another --solver or a smaller sample usually helps"),
            E::NotFinite { .. } => Self::failed(error.to_string())
                .hint("a lower learning_rate.peak or a longer warm-up usually helps"),
            E::File { doing: "write", source, .. } if is_on_the_way(source.kind()) => {
                Self::failed(error.to_string())
            }
            E::Exists { .. } => {
                Self::usage(error.to_string()).hint("give another name, or add --overwrite to replace it")
            }
            E::HoldsRun { checkpoint: true, .. } => {
                Self::usage(error.to_string()).hint("--resume goes on with it, --overwrite begins anew")
            }
            E::HoldsRun { checkpoint: false, .. } => {
                Self::usage(error.to_string()).hint("give another --output, or add --overwrite")
            }
            E::Taken { .. } => Self::failed(error.to_string()),
            E::Stopped => Self::stopped(),
            _ => Self::usage(error.to_string()),
        };
        failure.of_kind(kind)
    }
}

impl From<unmelt_molecules::Error> for Failure {
    fn from(error: unmelt_molecules::Error) -> Self {
        match error {
            unmelt_molecules::Error::Core(core) => core.into(),
            other => Self::of_wing(other.kind(), other.to_string()),
        }
    }
}

impl From<unmelt_imaging::Error> for Failure {
    fn from(error: unmelt_imaging::Error) -> Self {
        match error {
            unmelt_imaging::Error::Core(core) => core.into(),
            other => Self::of_wing(other.kind(), other.to_string()),
        }
    }
}

impl From<unmelt_imaging_io::Error> for Failure {
    fn from(error: unmelt_imaging_io::Error) -> Self {
        match error {
            unmelt_imaging_io::Error::Core(core) => core.into(),
            other => Self::of_wing(other.kind(), other.to_string()),
        }
    }
}
