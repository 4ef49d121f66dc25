//! What the network is asked in training: a molecule out of nothing, out of its formula, or around a part of it.

use unmelt_diffusion::{Mask, Noise, State, Stream, Value};
use unmelt_kernels::pair_count;

use crate::network::pair_index;

/// Purposes of the training noise of this module.
const TASK: u16 = 110;
const REGION: u16 = 111;
const HYDROGENS: u16 = 112;
const PROPERTIES: u16 = 113;

/// Shares of the training molecules of which something is given.
const FORMULA: f64 = 0.1;
const FRAGMENT: f64 = 0.2;

/// The share of fragments with which all elements are given, too.
const WITH_ELEMENTS: f64 = 0.25;

/// Shares of the molecules of which the network is told no property, and one; of the rest it is told each with even chances.
const NO_PROPERTY: f64 = 0.4;
const ONE_PROPERTY: f64 = 0.4;

/// The share of the training molecules of which some atoms are given.
pub(crate) fn share_with_atoms() -> f64 {
    FRAGMENT
}

/// The share of the training molecules of which all elements are given.
pub(crate) fn share_with_elements() -> f64 {
    FORMULA + FRAGMENT * WITH_ELEMENTS
}

/// The share of the training molecules of which the network is told a property, which is one of `count`.
pub(crate) fn share_with_property(count: usize) -> f64 {
    ONE_PROPERTY / count.max(1) as f64 + 0.5 * (1.0 - NO_PROPERTY - ONE_PROPERTY)
}

/// Feature numbers of a molecule's state.
const POSITIONS: usize = 0;
const ELEMENTS: usize = 1;
const CHARGES: usize = 2;
const BONDS: usize = 3;

/// Nothing given, of a molecule of n atoms.
pub(crate) fn nothing(n: usize) -> Mask {
    vec![vec![false; 3 * n], vec![false; n], vec![false; n], vec![false; pair_count(n)]]
}

/// Gives the atoms with a flag: where they are, what they are, and the bonds between them.
pub(crate) fn give_atoms(mask: &mut Mask, given: &[bool]) {
    let n = given.len();
    for i in (0..n).filter(|&i| given[i]) {
        mask[POSITIONS][3 * i..3 * i + 3].fill(true);
        mask[ELEMENTS][i] = true;
        mask[CHARGES][i] = true;
        for j in (i + 1..n).filter(|&j| given[j]) {
            mask[BONDS][pair_index(n, i, j)] = true;
        }
    }
}

/// Gives all elements.
pub(crate) fn give_elements(mask: &mut Mask) {
    mask[ELEMENTS].fill(true);
}

/// Gives all pairs of an atom with others that `other` picks.
pub(crate) fn give_pairs(mask: &mut Mask, atom: usize, other: impl Fn(usize) -> bool) {
    let n = mask[ELEMENTS].len();
    for j in (0..n).filter(|&j| j != atom && other(j)) {
        mask[BONDS][pair_index(n, atom.min(j), atom.max(j))] = true;
    }
}

/// Moves a molecule so that the middle of its given atoms is the origin; one without any stays as it is.
pub(crate) fn centre_on_given(state: &mut State<f32>, mask: &Mask) {
    let flags = mask[POSITIONS].chunks_exact(3).map(|c| c[0]);
    let Value::Continuous(x) = &mut state[POSITIONS] else { return };
    let (mut sum, mut count) = ([0.0f64; 3], 0);
    for (point, _) in x.chunks_exact(3).zip(flags).filter(|(_, given)| *given) {
        sum.iter_mut().zip(point).for_each(|(s, p)| *s += f64::from(*p));
        count += 1;
    }
    if count > 0 {
        let middle = sum.map(|s| (s / f64::from(count)) as f32);
        x.chunks_exact_mut(3).for_each(|p| p.iter_mut().zip(middle).for_each(|(a, b)| *a -= b));
    }
}

/// What is given of the training molecule number `k`, if anything is. `hydrogen` is the class of hydrogen, if the
/// data has it.
pub(crate) fn draw_given(state: &State<f32>, hydrogen: Option<u8>, noise: Noise, k: u64) -> Option<Mask> {
    let n = state[ELEMENTS].classes().len();
    let u = noise.uniform_one(Stream::new(k, TASK, 0));
    let mut mask = nothing(n);
    if u < FORMULA {
        give_elements(&mut mask);
        return Some(mask);
    }
    if u >= FORMULA + FRAGMENT || n < 3 {
        return None;
    }
    let chance = |step: u32, p: f64| noise.uniform_one(Stream::new(k, TASK, step)) < p;
    let given = fragment(state, hydrogen, noise, k)?;
    give_atoms(&mut mask, &given);
    if chance(1, WITH_ELEMENTS) {
        give_elements(&mut mask);
    }
    if chance(2, 0.5) {
        // Atoms that bear no new one are known to be closed.
        for i in (0..n).filter(|&i| given[i]) {
            let open = (0..n).any(|j| j != i && !given[j] && bonded(state, i, j));
            if !open {
                give_pairs(&mut mask, i, |j| !given[j]);
            }
        }
    }
    Some(mask)
}

fn bonded(state: &State<f32>, i: usize, j: usize) -> bool {
    let n = state[ELEMENTS].classes().len();
    state[BONDS].classes()[pair_index(n, i.min(j), i.max(j))] > 0
}

/// A connected region, or all but such a region, with most of its hydrogens.
fn fragment(state: &State<f32>, hydrogen: Option<u8>, noise: Noise, k: u64) -> Option<Vec<bool>> {
    let elements = state[ELEMENTS].classes();
    let n = elements.len();
    let heavy: Vec<bool> = elements.iter().map(|e| Some(*e) != hydrogen).collect();
    let count = heavy.iter().filter(|h| **h).count();
    if count < 2 {
        return None;
    }
    let chance = |step: u32| noise.uniform_one(Stream::new(k, REGION, step));
    let size = 1 + (chance(0) * (count - 1) as f64) as usize;
    let region = grow_region(state, &heavy, size, noise, k);
    let outside = chance(1) < 0.5;
    let mut given: Vec<bool> = (0..n).map(|i| heavy[i] && region[i] != outside).collect();
    // Hydrogens of an atom are given all or none; of one molecule in six, none at all.
    let bare = chance(2) < 1.0 / 6.0;
    for i in (0..n).filter(|&i| heavy[i]) {
        let keep = given[i] && !bare && noise.uniform_one(Stream::new(k, HYDROGENS, i as u32)) < 0.8;
        for j in (0..n).filter(|&j| !heavy[j] && bonded(state, i, j)) {
            given[j] = keep;
        }
    }
    let some = given.iter().filter(|g| **g).count();
    (some > 0 && some < n).then_some(given)
}

/// `size` heavy atoms, each bonded to one before it where the molecule is connected.
fn grow_region(state: &State<f32>, heavy: &[bool], size: usize, noise: Noise, k: u64) -> Vec<bool> {
    let n = heavy.len();
    let mut region = vec![false; n];
    for step in 0..size {
        let frontier: Vec<usize> = (0..n)
            .filter(|&i| heavy[i] && !region[i])
            .filter(|&i| step == 0 || (0..n).any(|j| region[j] && bonded(state, i, j)))
            .collect();
        if frontier.is_empty() {
            break;
        }
        let u = noise.uniform_one(Stream::new(k, REGION, 10 + step as u32));
        region[frontier[(u * frontier.len() as f64) as usize % frontier.len()]] = true;
    }
    region
}

/// Which of a molecule's properties the network is told: none in four of ten cases, one in four of ten, each with even
/// chances in the rest.
pub(crate) fn draw_properties(known: &[Option<f32>], noise: Noise, k: u64) -> Vec<Option<f32>> {
    let u = |step: u32| noise.uniform_one(Stream::new(k, PROPERTIES, step));
    let kind = u(0);
    let one = (u(1) * known.len() as f64) as usize;
    let keep = |index: usize| match kind {
        x if x < NO_PROPERTY => false,
        x if x < NO_PROPERTY + ONE_PROPERTY => index == one,
        _ => u(2 + index as u32) < 0.5,
    };
    known.iter().enumerate().map(|(index, value)| value.filter(|_| keep(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Propane without coordinates: C0-C1-C2 and eight hydrogens, class 0.
    fn propane() -> State<f32> {
        let n = 11;
        let mut elements = vec![0u8; n];
        elements[..3].fill(1);
        let mut bonds = vec![0u8; n * (n - 1) / 2];
        let owners = [0, 0, 0, 1, 1, 2, 2, 2];
        let pairs = owners.iter().enumerate().map(|(h, &c)| (c, 3 + h)).chain([(0, 1), (1, 2)]);
        pairs.for_each(|(i, j)| bonds[pair_index(n, i, j)] = 1);
        let positions = (0..3 * n).map(|k| k as f32).collect();
        vec![
            Value::Continuous(positions),
            Value::Classes(elements),
            Value::Classes(vec![0; n]),
            Value::Classes(bonds),
        ]
    }

    #[test]
    fn tasks_come_in_their_shares_and_leave_something_to_do() {
        let state = propane();
        let (mut formulas, mut fragments) = (0, 0);
        for k in 0..2000 {
            let Some(mask) = draw_given(&state, Some(0), Noise::new(1), k) else { continue };
            if mask[POSITIONS].contains(&true) {
                fragments += 1;
                assert!(mask[POSITIONS].contains(&false));
                for (flags, element) in mask[POSITIONS].chunks_exact(3).zip(&mask[ELEMENTS]) {
                    assert!(!flags[0] || *element);
                }
            } else {
                formulas += 1;
                assert!(!mask[BONDS].contains(&true) && !mask[ELEMENTS].contains(&false));
            }
        }
        assert!((150..250).contains(&formulas) && (350..450).contains(&fragments), "{formulas} {fragments}");
    }

    #[test]
    fn properties_are_told_in_their_share() {
        let known = vec![Some(1.0); 4];
        let told = |k: u64| draw_properties(&known, Noise::new(3), k).iter().flatten().count();
        let count: usize = (0..4000).map(told).sum();
        let expected = 4.0 * 4000.0 * share_with_property(4);
        assert!((count as f64 - expected).abs() < 0.05 * expected, "{count} of {expected}");
    }

    #[test]
    fn regions_are_connected() {
        let (state, heavy) = (propane(), (0..11).map(|i| i < 3).collect::<Vec<_>>());
        for k in 0..50 {
            let region = grow_region(&state, &heavy, 2, Noise::new(2), k);
            assert!(region[1] && (region[0] != region[2]), "{region:?}");
        }
    }

    #[test]
    fn the_middle_of_what_is_given_is_the_origin() {
        let mut state = propane();
        let mut mask = nothing(11);
        give_atoms(&mut mask, &(0..11).map(|i| i == 2 || i == 4).collect::<Vec<_>>());
        centre_on_given(&mut state, &mask);
        let x = state[0].continuous();
        assert_eq!((x[6] + x[12], x[7] + x[13]), (0.0, 0.0));
        assert!(mask[BONDS][pair_index(11, 2, 4)] && !mask[BONDS][pair_index(11, 2, 3)]);
    }
}
