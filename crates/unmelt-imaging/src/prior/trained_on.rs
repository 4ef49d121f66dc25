//! What kind of scans a model was trained on.

use serde::{Deserialize, Serialize};

use crate::field::intensity::Scaling;
use crate::{Error, Result};

/// What kind of scans a model was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedOn {
    /// What they are, for a sentence: "brain MRI"; nothing where nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// DICOM's names of their modalities (MR, CT); nothing where that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modalities: Vec<String>,
    /// Shortest and longest edge of their voxels, in mm.
    pub spacing: [f64; 2],
    /// Whether they had values far below 0, as CT has.
    #[serde(default)]
    pub below_zero: bool,
}

impl TrainedOn {
    /// Of the grids of a training, each with whether its values go far below 0, and of what a model had seen before; none where
    /// there is neither.
    pub(crate) fn of(scans: impl Iterator<Item = ([f64; 3], bool)>, before: Option<&Self>) -> Option<Self> {
        // Nobody says of which kind the new scans are.
        let nameless = |spacing: [f64; 2], below_zero: bool| Self {
            what: String::new(),
            modalities: Vec::new(),
            spacing,
            below_zero,
        };
        let mut found = before.map(|b| nameless(b.spacing, b.below_zero));
        for (spacing, below_zero) in scans {
            let here = found.get_or_insert_with(|| nameless([f64::INFINITY, 0.0], false));
            here.spacing = spacing.iter().fold(here.spacing, |[low, high], s| [low.min(*s), high.max(*s)]);
            here.below_zero |= below_zero;
        }
        found
    }

    /// Checks what a card says.
    pub(crate) fn check(&self) -> Result<()> {
        let [low, high] = self.spacing;
        if low >= 1e-3 && high >= low && high <= 1e3 {
            return Ok(());
        }
        let text = format!(
            "the card's trained_on must have a lowest and a highest spacing between 0.001 and 1000 mm, but it has {low:?} and {high:?}"
        );
        Err(Error::Request(text))
    }

    pub(crate) fn named(&self) -> String {
        match (self.what.is_empty(), self.modalities.is_empty()) {
            (false, _) => self.what.clone(),
            (true, false) => self.modalities.join(" and "),
            (true, true) => "scans".into(),
        }
    }
}

/// Whether values go far below 0, as those of CT.
pub(crate) fn is_below_zero(voxels: &[f32]) -> bool {
    Scaling::of(voxels).is_some_and(|s| s.low < 0.0)
}
