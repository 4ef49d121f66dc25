//! The folder of a run: what begins in it, and that nothing in it is lost.

use std::path::Path;

use crate::checkpoint::{CARD_FILE, WEIGHTS_FILE};
use crate::error::{Error, Result};
use crate::files::{Claims, claim_folder};

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

/// Checks, before data are read and before anything is written, that a run can begin so in a folder.
pub fn check_folder(folder: &Path, begin: Begin) -> Result<()> {
    if folder.exists() && !folder.is_dir() {
        return Err(Error::Output { path: folder.into(), fault: "is a file, and a run wants a folder" });
    }
    let holds = |name: &&str| folder.join(name).exists();
    let (checkpoint, model) = (holds(&STATE_FILE), MODEL_FILES.iter().any(holds));
    match begin {
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
    // The folder, or the one that it is going to be made in, takes files.
    let Some(there) = folder.ancestors().map(or_here).find(|f| f.exists()) else { return Ok(()) };
    tempfile::tempfile_in(there).map(drop).map_err(|e| Error::file("write into", there)(e.kind().into()))
}

fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// Makes the folder of a run and claims it: until the claim is dropped no other process trains there.
/// Its files are never more readable than `inputs`, what the run learns from.
pub fn open_folder(folder: &Path, inputs: &[&Path]) -> Result<Claims> {
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    claim_folder(folder, inputs)
}
