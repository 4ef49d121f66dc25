//! What is typed: options with a grammar, and descriptions as JSON. An input is tried as each of them.

use std::path::Path;

use unmelt_diffusion::device::DeviceName;
use unmelt_diffusion::solver::Solver;
use unmelt_diffusion::{FeatureSpec, Grid, ProductProcess, Schedule};
use unmelt_imaging::FieldExtension;
use unmelt_molecules::edm::PropertyNorm;
use unmelt_molecules::{ElementLimit, Filter, Formula, PropertyTarget, Shard};

use super::{Read, TEXT, Target};

const TOKENS: [&str; 49] = [
    "C7H10O2",
    "Cl",
    "Na",
    "N>=1",
    "O<=2",
    "F=0",
    ">=",
    "<=",
    "=",
    "1/4",
    "/",
    "valid",
    "novel",
    "alpha=75.3,6.3",
    ",",
    "cuda",
    ":",
    "cpu",
    "karras",
    "power:",
    "trailing",
    "{",
    "}",
    "[",
    "]",
    "\"kind\"",
    "\"linear\"",
    "\"steps\"",
    "\"beta_start\"",
    "\"cosine\"",
    "\"offset\"",
    "\"tabulated\"",
    "\"alphas_cumprod\"",
    "\"polynomial\"",
    "\"power\"",
    "\"precision\"",
    "\"flow\"",
    "\"shift\"",
    "\"sigma_min\"",
    "\"name\"",
    "\"process\"",
    "\"categorical\"",
    "\"classes\"",
    "left=30",
    "top=0,bottom=2.5",
    "dipole=3.5",
    "6.0eV",
    "true",
    "null",
];

pub fn targets() -> Vec<Target> {
    vec![Target {
        name: "options",
        number: 60,
        tokens: &TOKENS,
        most: 1 << 13,
        megabytes: 128,
        open: |_: &Path| Ok(Box::new(Options)),
        ..TEXT
    }]
}

struct Options;

impl Read for Options {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        let text = String::from_utf8_lossy(bytes);
        let answers = [
            ("formula", formula(&text)),
            ("limit", text.parse::<ElementLimit>().map(drop)),
            ("filter", text.parse::<Filter>().map(drop).map_err(|e| e.to_string())),
            ("shard", text.parse::<Shard>().map(drop).map_err(|e| e.to_string())),
            (
                "target",
                text.parse::<PropertyTarget>()
                    .map(|w| assert!(w.value.is_finite(), "a target for no number")),
            ),
            ("extension", text.parse::<FieldExtension>().map(drop)),
            ("norm", text.parse::<PropertyNorm>().map(drop)),
            ("device", text.parse::<DeviceName>().map(drop).map_err(|e| e.to_string())),
            ("solver", Solver::from_name(&text).map(drop).ok_or_else(String::new)),
            ("grid", grid(&text)),
            ("schedule", schedule(&text)),
            ("process", process(&text)),
        ];
        // The first that takes it; the sentence of the last otherwise, since JSON says most.
        let accepted = answers.iter().find(|(_, answer)| answer.is_ok()).map(|(name, _)| (*name).to_string());
        accepted.ok_or_else(|| {
            // Other sentences repeat what was typed, so that each of them would be an answer of its own, and be kept.
            answers.last().and_then(|(_, answer)| answer.as_ref().err().cloned()).unwrap_or_default()
        })
    }
}

/// A formula must have as many atoms as its elements say.
fn formula(text: &str) -> Result<(), String> {
    let formula: Formula = text.parse()?;
    assert!(formula.atoms() > 0, "a formula of no atom");
    assert!(formula.counts().all(|(_, n)| n > 0), "a formula with an element that it has none of");
    Ok(())
}

fn grid(text: &str) -> Result<(), String> {
    let grid = Grid::from_name(text).ok_or_else(String::new)?;
    let levels = Schedule::COSINE.build().map_err(|e| e.to_string())?;
    let times = grid.times(7, &levels).map_err(|e| e.to_string())?;
    assert!(times.windows(2).all(|w| w[0] > w[1]), "times that do not fall: {times:?}");
    Ok(())
}

fn schedule(text: &str) -> Result<(), String> {
    let schedule: Schedule = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let levels = schedule.build().map_err(|e| e.to_string())?;
    for k in 0..=8 {
        let level = levels.at(f64::from(k) / 8.0);
        assert!(
            level.alpha.is_finite() && level.sigma.is_finite(),
            "a level that is no number: {schedule:?}"
        );
    }
    levels.time_of_lambda(0.3);
    Ok(())
}

fn process(text: &str) -> Result<(), String> {
    let features: Vec<FeatureSpec> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    ProductProcess::new(&features).map(drop).map_err(|e| e.to_string())
}
