//! Which valences an element can have, by its electrons, after RDKit's tables (release 2026.9, BSD licence).
//!
//! An ion has the valences of the neutral element with as many electrons: N⁺ those of carbon, O⁻ those of fluorine.
//! Negative phosphorus, sulfur, arsenic and selenium keep those of their own element where the ion would be a halogen.
//! Transition metals, lanthanoids and actinoids have no rule: any valence is allowed.

use crate::Element;

/// What is to be said of the bonds of an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bonds and unpaired electrons are a valence of the element and charge.
    Fits,
    /// So many bonds are missing to the next valence: hydrogens that are not there, or unpaired electrons that are not named.
    Open(u32),
    /// There are more bonds than any valence of the element and charge.
    Exceeds,
}

/// Ends a list of valences: any larger one is allowed as well.
const ANY: i32 = -1;

/// Valences of a neutral element, ascending; by atomic number.
pub(crate) fn listed(number: i32) -> &'static [i32] {
    match number {
        2 | 10 | 18 | 36 | 86 => &[0],
        1 | 9 | 17 | 35 | 55 | 87 => &[1],
        3 | 11 | 19 | 37 => &[1, ANY],
        4 | 8 => &[2],
        12 | 20 | 38 | 56 | 88 => &[2, ANY],
        5 | 7 | 13 | 31 | 49 => &[3],
        6 | 14 | 32 => &[4],
        15 | 33 | 51 | 83 => &[3, 5],
        16 | 34 | 52 | 84 => &[2, 4, 6],
        50 | 82 => &[2, 4],
        53 | 85 => &[1, 3, 5],
        54 => &[0, 2, 4, 6],
        _ => &[ANY],
    }
}

/// The valences of an element with a charge, and what is added to its bonds before they are compared with them.
pub(crate) struct Allowed {
    /// Ascending; the last may be −1 for "any more".
    pub list: &'static [i32],
    /// What is added to the bonds.
    pub shift: i32,
    own: &'static [i32],
    electrons: i32,
}

impl Allowed {
    /// Those of an element with a charge.
    pub fn of(element: Element, charge: i8) -> Self {
        let (number, charge) = (i32::from(element.number()), i32::from(charge));
        let own = listed(number);
        let electrons = if own == [ANY] { number } else { (number - charge).clamp(0, 118) };
        let heavier =
            matches!(number, 15 | 16) && electrons > 16 || matches!(number, 33 | 34) && electrons > 34;
        if heavier {
            return Self { list: own, shift: -charge, own, electrons };
        }
        Self { list: listed(electrons), shift: 0, own, electrons }
    }

    /// Those of the neutral element with as many electrons.
    pub fn list_of_electrons(&self) -> &'static [i32] {
        listed(self.electrons)
    }

    /// The largest of these; −1 where any is allowed.
    pub fn most_of_electrons(&self) -> i32 {
        self.list_of_electrons().last().copied().unwrap_or(ANY)
    }

    /// The least of these; none where any is allowed.
    pub fn least(&self) -> Option<i32> {
        self.list_of_electrons().first().copied().filter(|v| *v != ANY)
    }
}

/// Judges an atom by the sum of its bond orders and its unpaired electrons.
pub fn verdict(element: Element, charge: i8, bonds: u32, radicals: u8) -> Verdict {
    let bonds = i32::try_from(bonds).unwrap_or(i32::MAX / 2);
    let allowed = Allowed::of(element, charge);
    let last = |list: &[i32]| list.last().copied().unwrap_or(ANY);
    let is_hydride = element == Element::H && charge == -1;
    let most = if is_hydride { 2 } else { last(allowed.list) };
    if most >= 0 && last(allowed.own) >= 0 && bonds + allowed.shift > most {
        return Verdict::Exceeds;
    }
    if element == Element::H && bonds == 0 && radicals == 0 {
        return match charge {
            0 => Verdict::Open(1),
            1 | -1 => Verdict::Fits,
            _ => Verdict::Exceeds,
        };
    }
    if allowed.least().is_none() {
        return Verdict::Fits;
    }
    let sum = bonds + i32::from(radicals) + allowed.shift;
    match allowed.list.iter().take_while(|v| **v != ANY).find(|v| **v >= sum) {
        Some(v) if *v == sum => Verdict::Fits,
        Some(v) => Verdict::Open((v - sum) as u32),
        None if last(allowed.list) != ANY && last(allowed.own) > 0 => Verdict::Exceeds,
        None => Verdict::Fits,
    }
}

/// Whether an element is a metal, to which other atoms may give both electrons of a bond.
pub(crate) fn is_metal(element: Element) -> bool {
    !matches!(element.number(), 1 | 2 | 5..=10 | 14..=18 | 33..=36 | 52..=54 | 85 | 86)
}

/// Whether an element stands to the left of carbon's column, so that a positive charge takes a bond away.
pub(crate) fn is_early(element: Element) -> bool {
    matches!(element.number(),
        3..=5 | 11..=13 | 19..=22 | 30..=32 | 37..=41 | 48..=51 | 55..=61 | 72 | 73 | 80..=83 | 87..=93 | 104..=118)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RDKit's `SanitizeMol` and `GetNumImplicitHs` for every element that has rules, charges −4 to 7, sums of bond orders
    /// 0 to 8 and 0, 1 or 2 unpaired electrons: missing bonds, `x` where there are too many.
    const RDKIT: &str = include_str!("../tests/data/valences.txt");

    #[test]
    fn verdicts_are_those_of_rdkit() {
        let mut count = 0;
        for line in RDKIT.lines().filter(|l| !l.starts_with('#')) {
            let mut words = line.split(' ');
            let mut next = || words.next().expect("a word");
            let element = Element::from_symbol(next()).expect("an element");
            let charge: i8 = next().parse().expect("a charge");
            for radicals in 0..3 {
                for (bonds, wanted) in next().chars().enumerate() {
                    let found = match verdict(element, charge, bonds as u32, radicals) {
                        Verdict::Fits => '0',
                        Verdict::Open(n) => char::from_digit(n, 10).expect("a digit"),
                        Verdict::Exceeds => 'x',
                    };
                    assert_eq!(
                        found, wanted,
                        "{element}{charge:+} with {bonds} bonds and {radicals} electrons"
                    );
                    count += 1;
                }
            }
        }
        assert_eq!(count, 43 * 12 * 27);
        let iron = Element::from_symbol("Fe").expect("iron");
        assert!((0..9).all(|bonds| verdict(iron, 2, bonds, 0) == Verdict::Fits));
    }
}
