//! Properties that a model can be asked for: columns of the training table, with their units and ranges.

use serde::{Deserialize, Serialize};

use crate::{Error, Molecule, Result};

/// A property as a configuration file names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertySource {
    /// Name: "dipole", "gap", …
    pub name: String,
    /// The column of the table, or the data field of the SDF records, that holds it.
    pub column: String,
    /// A column to subtract from it, if there is one: a gap is LUMO minus HOMO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus: Option<String>,
    /// Unit: "D", "eV", …; none for a pure number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// A property of a trained model, as on its card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// Where it came from.
    pub source: PropertySource,
    /// Mean over the training data.
    pub mean: f64,
    /// Standard deviation over the training data.
    pub deviation: f64,
    /// The range of the training data without its outer thousandths.
    pub range: [f64; 2],
}

impl PropertySource {
    /// The value of a molecule; none where a column is missing or holds no finite number.
    pub fn of(&self, molecule: &Molecule) -> Option<f64> {
        let column = |name: &str| {
            let (_, text) = molecule.fields.iter().find(|(key, _)| key == name)?;
            text.trim().parse::<f64>().ok().filter(|x| x.is_finite())
        };
        let value = column(&self.column)?;
        match &self.minus {
            Some(other) => Some(value - column(other)?),
            None => Some(value),
        }
    }
}

impl Property {
    /// The property of this name, in any case: "logP" and "logp" are one.
    pub fn find<'a>(known: &'a [Self], name: &str) -> Option<&'a Self> {
        known.iter().find(|p| p.is_named(name))
    }

    /// Whether this is its name, in any case.
    pub fn is_named(&self, name: &str) -> bool {
        self.source.name.to_lowercase() == name.trim().to_lowercase()
    }

    /// Its statistics over molecules.
    pub fn measure(source: &PropertySource, molecules: &[Molecule]) -> Result<Self> {
        let mut values: Vec<f64> = molecules.iter().filter_map(|m| source.of(m)).collect();
        if values.len() < 2 {
            return Err(Error::Request(format!(
                "no molecule has a number in {:?}, which the property {} is read from",
                source.column, source.name
            )));
        }
        values.sort_by(f64::total_cmp);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
        let at = |share: f64| values[((count - 1.0) * share).round() as usize];
        if deviation < 1e-9 * mean.abs().max(1e-9) {
            return Err(Error::Request(format!(
                "the property {} is the same for all molecules",
                source.name
            )));
        }
        Ok(Self { source: source.clone(), mean, deviation, range: [at(0.001), at(0.999)] })
    }

    /// The value, in the property's unit, of a number as the network sees it, to six digits: the network knows no more.
    pub fn value(&self, normalised: f32) -> f64 {
        let value = self.mean + self.deviation * f64::from(normalised);
        format!("{value:.5e}").parse().unwrap_or(value)
    }

    /// A value as the network sees it.
    pub fn normalised(&self, value: f64) -> f32 {
        ((value - self.mean) / self.deviation) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let source =
            PropertySource { name: "logp".into(), column: "x".into(), minus: None, unit: String::new() };
        let known = [Property { source, mean: 0.0, deviation: 1.0, range: [-1.0, 1.0] }];
        for name in ["logp", "logP", " LOGP"] {
            assert!(Property::find(&known, name).is_some(), "{name}");
        }
        assert!(Property::find(&known, "log").is_none());
    }
}
