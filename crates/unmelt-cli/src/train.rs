//! `unmelt molecules train`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use unmelt_diffusion::train::{Event, Watcher};
use unmelt_molecules::{TrainingConfig, TrainingRun};

use crate::args::Train;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// Name of the table of losses in the folder of a run.
const LOG_FILE: &str = "losses.csv";

/// Trains.
pub fn run(args: Train) -> Result<(), Failure> {
    let config = match &args.config {
        Some(path) => read_config(path)?,
        None => TrainingConfig::default(),
    };
    let limit = args.minutes.map(minutes).transpose()?;
    let device = args.device.open()?;
    interrupt::listen();
    let run = TrainingRun { data: args.data, output: args.output, config, resume: args.resume, limit };
    let mut display = Display::new(&run)?;
    let summary = run.run(&device, &mut display)?;
    display.bar.finish();
    for fault in summary.faults.iter().take(3) {
        eprintln!("warning: {fault}");
    }
    if summary.faults.len() > 3 {
        eprintln!("warning: {} records were skipped in all", summary.faults.len());
    }
    let folder = run.output.display();
    if summary.steps < summary.of_steps {
        println!(
            "Stopped after {} of {} steps; go on with --resume. Model so far: {folder}",
            summary.steps, summary.of_steps
        );
    } else {
        println!("Trained {} steps on {} molecules. Model: {folder}", summary.steps, summary.molecules);
    }
    Ok(())
}

fn minutes(m: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(m * 60.0)
        .map_err(|_| Failure::usage(format!("--minutes must be a number of at least 0, but it is {m}")))
}

fn read_config(path: &Path) -> Result<TrainingConfig, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("could not read {}: {e}", path.display())))?;
    toml::from_str(&text).map_err(|e| {
        let place = e
            .span()
            .map_or(String::new(), |s| format!(", line {}", text[..s.start].matches('\n').count() + 1));
        Failure::usage(format!("{}{place}: {}", path.display(), e.message()))
    })
}

/// Shows a bar on a terminal, and writes the losses to a table.
struct Display {
    bar: Bar,
    log: File,
}

impl Display {
    fn new(run: &TrainingRun) -> Result<Self, Failure> {
        let path = run.output.join(LOG_FILE);
        let failed = |e: std::io::Error| Failure::usage(format!("could not write {}: {e}", path.display()));
        std::fs::create_dir_all(&run.output).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true);
        if run.resume {
            options.append(true);
        } else {
            options.write(true).truncate(true);
        }
        let mut log = options.open(&path).map_err(failed)?;
        if !run.resume {
            let header =
                "step,loss,positions,elements,charges,bonds,gradient_norm,learning_rate,molecules_per_second";
            writeln!(log, "{header}").map_err(failed)?;
        }
        Ok(Self { bar: Bar::new(run.config.training.steps, "steps"), log })
    }
}

impl Watcher for Display {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { step, .. } => self.bar.begin_at(*step),
            Event::Progress { step, loss, parts, gradient_norm, learning_rate, samples_per_second } => {
                self.bar.set(*step);
                self.bar.message(format!("loss {loss:.3}, {samples_per_second:.0} molecules/s"));
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
