//! Progress bars: on a terminal, and only for what takes longer than two seconds.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that appears after two seconds.
pub struct Bar {
    bar: ProgressBar,
    begin: Instant,
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
        Self { bar, begin: Instant::now(), shown: false }
    }

    /// Moves the bar.
    pub fn set(&mut self, position: u64) {
        if !self.shown && self.begin.elapsed() > Duration::from_secs(2) && std::io::stderr().is_terminal() {
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

    /// Words behind the bar.
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
