//! Progress: a bar on a terminal for what takes longer than two seconds, elsewhere a line every ten seconds.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use unmelt_diffusion::job::{Event, Phase, Progress};

use crate::say;

/// Before this a bar would only flicker.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// Time between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// A bar that appears after two seconds, or the lines that stand for it.
pub struct Bar {
    bar: ProgressBar,
    begin: Instant,
    is_terminal: bool,
    is_wanted: bool,
    shown: bool,
    /// Dropped, it ends the thread that prints lines.
    lines: Option<Sender<()>>,
}

impl Bar {
    /// A bar over `total` of `unit`.
    pub fn new(total: u64, unit: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let template =
            format!("{{bar:30}} {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        let (is_terminal, is_wanted) = (std::io::stderr().is_terminal(), say::shows_progress());
        let lines = (is_wanted && !is_terminal).then(|| print_lines(bar.clone(), unit.into()));
        Self { bar, begin: Instant::now(), is_terminal, is_wanted, shown: false, lines }
    }

    /// Moves the bar.
    pub fn set(&mut self, position: u64) {
        if !self.shown && self.is_wanted && self.is_terminal && self.begin.elapsed() > SHOWN_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
        self.bar.set_position(position);
    }

    /// Changes what the bar runs to.
    pub fn set_length(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// Starts counting at `position`, so that the rate is that of this run.
    pub fn begin_at(&mut self, position: u64) {
        self.bar.set_position(position);
        self.bar.reset_eta();
    }

    /// Text behind the bar.
    pub fn message(&self, text: String) {
        self.bar.set_message(text);
    }

    /// A line above the bar, where there is one; without a terminal nothing.
    pub fn print(&self, line: String) {
        if self.shown {
            self.bar.println(line);
        }
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        self.lines = None;
        self.bar.finish_and_clear();
    }
}

/// Prints where the work is every ten seconds, however long a step takes, until the sender is dropped.
fn print_lines(bar: ProgressBar, unit: String) -> Sender<()> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        while receiver.recv_timeout(BETWEEN_LINES) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{}", line(&bar, &unit));
        }
    });
    sender
}

/// Where the work is, in a line; without an estimate of the time left before anything is done.
fn line(bar: &ProgressBar, unit: &str) -> String {
    let (done, all) = (bar.position(), bar.length().unwrap_or(0));
    let mut line = match all {
        0 => format!("{} at work", HumanDuration(bar.elapsed())),
        all => format!("{done}/{all} {unit} in {}", HumanDuration(bar.elapsed())),
    };
    if done > 0 && bar.per_sec() > 0.0 {
        line += &format!(", {:.3}/s, {} left", bar.per_sec(), HumanDuration(bar.eta()));
    }
    let message = bar.message();
    if !message.is_empty() {
        line += &format!(", {message}");
    }
    line
}

/// A bar over the evaluations of a job.
pub struct EvaluationBar(Mutex<Bar>);

impl EvaluationBar {
    /// A bar that runs to what the first event says.
    pub fn new() -> Self {
        Self(Mutex::new(Bar::new(0, "evaluations")))
    }

    /// Hears of an event.
    pub fn hear(&self, event: &Event) {
        let Event::Progress(progress) = event else { return };
        let mut bar = self.bar();
        bar.set_length(progress.all_evaluations());
        if let Some(text) = sample_of_samples(progress) {
            bar.message(text);
        }
        bar.set(progress.evaluations());
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar().finish();
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Bar> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn sample_of_samples(progress: &Progress) -> Option<String> {
    let what = if progress.phase == Phase::Calibrating { "case" } else { "sample" };
    (progress.samples > 1).then(|| format!("{what} {} of {}", progress.finished + 1, progress.samples))
}
