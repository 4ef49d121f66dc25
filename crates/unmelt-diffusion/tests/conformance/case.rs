//! One case of a conformance file. Every field that is read is noted, so that one that no check used is an error.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use unmelt_diffusion::{Schedule, Target, rescale_zero_terminal_snr};

/// Largest difference, relative to the largest number wanted.
const TOLERANCE: f64 = 1e-9;

/// Largest difference of a run in single precision, relative to the number wanted.
const SINGLE: f64 = 1e-4;

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
    json["cases"].as_array().expect("cases").iter().cloned().map(Case::new).collect()
}

/// A case, and the fields of it that were read. Fields are named by their path, `config/rho`.
pub struct Case {
    pub json: Value,
    used: RefCell<BTreeSet<String>>,
}

fn numbers(value: &Value) -> Vec<f64> {
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

/// The paths of all fields below a value that hold something.
fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                leaves(value, path, found);
            }
        }
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            for (k, value) in entries.iter().enumerate() {
                leaves(value, format!("{path}/{k}"), found);
            }
        }
        _ => found.push(path),
    }
}

impl Case {
    pub fn new(json: Value) -> Self {
        Self { json, used: RefCell::default() }
    }

    pub fn name(&self) -> &str {
        self.json["name"].as_str().expect("a name")
    }

    /// The value of a field, which does not count as read by this; none if it is absent or null.
    pub fn peek(&self, path: &str) -> Option<&Value> {
        self.json.pointer(&format!("/{path}")).filter(|v| !v.is_null())
    }

    /// The value of a field, which counts as read from now on; none if it is absent or null.
    pub fn find(&self, path: &str) -> Option<&Value> {
        self.used.borrow_mut().insert(path.into());
        self.peek(path)
    }

    pub fn get(&self, path: &str) -> &Value {
        self.find(path).unwrap_or_else(|| panic!("{path} is missing"))
    }

    pub fn maybe_word(&self, path: &str) -> Option<&str> {
        self.find(path).map(|v| v.as_str().unwrap_or_else(|| panic!("{path} is a word, not {v}")))
    }

    pub fn word(&self, path: &str) -> &str {
        self.maybe_word(path).unwrap_or_else(|| panic!("{path} is missing"))
    }

    pub fn maybe_number(&self, path: &str) -> Option<f64> {
        self.find(path).map(|v| v.as_f64().unwrap_or_else(|| panic!("{path} is a number, not {v}")))
    }

    pub fn number(&self, path: &str) -> f64 {
        self.maybe_number(path).unwrap_or_else(|| panic!("{path} is missing"))
    }

    /// A whole number.
    pub fn count(&self, path: &str) -> usize {
        self.get(path).as_u64().unwrap_or_else(|| panic!("{path} is a whole number")) as usize
    }

    /// A yes or no; no if it is absent.
    pub fn flag(&self, path: &str) -> bool {
        self.find(path).is_some_and(|v| v.as_bool().unwrap_or_else(|| panic!("{path} is yes or no, not {v}")))
    }

    pub fn maybe_list(&self, path: &str) -> Option<Vec<f64>> {
        self.find(path).map(numbers)
    }

    pub fn list(&self, path: &str) -> Vec<f64> {
        numbers(self.get(path))
    }

    /// Whether a field is there; that does not count as reading it.
    pub fn has(&self, path: &str) -> bool {
        self.peek(path).is_some()
    }

    /// The names of the fields of an object, or the number of entries of a list; that does not count as reading them.
    pub fn below(&self, path: &str) -> Vec<String> {
        match self.peek(path) {
            None => Vec::new(),
            Some(Value::Object(fields)) => fields.keys().cloned().collect(),
            Some(Value::Array(entries)) => (0..entries.len()).map(|k| k.to_string()).collect(),
            Some(other) => panic!("{path} has fields, unlike {other}"),
        }
    }

    /// Fields that nothing has read.
    pub fn unused(&self) -> Vec<String> {
        let mut all = Vec::new();
        leaves(&self.json, String::new(), &mut all);
        let used = self.used.borrow();
        all.retain(|path| {
            let parents = path.match_indices('/').map(|(k, _)| &path[..k]);
            !used.contains(path) && !parents.into_iter().any(|p| used.contains(p))
        });
        all
    }

    /// Reads what says where the numbers are from: words for people, and the producer's own run in single precision,
    /// which must be as near as the files promise.
    pub fn read_remarks(&self) {
        for path in ["name", "produced_by", "about", "config/library_quirk"] {
            self.maybe_word(path);
        }
        assert!(self.maybe_word("precision").is_none_or(|p| p == "float64"), "another precision");
        let comparable = self.find("float32/comparable").is_none_or(|v| v.as_bool().expect("yes or no"));
        for name in ["largest_relative_difference", "largest_relative_difference_of_alphas_cumprod"] {
            if let Some(difference) = self.maybe_number(&format!("float32/{name}")) {
                assert!(difference <= SINGLE || !comparable, "float32/{name} is {difference}");
            }
        }
        if let Some(sum) = self.maybe_number("float32/abs_sum") {
            let want = self.number("abs_sum");
            assert!((sum - want).abs() <= SINGLE * want.abs() || !comparable, "float32/abs_sum is {sum}");
        }
    }

    /// Compares the entries that the case names.
    pub fn check_entries(&self, key: &str, values: &[f64]) {
        let indices = self.list(&format!("{key}/indices"));
        let wanted = self.get(&format!("{key}/values")).as_array().expect("a list");
        assert_eq!(indices.len(), wanted.len(), "{key}: lengths");
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
        let steps = self.count("config/train_timesteps");
        let beta = |end: &str| self.number(&format!("config/beta_{end}"));
        match self.word("config/beta_schedule") {
            "linear" => Schedule::Linear { beta_start: beta("start"), beta_end: beta("end"), steps },
            "scaled_linear" => {
                Schedule::ScaledLinear { beta_start: beta("start"), beta_end: beta("end"), steps }
            }
            "sigmoid" => Schedule::Sigmoid { beta_start: beta("start"), beta_end: beta("end"), steps },
            "cosine" => Schedule::CosineSteps {
                offset: self.maybe_number("config/cosine_offset").unwrap_or(0.008),
                max_beta: self.maybe_number("config/max_beta").unwrap_or(0.999),
                steps,
            },
            "polynomial" => Schedule::Polynomial {
                power: self.number("config/polynomial_power"),
                precision: self.number("config/polynomial_precision"),
                // T steps have T + 1 entries, and another producer counts those.
                steps: match self.has("config/polynomial_T") {
                    true => {
                        let last = self.count("config/polynomial_T");
                        assert_eq!(steps, last + 1, "entries of a polynomial schedule");
                        last
                    }
                    false => steps,
                },
            },
            other => panic!("unknown schedule {other}"),
        }
    }

    /// ᾱ of the training steps, rescaled if the case says so, and compared with the entries that the case names.
    pub fn alphas_cumprod_table(&self) -> Option<Vec<f64>> {
        if !self.has("config/beta_schedule") {
            assert!(self.find("alphas_cumprod").is_none(), "alphas_cumprod of no schedule");
            return None;
        }
        let table = self.schedule().build().expect("valid").alphas_cumprod().expect("a table").to_vec();
        let zero = self.flag("config/zero_terminal_snr");
        Some(if zero { rescale_zero_terminal_snr(&table) } else { table })
    }

    pub fn target(&self) -> Target {
        match self.word("config/prediction") {
            "epsilon" => Target::Epsilon,
            "sample" => Target::Sample,
            "v" => Target::V,
            "flow" => Target::Flow,
            other => panic!("unknown prediction {other}"),
        }
    }
}
