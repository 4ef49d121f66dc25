//! Bond lengths, angles and torsions of a set of molecules, and how far they lie from those of another.

use std::collections::BTreeMap;

use nalgebra::Vector3;
use serde::Serialize;

use crate::{Element, Molecule};

/// Types that a distance is the mean over, the commonest of the reference.
const TYPES: usize = 8;

/// Kinds of bonds, angles and torsions: the elements along them, and the orders of the bonds between these.
type Kind = (Vec<Element>, Vec<u8>);

/// Lengths in Å, angles and torsions in degrees (torsions without their sign), by type, sorted.
#[derive(Clone, Debug, Default)]
pub struct Geometry {
    lengths: BTreeMap<Kind, Vec<f64>>,
    angles: BTreeMap<Kind, Vec<f64>>,
    torsions: BTreeMap<Kind, Vec<f64>>,
}

/// Wasserstein-1 distances, each the mean over the eight commonest types of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GeometryDistance {
    /// Of bond lengths, in pm.
    pub bond_lengths_pm: f64,
    /// Of angles, in degrees.
    pub angles_degrees: f64,
    /// Of torsions, in degrees.
    pub torsions_degrees: f64,
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
        for bond in m.bonds() {
            let (i, j, order) = (bond.begin, bond.end, bond.order.code());
            let kind = kind(vec![element(i), element(j)], vec![order]);
            self.lengths.entry(kind).or_default().push((at(i) - at(j)).norm());
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
        for k in 0..m.len() {
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

    /// Distances from a reference; none where there is too little to compare.
    pub fn distance(&self, reference: &Self) -> Option<GeometryDistance> {
        Some(GeometryDistance {
            bond_lengths_pm: 100.0 * mean_distance(&self.lengths, &reference.lengths)?,
            angles_degrees: mean_distance(&self.angles, &reference.angles)?,
            torsions_degrees: mean_distance(&self.torsions, &reference.torsions).unwrap_or(f64::NAN),
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

fn mean_distance(own: &BTreeMap<Kind, Vec<f64>>, reference: &BTreeMap<Kind, Vec<f64>>) -> Option<f64> {
    let mut kinds: Vec<_> = reference.iter().collect();
    kinds.sort_by_key(|(_, values)| std::cmp::Reverse(values.len()));
    let distances: Vec<f64> = kinds
        .into_iter()
        .take(TYPES)
        .filter_map(|(kind, values)| Some(wasserstein(own.get(kind)?, values)))
        .collect();
    (!distances.is_empty()).then(|| distances.iter().sum::<f64>() / distances.len() as f64)
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
