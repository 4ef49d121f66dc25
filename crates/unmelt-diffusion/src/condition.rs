//! What a network can be told besides its noisy input, as its card says.

use serde::{Deserialize, Serialize};

use crate::domain::Field;
use crate::error::Result;

/// A condition that a network takes.
///
/// ```
/// use unmelt_diffusion::condition::{ConditionKind, ConditionSpec, NullValue};
///
/// let spec: ConditionSpec = serde_json::from_str(
///     r#"{ "name": "dipole", "kind": { "scalar": { "unit": "D", "range": [0.0, 8.0] } }, "null": "zeros", "dropped": 0.8 }"#,
/// )
/// .expect("a condition");
/// assert_eq!(spec.kind, ConditionKind::Scalar { unit: "D".into(), range: [0.0, 8.0] });
/// assert_eq!(spec.null, Some(NullValue::Zeros));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionSpec {
    /// Name: "dipole", "elements", "slice thickness", …
    pub name: String,
    /// What is told.
    pub kind: ConditionKind,
    /// What the network sees where the condition is not given; none where it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<NullValue>,
    /// The share of the training samples, 0 to 1, of which the condition was left out.
    pub dropped: f64,
}

/// What a condition tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConditionKind {
    /// A number for the whole sample.
    Scalar {
        /// Its unit; none for a pure number.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        unit: String,
        /// The range of the training data.
        range: [f64; 2],
    },
    /// Parts of the sample itself, which are given clean and stay as they are.
    Given {
        /// The features that parts are given of: "positions", "atoms", …
        features: Vec<String>,
    },
    /// Numbers for every element of the sample, in channels beside it.
    Channels {
        /// How many.
        count: usize,
    },
    /// One of several classes for the whole sample.
    Class {
        /// Their names.
        names: Vec<String>,
    },
}

/// What stands for a condition that is not given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NullValue {
    /// Zeros, with a flag that says that nothing is given.
    Zeros,
    /// Nothing of the sample is given.
    Nothing,
    /// A class of its own.
    Class(String),
}

/// Most bytes of a condition's name.
const MOST_NAME: usize = 200;

impl ConditionSpec {
    /// Checks the numbers and names; `part` is where the condition stands.
    ///
    /// # Errors
    /// The first that is out of its domain, by its field.
    pub fn check(&self, part: &Field) -> Result<()> {
        if self.name.trim().is_empty() || self.name.len() > MOST_NAME || self.name.contains(char::is_control)
        {
            return Err(part.field("name").fault("must be some letters on one line, at most 200 bytes"));
        }
        part.number("dropped", self.dropped, 0.0..=1.0)?;
        match &self.kind {
            ConditionKind::Scalar { range: [low, high], .. } => {
                let of = part.field("kind").field("scalar");
                of.number("range", *low, -1e15..=1e15)?;
                of.number("range", *high, *low..=1e15)
            }
            ConditionKind::Channels { count } => {
                part.field("kind").field("channels").whole("count", *count as u64, 1..=4096)
            }
            ConditionKind::Given { features: names } | ConditionKind::Class { names } if names.is_empty() => {
                Err(part.field("kind").fault("must name one at least"))
            }
            ConditionKind::Given { .. } | ConditionKind::Class { .. } => Ok(()),
        }
    }
}
