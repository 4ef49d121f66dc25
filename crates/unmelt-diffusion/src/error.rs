//! The one error of the core.

use std::path::PathBuf;

use crate::fault::{ErrorKind, Fault, Subject};

/// What can go wrong in the core; every message is a sentence that says what and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting outside its domain, rejected at construction.
    #[error("{what} must be {want}, but it is {got}")]
    Setting {
        /// Name of the setting.
        what: &'static str,
        /// Its domain.
        want: &'static str,
        /// What was given.
        got: String,
    },
    /// Two settings that do not go together.
    #[error("{0}")]
    Combination(&'static str),
    /// A file that could not be read or written.
    #[error("could not {doing} {path}: {source}", path = path.display())]
    File {
        /// "read", "write", …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A name that a result cannot take.
    #[error("{path} {fault}", path = path.display())]
    Output {
        /// The name.
        path: PathBuf,
        /// "is an input, …", "is the name of two outputs; …"
        fault: &'static str,
    },
    /// A result that would replace a file without having been asked to.
    #[error("{path} is there already", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A folder with a run, or with the model of one, that a new run would replace.
    #[error("{path} holds {}", held(*checkpoint), path = path.display())]
    HoldsRun {
        /// The folder.
        path: PathBuf,
        /// Whether it holds a checkpoint, so that the run could go on.
        checkpoint: bool,
    },
    /// A result whose name somebody else took while it was made.
    #[error("{path} was made by another program meanwhile; this result is in {beside}", path = path.display(), beside = beside.display())]
    Taken {
        /// The name that it was to have.
        path: PathBuf,
        /// The name that it has.
        beside: PathBuf,
    },
    /// A part of a model that cannot be used.
    #[error("{path} is not a usable {part}: {fault}", path = path.display())]
    Model {
        /// "model card" or "weights file".
        part: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// A file whose content is not what it should be.
    #[error("{path} is not a usable {kind}: {fault}", path = path.display())]
    Format {
        /// "training checkpoint", "EDM settings", …
        kind: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// Input that asks for more than a limit.
    #[error(
        "{subject}: {found} is above the limit of {limit} for {name}; raise the limit {name} if so much is meant"
    )]
    Limit {
        /// The file or header that asks.
        subject: String,
        /// Name of the limit.
        name: &'static str,
        /// Its value.
        limit: u64,
        /// What was asked for.
        found: u64,
    },
    /// A field of a request, of settings or of a card that is out of its domain: a sentence that says why.
    #[error("{sentence}")]
    Field {
        /// Path of the field: "steps", "guidance", "model.network.layers", …
        field: String,
        /// What is wrong with it.
        sentence: String,
    },
    /// Work that takes more than it may.
    #[error("{what} takes {}, but {} may be taken", amount(*wanted, unit), amount(*allowed, unit))]
    Budget {
        /// What it takes too much of: "memory", "samples".
        field: &'static str,
        /// What work: "a batch of one molecule".
        what: String,
        /// The unit: "bytes", "samples".
        unit: &'static str,
        /// What it takes.
        wanted: u64,
        /// What it may take.
        allowed: u64,
    },
    /// A setting of a training outside of its domain: a sentence that begins with its key.
    #[error("{sentence}")]
    Settings {
        /// The key.
        field: Option<String>,
        /// What is wrong with it.
        sentence: String,
    },
    /// Input that a decoder could make nothing of.
    #[error("{what} is broken: {fault}")]
    Broken {
        /// The file, or the part of it.
        what: String,
        /// What is wrong.
        fault: String,
    },
    /// A name that no model has.
    #[error("\"{name}\" {what}; give the folder of a trained model or one of: {known}")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// "is no model", "is a folder without a model.json".
        what: &'static str,
        /// The models inside the program.
        known: String,
    },
    /// A tensor that a network wants and the weights do not have in that shape.
    #[error("the weights {fault} for {name}")]
    Weights {
        /// Name of the tensor.
        name: String,
        /// "have no tensor", "have shape […] instead of […]", …
        fault: String,
    },
    /// Training or sampling left the finite numbers.
    #[error("{what} is not finite {at}")]
    NotFinite {
        /// "the loss", "the prediction", …
        what: &'static str,
        /// Where in the run.
        at: At,
    },
    /// An error that its kind and its sentence say whole.
    #[error("{sentence}")]
    Plain {
        /// What kind of error.
        kind: ErrorKind,
        /// What and where.
        sentence: String,
    },
    /// The caller asked to stop.
    #[error("stopped on request")]
    Stopped,
}

/// An amount with its unit; bytes as gigabytes.
fn amount(count: u64, unit: &str) -> String {
    match unit {
        "bytes" => format!("{:.1} GB", count as f64 / 1e9),
        unit => format!("{count} {unit}"),
    }
}

/// What a folder holds that a new run would replace, and what can be done.
fn held(checkpoint: bool) -> &'static str {
    match checkpoint {
        true => "a run already: resume it, overwrite it, or name another folder",
        false => {
            "a model, but no checkpoint that a run could go on from: name another folder, or overwrite it"
        }
    }
}

impl Error {
    /// An error that its kind and its sentence say whole.
    pub fn plain(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self::Plain { kind, sentence: sentence.into() }
    }

    /// A setting outside its domain.
    pub fn setting(what: &'static str, want: &'static str, got: impl std::fmt::Display) -> Self {
        Self::Setting { what, want, got: got.to_string() }
    }

    /// A field that is out of its domain or cannot be honoured.
    pub fn field(field: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self::Field { field: field.into(), sentence: sentence.into() }
    }

    /// An error of the settings of a training, whose sentence names the key.
    pub fn settings(error: impl Fault) -> Self {
        let field = match error.subject() {
            Some(Subject::Field(field)) => Some(field),
            _ => None,
        };
        Self::Settings { field, sentence: error.to_string() }
    }

    /// A file operation that failed, for `map_err`.
    pub fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    /// Whether the caller's own request ended the work.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped)
    }
}

impl Fault for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. }
            | Self::Settings { .. }
            | Self::Combination(_)
            | Self::Field { .. }
            | Self::Output { .. }
            | Self::UnknownModel { .. } => ErrorKind::Usage,
            Self::File { .. } | Self::Exists { .. } | Self::HoldsRun { .. } | Self::Taken { .. } => {
                ErrorKind::Io
            }
            Self::Format { .. } | Self::Broken { .. } => ErrorKind::Input,
            Self::Model { .. } | Self::Weights { .. } => ErrorKind::Model,
            Self::Limit { .. } | Self::Budget { .. } => ErrorKind::Limit,
            Self::NotFinite { .. } => ErrorKind::Numeric,
            Self::Stopped => ErrorKind::Cancelled,
            Self::Plain { kind, .. } => *kind,
        }
    }

    fn subject(&self) -> Option<Subject> {
        match self {
            Self::Setting { what, .. } => Some(Subject::Field(what.to_string())),
            Self::Field { field, .. } => Some(Subject::Field(field.clone())),
            Self::Settings { field, .. } => field.clone().map(Subject::Field),
            Self::Budget { field, .. } => Some(Subject::Field(field.to_string())),
            Self::UnknownModel { .. } => Some(Subject::Field("model".into())),
            Self::Limit { name, .. } => Some(Subject::Limit(name.to_string())),
            Self::File { path, .. }
            | Self::Output { path, .. }
            | Self::Exists { path }
            | Self::HoldsRun { path, .. }
            | Self::Taken { path, .. }
            | Self::Model { path, .. }
            | Self::Format { path, .. } => Some(Subject::File(path.clone())),
            Self::Combination(_)
            | Self::Broken { .. }
            | Self::Weights { .. }
            | Self::NotFinite { .. }
            | Self::Plain { .. }
            | Self::Stopped => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotFinite { at: At::SamplingStep(_), .. } => {
                "more steps, another solver or a smaller sample usually helps"
            }
            Self::NotFinite { at: At::TrainingStep(_), .. } => {
                "a lower learning_rate.peak or a longer warm-up usually helps"
            }
            Self::Budget { field: "memory", .. } => "smaller samples or a machine with more memory would do",
            Self::Budget { .. } => "ask for fewer",
            _ => return None,
        };
        Some(hint.into())
    }

    fn io_kind(&self) -> Option<std::io::ErrorKind> {
        match self {
            Self::File { source, .. } => Some(source.kind()),
            Self::Exists { .. } | Self::HoldsRun { .. } | Self::Taken { .. } => {
                Some(std::io::ErrorKind::AlreadyExists)
            }
            _ => None,
        }
    }
}

/// Where in a run numbers left the finite ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A step of sampling, from 1.
    SamplingStep(usize),
    /// A step of a training.
    TrainingStep(u64),
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::SamplingStep(step) => write!(f, "at sampling step {step}"),
            Self::TrainingStep(step) => write!(f, "at training step {step}"),
        }
    }
}

/// Result with the core's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// `value` if it is finite and `ok`, else the error that names the setting.
pub(crate) fn check(
    what: &'static str,
    want: &'static str,
    value: f64,
    ok: impl FnOnce(f64) -> bool,
) -> Result<f64> {
    if value.is_finite() && ok(value) { Ok(value) } else { Err(Error::setting(what, want, value)) }
}
