//! What was measured, as Markdown or as JSON.

use serde::Serialize;

use crate::contest::Contest;
use crate::work;

/// A cost at several sizes.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// What is scaled.
    pub title: String,
    /// What sizes count, and what costs are.
    pub units: [&'static str; 2],
    /// Sizes with their costs.
    pub points: Vec<[f64; 2]>,
}

impl Curve {
    /// Slope of ln cost over ln size between the last points (all, if there are two).
    fn exponent(&self) -> Option<f64> {
        let [.., a, b] = self.points[..] else { return None };
        Some((b[1] / a[1]).ln() / (b[0] / a[0]).ln())
    }
}

/// Where time goes: a name, and seconds.
pub type Parts = Vec<(String, f64)>;

/// Prints as it hears, or collects for JSON.
#[derive(Serialize)]
pub struct Report {
    #[serde(skip)]
    json: bool,
    contests: Vec<Contest>,
    end_to_end: Parts,
    curves: Vec<Curve>,
}

impl Report {
    /// An empty one.
    pub fn new(json: bool) -> Self {
        Self { json, contests: Vec::new(), end_to_end: Vec::new(), curves: Vec::new() }
    }

    /// Adds a contest.
    pub fn contest(&mut self, contest: Contest) {
        if !self.json {
            if self.contests.is_empty() {
                println!("| work | side | median ms | range | times faster | memory, MB | added by it |");
                println!("|---|---|---|---|---|---|---|");
            }
            for (k, side) in contest.sides.iter().enumerate() {
                let ratio = match k {
                    0 => String::new(),
                    _ => format!("{:.2}", side.median_ms / contest.sides[0].median_ms),
                };
                let title = if k == 0 { work::title(&contest.work) } else { "" };
                let [low, high] = side.range_ms;
                println!(
                    "| {title} | {} | {:.1} | {low:.1} – {high:.1} | {ratio} | {:.0} | {:.0} |",
                    side.name, side.median_ms, side.peak_mb, side.added_mb
                );
            }
        }
        self.contests.push(contest);
    }

    /// Adds where the time of a whole command goes.
    pub fn parts(&mut self, parts: Parts) {
        if !self.json {
            println!("\n| 100 molecules of QM9's sizes from the command line | seconds |\n|---|---|");
            parts.iter().for_each(|(name, seconds)| println!("| {name} | {seconds:.2} |"));
        }
        self.end_to_end = parts;
    }

    /// Adds a curve.
    pub fn curve(&mut self, curve: Curve) {
        if !self.json {
            let [size, cost] = curve.units;
            println!("\n{}\n\n| {size} | {cost} |\n|---|---|", curve.title);
            curve.points.iter().for_each(|[n, t]| println!("| {n} | {t:.4} |"));
            if let Some(exponent) = curve.exponent() {
                println!("\nexponent between the last two: {exponent:.2}");
            }
        }
        self.curves.push(curve);
    }

    /// Prints what has not been printed.
    pub fn finish(&self) {
        if self.json {
            println!("{}", serde_json::to_string_pretty(self).unwrap_or_default());
        }
    }
}
