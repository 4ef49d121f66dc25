//! Molecules held out of training.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::{Noise, Stream};

use crate::scaffold::murcko_scaffold;
use crate::{Error, Molecule, Result, canonical_key};

/// Purpose of the noise that chooses.
const SPLIT: u16 = 120;

/// How molecules to hold out are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// One by one.
    #[default]
    Random,
    /// All molecules of a scaffold together: what is held out has rings that training has not seen. Molecules without rings
    /// count as one scaffold.
    Scaffold,
}

impl Split {
    /// Name, as in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Scaffold => "scaffold",
        }
    }

    /// Takes a share of the molecules out of them, about; the same for the same seed.
    pub fn hold_out(self, molecules: &mut Vec<Molecule>, share: f64, seed: u64) -> Result<Vec<Molecule>> {
        if !(0.0..1.0).contains(&share) {
            return Err(Error::Request(format!(
                "validation.share must be at least 0 and below 1, but it is {share}"
            )));
        }
        let wanted = (share * molecules.len() as f64).round() as usize;
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let chosen = self.chosen(molecules, wanted, seed)?;
        let (mut held, mut rest) = (Vec::new(), Vec::new());
        for (molecule, chosen) in std::mem::take(molecules).into_iter().zip(chosen) {
            if chosen { held.push(molecule) } else { rest.push(molecule) }
        }
        *molecules = rest;
        Ok(held)
    }

    /// Which molecules are chosen: groups in random order, as far as they fit.
    fn chosen(self, molecules: &[Molecule], wanted: usize, seed: u64) -> Result<Vec<bool>> {
        let groups: Vec<Vec<usize>> = match self {
            Self::Random => (0..molecules.len()).map(|k| vec![k]).collect(),
            Self::Scaffold => {
                let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
                let key = |m: &Molecule| Ok(canonical_key(&murcko_scaffold(m)?));
                let keys: Vec<String> = molecules.par_iter().map(key).collect::<Result<_>>()?;
                for (k, key) in keys.into_iter().enumerate() {
                    by_key.entry(key).or_default().push(k);
                }
                by_key.into_values().collect()
            }
        };
        let mut chosen = vec![false; molecules.len()];
        let mut count = 0;
        for g in Noise::new(seed).permutation(Stream::new(0, SPLIT, 0), groups.len()) {
            if count + groups[g].len() <= wanted {
                count += groups[g].len();
                groups[g].iter().for_each(|&k| chosen[k] = true);
            }
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Atom, Bond, BondOrder, Element};

    /// A ring of so many carbons with a chain of others on it.
    fn ring_with_chain(ring: usize, chain: usize) -> Molecule {
        let n = ring + chain;
        let atoms = (0..n).map(|k| Atom::new(Element::C, 0, nalgebra::Point3::new(k as f64, 0.0, 0.0)));
        let closing = (ring > 2).then(|| (0, ring - 1));
        let bonds = (1..n).map(|k| (k - 1, k)).chain(closing);
        let single = |(begin, end)| Bond { begin, end, order: BondOrder::Single };
        Molecule::new(atoms, bonds.map(single)).expect("valid")
    }

    #[test]
    fn scaffolds_are_rings_without_chains() {
        let key = |m: &Molecule| canonical_key(&murcko_scaffold(m).expect("valid"));
        assert_eq!(key(&ring_with_chain(6, 3)), key(&ring_with_chain(6, 0)));
        assert_ne!(key(&ring_with_chain(6, 0)), key(&ring_with_chain(5, 1)));
        assert!(murcko_scaffold(&ring_with_chain(0, 4)).expect("valid").is_empty());
    }

    #[test]
    fn held_out_scaffolds_are_not_trained_on() {
        let all: Vec<Molecule> =
            (3..23).flat_map(|ring| (0..5).map(move |chain| ring_with_chain(ring, chain))).collect();
        for split in [Split::Random, Split::Scaffold] {
            let mut rest = all.clone();
            let held = split.hold_out(&mut rest, 0.2, 3).expect("valid");
            assert_eq!((held.len(), rest.len()), (20, 80));
            let key = |m: &Molecule| canonical_key(&murcko_scaffold(m).expect("valid"));
            let known: std::collections::HashSet<String> = rest.iter().map(key).collect();
            assert_eq!(held.iter().any(|m| known.contains(&key(m))), split == Split::Random);
            let mut again = all.clone();
            assert_eq!(split.hold_out(&mut again, 0.2, 3).expect("valid").len(), 20);
            assert!(again.iter().zip(&rest).all(|(a, b)| a.len() == b.len()));
        }
        assert!(Split::Random.hold_out(&mut all.clone(), 1.0, 0).is_err());
        assert!(Split::Random.hold_out(&mut all[..3].to_vec(), 0.05, 0).expect("valid").is_empty());
    }
}
