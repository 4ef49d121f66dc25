//! A training that is watched: a bar, tables of losses, and a report at its end.

use std::path::Path;

use burn::tensor::Device;
use serde_json::json;
use unmelt_diffusion::job::{Event, Job};
use unmelt_diffusion::train::{RunFolder, TrainingSummary};

use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::losses::Display;
use crate::training::{RunOptions, stopped};

/// Warnings that are printed; the rest is counted.
const SHOWN_WARNINGS: usize = 5;

/// Trains by `run`, with a bar, tables of losses and a report; `unit` is what is counted: "molecules", "patches".
pub fn train(
    options: &RunOptions,
    folder: &RunFolder,
    unit: &'static str,
    run: impl FnOnce(&Device, &Job) -> Result<TrainingSummary, Failure>,
) -> Outcome {
    let device = options.device.open()?;
    let display = Display::new(folder, unit);
    let listener = |event: &Event| display.hear(event);
    let summary = run(&device, &interrupt::job().heard_by(&listener))?;
    display.finish();
    Ok(report(folder.path(), &summary))
}

/// Says how a run ended.
fn report(folder: &Path, summary: &TrainingSummary) -> serde_json::Value {
    let (shown, rest) = summary.warnings.split_at(summary.warnings.len().min(SHOWN_WARNINGS));
    shown.iter().for_each(|warning| eprintln!("warning: {warning}"));
    rest.iter().for_each(|warning| detail!("warning: {warning}"));
    if !rest.is_empty() {
        eprintln!("warning: {} inputs were left out or corrected in all", summary.warnings.len());
    }
    let learned_from = summary.learned_from();
    match summary.is_finished() {
        true => println!("Trained {} steps on {learned_from}. Model: {}", summary.steps, folder.display()),
        false => println!("{}", stopped(folder, summary.steps, summary.of_steps)),
    }
    json!({ "model": folder, "steps": summary.steps, "of_steps": summary.of_steps, "data": learned_from })
}
