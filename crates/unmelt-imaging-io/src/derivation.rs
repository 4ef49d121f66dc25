//! What was done to a volume, for the record.

use unmelt_diffusion::built_in::PROGRAM;
use unmelt_diffusion::checkpoint::Card;
use unmelt_diffusion::run_record::RunRecord;
use unmelt_imaging::VolumeModel;
use unmelt_imaging::enhance::VolumeRequest;

/// What was done to a volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivation {
    /// The task: "denoise", …, "convert" where nothing but the format changed.
    pub task: String,
    /// The model that did it; empty for a conversion, and where no model was asked.
    pub model: String,
    /// The request with the digest of the weights, from which the volume is made again; none where there is no such request.
    pub record: Option<RunRecord<VolumeRequest>>,
}

impl Derivation {
    /// A task, and the model that did it, without a record.
    pub fn new(task: &str, model: &str) -> Self {
        Self { task: task.into(), model: model.into(), record: None }
    }

    /// A conversion: nothing but the format changed.
    pub fn conversion() -> Self {
        Self::new("convert", "")
    }

    /// A request to a model.
    pub fn by_model(task: &str, card: &Card<VolumeModel>, request: VolumeRequest) -> Self {
        Self { record: Some(RunRecord::new(card, request)), ..Self::new(task, &card.name) }
    }

    /// A request that no model was asked for.
    pub fn classical(task: &str, request: VolumeRequest) -> Self {
        let (model, weights) = (String::new(), String::new());
        let record = RunRecord { format: 1, program: PROGRAM.into(), model, weights, request };
        Self { record: Some(record), ..Self::new(task, "") }
    }

    /// Whether nothing but the format changed.
    pub(crate) fn is_conversion(&self) -> bool {
        self.task == "convert"
    }

    /// The same in a few words, for the description in a header: "unmelt 0.1.0: denoise". It names no file, no model and no person.
    pub fn mark(&self) -> String {
        format!("unmelt {}: {}", env!("CARGO_PKG_VERSION"), self.task)
    }
}
