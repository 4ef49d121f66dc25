//! What is seen of a training: a bar on a terminal, and the losses as a table.

use std::path::{Path, PathBuf};

use unmelt_diffusion::train::{Begin, Event, LOSSES_FILE, VALIDATION_FILE, Watcher};

use crate::interrupt;
use crate::progress::Bar;
use crate::run_table::RunTable;
use crate::training::stopped;

/// Shows a bar on a terminal, and writes losses and measures to tables. Nothing is written before the run has started.
pub struct Display {
    bar: Bar,
    folder: PathBuf,
    losses: RunTable,
    validation: RunTable,
    unit: &'static str,
    steps: u64,
}

impl Display {
    /// The display of a run in its folder; `unit` is what is counted: "molecules", "patches".
    pub fn new(folder: &Path, begin: Begin, unit: &'static str) -> Self {
        let table = |name: &str| RunTable::new(folder.join(name), begin);
        let (losses, validation) = (table(LOSSES_FILE), table(VALIDATION_FILE));
        Self { bar: Bar::new(0, "steps"), folder: folder.into(), losses, validation, unit, steps: 0 }
    }

    /// Removes the bar, and says whether the tables are whole.
    pub fn finish(&self) {
        self.bar.finish();
        for table in [&self.losses, &self.validation] {
            if let Some(fault) = table.fault() {
                eprintln!("warning: {fault}");
            }
        }
    }
}

impl Watcher for Display {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { step, steps, .. } => {
                interrupt::listen();
                self.steps = *steps;
                self.bar.set_length(*steps);
                self.bar.begin_at(*step);
                self.losses.begin_after(*step);
                self.validation.begin_after(*step);
            }
            Event::Progress { step, loss, parts, gradient_norm, learning_rate, samples_per_second } => {
                self.bar.set(*step);
                self.bar.message(format!("loss {loss:.3}, {samples_per_second:.1} {}/s", self.unit));
                let speed = format!("{}_per_second", self.unit);
                let mut row = vec![("loss", format!("{loss:.5}"))];
                row.extend(parts.iter().map(|(name, part)| (*name, format!("{part:.5}"))));
                row.push(("gradient_norm", format!("{gradient_norm:.4}")));
                row.push(("learning_rate", format!("{learning_rate:.3e}")));
                row.push((&speed, format!("{samples_per_second:.1}")));
                self.losses.write(*step, &row);
            }
            Event::Validated { step, measures } => {
                let row: Vec<_> = measures.iter().map(|(n, value)| (*n, format!("{value:.5}"))).collect();
                self.validation.write(*step, &row);
                let text: Vec<String> = measures.iter().map(|(n, v)| format!("{n} {v:.3}")).collect();
                self.bar.print(format!("step {step}: {}", text.join(", ")));
            }
            Event::Saving { .. } => interrupt::undisturbed(true),
            Event::Saved { step, .. } => {
                self.losses.replace_old();
                self.validation.replace_old();
                interrupt::last_words(stopped(&self.folder, *step, self.steps));
                interrupt::undisturbed(false);
            }
        }
    }

    fn stop(&self) -> bool {
        interrupt::requested()
    }
}
