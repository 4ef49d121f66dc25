//! Metrics of a set of molecules.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::Serialize;
use unmelt_diffusion::{Noise, Stream, quantile};

use crate::Molecule;
use crate::key::canonical_key;
use crate::perception::{perceive_bonds, stable_atoms};
use crate::validity::is_valid;

/// What is said about one molecule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// Molecular formula.
    pub formula: String,
    /// Atoms.
    pub atoms: usize,
    /// Stable atoms by the EDM protocol.
    pub stable_atoms: usize,
    /// Whether the bonds of the file are valid: every valence allowed by element and charge.
    pub valid: bool,
    /// Whether the bonds of the file connect all atoms.
    pub connected: bool,
    /// Independent rings.
    pub rings: usize,
    /// Canonical key from the bonds of the file.
    pub key: String,
}

impl Assessment {
    /// Looks at one molecule.
    pub fn of(molecule: &Molecule) -> Self {
        Self {
            formula: molecule.formula(),
            atoms: molecule.len(),
            stable_atoms: stable_atoms(molecule),
            valid: is_valid(molecule),
            connected: molecule.components() == 1,
            rings: molecule.rings(),
            key: canonical_key(molecule),
        }
    }

    /// Whether all atoms are stable by the EDM protocol.
    pub fn stable(&self) -> bool {
        self.stable_atoms == self.atoms && self.atoms > 0
    }
}

/// A share of a set with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The share, 0 to 1.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Metrics of a set of molecules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Molecules.
    pub count: usize,
    /// Where the bonds come from: the file, or distances where the file has none.
    pub bonds_from: BondSource,
    /// Mean number of atoms.
    pub mean_atoms: f64,
    /// Stable atoms among all atoms (EDM protocol, positions and elements alone).
    pub atom_stability: Share,
    /// Molecules of which all atoms are stable (EDM protocol).
    pub molecule_stability: Share,
    /// Molecules with allowed valences.
    pub valid: Share,
    /// Valid molecules in one piece.
    pub valid_and_connected: Share,
    /// Different molecules among the valid ones.
    pub unique: Share,
    /// Molecules not in the reference, among the different valid ones.
    pub novel: Option<Share>,
    /// Valid, connected, unique and novel (where there is a reference) among all.
    pub all_together: f64,
    /// Mean number of rings of valid molecules.
    pub mean_rings: f64,
}

/// Where bonds come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BondSource {
    /// The bonds of the file.
    File,
    /// The tables of EDM.
    Distances,
}

/// Resamples of the bootstrap.
const RESAMPLES: usize = 1000;

/// The keys of a set, to tell what is new.
pub fn keys(molecules: &[Molecule]) -> HashSet<String> {
    molecules.par_iter().map(canonical_key).collect()
}

/// Evaluates molecules; `reference` holds the keys of the molecules that do not count as new. A set without a
/// single bond is given those that its distances suggest.
pub fn evaluate(molecules: &[Molecule], reference: Option<&HashSet<String>>) -> crate::Result<Evaluation> {
    if molecules.is_empty() {
        return Err(crate::Error::Request("there is no molecule to evaluate".into()));
    }
    let bare = molecules.iter().all(|m| m.graph().edge_count() == 0) && molecules.iter().any(|m| m.len() > 1);
    let list: Vec<Assessment> = molecules
        .par_iter()
        .map(|m| match bare {
            // Perceived bonds are always between atoms that are there.
            true => Assessment::of(&m.with_bonds(perceive_bonds(m)).unwrap_or_else(|_| m.clone())),
            false => Assessment::of(m),
        })
        .collect();
    let source = if bare { BondSource::Distances } else { BondSource::File };
    Ok(Evaluation::of(&list, reference, source))
}

impl Evaluation {
    /// Sums up assessments.
    pub fn of(list: &[Assessment], reference: Option<&HashSet<String>>, bonds_from: BondSource) -> Self {
        let share = |f: &(dyn Fn(&Assessment) -> (f64, f64) + Sync)| Share::of(list, f);
        let yes = |x: bool| f64::from(u8::from(x));
        let mut seen = HashSet::new();
        let valid: Vec<(&Assessment, bool)> =
            list.iter().filter(|a| a.valid).map(|a| (a, seen.insert(a.key.as_str()))).collect();
        let is_new = |a: &Assessment| reference.is_none_or(|r| !r.contains(&a.key));
        let unique: Vec<&Assessment> = valid.iter().filter(|(_, first)| *first).map(|(a, _)| *a).collect();
        let good = unique.iter().filter(|a| a.connected && is_new(a)).count();
        let mean = |values: &mut dyn Iterator<Item = usize>, count: usize| {
            values.sum::<usize>() as f64 / count.max(1) as f64
        };
        Self {
            count: list.len(),
            bonds_from,
            mean_atoms: mean(&mut list.iter().map(|a| a.atoms), list.len()),
            atom_stability: share(&|a| (a.stable_atoms as f64, a.atoms as f64)),
            molecule_stability: share(&|a| (yes(a.stable()), 1.0)),
            valid: share(&|a| (yes(a.valid), 1.0)),
            valid_and_connected: share(&|a| (yes(a.valid && a.connected), 1.0)),
            unique: Share::of(&valid, &|(_, first)| (yes(*first), 1.0)),
            novel: reference.map(|_| Share::of(&unique, &|a| (yes(is_new(a)), 1.0))),
            all_together: good as f64 / list.len().max(1) as f64,
            mean_rings: mean(&mut valid.iter().map(|(a, _)| a.rings), valid.len()),
        }
    }
}

impl Share {
    /// Σ numerator / Σ denominator over items, with a bootstrap over items.
    fn of<T: Sync>(items: &[T], f: &(dyn Fn(&T) -> (f64, f64) + Sync)) -> Self {
        let pairs: Vec<(f64, f64)> = items.iter().map(f).collect();
        let ratio = |sums: (f64, f64)| if sums.1 > 0.0 { sums.0 / sums.1 } else { 0.0 };
        let add = |a: (f64, f64), b: &(f64, f64)| (a.0 + b.0, a.1 + b.1);
        let value = ratio(pairs.iter().fold((0.0, 0.0), add));
        let noise = Noise::new(0);
        let mut resamples: Vec<f64> = (0..RESAMPLES)
            .into_par_iter()
            .map(|k| {
                let mut u = vec![0.0f64; pairs.len()];
                noise.uniform(Stream::new(k as u64, 0, 0), &mut u);
                let chosen = u.iter().map(|u| &pairs[(u * pairs.len() as f64) as usize]);
                ratio(chosen.fold((0.0, 0.0), add))
            })
            .collect();
        resamples.sort_by(f64::total_cmp);
        Self { value, low: quantile(&resamples, 0.025), high: quantile(&resamples, 0.975) }
    }
}
