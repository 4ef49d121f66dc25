//! The folder of a run: what begins in it, and that nothing in it is lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checkpoint::{BeganWith, CARD_FILE, Card, ModelFiles, WEIGHTS_FILE};
use crate::error::{Error, Result};
use crate::files::{Claims, claim_folder, distinct};
use crate::parameters::Layout;

/// Name of the file that a run goes on from.
pub(super) const STATE_FILE: &str = "training.safetensors";

/// Name of the table of losses in the folder of a run.
pub const LOSSES_FILE: &str = "losses.csv";

/// Name of the table of what was measured at the checkpoints.
pub const VALIDATION_FILE: &str = "validation.csv";

/// What a folder with the model of a run holds besides its checkpoint.
const MODEL_FILES: [&str; 4] = [CARD_FILE, WEIGHTS_FILE, LOSSES_FILE, VALIDATION_FILE];

/// Whether a folder holds a checkpoint.
pub(super) fn holds_checkpoint(folder: &Path) -> bool {
    folder.join(STATE_FILE).exists()
}

/// How a run begins in its folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// With its first step, in a folder that holds no run.
    #[default]
    Afresh,
    /// After the last checkpoint of the run that the folder holds.
    Resume,
    /// With its first step; a run that the folder holds is replaced by the first checkpoint of the new one.
    Overwrite,
}

impl Begin {
    /// What two switches ask for.
    pub fn of(resume: bool, overwrite: bool) -> Result<Self> {
        match (resume, overwrite) {
            (true, true) => {
                Err(Error::Combination("a run that goes on replaces nothing: resume or overwrite"))
            }
            (true, false) => Ok(Self::Resume),
            (false, true) => Ok(Self::Overwrite),
            (false, false) => Ok(Self::Afresh),
        }
    }
}

/// The folder of a run, how the run begins in it, and when it ends. Training of molecules and of scans share it.
///
/// ```
/// use unmelt_diffusion::train::{Begin, RunFolder};
///
/// let place = std::env::temp_dir().join("unmelt-no-run-yet");
/// let folder = RunFolder::new(&place, Begin::Afresh);
/// folder.check(&[])?;
/// assert!(RunFolder::new(&place, Begin::Resume).check(&[]).is_err());
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    begin: Begin,
    model: Option<ModelFiles>,
    limit: Option<Duration>,
}

/// Weights that a run begins with.
#[derive(Clone, Debug)]
pub struct Initial {
    /// Values of all parameters, in the order of the layout.
    pub values: Vec<f32>,
    /// The model that they are of.
    pub of: BeganWith,
}

impl Initial {
    /// The weights of a model, which must have the tensors of a layout.
    ///
    /// # Errors
    /// A tensor that is missing, left over or of another shape, by its name; weights that are not those of the card.
    pub fn of<M>(files: &ModelFiles, card: &Card<M>, layout: &Layout) -> Result<Self> {
        Ok(Self { values: files.values(card, layout)?, of: BeganWith::of(card) })
    }
}

impl RunFolder {
    /// A run in a folder.
    pub fn new(path: impl Into<PathBuf>, begin: Begin) -> Self {
        Self { path: path.into(), begin, model: None, limit: None }
    }

    /// The same run, which begins with the network and the weights of a model: fine-tuning.
    ///
    /// # Errors
    /// The run is resumed.
    pub fn beginning_with(self, model: ModelFiles) -> Result<Self> {
        match self.begin {
            Begin::Resume => Err(Error::Combination("a run that is resumed begins with no other model")),
            Begin::Afresh | Begin::Overwrite => Ok(Self { model: Some(model), ..self }),
        }
    }

    /// The same run, which ends after so much time, with a checkpoint.
    pub fn stopping_after(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the run begins.
    pub fn begin(&self) -> Begin {
        self.begin
    }

    /// The model whose network and weights the run begins with, if any.
    pub fn model(&self) -> Option<&ModelFiles> {
        self.model.as_ref()
    }

    /// The time after which the run ends, if any.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Checks, before data are read and before anything is written, that the run can begin.
    ///
    /// # Errors
    /// The folder is a file, or cannot be written into; it holds a run that would be lost, or none to go on with; one of the
    /// `inputs`, or the model to begin with, lies there.
    pub fn check(&self, inputs: &[&Path]) -> Result<()> {
        let folder = &self.path;
        if folder.exists() && !folder.is_dir() {
            return Err(Error::Output { path: folder.into(), fault: "is a file, and a run wants a folder" });
        }
        let holds = |name: &&str| folder.join(name).exists();
        let (checkpoint, model) = (holds(&STATE_FILE), MODEL_FILES.iter().any(holds));
        match self.begin {
            Begin::Afresh if checkpoint || model => {
                return Err(Error::HoldsRun { path: folder.into(), checkpoint });
            }
            Begin::Resume if !checkpoint => {
                let fault = match model {
                    true => {
                        "holds a model, but no checkpoint of a run to go on with; begin a new run in another folder"
                    }
                    false => "holds no checkpoint of a run to go on with",
                };
                return Err(Error::Output { path: folder.into(), fault });
            }
            _ => {}
        }
        distinct(&self.all(inputs), &[folder])?;
        // The folder, or the one that it is going to be made in, takes files.
        let Some(there) = folder.ancestors().map(or_here).find(|f| f.exists()) else { return Ok(()) };
        tempfile::tempfile_in(there).map(drop).map_err(|e| Error::file("write into", there)(e.kind().into()))
    }

    /// Makes the folder and claims it: until the claim is dropped no other process trains there. Its files are never more
    /// readable than `inputs`, what the run learns from.
    ///
    /// # Errors
    /// The folder cannot be made, or another process trains there.
    pub fn claim(&self, inputs: &[&Path]) -> Result<Claims> {
        std::fs::create_dir_all(&self.path).map_err(Error::file("create", &self.path))?;
        claim_folder(&self.path, &self.all(inputs))
    }

    /// Inputs, with the model that the run begins with.
    fn all<'a>(&'a self, inputs: &[&'a Path]) -> Vec<&'a Path> {
        inputs.iter().copied().chain(self.model.iter().map(|m| m.origin.as_path())).collect()
    }
}

fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}
