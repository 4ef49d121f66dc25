//! What was done to a volume, for the record.

/// What was done to a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The task: "denoise", …, "convert" where nothing but the format changed.
    pub task: String,
    /// The model that did it; empty for a conversion.
    pub model: String,
}
