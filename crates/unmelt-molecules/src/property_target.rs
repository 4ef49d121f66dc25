//! What is typed for a wanted property.

use std::str::FromStr;

use crate::Property;

/// A property, the value wanted, and the unit if one was typed: "dipole=3.5", "dipole=3.5D".
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyTarget {
    /// Name of the property as it was typed.
    pub name: String,
    /// The value, a finite number.
    pub value: f64,
    /// The unit.
    pub unit: Option<String>,
}

impl FromStr for PropertyTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no target; write a name and a number, as in dipole=3.5");
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        let (name, rest) = (name.trim(), rest.trim());
        if name.is_empty() {
            return Err(wrong());
        }
        // The longest beginning that is a number: "6.0eV" is 6 eV, though "6.0e" begins like an exponent.
        let ends = rest.char_indices().map(|(k, c)| k + c.len_utf8()).rev();
        let found = ends.into_iter().find_map(|k| Some((rest[..k].trim().parse::<f64>().ok()?, &rest[k..])));
        let (value, unit) = found.filter(|(v, _)| v.is_finite()).ok_or_else(wrong)?;
        let unit = Some(unit.trim()).filter(|u| !u.is_empty()).map(String::from);
        Ok(Self { name: name.into(), value, unit })
    }
}

impl PropertyTarget {
    /// Targets as names of properties, as a model has them, and values.
    ///
    /// # Errors
    /// A unit that is not the property's, and a property that is named twice, as a sentence. A name that is no property of the model's
    /// is left as it is.
    pub fn targets(wanted: &[Self], properties: &[Property]) -> Result<Vec<(String, f64)>, String> {
        let mut targets: Vec<(String, f64)> = Vec::with_capacity(wanted.len());
        for target in wanted {
            let known = Property::find(properties, &target.name);
            if let (Some(unit), Some(property)) = (&target.unit, known)
                && *unit != property.source.unit
            {
                let own = match property.source.unit.as_str() {
                    "" => "has no unit".into(),
                    own => format!("is in {own}"),
                };
                return Err(format!("{} {own}, but {unit} was given", target.name));
            }
            let name = known.map_or(&target.name, |p| &p.source.name);
            if targets.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(format!("the property {name} is named twice"));
            }
            targets.push((name.clone(), target.value));
        }
        Ok(targets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_with_their_units() {
        let read = |text: &str| text.parse::<PropertyTarget>().map(|t| (t.name, t.value, t.unit));
        assert_eq!(read("dipole=3.5"), Ok(("dipole".into(), 3.5, None)));
        assert_eq!(read("gap = 6.0eV"), Ok(("gap".into(), 6.0, Some("eV".into()))));
        assert_eq!(read("tpsa=1e1 Å²"), Ok(("tpsa".into(), 10.0, Some("Å²".into()))));
        for bad in ["dipole", "dipole=", "dipole=much", "=", "=3", "dipole=nan", "dipole=inf"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_property_is_named_once() {
        let targets = |text: &str| {
            text.split(' ').map(|w| w.parse().expect("a target")).collect::<Vec<PropertyTarget>>()
        };
        assert_eq!(PropertyTarget::targets(&targets("gap=1 dipole=2"), &[]).map(|t| t.len()), Ok(2));
        let error = PropertyTarget::targets(&targets("gap=1 Gap=2"), &[]).expect_err("twice");
        assert_eq!(error, "the property Gap is named twice");
    }
}
