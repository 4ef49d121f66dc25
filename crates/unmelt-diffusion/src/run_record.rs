//! What a result carries so that it can be made again: the request, the weights, the program. No path and nothing about a
//! patient goes into it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::built_in::PROGRAM;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::fault::ErrorKind;
use crate::files::limits::{limits, within};

/// The version of the record's form.
const FORMAT: u32 = 1;

/// How a result was made. `R` is the request, with its seed.
///
/// ```
/// use unmelt_diffusion::run_record::RunRecord;
///
/// let record = RunRecord { format: 1, program: "unmelt 0.1.0".into(), model: "qm9".into(), weights: "0f".into(), request: 7 };
/// let text = record.to_json();
/// assert_eq!(RunRecord::from_json(&text, "x.sdf")?, record);
/// assert!(RunRecord::<u64>::from_json("{}", "x.sdf").is_err());
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord<R> {
    /// Version of this form.
    pub format: u32,
    /// Program and version.
    pub program: String,
    /// Name of the model.
    pub model: String,
    /// SHA-256 of the weights, in hexadecimal.
    pub weights: String,
    /// What was asked for.
    pub request: R,
}

impl<R> RunRecord<R> {
    /// The record of a request to a model, made by this program.
    pub fn new<M>(card: &Card<M>, request: R) -> Self {
        Self {
            format: FORMAT,
            program: PROGRAM.into(),
            model: card.name.clone(),
            weights: card.weights.sha256.clone(),
            request,
        }
    }

    /// Whether a model has the weights that the result was made with; if not, a sentence.
    pub fn check_weights<M>(&self, card: &Card<M>) -> Result<()> {
        match card.weights.sha256 == self.weights {
            true => Ok(()),
            false => Err(Error::plain(
                ErrorKind::Model,
                format!(
                    "the model {} has other weights ({:.12}…) than the one that the result was made with ({:.12}…)",
                    card.name, card.weights.sha256, self.weights
                ),
            )),
        }
    }
}

impl<R: Serialize> RunRecord<R> {
    /// The record as one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a record has nothing that JSON has not")
    }
}

impl<R: DeserializeOwned> RunRecord<R> {
    /// Reads a record of `subject`, a file or a part of one.
    ///
    /// # Errors
    /// Text that is no record, a form that this program does not know, a record of more bytes than a card may have.
    pub fn from_json(text: &str, subject: &str) -> Result<Self> {
        within(limits().card_bytes, "card_bytes", text.len() as u64, subject)?;
        let fault =
            |fault: String| Error::Broken { what: format!("the record of how {subject} was made"), fault };
        let record: Self = serde_json::from_str(text).map_err(|e| fault(e.to_string()))?;
        match record.format {
            FORMAT => Ok(record),
            other => {
                Err(fault(format!("its form is version {other}, and this program knows version {FORMAT}")))
            }
        }
    }
}
