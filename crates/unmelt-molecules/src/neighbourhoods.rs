//! Which atoms lie near which, in time that grows with their number, and molecules across the borders of a periodic cell.

use std::collections::{HashMap, VecDeque};

use nalgebra::{Matrix3, Point3, Vector3};

use crate::Atom;
use crate::bond_lengths::bond_order;

/// Boxes are at least so wide, in Å: no bond reaches further.
const WIDTH: f64 = 2.8;

/// A box with more atoms holds no molecule: matter has some four atoms in it. Its atoms are near nothing, so that atoms on one
/// place cost no time.
const MOST: usize = 128;

/// Atoms closer than this, in Å, lie on one place.
const SAME_PLACE: f64 = 0.3;

/// A periodic cell: its vectors, and along which it repeats.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    vectors: Matrix3<f64>,
    inverse: Matrix3<f64>,
    /// Boxes along each vector that repeats.
    boxes: [Option<i64>; 3],
    /// Distance of the faces across each vector, in Å.
    heights: [f64; 3],
}

impl Cell {
    /// None for a cell without volume, or too small for a bond to lie across its border but once.
    fn new(vectors: &Matrix3<f64>, periodic: [bool; 3]) -> Option<Self> {
        let inverse = vectors.try_inverse().filter(|m| m.iter().all(|x| x.is_finite()))?;
        let heights = [0, 1, 2].map(|k| 1.0 / inverse.row(k).norm());
        let boxes =
            [0, 1, 2].map(|k| periodic[k].then(|| (heights[k] / WIDTH).floor().clamp(1.0, 1e6) as i64));
        let sensible = (0..3).all(|k| !periodic[k] || (2.0..1e9).contains(&heights[k]));
        (sensible && periodic.contains(&true)).then_some(Self { vectors: *vectors, inverse, boxes, heights })
    }

    /// The shift by whole vectors that brings a difference nearest to zero.
    fn nearest(&self, difference: &Vector3<f64>) -> Vector3<f64> {
        let fraction = self.inverse * difference;
        let whole = Vector3::from_fn(|k, _| if self.boxes[k].is_some() { -fraction[k].round() } else { 0.0 });
        // In a skewed cell the nearest may be one further.
        let steps = |k: usize| if self.boxes[k].is_some() { -1..=1 } else { 0..=0 };
        let mut best = (f64::INFINITY, whole);
        for x in steps(0) {
            for y in steps(1) {
                for z in steps(2) {
                    let shift = whole + Vector3::new(f64::from(x), f64::from(y), f64::from(z));
                    let distance = (difference + self.vectors * shift).norm();
                    if distance < best.0 - 1e-9 {
                        best = (distance, shift);
                    }
                }
            }
        }
        best.1
    }
}

/// The boxes that atoms lie in.
pub(crate) struct Neighbourhoods {
    place: Vec<[i64; 3]>,
    boxes: HashMap<[i64; 3], Vec<usize>>,
    cell: Option<Cell>,
}

impl Neighbourhoods {
    /// Sorts atoms into boxes, those of a periodic cell where there is one.
    pub fn new(atoms: &[Atom], cell: Option<Cell>) -> Self {
        let at = |atom: &Atom| match &cell {
            None => [0, 1, 2].map(|k| (atom.position[k] / WIDTH).floor() as i64),
            Some(cell) => {
                let fraction = cell.inverse * atom.position.coords;
                [0, 1, 2].map(|k| match cell.boxes[k] {
                    Some(n) => (((fraction[k] - fraction[k].floor()) * n as f64) as i64).clamp(0, n - 1),
                    None => (fraction[k] * cell.heights[k] / WIDTH).floor() as i64,
                })
            }
        };
        let place: Vec<[i64; 3]> = atoms.iter().map(at).collect();
        let mut boxes: HashMap<[i64; 3], Vec<usize>> = HashMap::new();
        place.iter().enumerate().for_each(|(k, place)| boxes.entry(*place).or_default().push(k));
        Self { place, boxes, cell }
    }

    /// Whether a box holds more atoms than matter has.
    pub fn is_crowded(&self) -> bool {
        self.boxes.values().any(|list| list.len() > MOST)
    }

    /// The atoms in the boxes around an atom, itself included.
    pub fn near(&self, atom: usize) -> impl Iterator<Item = usize> + '_ {
        let axis = move |k: usize| {
            let own = self.place[atom][k];
            let mut list = [own.saturating_sub(1), own, own.saturating_add(1)].to_vec();
            if let Some(n) = self.cell.as_ref().and_then(|c| c.boxes[k]) {
                list.iter_mut().for_each(|b| *b = b.rem_euclid(n));
            }
            list.sort_unstable();
            list.dedup();
            list
        };
        let [xs, ys, zs] = [0, 1, 2].map(axis);
        let all = xs.into_iter().flat_map(move |x| {
            let zs = zs.clone();
            ys.clone().into_iter().flat_map(move |y| zs.clone().into_iter().map(move |z| [x, y, z]))
        });
        all.filter_map(|place| self.boxes.get(&place))
            .filter(|list| list.len() <= MOST)
            .flat_map(|list| list.iter().copied())
    }
}

/// The positions of atoms with molecules put together that lie across the borders of a periodic cell: each atom is moved by
/// whole vectors of the cell to those that it is bonded to. A cell without volume changes nothing.
pub(crate) fn unwrapped(atoms: &[Atom], vectors: &Matrix3<f64>, periodic: [bool; 3]) -> Vec<Point3<f64>> {
    let Some(cell) = Cell::new(vectors, periodic) else {
        return atoms.iter().map(|a| a.position).collect();
    };
    let neighbours = Neighbourhoods::new(atoms, Some(cell));
    let mut shifts: Vec<Option<Vector3<f64>>> = vec![None; atoms.len()];
    for start in 0..atoms.len() {
        if shifts[start].is_some() {
            continue;
        }
        shifts[start] = Some(Vector3::zeros());
        let mut queue = VecDeque::from([start]);
        while let Some(i) = queue.pop_front() {
            let own = shifts[i].unwrap_or_default();
            let here = atoms[i].position + cell.vectors * own;
            for j in neighbours.near(i) {
                if shifts[j].is_some() {
                    continue;
                }
                let difference = atoms[j].position - here;
                let shift = cell.nearest(&difference);
                let distance = (difference + cell.vectors * shift).norm();
                if distance > SAME_PLACE && is_bonded(&atoms[i], &atoms[j], distance) {
                    shifts[j] = Some(shift);
                    queue.push_back(j);
                }
            }
        }
    }
    let moved = |(atom, shift): (&Atom, &Option<Vector3<f64>>)| match shift {
        Some(shift) if *shift != Vector3::zeros() => atom.position + cell.vectors * shift,
        _ => atom.position,
    };
    atoms.iter().zip(&shifts).map(moved).collect()
}

/// Whether two atoms at a distance in Å may be bonded: by the tables, or by their radii with a third beyond.
pub(crate) fn is_bonded(a: &Atom, b: &Atom, distance: f64) -> bool {
    let by_radii = a.element.radius().zip(b.element.radius()).map(|(r, s)| 1.3 * (r + s));
    distance < WIDTH
        && (bond_order(a.element, b.element, distance).is_some()
            || by_radii.is_some_and(|reach| distance < reach))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Element;

    fn water(at: [f64; 3]) -> Vec<Atom> {
        let place = |x: [f64; 3]| Point3::new(at[0] + x[0], at[1] + x[1], at[2] + x[2]);
        vec![
            Atom::new(Element::O, 0, place([0.0, 0.0, 0.0])),
            Atom::new(Element::H, 0, place([0.0, 0.755, 0.589])),
            Atom::new(Element::H, 0, place([0.0, -0.755, 0.589])),
        ]
    }

    #[test]
    fn molecules_across_borders_are_put_together() {
        for skew in [0.0, 3.0, -7.0] {
            let cell = Matrix3::from_columns(&[
                Vector3::new(8.0, 0.0, 0.0),
                Vector3::new(skew, 9.0, 0.0),
                Vector3::new(0.5 * skew, 1.0, 7.0),
            ]);
            let inverse = cell.try_inverse().expect("a cell");
            let whole = water([0.1, 0.2, 6.8]);
            let folded: Vec<Atom> = whole
                .iter()
                .map(|a| {
                    let f = (inverse * a.position.coords).map(|x| x - x.floor());
                    Atom { position: Point3::from(cell * f), ..*a }
                })
                .collect();
            let apart =
                |p: &[Point3<f64>]| [(p[1] - p[0]).norm(), (p[2] - p[0]).norm(), (p[1] - p[2]).norm()];
            let places = |atoms: &[Atom]| atoms.iter().map(|a| a.position).collect::<Vec<_>>();
            let wanted = apart(&places(&whole));
            assert!(apart(&places(&folded))[0] > 2.0);
            let found = apart(&unwrapped(&folded, &cell, [true; 3]));
            assert!(wanted.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
            // Where it does not repeat, nothing is moved.
            assert_eq!(unwrapped(&folded, &cell, [false; 3]), places(&folded));
        }
    }

    #[test]
    fn many_atoms_on_one_place_take_no_time() {
        let atoms = vec![Atom::new(Element::C, 0, Point3::new(1.0, 1.0, 1.0)); 100_000];
        let cell = Matrix3::identity() * 10.0;
        assert_eq!(unwrapped(&atoms, &cell, [true; 3]).len(), 100_000);
        let far = [atoms[0], Atom { position: Point3::new(1e300, -1e300, 0.0), ..atoms[0] }];
        assert_eq!(unwrapped(&far, &cell, [true; 3]).len(), 2);
    }
}
