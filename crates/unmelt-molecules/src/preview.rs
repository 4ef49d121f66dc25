//! A picture of molecules: balls and sticks in a grid, each seen along its shortest axis, its formula beneath.

use nalgebra::{Matrix3, Vector3};
use unmelt_pictures::{Canvas, Colour};

use crate::evaluate::Assessment;
use crate::{Atom, BondOrder, Element, Error, Molecule, Result};

/// Pixels of a cell of the grid, and of the line of text beneath.
const CELL: u32 = 240;
const TEXT: u32 = 28;

/// Pixels of an Å at most, so that small molecules are not blown up.
const MOST_PIXELS: f64 = 34.0;

/// Pixels that stay free at the borders of a cell.
const MARGIN: f64 = 26.0;

/// Most molecules of a picture.
const MOST_MOLECULES: usize = 400;

/// Radius of a hydrogen and of another atom, width of a bond, and distance of the lines of a double bond, in Å.
const HYDROGEN: f64 = 0.24;
const HEAVY: f64 = 0.36;
const BOND: f64 = 0.13;
const APART: f64 = 0.17;

/// How much of the colour of the farthest atom is white.
const FOG: f64 = 0.35;

/// Draws molecules as a PNG, so many a row.
///
/// ```
/// use unmelt_molecules::format::read_xyz;
/// use unmelt_molecules::preview;
///
/// let water = read_xyz("3\n\nO 0 0 0.117\nH 0 0.757 -0.471\nH 0 -0.757 -0.471\n").molecules;
/// let png = preview(&water, 4)?;
/// assert_eq!(&png[1..4], b"PNG");
/// # Ok::<(), unmelt_molecules::Error>(())
/// ```
///
/// # Errors
/// There is no molecule, or there are more than 400.
pub fn preview(molecules: &[Molecule], columns: usize) -> Result<Vec<u8>> {
    let columns = columns.clamp(1, molecules.len().max(1));
    let rows = molecules.len().div_ceil(columns);
    if molecules.is_empty() || molecules.len() > MOST_MOLECULES {
        return Err(Error::Request(format!(
            "a picture is of 1 to {MOST_MOLECULES} molecules, but there are {}",
            molecules.len()
        )));
    }
    let canvas = Canvas::new(columns as u32 * CELL, rows as u32 * (CELL + TEXT), Colour::WHITE);
    let mut canvas = canvas.ok_or_else(|| Error::Request("the picture would be too large".into()))?;
    for (k, molecule) in molecules.iter().enumerate() {
        let place = [(k % columns) as u32 * CELL, (k / columns) as u32 * (CELL + TEXT)];
        let view = View::of(molecule, place);
        view.draw(&mut canvas, molecule);
        let middle = [(place[0] + CELL / 2) as f32, (place[1] + CELL) as f32];
        canvas.text(middle, &Assessment::of(molecule).formula, Colour::BLACK);
    }
    Ok(canvas.png())
}

/// A molecule as it is seen.
struct View {
    /// Each atom: x and y in pixels, and how near it is, in Å.
    places: Vec<[f64; 3]>,
    /// Pixels of an Å.
    scale: f64,
    /// The nearest and the farthest atom.
    depths: [f64; 2],
}

/// A part of a picture; what is farther is drawn first.
enum Part {
    Atom(usize),
    /// From the middle of a bond to one of its atoms.
    HalfBond {
        of: usize,
        other: usize,
        order: BondOrder,
    },
}

impl View {
    /// A molecule seen along the axis in which it is shortest, in the cell whose corner is at `corner`.
    fn of(molecule: &Molecule, corner: [u32; 2]) -> Self {
        let count = molecule.len().max(1) as f64;
        let middle: Vector3<f64> = molecule.atoms().map(|a| a.position.coords).sum::<Vector3<f64>>() / count;
        let offsets: Vec<Vector3<f64>> = molecule.atoms().map(|a| a.position.coords - middle).collect();
        let moments: Matrix3<f64> = offsets.iter().map(|x| x * x.transpose()).sum();
        let eigen = moments.symmetric_eigen();
        let mut order = [0, 1, 2];
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let mut axes = order.map(|k| eigen.eigenvectors.column(k).into_owned());
        // Pictures go down, so this is the third axis that no mirror image is seen along.
        axes[2] = -axes[0].cross(&axes[1]);
        let seen: Vec<[f64; 3]> = offsets.iter().map(|x| [0, 1, 2].map(|k| axes[k].dot(x))).collect();
        let reach = |k: usize| seen.iter().map(|p| p[k].abs()).fold(0.0, f64::max);
        let half = 0.5 * f64::from(CELL) - MARGIN;
        let scale = MOST_PIXELS.min(half / reach(0).max(reach(1)).max(1e-3));
        let at = |k: usize, p: &[f64; 3]| f64::from(corner[k]) + 0.5 * f64::from(CELL) + scale * p[k];
        let places: Vec<[f64; 3]> = seen.iter().map(|p| [at(0, p), at(1, p), p[2]]).collect();
        let depth = |f: fn(f64, f64) -> f64, from: f64| places.iter().map(|p| p[2]).fold(from, f);
        let depths = [depth(f64::max, f64::NEG_INFINITY), depth(f64::min, f64::INFINITY)];
        Self { places, scale, depths }
    }

    fn draw(&self, canvas: &mut Canvas, molecule: &Molecule) {
        let mut parts: Vec<(f64, Part)> =
            self.places.iter().enumerate().map(|(k, p)| (p[2], Part::Atom(k))).collect();
        for bond in molecule.bonds() {
            for (of, other) in [(bond.begin, bond.end), (bond.end, bond.begin)] {
                // A half of a bond lies behind its atom and before what is farther.
                let depth = 0.75 * self.places[of][2] + 0.25 * self.places[other][2] - 1e-6;
                parts.push((depth, Part::HalfBond { of, other, order: bond.order }));
            }
        }
        parts.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, part) in parts {
            match part {
                Part::Atom(k) => {
                    let atom = molecule.atom(k);
                    let [x, y, _] = self.places[k];
                    let radius = if atom.element == Element::H { HYDROGEN } else { HEAVY };
                    let radius = (radius * self.scale) as f32;
                    canvas.ball([x as f32, y as f32], radius, self.colour(k, atom));
                }
                Part::HalfBond { of, other, order } => {
                    self.half_bond(canvas, [of, other], order, self.colour(of, molecule.atom(of)));
                }
            }
        }
    }

    fn half_bond(&self, canvas: &mut Canvas, [of, other]: [usize; 2], order: BondOrder, own: Colour) {
        let ([x, y, _], [u, v, _]) = (self.places[of], self.places[other]);
        let (dx, dy) = (u - x, v - y);
        let length = dx.hypot(dy).max(1e-6);
        let (ox, oy) = (-dy / length * APART * self.scale, dx / length * APART * self.scale);
        let lines: &[f64] = match order {
            BondOrder::Double | BondOrder::Aromatic => &[-0.5, 0.5],
            BondOrder::Triple => &[-1.0, 0.0, 1.0],
            _ => &[0.0],
        };
        let width = (BOND * self.scale) as f32;
        for line in lines {
            let (sx, sy) = (line * ox, line * oy);
            let from = [(x + sx) as f32, (y + sy) as f32];
            let to = [(x + 0.5 * dx + sx) as f32, (y + 0.5 * dy + sy) as f32];
            canvas.line(from, to, width + 1.2, own.mixed(Colour::BLACK, 0.6));
            canvas.line(from, to, width, own.mixed(Colour::BLACK, 0.1));
        }
    }

    /// The colour of an atom; what is far is paler.
    fn colour(&self, k: usize, atom: &Atom) -> Colour {
        let [near, far] = self.depths;
        let share = (near - self.places[k][2]) / (near - far).max(1.0);
        colour(atom.element).mixed(Colour::WHITE, (FOG * share) as f32)
    }
}

/// The colour of an element, after Corey, Pauling and Koltun, as Jmol has them.
fn colour(element: Element) -> Colour {
    Colour(match element.symbol() {
        "H" => [245, 245, 245],
        "B" => [255, 181, 181],
        "C" => [112, 112, 112],
        "N" => [48, 80, 248],
        "O" => [255, 13, 13],
        "F" => [144, 224, 80],
        "Si" => [240, 200, 160],
        "P" => [255, 128, 0],
        "S" => [240, 210, 30],
        "Cl" => [31, 220, 31],
        "Se" => [255, 161, 0],
        "Br" => [166, 41, 41],
        "I" => [148, 0, 148],
        _ => [180, 140, 180],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bond;

    fn of(atoms: &[(Element, [f64; 3])]) -> Molecule {
        let bonds = (1..atoms.len()).map(|k| Bond { begin: 0, end: k, order: BondOrder::Single });
        let atoms = atoms.iter().map(|(e, p)| Atom::new(*e, 0, nalgebra::Point3::from(*p)));
        Molecule::new(atoms, bonds).expect("a molecule")
    }

    #[test]
    fn hands_are_kept() {
        // Four neighbours at their places in space, and what is seen of them.
        let atoms = [
            (Element::C, [0.0, 0.0, 0.0]),
            (Element::H, [1.9, 0.2, 0.3]),
            (Element::O, [-0.4, 1.2, 0.2]),
            (Element::N, [-0.3, -0.5, 1.0]),
        ];
        let view = View::of(&of(&atoms), [0, 0]);
        let vector = |k: usize| {
            let ([x, y, z], [a, b, c]) = (view.places[k], view.places[0]);
            // Up is positive here.
            Vector3::new(x - a, b - y, (z - c) * view.scale)
        };
        let seen = vector(1).cross(&vector(2)).dot(&vector(3));
        let in_space = |k: usize| Vector3::from(atoms[k].1);
        let real = in_space(1).cross(&in_space(2)).dot(&in_space(3));
        assert!((seen - real * view.scale.powi(3)).abs() < 1e-6 * seen.abs(), "{seen} {real}");
    }

    #[test]
    fn pictures_are_of_a_few_molecules() {
        let water =
            of(&[(Element::O, [0.0; 3]), (Element::H, [0.0, 0.8, 0.6]), (Element::H, [0.0, -0.8, 0.6])]);
        let one = preview(std::slice::from_ref(&water), 4).expect("a picture");
        let width = |png: &[u8]| u32::from_be_bytes(png[16..20].try_into().expect("four bytes"));
        assert_eq!(width(&one), CELL);
        assert_eq!(width(&preview(&vec![water.clone(); 6], 4).expect("a picture")), 4 * CELL);
        assert!(preview(&[], 4).is_err());
        assert!(preview(&vec![water; 401], 4).is_err());
    }
}
