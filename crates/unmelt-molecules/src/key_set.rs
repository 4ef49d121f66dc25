//! Sets of known molecules, to tell what is new.

use std::collections::HashSet;

use rayon::prelude::*;

use crate::Molecule;
use crate::key::canonical_key;

/// The first 64 bits of the canonical keys of molecules. Of a hundred thousand molecules one in 10¹⁴ new ones is taken
/// for known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet(HashSet<u64>);

impl KeySet {
    /// The keys of molecules.
    pub fn of(molecules: &[Molecule]) -> Self {
        Self(molecules.par_iter().map(|m| short(&canonical_key(m))).collect())
    }

    /// Whether the molecule with this canonical key is among them.
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains(&short(key))
    }

    /// Adds the keys of another set.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// Number of different molecules.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Eight bytes a key, little-endian, ascending.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut keys: Vec<u64> = self.0.iter().copied().collect();
        keys.sort_unstable();
        keys.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    /// What [`to_bytes`](Self::to_bytes) wrote; nothing where the bytes are no whole keys.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (keys, rest) = bytes.as_chunks::<8>();
        rest.is_empty().then(|| Self(keys.iter().map(|k| u64::from_le_bytes(*k)).collect()))
    }
}

fn short(key: &str) -> u64 {
    u64::from_str_radix(key.get(..16).unwrap_or_default(), 16).unwrap_or_default()
}
