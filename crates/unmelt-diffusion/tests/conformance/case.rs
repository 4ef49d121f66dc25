//! One case of a conformance file, and how numbers are compared.

use std::path::PathBuf;

use serde_json::Value;
use unmelt_diffusion::{Schedule, Target, rescale_zero_terminal_snr};

/// Largest difference, relative to the largest number wanted.
const TOLERANCE: f64 = 1e-9;

/// The folder of the files.
pub fn folder() -> PathBuf {
    match std::env::var_os("UNMELT_CONFORMANCE") {
        Some(path) => path.into(),
        None => concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance").into(),
    }
}

/// The cases of a file; none if another folder does not have it.
pub fn cases(file: &str) -> Vec<Case> {
    let path = folder().join(format!("{file}.json"));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if std::env::var_os("UNMELT_CONFORMANCE").is_some() => return Vec::new(),
        Err(e) => panic!("{}: {e}", path.display()),
    };
    let json: Value = serde_json::from_str(&text).expect("JSON");
    json["cases"].as_array().expect("cases").iter().cloned().map(|json| Case { json }).collect()
}

pub struct Case {
    pub json: Value,
}

/// A list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

/// Panics unless the numbers agree.
pub fn close(got: &[f64], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    let scale = want.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    for (k, (g, w)) in got.iter().zip(want).enumerate() {
        let same = g == w || (g - w).abs() <= TOLERANCE * scale;
        assert!(same, "{what}[{k}] is {g:e}, want {w:e} (off by {:e} of {scale:e})", (g - w).abs());
    }
}

impl Case {
    pub fn name(&self) -> &str {
        self.json["name"].as_str().expect("a name")
    }

    pub fn value(&self, key: &str) -> &Value {
        &self.json["config"][key]
    }

    /// A word of the configuration.
    pub fn config(&self, key: &str) -> Option<&str> {
        self.value(key).as_str()
    }

    /// A number of the configuration.
    pub fn setting(&self, key: &str) -> Option<f64> {
        self.value(key).as_f64()
    }

    pub fn flag(&self, key: &str) -> bool {
        self.value(key).as_bool().unwrap_or(false)
    }

    /// A number of the case.
    pub fn number(&self, key: &str) -> f64 {
        self.json[key].as_f64().unwrap_or_else(|| panic!("{key} is a number"))
    }

    /// A list of the case.
    pub fn list(&self, key: &str) -> Vec<f64> {
        numbers(&self.json[key])
    }

    /// Compares the entries that the case names.
    pub fn check_entries(&self, key: &str, values: &[f64]) {
        let indices = numbers(&self.json[key]["indices"]);
        let wanted = self.json[key]["values"].as_array().expect("a list");
        for (i, want) in indices.iter().zip(wanted) {
            let got = values[*i as usize];
            // JSON has no infinity: null stands for it.
            let same = match want.as_f64() {
                Some(want) => (got - want).abs() <= TOLERANCE * want.abs(),
                None => got.is_infinite(),
            };
            assert!(same, "{key}[{i}] is {got:e}, want {want}");
        }
    }

    pub fn schedule(&self) -> Schedule {
        let number = |key: &str| self.setting(key).unwrap_or_else(|| panic!("config has {key}"));
        let steps = number("train_timesteps") as usize;
        let betas = || (number("beta_start"), number("beta_end"));
        match self.config("beta_schedule").expect("a schedule") {
            "linear" => Schedule::Linear { beta_start: betas().0, beta_end: betas().1, steps },
            "scaled_linear" => Schedule::ScaledLinear { beta_start: betas().0, beta_end: betas().1, steps },
            "sigmoid" => {
                let (beta_start, beta_end) =
                    (self.setting("beta_start").unwrap_or(1e-4), self.setting("beta_end").unwrap_or(0.02));
                Schedule::Sigmoid { beta_start, beta_end, steps }
            }
            "cosine" => Schedule::CosineSteps {
                offset: self.setting("cosine_offset").unwrap_or(0.008),
                max_beta: self.setting("max_beta").unwrap_or(0.999),
                steps,
            },
            "polynomial" => Schedule::Polynomial {
                power: number("polynomial_power"),
                precision: number("polynomial_precision"),
                steps: self.setting("polynomial_T").map_or(steps, |t| t as usize),
            },
            other => panic!("unknown schedule {other}"),
        }
    }

    /// ᾱ of the training steps, rescaled if the case says so.
    pub fn alphas_cumprod_table(&self) -> Option<Vec<f64>> {
        self.config("beta_schedule")?;
        let table = self.schedule().build().expect("valid").alphas_cumprod().expect("a table").to_vec();
        Some(if self.flag("zero_terminal_snr") { rescale_zero_terminal_snr(&table) } else { table })
    }

    pub fn target(&self) -> Target {
        match self.config("prediction").expect("a prediction") {
            "epsilon" => Target::Epsilon,
            "sample" => Target::Sample,
            "v" => Target::V,
            "flow" => Target::Flow,
            other => panic!("unknown prediction {other}"),
        }
    }
}
