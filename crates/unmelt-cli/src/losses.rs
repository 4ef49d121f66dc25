//! What is seen of a training: a bar on a terminal, and the losses as a table.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use unmelt_diffusion::job::Event;
use unmelt_diffusion::train::{LOSSES_FILE, RunFolder, VALIDATION_FILE};

use crate::interrupt;
use crate::progress::Bar;
use crate::run_table::RunTable;
use crate::training::stopped;

/// Shows a bar, and writes losses and measures to tables. Nothing is written before the run has started.
pub struct Display(Mutex<State>);

struct State {
    bar: Bar,
    folder: PathBuf,
    losses: RunTable,
    validation: RunTable,
    unit: &'static str,
    steps: u64,
}

impl Display {
    /// The display of a run; `unit` is what is counted: "molecules", "patches".
    pub fn new(folder: &RunFolder, unit: &'static str) -> Self {
        let table = |name: &str| RunTable::new(folder.path().join(name), folder.begin());
        let (losses, validation) = (table(LOSSES_FILE), table(VALIDATION_FILE));
        let bar = Bar::new(0, "steps");
        Self(Mutex::new(State { bar, folder: folder.path().into(), losses, validation, unit, steps: 0 }))
    }

    /// Hears of an event.
    pub fn hear(&self, event: &Event) {
        self.state().hear(event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Removes the bar, and says whether the tables are whole.
    pub fn finish(&self) {
        let mut state = self.state();
        state.bar.finish();
        for table in [&state.losses, &state.validation] {
            if let Some(fault) = table.fault() {
                eprintln!("warning: {fault}");
            }
        }
    }
}

impl State {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::TrainingStarted { step, steps, .. } => {
                interrupt::listen();
                self.steps = *steps;
                self.bar.set_length(*steps);
                self.bar.begin_at(*step);
                self.losses.begin_after(*step);
                self.validation.begin_after(*step);
            }
            Event::Trained { step, loss, parts, gradient_norm, learning_rate, samples_per_second } => {
                self.bar.message(format!("loss {loss:.3}, {samples_per_second:.1} {}/s", self.unit));
                self.bar.set(*step);
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
            Event::Progress(_) => {}
            Event::Saving { .. } => interrupt::undisturbed(true),
            Event::Saved { step, .. } => {
                self.losses.replace_old();
                self.validation.replace_old();
                interrupt::last_words(stopped(&self.folder, *step, self.steps));
                interrupt::undisturbed(false);
            }
        }
    }
}
