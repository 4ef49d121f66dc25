//! What was done to a volume, for the record.

/// What was done to a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The task: "denoise", …, "convert" where nothing but the format changed.
    pub task: String,
    /// The model that did it; empty for a conversion.
    pub model: String,
}

impl Derivation {
    /// The same in a few words, for the description in a header: "unmelt 0.1.0: denoise". It names no file, no model and no person.
    pub fn mark(&self) -> String {
        format!("unmelt {}: {}", env!("CARGO_PKG_VERSION"), self.task)
    }
}
