//! `unmelt molecules import`.

use serde_json::json;
use unmelt_diffusion::checkpoint::{CARD_FILE, WEIGHTS_FILE};
use unmelt_molecules::edm::EdmImport;

use super::args::{Import, Source};
use crate::Outcome;

/// Imports.
pub fn run(args: &Import) -> Outcome {
    let output = args.output.as_ref().unwrap_or(&args.folder);
    let written = [output.join(CARD_FILE), output.join(WEIGHTS_FILE)];
    if output.is_dir() {
        args.writing.claim(&[], &[&written[0], &written[1]]).map(drop)?;
    }
    let card = match args.from {
        Source::Edm => EdmImport { folder: args.folder.clone(), norms: args.norm.clone() }.write(output)?,
    };
    println!("Imported {}: {} parameters. Model: {}", card.name, card.weights.parameters, output.display());
    Ok(json!({ "model": output, "name": card.name, "parameters": card.weights.parameters }))
}
