//! Which atoms send messages to which.

use std::ops::Range;

/// Directed edges of a packed batch, sorted by the atom that receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeGraph {
    /// Where the edges of each atom begin; one more at the end.
    starts: Vec<usize>,
    /// The atom at the other end of each edge.
    senders: Vec<u32>,
    /// Ranges of atoms that no edge leaves, of about equal work: what a gradient can be divided into.
    parts: Vec<Range<usize>>,
    /// Ranges of atoms of about equal work: enough where only receivers are written.
    receivers: Vec<Range<usize>>,
}

/// Ranges of atoms with at least `share` edges each, the last but for what is left; `may_end` is asked of every atom in
/// turn whether a range may end behind it.
fn divide(starts: &[usize], share: usize, mut may_end: impl FnMut(usize) -> bool) -> Vec<Range<usize>> {
    let atoms = starts.len() - 1;
    let (mut ranges, mut from) = (Vec::new(), 0);
    for i in 0..atoms {
        if may_end(i) && starts[i + 1] - starts[from] >= share {
            ranges.push(from..i + 1);
            from = i + 1;
        }
    }
    if from < atoms {
        ranges.push(from..atoms);
    }
    ranges
}

/// Atoms are divided into at most this many parts, whatever the number of threads, so that sums over parts are the
/// same numbers on every machine size.
const PARTS: usize = 32;

impl EdgeGraph {
    /// Every ordered pair of different atoms of one molecule.
    pub fn complete(sizes: &[usize]) -> Self {
        let mut edges = Vec::with_capacity(sizes.iter().map(|n| n * n.saturating_sub(1)).sum());
        let mut start = 0;
        for &n in sizes {
            for i in start..start + n {
                edges.extend((start..start + n).filter(|&j| j != i).map(|j| (i, j)));
            }
            start += n;
        }
        Self::sorted(start, &edges)
    }

    /// From (receiver, sender) pairs over `atoms` packed atoms, in any order.
    ///
    /// # Panics
    /// If an edge names an atom that there is not.
    pub fn new(atoms: usize, edges: &[(usize, usize)]) -> Self {
        assert!(edges.iter().all(|&(i, j)| i < atoms && j < atoms), "edges between atoms");
        let mut edges = edges.to_vec();
        edges.sort_unstable();
        Self::sorted(atoms, &edges)
    }

    fn sorted(atoms: usize, edges: &[(usize, usize)]) -> Self {
        let mut starts = vec![0; atoms + 1];
        // The furthest atom that an edge from or to each atom, or one before it, reaches.
        let mut reach: Vec<usize> = (0..atoms).collect();
        for &(i, j) in edges {
            starts[i + 1] += 1;
            let low = i.min(j);
            reach[low] = reach[low].max(i.max(j));
        }
        (0..atoms).for_each(|i| starts[i + 1] += starts[i]);
        let share = edges.len().div_ceil(PARTS).max(1);
        let mut furthest = 0;
        let closed = |i: usize| {
            furthest = furthest.max(reach[i]);
            furthest == i
        };
        Self {
            parts: divide(&starts, share, closed),
            receivers: divide(&starts, share, |_| true),
            senders: edges.iter().map(|&(_, j)| j as u32).collect(),
            starts,
        }
    }

    /// Number of atoms.
    pub fn atoms(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of edges.
    pub fn edges(&self) -> usize {
        self.senders.len()
    }

    pub(super) fn receivers(&self) -> &[Range<usize>] {
        &self.receivers
    }

    pub(super) fn parts(&self) -> &[Range<usize>] {
        &self.parts
    }

    /// The edges that `atom` receives.
    pub(super) fn of(&self, atom: usize) -> Range<usize> {
        self.starts[atom]..self.starts[atom + 1]
    }

    pub(super) fn sender(&self, edge: usize) -> usize {
        self.senders[edge] as usize
    }

    /// Receiver and sender of every edge.
    pub(super) fn ends(&self) -> (Vec<i32>, Vec<i32>) {
        let receivers = (0..self.atoms()).flat_map(|i| self.of(i).map(move |_| i as i32)).collect();
        (receivers, self.senders.iter().map(|j| *j as i32).collect())
    }
}
