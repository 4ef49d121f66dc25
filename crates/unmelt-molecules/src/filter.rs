//! Which of the generated molecules are kept.

use std::collections::HashSet;
use std::str::FromStr;

use crate::evaluate::Assessment;
use crate::{ElementLimit, KeySet, Molecule};

/// A condition on generated molecules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every valence is allowed by element and charge.
    Valid,
    /// In one piece.
    Connected,
    /// Stable by the EDM protocol.
    Stable,
    /// Not among those kept before.
    Unique,
    /// Not among the known molecules.
    Novel,
}

impl Filter {
    /// All of them, by name.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("valid", Self::Valid),
        ("connected", Self::Connected),
        ("stable", Self::Stable),
        ("unique", Self::Unique),
        ("novel", Self::Novel),
    ];
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(n, _)| *n == name.trim());
        found.map(|(_, filter)| *filter).ok_or_else(|| {
            format!("\"{name}\" is no filter; use some of {}", Self::NAMES.map(|(n, _)| n).join(", "))
        })
    }
}

/// Filters, with the molecules that they have let through.
#[derive(Clone, Debug, Default)]
pub struct FilterSet {
    /// Conditions, all of which must hold.
    pub filters: Vec<Filter>,
    /// What the molecules may contain.
    pub limits: Vec<ElementLimit>,
    /// Keys of molecules that are not novel.
    pub known: KeySet,
    seen: HashSet<String>,
}

impl FilterSet {
    /// Filters, limits, and the molecules that are not novel.
    pub fn new(filters: Vec<Filter>, limits: Vec<ElementLimit>, known: KeySet) -> Self {
        Self { filters, limits, known, seen: HashSet::new() }
    }

    /// Whether it lets everything through.
    pub fn is_open(&self) -> bool {
        self.filters.is_empty() && self.limits.is_empty()
    }

    /// Whether a molecule is kept.
    pub fn keeps(&mut self, molecule: &Molecule, assessment: &Assessment) -> bool {
        let fits = self.limits.iter().all(|l| l.allows(molecule))
            && self.filters.iter().all(|f| match f {
                Filter::Valid => assessment.valid,
                Filter::Connected => assessment.connected,
                Filter::Stable => assessment.stable(),
                Filter::Unique => !self.seen.contains(&assessment.key),
                Filter::Novel => !self.known.contains(&assessment.key),
            });
        if fits && self.filters.contains(&Filter::Unique) {
            self.seen.insert(assessment.key.clone());
        }
        fits
    }
}
