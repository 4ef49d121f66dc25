//! What is seen of a training: a bar on a terminal, and the losses as a table.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use unmelt_diffusion::train::{Event, Watcher};

use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// Name of the table of losses in the folder of a run.
const LOSSES_FILE: &str = "losses.csv";

/// Name of the table of what was measured at the checkpoints.
const VALIDATION_FILE: &str = "validation.csv";

/// Shows a bar on a terminal, and writes losses and measures to tables.
pub struct Display {
    bar: Bar,
    losses: Table,
    validation: Table,
    unit: &'static str,
}

/// A CSV file of a run, whose header is written with its first row.
struct Table {
    path: PathBuf,
    file: Option<File>,
    append: bool,
}

impl Table {
    fn new(path: PathBuf, append: bool) -> Self {
        if !append {
            // The table of a run before is none of this one.
            let _ = std::fs::remove_file(&path);
        }
        Self { path, file: None, append }
    }

    /// Writes a row. A full disk must not end a training whose checkpoints still fit, so nothing is said about it.
    fn write(&mut self, row: &[(&str, String)]) {
        let join = |f: fn(&(&str, String)) -> String| row.iter().map(f).collect::<Vec<_>>().join(",");
        if self.file.is_none() {
            let fresh = !self.append || !self.path.is_file();
            let mut options = OpenOptions::new();
            self.file = options.create(true).append(true).open(&self.path).ok();
            if let (Some(file), true) = (&mut self.file, fresh) {
                let _ = writeln!(file, "{}", join(|(name, _)| name.to_string()));
            }
        }
        if let Some(file) = &mut self.file {
            let _ = writeln!(file, "{}", join(|(_, value)| value.clone()));
        }
    }
}

/// The folder and the table of a run.
pub struct Run<'a> {
    /// The folder.
    pub output: &'a Path,
    /// Whether the run goes on from a checkpoint.
    pub resume: bool,
    /// Steps of the whole run.
    pub steps: u64,
    /// What is counted: "molecules", "patches".
    pub unit: &'static str,
}

impl Display {
    /// Makes the folder; a resumed run adds to its tables.
    pub fn new(run: &Run) -> Result<Self, Failure> {
        let failed =
            |e: std::io::Error| Failure::usage(format!("could not create {}: {e}", run.output.display()));
        std::fs::create_dir_all(run.output).map_err(failed)?;
        let table = |name: &str| Table::new(run.output.join(name), run.resume);
        let (losses, validation) = (table(LOSSES_FILE), table(VALIDATION_FILE));
        Ok(Self { bar: Bar::new(run.steps, "steps"), losses, validation, unit: run.unit })
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
                let speed = format!("{}_per_second", self.unit);
                let mut row = vec![("step", step.to_string()), ("loss", format!("{loss:.5}"))];
                row.extend(parts.iter().map(|(name, part)| (*name, format!("{part:.5}"))));
                row.push(("gradient_norm", format!("{gradient_norm:.4}")));
                row.push(("learning_rate", format!("{learning_rate:.3e}")));
                row.push((&speed, format!("{samples_per_second:.1}")));
                self.losses.write(&row);
            }
            Event::Validated { step, measures } => {
                let mut row = vec![("step", step.to_string())];
                row.extend(measures.iter().map(|(name, value)| (*name, format!("{value:.5}"))));
                self.validation.write(&row);
                let text: Vec<String> = measures.iter().map(|(n, v)| format!("{n} {v:.3}")).collect();
                self.bar.print(format!("step {step}: {}", text.join(", ")));
            }
            Event::Saved { .. } => {}
        }
    }

    fn stop(&self) -> bool {
        interrupt::requested()
    }
}
