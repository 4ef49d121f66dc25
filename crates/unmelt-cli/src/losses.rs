//! What is seen of a training: a bar on a terminal, and the losses as a table.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use unmelt_diffusion::train::{Event, Watcher};

use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// Name of the table of losses in the folder of a run.
const LOG_FILE: &str = "losses.csv";

/// Shows a bar on a terminal, and writes the losses to a table.
pub struct Display {
    bar: Bar,
    log: File,
    unit: &'static str,
}

/// The folder and the table of a run.
pub struct Run<'a> {
    /// The folder.
    pub output: &'a Path,
    /// Whether the run goes on from a checkpoint.
    pub resume: bool,
    /// Steps of the whole run.
    pub steps: u64,
    /// Names of the parts of the loss.
    pub parts: &'a [&'a str],
    /// What is counted: "molecules", "patches".
    pub unit: &'static str,
}

impl Display {
    /// Opens the table, which a resumed run adds to.
    pub fn new(run: &Run) -> Result<Self, Failure> {
        let path = run.output.join(LOG_FILE);
        let failed = |e: std::io::Error| Failure::usage(format!("could not write {}: {e}", path.display()));
        std::fs::create_dir_all(run.output).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true);
        if run.resume {
            options.append(true);
        } else {
            options.write(true).truncate(true);
        }
        let mut log = options.open(&path).map_err(failed)?;
        if !run.resume {
            let parts = run.parts.join(",");
            let header = format!("step,loss,{parts},gradient_norm,learning_rate,{}_per_second", run.unit);
            writeln!(log, "{header}").map_err(failed)?;
        }
        Ok(Self { bar: Bar::new(run.steps, "steps"), log, unit: run.unit })
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}

impl Watcher for Display {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { step, .. } => self.bar.begin_at(*step),
            Event::Progress { step, loss, parts, gradient_norm, learning_rate, samples_per_second } => {
                self.bar.set(*step);
                self.bar.message(format!("loss {loss:.3}, {samples_per_second:.1} {}/s", self.unit));
                let parts: Vec<String> = parts.iter().map(|(_, p)| format!("{p:.5}")).collect();
                let row = format!(
                    "{step},{loss:.5},{},{gradient_norm:.4},{learning_rate:.3e},{samples_per_second:.1}",
                    parts.join(",")
                );
                // A full disk must not end a training whose checkpoints still fit.
                let _ = writeln!(self.log, "{row}");
            }
            Event::Saved { .. } => {}
        }
    }

    fn stop(&self) -> bool {
        interrupt::requested()
    }
}
