//! Numbers of cards and configurations, held against their domains. Every error is a sentence that names the field.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::error::{Error, Result};
use crate::fault::{ErrorKind, Fault};
use crate::files::limits::within;

/// A part of a card or of a configuration, by its path: "model.network".
///
/// ```
/// use unmelt_diffusion::domain::Field;
///
/// let network = Field::new("model").field("network");
/// network.whole("layers", 8, 1..=256)?;
/// let error = network.whole("layers", 0, 1..=256).unwrap_err().to_string();
/// assert_eq!(error, "model.network.layers must be from 1 to 256, but it is 0");
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Field(String);

impl Field {
    /// A part with this path; the path of a whole file is empty.
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// A part of the part.
    pub fn field(&self, name: impl Display) -> Self {
        Self(self.name(name))
    }

    /// The path of a part of the part.
    pub fn name(&self, name: impl Display) -> String {
        match self.0.as_str() {
            "" => name.to_string(),
            path => format!("{path}.{name}"),
        }
    }

    /// An error about the part: its path, and what is wrong with it.
    pub fn fault(&self, fault: impl Display) -> Error {
        Error::field(&self.0, format!("{} {fault}", self.0))
    }

    /// Checks a whole number.
    pub fn whole(&self, name: impl Display, value: u64, domain: RangeInclusive<u64>) -> Result<()> {
        if domain.contains(&value) {
            return Ok(());
        }
        let (least, most) = domain.into_inner();
        let wanted = match () {
            () if least == most => format!("{least}"),
            () if most == u64::MAX => format!("at least {least}"),
            () => format!("from {least} to {most}"),
        };
        Err(self.field(name).fault(format!("must be {wanted}, but it is {value}")))
    }

    /// Checks a whole number from 1 to a limit, whose name the error gives, so that it can be raised.
    pub fn limited(&self, name: impl Display, value: u64, (limit, most): (&'static str, u64)) -> Result<()> {
        self.whole(&name, value, 1..=u64::MAX)?;
        within(most, limit, value, &self.name(name))
    }

    /// Checks a number; NaN and infinities are in no domain.
    pub fn number(&self, name: impl Display, value: f64, domain: RangeInclusive<f64>) -> Result<()> {
        if domain.contains(&value) {
            return Ok(());
        }
        let (least, most) = domain.into_inner();
        Err(self.field(name).fault(format!("must be from {least} to {most}, but it is {value}")))
    }

    /// Checks that a count is the one that something else wants; `what` names that and its count stands behind it.
    pub fn same(&self, name: impl Display, value: u64, wanted: u64, what: &str) -> Result<()> {
        if value == wanted {
            return Ok(());
        }
        Err(self.field(name).fault(format!("is {value}, but {what} {wanted}")))
    }

    /// Checks shares of a whole: so many numbers from 0 to 1 that sum to 1.
    pub fn shares(&self, name: impl Display, values: &[f64], count: usize, what: &str) -> Result<()> {
        let all = self.field(&name);
        if values.len() != count {
            return Err(all.fault(format!("has {} numbers, but {what} {count}", values.len())));
        }
        for (k, &value) in values.iter().enumerate() {
            all.number(k, value, 0.0..=1.0)?;
        }
        let sum: f64 = values.iter().sum();
        if (sum - 1.0).abs() > 1e-6 {
            return Err(all.fault(format!("must sum to 1, but they sum to {sum}")));
        }
        Ok(())
    }

    /// A result of the part with its path before the sentence of the error.
    pub fn inside<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| match error {
            Error::Setting { what, want, got } if !what.contains(' ') => {
                Error::field(self.name(what), format!("{} must be {want}, but it is {got}", self.name(what)))
            }
            other if other.kind() == ErrorKind::Usage => {
                Error::field(&self.0, format!("{}: {other}", self.0))
            }
            other => Error::plain(other.kind(), format!("{}: {other}", self.0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(result: Result<()>) -> String {
        result.expect_err("outside of the domain").to_string()
    }

    #[test]
    fn every_sentence_names_the_field() {
        let part = Field::new("model");
        assert_eq!(
            sentence(part.number("scale", f64::NAN, 0.0..=2.0)),
            "model.scale must be from 0 to 2, but it is NaN"
        );
        assert_eq!(sentence(part.whole("heads", 9, 1..=8)), "model.heads must be from 1 to 8, but it is 9");
        assert_eq!(
            sentence(part.same("elements", 3, 4, "the vocabulary has")),
            "model.elements is 3, but the vocabulary has 4"
        );
        let limit = sentence(part.limited("layers", 1 << 60, ("layers", 256)));
        assert!(limit.starts_with("model.layers") && limit.contains("256"), "{limit}");
        assert!(sentence(part.limited("layers", 0, ("layers", 256))).contains("at least 1"));
        assert!(
            sentence(part.shares("shares", &[0.5, 0.4], 2, "")).starts_with("model.shares must sum to 1")
        );
        assert!(sentence(part.shares("shares", &[2.0, -1.0], 2, "")).starts_with("model.shares.0 must"));
        let setting = Err(Error::setting("power", "a number above 0", 0));
        assert_eq!(sentence(part.inside(setting)), "model.power must be a number above 0, but it is 0");
        assert_eq!(Field::new("").name("batch"), "batch");
    }
}
