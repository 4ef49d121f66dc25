//! Molecular formulas, and limits on what a molecule may contain.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Element, Molecule};

/// How many atoms of each element: "C7H10O2".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Formula {
    counts: BTreeMap<Element, usize>,
}

impl Formula {
    /// The elements with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (Element, usize)> + '_ {
        self.counts.iter().map(|(&element, &count)| (element, count))
    }

    /// Atoms in all, at most as many as can be counted.
    pub fn atoms(&self) -> usize {
        self.counts.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The formula of a molecule, without its charge.
    pub fn of(molecule: &Molecule) -> Self {
        let mut counts = BTreeMap::new();
        molecule.atoms().for_each(|a| *counts.entry(a.element).or_default() += 1);
        Self { counts }
    }
}

impl From<Formula> for String {
    fn from(formula: Formula) -> Self {
        let part = |(element, count): (&Element, &usize)| format!("{element}{count}");
        formula.counts.iter().map(part).collect()
    }
}

impl TryFrom<String> for Formula {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Formula {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut counts = BTreeMap::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let symbol = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            // The longest symbol that begins here: a capital and perhaps a small letter.
            let small = rest.chars().nth(1).is_some_and(|c| c.is_ascii_lowercase());
            let length = symbol.min(if small { 2 } else { 1 });
            let element = Some(&rest[..length])
                .filter(|s| s.starts_with(|c: char| c.is_ascii_uppercase()))
                .and_then(Element::from_symbol)
                .ok_or_else(|| format!("\"{text}\" is no formula: what is \"{rest}\"?"))?;
            rest = &rest[length..];
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let count = match &rest[..digits] {
                "" => 1,
                digits => digits.parse().map_err(|_| format!("\"{digits}\" atoms are too many"))?,
            };
            let sum = counts.entry(element).or_insert(0usize);
            *sum = sum.saturating_add(count);
            rest = &rest[digits..];
        }
        counts.retain(|_, count| *count > 0);
        match counts.is_empty() {
            true => Err("a formula must name at least one atom, as in C7H10O2".into()),
            false => Ok(Self { counts }),
        }
    }
}

/// A limit on one element: "N>=1", "O<=2", "F=0".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementLimit {
    /// The element.
    pub element: Element,
    /// Fewest atoms.
    pub least: usize,
    /// Most atoms.
    pub most: usize,
}

impl ElementLimit {
    /// Whether a molecule keeps to it.
    pub fn allows(&self, molecule: &Molecule) -> bool {
        let count = molecule.atoms().filter(|a| a.element == self.element).count();
        (self.least..=self.most).contains(&count)
    }
}

impl FromStr for ElementLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no limit; write N>=1, O<=2, F=0 or N for at least one");
        let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (symbol, rest) = text.trim().split_at(end.min(text.trim().len()));
        let element = Element::from_symbol(symbol).ok_or_else(wrong)?;
        let number = |digits: &str| digits.trim().parse::<usize>().map_err(|_| wrong());
        let (least, most) = match rest.trim() {
            "" => (1, usize::MAX),
            rest => match (rest.strip_prefix(">="), rest.strip_prefix("<="), rest.strip_prefix('=')) {
                (Some(n), _, _) => (number(n)?, usize::MAX),
                (_, Some(n), _) => (0, number(n)?),
                (_, _, Some(n)) => (number(n)?, number(n)?),
                _ => return Err(wrong()),
            },
        };
        Ok(Self { element, least, most })
    }
}

impl fmt::Display for Formula {
    /// In Hill order: carbon, hydrogen, then by symbol; all by symbol where there is no carbon.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut counts: Vec<_> = self.counts().collect();
        let organic = self.counts.contains_key(&Element::C);
        counts.sort_by_key(|(e, _)| {
            let first = organic && (*e == Element::C || *e == Element::H);
            (!first, e.symbol())
        });
        counts.into_iter().try_for_each(|(e, n)| if n == 1 { write!(f, "{e}") } else { write!(f, "{e}{n}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_read() {
        let f: Formula = "C7H10O2".parse().expect("formula");
        assert_eq!((f.atoms(), f.counts().count(), f.to_string().as_str()), (19, 3, "C7H10O2"));
        assert_eq!("OH2Cl".parse::<Formula>().expect("formula").to_string(), "ClH2O");
        let f: Formula = "C18446744073709551615H18446744073709551615".parse().expect("formula");
        assert_eq!(f.atoms(), usize::MAX);
        let f: Formula = "CH3CH2Cl".parse().expect("formula");
        assert_eq!(f.counts().collect::<Vec<_>>()[0], (Element::H, 5));
        for bad in ["", "c6", "C6 H6", "Xx2", "6C", "C-1", "H0", "C999999999999999999999", "é2", "Cé"] {
            assert!(bad.parse::<Formula>().is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_are_read() {
        let limit = |text: &str| text.parse::<ElementLimit>().map(|l| (l.least, l.most));
        assert_eq!(limit("N>=1"), Ok((1, usize::MAX)));
        assert_eq!(limit("O<=2"), Ok((0, 2)));
        assert_eq!(limit("F=0"), Ok((0, 0)));
        assert_eq!(limit("Cl"), Ok((1, usize::MAX)));
        for bad in ["", "N>1x", "Q=1", "N=", "N>=-1", "1"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }
}
