//! Double and triple bonds in the first places that leave every atom its valence: one form for all resonance forms.

/// Steps before the bonds are left as they are.
const BUDGET: usize = 4_000_000;

/// Moves what bonds have beyond single ones to the first bonds, in their order; atoms keep their sums. Only orders of 1 to 3
/// take part.
pub(super) fn to_the_first(atoms: usize, bonds: &mut [(usize, usize, u8)]) {
    let mut need = vec![0u8; atoms];
    for &(i, j, order) in bonds.iter().filter(|b| b.2 <= 3) {
        need[i] = need[i].saturating_add(order.saturating_sub(1));
        need[j] = need[j].saturating_add(order.saturating_sub(1));
    }
    // An atom of hundreds of bonds is of no molecule; the bonds are left as they are.
    if need.contains(&u8::MAX) {
        return;
    }
    let free: Vec<usize> = (0..bonds.len())
        .filter(|&b| bonds[b].2 <= 3 && need[bonds[b].0] > 0 && need[bonds[b].1] > 0)
        .collect();
    let ends: Vec<(usize, usize)> = free.iter().map(|&b| (bonds[b].0, bonds[b].1)).collect();
    let mut steps = BUDGET;
    let mut places = Places::new(&ends, need);
    for part in parts(atoms, &ends) {
        // A part that takes too long stays as it is; the others do not.
        if let Some(extra) = places.first(&part, &mut steps) {
            part.iter().zip(extra).for_each(|(&b, extra)| bonds[free[b]].2 = 1 + extra);
        }
    }
}

/// Bonds that hang together, in their order.
fn parts(atoms: usize, ends: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut union = petgraph::unionfind::UnionFind::new(atoms);
    ends.iter().for_each(|&(i, j)| {
        union.union(i, j);
    });
    let mut place = vec![usize::MAX; atoms];
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for (b, &(i, _)) in ends.iter().enumerate() {
        let root = union.find(i);
        if place[root] == usize::MAX {
            place[root] = parts.len();
            parts.push(Vec::new());
        }
        parts[place[root]].push(b);
    }
    parts
}

/// What each bond can have: from `low` to `high`.
struct Places<'a> {
    ends: &'a [(usize, usize)],
    around: Vec<Vec<usize>>,
    low: Vec<u8>,
    high: Vec<u8>,
    /// What the bonds of each atom are to have together.
    need: Vec<u8>,
    /// What was narrowed: the bond and what it could have before.
    trail: Vec<(usize, u8, u8)>,
}

impl<'a> Places<'a> {
    fn new(ends: &'a [(usize, usize)], need: Vec<u8>) -> Self {
        let mut around = vec![Vec::new(); need.len()];
        for (b, &(i, j)) in ends.iter().enumerate() {
            around[i].push(b);
            around[j].push(b);
        }
        let high = ends.iter().map(|&(i, j)| need[i].min(need[j]).min(2)).collect();
        Self { ends, around, low: vec![0; ends.len()], high, need, trail: Vec::new() }
    }

    /// What the bonds of a part have in the first form, each as much as the ones before let it.
    fn first(&mut self, part: &[usize], steps: &mut usize) -> Option<Vec<u8>> {
        let mut waiting: Vec<usize> = part.iter().flat_map(|&b| [self.ends[b].0, self.ends[b].1]).collect();
        if !self.narrow(&mut waiting, steps) {
            return None;
        }
        // Places in the part where something was chosen, and the trail before.
        let mut choices: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while at < part.len() {
            let b = part[at];
            if self.low[b] == self.high[b] {
                at += 1;
                continue;
            }
            choices.push((at, self.trail.len()));
            let mut holds = self.set(b, self.high[b], self.high[b], steps);
            while !holds {
                // The last choice does not hold: the bond has less than that.
                let (before, mark) = choices.pop()?;
                while self.trail.len() > mark {
                    let (b, low, high) = self.trail.pop()?;
                    (self.low[b], self.high[b]) = (low, high);
                }
                at = before;
                let b = part[at];
                holds = self.set(b, self.low[b], self.high[b] - 1, steps);
            }
            if *steps == 0 {
                return None;
            }
        }
        Some(part.iter().map(|&b| self.low[b]).collect())
    }

    fn set(&mut self, b: usize, low: u8, high: u8, steps: &mut usize) -> bool {
        self.trail.push((b, self.low[b], self.high[b]));
        (self.low[b], self.high[b]) = (low, high);
        let (i, j) = self.ends[b];
        self.narrow(&mut vec![i, j], steps)
    }

    /// Narrows bonds to what their atoms leave them; `false` where an atom cannot have what it needs.
    fn narrow(&mut self, waiting: &mut Vec<usize>, steps: &mut usize) -> bool {
        while let Some(k) = waiting.pop() {
            *steps = steps.saturating_sub(1);
            let sum = |of: &[u8]| self.around[k].iter().map(|&b| u32::from(of[b])).sum::<u32>();
            let (low, high, need) = (sum(&self.low), sum(&self.high), u32::from(self.need[k]));
            if low > need || high < need {
                return false;
            }
            for at in 0..self.around[k].len() {
                let b = self.around[k][at];
                let (own_low, own_high) = (u32::from(self.low[b]), u32::from(self.high[b]));
                let least = own_low.max(need.saturating_sub(high - own_high));
                let most = own_high.min(need - (low - own_low));
                if least > most {
                    return false;
                }
                if (least, most) != (own_low, own_high) {
                    self.trail.push((b, self.low[b], self.high[b]));
                    (self.low[b], self.high[b]) = (least as u8, most as u8);
                    let (i, j) = self.ends[b];
                    waiting.extend([i, j]);
                    // Sums of this atom are old now; it comes again.
                    break;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bonds_are_double() {
        let ring = |doubles: [usize; 3]| {
            let mut bonds: Vec<(usize, usize, u8)> =
                (0..6).map(|k| (k.min((k + 1) % 6), k.max((k + 1) % 6), 1)).collect();
            doubles.iter().for_each(|&k| bonds[k].2 = 2);
            bonds.sort_unstable();
            to_the_first(6, &mut bonds);
            bonds
        };
        assert_eq!(ring([0, 2, 4]), ring([1, 3, 5]));
        assert_eq!(ring([0, 2, 4])[0], (0, 1, 2));
        // A cumulated and a triple bond: C=C=C and C-C#N stay.
        let mut chain = vec![(0, 1, 2), (1, 2, 2), (2, 3, 1), (3, 4, 3), (4, 5, 9)];
        to_the_first(6, &mut chain);
        assert_eq!(chain, [(0, 1, 2), (1, 2, 2), (2, 3, 1), (3, 4, 3), (4, 5, 9)]);
    }

    #[test]
    fn an_atom_with_hundreds_of_bonds_keeps_them() {
        let star: Vec<(usize, usize, u8)> = (1..300).map(|k| (0, k, 3)).collect();
        let mut bonds = star.clone();
        to_the_first(300, &mut bonds);
        assert_eq!(bonds, star);
    }

    #[test]
    fn long_rings_end() {
        let n = 20_000;
        let mut bonds: Vec<(usize, usize, u8)> =
            (0..n).map(|k| (k, (k + 1) % n, 1 + (k % 2) as u8)).collect();
        to_the_first(n, &mut bonds);
        assert_eq!((bonds[0].2, bonds[1].2, bonds[n - 1].2), (2, 1, 1));
    }
}
