//! Progress: a bar on a terminal for what takes longer than two seconds, elsewhere a line every ten seconds.

use std::io::IsTerminal;
use std::sync::Mutex;
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
    unit: String,
    begin: Instant,
    last_line: Instant,
    is_terminal: bool,
    is_wanted: bool,
    shown: bool,
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
        let (now, is_terminal) = (Instant::now(), std::io::stderr().is_terminal());
        Self {
            bar,
            unit: unit.into(),
            begin: now,
            last_line: now,
            is_terminal,
            is_wanted: say::shows_progress(),
            shown: false,
        }
    }

    /// Moves the bar.
    pub fn set(&mut self, position: u64) {
        if !self.shown && self.is_wanted && self.is_terminal && self.begin.elapsed() > SHOWN_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
        self.bar.set_position(position);
        if self.is_wanted && !self.is_terminal && self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            eprintln!("{}", self.line());
        }
    }

    /// Where the work is, in a line.
    fn line(&self) -> String {
        let (done, all, unit) = (self.bar.position(), self.bar.length().unwrap_or(0), &self.unit);
        let mut line = format!(
            "{done}/{all} {unit}, {:.3}/s, {} left",
            self.bar.per_sec(),
            HumanDuration(self.bar.eta())
        );
        let message = self.bar.message();
        if !message.is_empty() {
            line += &format!(", {message}");
        }
        line
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
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
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
    let what = if progress.phase == Phase::Calibrating { "exam" } else { "sample" };
    (progress.samples > 1).then(|| format!("{what} {} of {}", progress.finished + 1, progress.samples))
}
