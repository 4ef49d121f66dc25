//! How the program says what went wrong: one sentence, perhaps a hint, and an exit code.

use std::process::ExitCode;

/// Why the program ends without its result.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// Bad usage or bad input: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2 }
    }

    /// Something failed on the way: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// The same as a failure on the way.
    pub fn on_the_way(self) -> Self {
        Self { code: 1, ..self }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints the sentence; the exit code for the shell.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.message);
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl From<unmelt_diffusion::Error> for Failure {
    fn from(error: unmelt_diffusion::Error) -> Self {
        use unmelt_diffusion::Error as E;
        match &error {
            E::NotFinite { at, .. } if at.contains("sampling") => Self::failed(error.to_string())
                .hint("more --steps, another --solver or a smaller sample usually helps"),
            E::NotFinite { .. } => Self::failed(error.to_string())
                .hint("a lower learning_rate.peak or a longer warm-up usually helps"),
            E::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Self::failed(error.to_string())
            }
            E::Stopped => Self::failed(error.to_string()),
            _ => Self::usage(error.to_string()),
        }
    }
}

impl From<unmelt_molecules::Error> for Failure {
    fn from(error: unmelt_molecules::Error) -> Self {
        match error {
            unmelt_molecules::Error::Core(core) => core.into(),
            other @ unmelt_molecules::Error::GaveUp { .. } => Self::failed(other.to_string()),
            other => Self::usage(other.to_string()),
        }
    }
}

impl From<unmelt_volumes::Error> for Failure {
    fn from(error: unmelt_volumes::Error) -> Self {
        match error {
            unmelt_volumes::Error::Core(core) => core.into(),
            other => Self::usage(other.to_string()),
        }
    }
}
