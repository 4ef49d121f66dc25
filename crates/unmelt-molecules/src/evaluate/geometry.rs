//! Bond lengths, angles and torsions of a set of molecules, and how far they lie from those of another.
//!
//! A type that the reference has and the set lacks is no reward: it counts as if all its bonds had no length, and all its angles or
//! torsions were 0° or 180°, whichever is farther.

use std::collections::BTreeMap;

use nalgebra::Vector3;
use serde::Serialize;

use crate::{Element, Molecule};

/// Types that a distance is the mean over, the commonest of the reference.
const TYPES: usize = 8;

/// Atoms with more neighbours than this are in no angle or torsion that is measured: nothing real has them.
const MOST_NEIGHBOURS: usize = 24;

/// Kinds of bonds, angles and torsions: the elements along them, and the orders of the bonds between these.
type Kind = (Vec<Element>, Vec<u8>);

/// Values by type, sorted.
type Values = BTreeMap<Kind, Vec<f64>>;

/// Lengths in Å, angles and torsions in degrees (torsions without their sign), by type, sorted.
#[derive(Clone, Debug, Default)]
pub struct Geometry {
    lengths: Values,
    angles: Values,
    torsions: Values,
}

/// Wasserstein-1 distances, each the mean over the eight commonest types of the reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GeometryDistance {
    /// Of bond lengths, in pm.
    pub bond_lengths_pm: f64,
    /// Of angles, in degrees; NaN where the reference has none.
    pub angles_degrees: f64,
    /// Of torsions, in degrees; NaN where the reference has none.
    pub torsions_degrees: f64,
    /// Types of bonds, angles and torsions among these that the set lacks, as "C=N" or "C-C-O"; each counts as far as can be.
    pub missing: Vec<String>,
}

impl Geometry {
    /// Measures molecules by the bonds of the file.
    pub fn of<'a>(molecules: impl IntoIterator<Item = &'a Molecule>) -> Self {
        let mut all = Self::default();
        molecules.into_iter().for_each(|m| all.add(m));
        for values in [&mut all.lengths, &mut all.angles, &mut all.torsions] {
            values.values_mut().for_each(|v| v.sort_by(f64::total_cmp));
        }
        all
    }

    fn add(&mut self, m: &Molecule) {
        let at = |k: usize| m.atom(k).position;
        let element = |k: usize| m.atom(k).element;
        let is_crowded: Vec<bool> =
            (0..m.len()).map(|k| m.neighbours(k).nth(MOST_NEIGHBOURS).is_some()).collect();
        for bond in m.bonds() {
            let (i, j, order) = (bond.begin, bond.end, bond.order.code());
            let kind = kind(vec![element(i), element(j)], vec![order]);
            self.lengths.entry(kind).or_default().push((at(i) - at(j)).norm());
            if is_crowded[i] || is_crowded[j] {
                continue;
            }
            for (k, before) in m.neighbours(i).filter(|(k, _)| *k != j) {
                for (l, after) in m.neighbours(j).filter(|(l, _)| *l != i && *l != k) {
                    // Torsions of hydrogens follow from those of what they sit on.
                    if [k, l].iter().any(|&x| element(x) == Element::H) {
                        continue;
                    }
                    let torsion = torsion([at(k) - at(i), at(j) - at(i), at(l) - at(j)]);
                    let kind = self::kind(
                        vec![element(k), element(i), element(j), element(l)],
                        vec![before.code(), order, after.code()],
                    );
                    self.torsions.entry(kind).or_default().extend(torsion);
                }
            }
        }
        for k in (0..m.len()).filter(|k| !is_crowded[*k]) {
            let around: Vec<_> = m.neighbours(k).collect();
            for (n, &(i, before)) in around.iter().enumerate() {
                for &(j, after) in &around[n + 1..] {
                    let angle = degrees_between(at(i) - at(k), at(j) - at(k));
                    let kind =
                        kind(vec![element(i), element(k), element(j)], vec![before.code(), after.code()]);
                    self.angles.entry(kind).or_default().extend(angle);
                }
            }
        }
    }

    /// Distances from a reference; none where the reference has no bonds.
    pub fn distance(&self, reference: &Self) -> Option<GeometryDistance> {
        if reference.lengths.is_empty() {
            return None;
        }
        let mut missing = Vec::new();
        let mut mean = |own: &Values, reference: &Values, last: Option<f64>| {
            mean_distance(own, reference, last, &mut missing)
        };
        Some(GeometryDistance {
            bond_lengths_pm: 100.0 * mean(&self.lengths, &reference.lengths, None),
            angles_degrees: mean(&self.angles, &reference.angles, Some(180.0)),
            torsions_degrees: mean(&self.torsions, &reference.torsions, Some(180.0)),
            missing,
        })
    }
}

/// A kind, the same from both ends.
fn kind(elements: Vec<Element>, orders: Vec<u8>) -> Kind {
    let back = (elements.iter().rev().copied().collect::<Vec<_>>(), orders.iter().rev().copied().collect());
    back.min((elements, orders))
}

fn degrees_between(a: Vector3<f64>, b: Vector3<f64>) -> Option<f64> {
    let (a, b) = (a.try_normalize(1e-9)?, b.try_normalize(1e-9)?);
    Some(a.dot(&b).clamp(-1.0, 1.0).acos().to_degrees())
}

/// The torsion around the middle one of three vectors, 0 to 180 degrees; none where the atoms lie on a line.
fn torsion([before, axis, after]: [Vector3<f64>; 3]) -> Option<f64> {
    degrees_between(before.cross(&axis), after.cross(&axis))
}

/// The mean distance over the commonest types of the reference; NaN where it has none. Types that are missing count as if all
/// values were 0, or the last value that there is, if that is farther.
fn mean_distance(own: &Values, reference: &Values, last: Option<f64>, missing: &mut Vec<String>) -> f64 {
    let mut kinds: Vec<_> = reference.iter().filter(|(_, values)| !values.is_empty()).collect();
    kinds.sort_by_key(|(_, values)| std::cmp::Reverse(values.len()));
    kinds.truncate(TYPES);
    let distances: Vec<f64> = kinds
        .into_iter()
        .map(|(kind, values)| match own.get(kind).filter(|v| !v.is_empty()) {
            Some(own) => wasserstein(own, values),
            None => {
                missing.push(name(kind));
                wasserstein(&[0.0], values).max(last.map_or(0.0, |last| wasserstein(&[last], values)))
            }
        })
        .collect();
    distances.iter().sum::<f64>() / distances.len() as f64
}

/// A type as "C=N" or "C-C-O".
fn name((elements, orders): &Kind) -> String {
    let symbol = |order: Option<&u8>| match order {
        None => "",
        Some(1) => "-",
        Some(2) => "=",
        Some(3) => "#",
        Some(4) => ":",
        Some(_) => "~",
    };
    let with_bond = |(k, element): (usize, &Element)| format!("{element}{}", symbol(orders.get(k)));
    elements.iter().enumerate().map(with_bond).collect()
}

/// The Wasserstein-1 distance of two sorted samples: the area between their cumulative distributions.
pub fn wasserstein(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    let mut at = match (a.first(), b.first()) {
        (Some(x), Some(y)) => x.min(*y),
        _ => return f64::NAN,
    };
    while i < a.len() || j < b.len() {
        let next = match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) => x.min(*y),
            (Some(x), None) | (None, Some(x)) => *x,
            (None, None) => break,
        };
        let gap = (i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs();
        area += gap * (next - at);
        at = next;
        while a.get(i) == Some(&at) {
            i += 1;
        }
        while b.get(j) == Some(&at) {
            j += 1;
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasserstein_agrees_with_scipy() {
        // scipy.stats.wasserstein_distance([0, 1, 3], [5, 6, 8]) = 5; of [3.4, 3.9, 7.5, 7.8] and [4.5, 1.4] 2.7.
        assert!((wasserstein(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]) - 5.0).abs() < 1e-12);
        assert!((wasserstein(&[3.4, 3.9, 7.5, 7.8], &[1.4, 4.5]) - 2.7).abs() < 1e-12);
        assert_eq!(wasserstein(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert!(wasserstein(&[], &[1.0]).is_nan());
    }

    /// A chain of atoms, 1.5 Å apart, at right angles.
    fn chain(symbols: &str) -> Molecule {
        let atoms = symbols.split(' ').enumerate().map(|(k, s)| {
            let place = nalgebra::Point3::new(1.5 * k.div_ceil(2) as f64, 1.5 * (k / 2) as f64, 0.0);
            crate::Atom::new(Element::from_symbol(s).expect("known"), 0, place)
        });
        let n = symbols.split(' ').count();
        let bonds = (1..n).map(|k| crate::Bond { begin: k - 1, end: k, order: crate::BondOrder::Single });
        Molecule::new(atoms.collect::<Vec<_>>(), bonds).expect("valid")
    }

    #[test]
    fn types_that_are_missing_count() {
        let reference = Geometry::of(&[chain("C C C O")]);
        let own = Geometry::of(&[chain("C C C")]).distance(&reference).expect("bonds");
        // Of two types of bonds one agrees, and one is 1.5 Å away.
        assert!((own.bond_lengths_pm - 75.0).abs() < 1e-9);
        assert!((own.angles_degrees - 45.0).abs() < 1e-9);
        assert!((own.torsions_degrees - 180.0).abs() < 1e-9);
        assert_eq!(own.missing, ["C-O", "C-C-O", "C-C-C-O"]);
        let same = reference.distance(&reference).expect("bonds");
        assert_eq!((same.bond_lengths_pm, same.angles_degrees, same.torsions_degrees), (0.0, 0.0, 0.0));
        assert!(same.missing.is_empty());
        let none = Geometry::of(&[chain("C")]).distance(&reference).expect("bonds");
        assert!((none.bond_lengths_pm - 150.0).abs() < 1e-9);
        assert!(reference.distance(&Geometry::default()).is_none());
    }

    #[test]
    fn crowds_are_left_out() {
        let n = 400;
        let atoms = (0..n).map(|_| crate::Atom::new(Element::C, 0, nalgebra::Point3::origin()));
        let pairs = (0..n).flat_map(|j| (0..j).map(move |i| (i, j)));
        let bonds = pairs.map(|(begin, end)| crate::Bond { begin, end, order: crate::BondOrder::Triple });
        let crowd = Molecule::new(atoms, bonds.collect::<Vec<_>>()).expect("valid");
        let geometry = Geometry::of(&[crowd]);
        assert!(geometry.angles.is_empty() && geometry.torsions.is_empty());
        assert_eq!(geometry.lengths.len(), 1);
    }

    #[test]
    fn torsions_are_measured_around_the_middle() {
        let (x, y, z) = (Vector3::x(), Vector3::y(), Vector3::z());
        let close = |a: Option<f64>, b: f64| assert!((a.expect("an angle") - b).abs() < 1e-9);
        close(torsion([y, x, z]), 90.0);
        close(torsion([y, x, y]), 0.0);
        close(torsion([y, x, -y]), 180.0);
        assert!(torsion([x, x, y]).is_none());
    }
}
