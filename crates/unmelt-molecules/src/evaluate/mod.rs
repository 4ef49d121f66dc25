//! Metrics of a set of molecules.

mod geometry;
pub mod structure;

pub use geometry::{Geometry, GeometryDistance, wasserstein};

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use rayon::prelude::*;
use serde::Serialize;
use unmelt_diffusion::{Noise, Stream, quantile};

use crate::key::Canonical;
use crate::perception::{bonded, perceive_bonds, stable_atoms};
use crate::smiles;
use crate::validity::verdicts;
use crate::{Bond, KeySet, Molecule, Verdict};

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
    /// Atoms with such a valence.
    pub valid_atoms: usize,
    /// Atoms with fewer bonds than the next valence: hydrogens are missing, or unpaired electrons are not named.
    pub open_atoms: usize,
    /// Unpaired electrons that the file names.
    pub radicals: usize,
    /// Atoms with a formal charge.
    pub charged_atoms: usize,
    /// Sum of the formal charges.
    pub charge: i32,
    /// Whether the bonded pairs of the file are those that the distances suggest.
    pub bonds_match: bool,
    /// Whether the bonds of the file connect all atoms.
    pub connected: bool,
    /// Independent rings.
    pub rings: usize,
    /// Canonical key from the bonds of the file.
    pub key: String,
    /// Canonical SMILES from the bonds of the file.
    pub smiles: String,
}

impl Assessment {
    /// Looks at one molecule.
    pub fn of(molecule: &Molecule) -> Self {
        let canonical = Canonical::of(molecule);
        let verdicts = verdicts(molecule);
        let count = |f: fn(&Verdict) -> bool| verdicts.iter().filter(|v| f(v)).count();
        let valid_atoms = count(|v| *v == Verdict::Fits);
        Self {
            smiles: smiles::write(molecule, &canonical.order),
            key: canonical.key,
            formula: molecule.formula(),
            atoms: molecule.len(),
            stable_atoms: stable_atoms(molecule),
            valid: valid_atoms == molecule.len() && !molecule.is_empty(),
            valid_atoms,
            open_atoms: count(|v| matches!(v, Verdict::Open(_))),
            radicals: molecule.radicals(),
            charged_atoms: molecule.atoms().filter(|a| a.charge != 0).count(),
            charge: molecule.atoms().map(|a| i32::from(a.charge)).sum(),
            bonds_match: pairs(molecule.bonds()) == pairs(perceive_bonds(molecule)),
            connected: molecule.components() == 1,
            rings: molecule.rings(),
        }
    }

    /// Whether all atoms are stable by the EDM protocol.
    pub fn stable(&self) -> bool {
        self.stable_atoms == self.atoms && self.atoms > 0
    }
}

fn pairs(bonds: impl IntoIterator<Item = Bond>) -> BTreeSet<(usize, usize)> {
    bonds.into_iter().map(|b| (b.begin.min(b.end), b.begin.max(b.end))).collect()
}

/// What a set is compared with.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The molecules that are not novel.
    pub keys: KeySet,
    /// Bond lengths, angles, torsions.
    pub geometry: Geometry,
    /// Shares of molecules with rings by size and functional groups.
    pub structures: BTreeMap<String, f64>,
}

impl Reference {
    /// Looks at molecules.
    pub fn of(molecules: &[Molecule]) -> Self {
        let kekulized: Vec<Cow<Molecule>> = molecules
            .par_iter()
            .map(|m| match m.has_aromatic_bonds() {
                true => m.kekulized().map_or(Cow::Borrowed(m), Cow::Owned),
                false => Cow::Borrowed(m),
            })
            .collect();
        let molecules_of = || kekulized.iter().map(Cow::as_ref);
        Self {
            keys: KeySet::of(molecules),
            geometry: Geometry::of(molecules_of()),
            structures: structure::shares(molecules_of()),
        }
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
    /// Molecules whose bonds come from distances.
    pub bonds_from_distances: usize,
    /// Mean number of atoms.
    pub mean_atoms: f64,
    /// Stable atoms among all atoms (EDM protocol, positions and elements alone).
    pub atom_stability: Share,
    /// Molecules of which all atoms are stable (EDM protocol).
    pub molecule_stability: Share,
    /// Atoms with allowed valences, by the bonds, element and charge.
    pub valid_atoms: Share,
    /// Molecules with allowed valences throughout. Unpaired electrons that a file names fill valences.
    pub valid: Share,
    /// Molecules that are not valid because atoms have too few bonds and none too many: hydrogens are missing, or unpaired
    /// electrons are not named.
    pub open: usize,
    /// Molecules with unpaired electrons that the file names.
    pub with_radicals: usize,
    /// These electrons in all.
    pub radicals: usize,
    /// Molecules with formal charges.
    pub with_charges: usize,
    /// Molecules whose formal charges do not add up to nought.
    pub ions: usize,
    /// Valid molecules in one piece.
    pub valid_and_connected: Share,
    /// Different molecules among the valid ones.
    pub unique: Share,
    /// Molecules not in the reference, among the different valid ones.
    pub novel: Option<Share>,
    /// Valid, connected, unique and novel (where there is a reference) among all.
    pub all_together: f64,
    /// Molecules whose bonded pairs are those that the distances suggest.
    pub bonds_match: Share,
    /// Mean number of rings of valid molecules.
    pub mean_rings: f64,
    /// Shares of molecules with rings by size and with functional groups.
    pub structures: BTreeMap<String, f64>,
    /// The same of the reference.
    pub reference_structures: Option<BTreeMap<String, f64>>,
    /// Distances of bond lengths, angles and torsions from the reference.
    pub geometry: Option<GeometryDistance>,
}

/// Where bonds come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BondSource {
    /// The bonds of the file.
    File,
    /// The tables of EDM.
    Distances,
    /// The file for some molecules, distances for those that have no bonds in it.
    Both,
}

/// Resamples of the bootstrap.
const RESAMPLES: usize = 1000;

/// Evaluates molecules. Those of several atoms without a single bond are given the bonds that their distances suggest, and
/// aromatic bonds their Kekulé form.
pub fn evaluate(molecules: &[Molecule], reference: Option<&Reference>) -> crate::Result<Evaluation> {
    if molecules.is_empty() {
        return Err(crate::Error::Request("there is no molecule to evaluate".into()));
    }
    let is_bare = |m: &Molecule| m.graph().edge_count() == 0 && m.len() > 1;
    let bare = molecules.iter().filter(|m| is_bare(m)).count();
    let prepared: Vec<Cow<Molecule>> = molecules
        .par_iter()
        .map(|m| match () {
            // Atoms too close together for bonds stay without.
            () if is_bare(m) => bonded(m).map_or(Cow::Borrowed(m), Cow::Owned),
            () if m.has_aromatic_bonds() => m.kekulized().map_or(Cow::Borrowed(m), Cow::Owned),
            () => Cow::Borrowed(m),
        })
        .collect();
    let list: Vec<Assessment> = prepared.par_iter().map(|m| Assessment::of(m)).collect();
    let has_others = molecules.iter().any(|m| m.graph().edge_count() > 0);
    let source = match (bare, has_others) {
        (0, _) => BondSource::File,
        (_, false) => BondSource::Distances,
        (_, true) => BondSource::Both,
    };
    let mut evaluation = Evaluation::of(&list, reference.map(|r| &r.keys), source);
    evaluation.bonds_from_distances = bare;
    let all = || prepared.iter().map(Cow::as_ref);
    evaluation.structures = structure::shares(all());
    evaluation.reference_structures = reference.map(|r| r.structures.clone());
    evaluation.geometry = reference.and_then(|r| Geometry::of(all()).distance(&r.geometry));
    Ok(evaluation)
}

impl Evaluation {
    /// Sums up assessments.
    fn of(list: &[Assessment], reference: Option<&KeySet>, bonds_from: BondSource) -> Self {
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
            bonds_from_distances: 0,
            open: list.iter().filter(|a| a.open_atoms > 0 && a.open_atoms + a.valid_atoms == a.atoms).count(),
            with_radicals: list.iter().filter(|a| a.radicals > 0).count(),
            radicals: list.iter().map(|a| a.radicals).sum(),
            with_charges: list.iter().filter(|a| a.charged_atoms > 0).count(),
            ions: list.iter().filter(|a| a.charge != 0).count(),
            mean_atoms: mean(&mut list.iter().map(|a| a.atoms), list.len()),
            atom_stability: share(&|a| (a.stable_atoms as f64, a.atoms as f64)),
            molecule_stability: share(&|a| (yes(a.stable()), 1.0)),
            valid_atoms: share(&|a| (a.valid_atoms as f64, a.atoms as f64)),
            valid: share(&|a| (yes(a.valid), 1.0)),
            valid_and_connected: share(&|a| (yes(a.valid && a.connected), 1.0)),
            unique: Share::of(&valid, &|(_, first)| (yes(*first), 1.0)),
            novel: reference.map(|_| Share::of(&unique, &|a| (yes(is_new(a)), 1.0))),
            all_together: good as f64 / list.len().max(1) as f64,
            bonds_match: share(&|a| (yes(a.bonds_match), 1.0)),
            mean_rings: mean(&mut valid.iter().map(|(a, _)| a.rings), valid.len()),
            structures: BTreeMap::new(),
            reference_structures: None,
            geometry: None,
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
