//! Parts of molecules that are kept while the rest is generated around them.

use nalgebra::{Point3, Vector3};
use serde::{Deserialize, Serialize};

use crate::bond_lengths::single_bond_length;
use crate::solid::{coincident, without_geometry};
use crate::validity::open_valence;
use crate::{Atom, Attachment, Bond, BondOrder, Element, Error, Molecule, Result};

/// One or several fragments, fixed in space, and the atoms of theirs that may bear something new.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Fragments {
    molecule: Molecule,
    open: Vec<bool>,
}

/// Fragments as they are stored, before they are looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    molecule: Molecule,
    open: Vec<bool>,
}

impl TryFrom<Stored> for Fragments {
    type Error = String;

    fn try_from(Stored { molecule, open }: Stored) -> std::result::Result<Self, String> {
        match open.len() == molecule.len() && !molecule.is_empty() {
            true => Ok(Self { molecule, open }),
            false => Err("the fragments do not say of each atom whether something may bond to it".into()),
        }
    }
}

impl Fragments {
    /// Puts fragments together. Atoms count through all of them, from 0.
    ///
    /// Without `attach`, what is new may bond to every atom with an open valence, or, where the parts have attachment points,
    /// to the atoms that bear them. With it, to those atoms alone: each gives up a hydrogen where it has no open valence, and the
    /// open valences of all others are closed by hydrogens at ideal places.
    ///
    /// Parts without a geometry are refused: drawings, and atoms on one place. Aromatic bonds get their Kekulé form.
    pub fn new(parts: &[Molecule], attach: Option<&[usize]>) -> Result<Self> {
        for part in parts {
            if let Some(fault) = without_geometry(part) {
                return Err(Error::Request(format!("the fragment {fault}")));
            }
            if let Some((a, b)) = coincident(part) {
                return Err(Error::Request(format!("atoms {a} and {b} of the fragment lie on one place")));
            }
        }
        let whole = join(parts)?;
        let points = points(parts);
        if !points.is_empty() {
            if attach.is_some() {
                return Err(Error::Request(
                    "the fragments have attachment points, and atoms to attach to are named as well; use one or the other"
                        .into(),
                ));
            }
            return Self::attached(&whole, &points);
        }
        if whole.is_empty() {
            return Err(Error::Request("a scaffold must have at least one atom".into()));
        }
        match attach {
            None => {
                let open: Vec<bool> = (0..whole.len()).map(|k| open_valence(&whole, k) > 0).collect();
                if !open.contains(&true) {
                    return Err(Error::Request(
                        "no atom of the scaffold has an open valence; name the attachment atoms, which it \
                         grows from, or take hydrogens away"
                            .into(),
                    ));
                }
                Ok(Self { molecule: whole, open })
            }
            Some(atoms) => Self::attached(&whole, atoms),
        }
    }

    fn attached(whole: &Molecule, attach: &[usize]) -> Result<Self> {
        let n = whole.len();
        let is_point = |k: usize| whole.attachments.iter().any(|a| a.atom == k);
        if let Some(k) = attach.iter().find(|k| **k >= n) {
            return Err(Error::Request(format!(
                "the attachment atoms name atom {}, but the scaffold has {n} atoms",
                k + 1
            )));
        }
        let mut gone = vec![false; n];
        for &k in attach {
            let lost = whole.neighbours(k).filter(|(j, _)| gone[*j]).count() as u32;
            let wanted = attach.iter().filter(|a| **a == k).count() as u32;
            if open_valence(whole, k) + lost >= wanted {
                continue;
            }
            let is_hydrogen = |j: &usize| whole.atom(*j).element == Element::H && !gone[*j];
            let first = whole.neighbours(k).map(|(j, _)| j).filter(is_hydrogen).min();
            let Some(j) = first else {
                // An attachment point that was taken away has left a valence, known or not.
                if is_point(k) {
                    continue;
                }
                return Err(Error::Request(format!(
                    "atom {} of the scaffold, a {}, has neither an open valence nor a hydrogen to give up",
                    k + 1,
                    whole.atom(k).element
                )));
            };
            gone[j] = true;
        }
        let stays: Vec<bool> = gone.iter().map(|g| !g).collect();
        let kept = whole.subset(&stays)?;
        let old: Vec<usize> = (0..n).filter(|&k| stays[k]).collect();
        let mut open: Vec<bool> = old.iter().map(|k| attach.contains(k)).collect();
        let closed: Vec<usize> = (0..kept.len()).filter(|&k| !open[k]).collect();
        let molecule = add_hydrogens(&kept, &closed)?;
        open.resize(molecule.len(), false);
        Ok(Self { molecule, open })
    }

    /// All fragments as one molecule.
    pub fn molecule(&self) -> &Molecule {
        &self.molecule
    }

    /// For each of its atoms whether something new may bond to it.
    pub fn open(&self) -> &[bool] {
        &self.open
    }
}

/// Fragments as one molecule, in order.
fn join(parts: &[Molecule]) -> Result<Molecule> {
    let mut atoms: Vec<Atom> = Vec::new();
    let mut bonds: Vec<Bond> = Vec::new();
    for part in parts {
        let shift = atoms.len();
        bonds.extend(part.bonds().map(|b| Bond { begin: b.begin + shift, end: b.end + shift, ..b }));
        atoms.extend(part.atoms());
    }
    let mut whole = Molecule::new(atoms, bonds)?;
    let mut shift = 0;
    for part in parts {
        let moved = part.attachments.iter().map(|a| Attachment { atom: a.atom + shift, ..a.clone() });
        whole.attachments.extend(moved);
        shift += part.len();
    }
    if !whole.has_aromatic_bonds() {
        return Ok(whole);
    }
    // An atom with an attachment point has a bond less than its ring needs, so the point counts as a hydrogen meanwhile.
    let bare = whole.len();
    let mut atoms: Vec<Atom> = whole.atoms().copied().collect();
    let mut bonds: Vec<Bond> = whole.bonds().collect();
    for point in &whole.attachments {
        bonds.push(Bond { begin: point.atom, end: atoms.len(), order: BondOrder::Single });
        atoms.push(Atom::new(Element::H, 0, whole.atom(point.atom).position));
    }
    let kekulized = Molecule::new(atoms, bonds)?.kekulized().map_err(|e| Error::Request(e.to_string()))?;
    let kept: Vec<bool> = (0..kekulized.len()).map(|k| k < bare).collect();
    let mut form = kekulized.subset(&kept)?;
    form.attachments = whole.attachments;
    Ok(form)
}

/// The atoms of all parts, counted through, that bear attachment points.
fn points(parts: &[Molecule]) -> Vec<usize> {
    let starts = parts.iter().scan(0, |sum, part| {
        let start = *sum;
        *sum += part.len();
        Some(start)
    });
    let of_part = |(part, start): (&Molecule, usize)| {
        part.attachments.iter().map(|a| a.atom + start).collect::<Vec<_>>()
    };
    parts.iter().zip(starts).flat_map(of_part).collect()
}

/// Fills the open valences of some atoms with hydrogens, as far from the other neighbours as they can be.
pub fn add_hydrogens(molecule: &Molecule, atoms: &[usize]) -> Result<Molecule> {
    let mut all: Vec<Atom> = molecule.atoms().copied().collect();
    let mut bonds: Vec<Bond> = molecule.bonds().collect();
    for &k in atoms {
        let centre = molecule.atom(k);
        let length = single_bond_length(centre.element, Element::H).unwrap_or(1.1);
        for direction in free_directions(molecule, k, open_valence(molecule, k) as usize) {
            bonds.push(Bond { begin: k, end: all.len(), order: BondOrder::Single });
            let position: Point3<f64> = centre.position + direction * length;
            all.push(Atom::new(Element::H, 0, position));
        }
    }
    Ok(Molecule::new(all, bonds)?)
}

/// `count` directions at an atom that keep clear of its bonds and of each other: points on a sphere that repel one
/// another, moved from golden-spiral places until they rest.
fn free_directions(molecule: &Molecule, atom: usize, count: usize) -> Vec<Vector3<f64>> {
    let centre = molecule.atom(atom).position;
    let fixed: Vec<Vector3<f64>> = molecule
        .neighbours(atom)
        .filter_map(|(j, _)| (molecule.atom(j).position - centre).try_normalize(1e-9))
        .collect();
    let spiral = |k: usize| {
        let z = 1.0 - (2 * k + 1) as f64 / count as f64 * 0.98;
        let angle = 2.399_963_229_728_653 * (k as f64 + 0.5);
        let r = (1.0 - z * z).max(0.0).sqrt();
        Vector3::new(r * angle.cos(), r * angle.sin(), z)
    };
    let mut free: Vec<Vector3<f64>> = (0..count).map(spiral).collect();
    for _ in 0..1000 {
        for k in 0..count {
            let others = fixed.iter().chain(free.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, v)| v));
            let force: Vector3<f64> = others
                .map(|o| {
                    let away = free[k] - o;
                    away / away.norm().max(0.05).powi(3)
                })
                .sum();
            free[k] = (free[k] + force * 0.05).normalize();
        }
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(element: Element, x: f64, y: f64) -> Atom {
        Atom::new(element, 0, Point3::new(x, y, 0.0))
    }

    /// Two carbons 1.5 Å apart, with or without the hydrogens of ethane.
    fn ethane(hydrogens: bool) -> Molecule {
        let bare = Molecule::new(
            [atom(Element::C, 0.0, 0.0), atom(Element::C, 1.5, 0.0)],
            [Bond { begin: 0, end: 1, order: BondOrder::Single }],
        )
        .expect("valid");
        if hydrogens { add_hydrogens(&bare, &[0, 1]).expect("valid") } else { bare }
    }

    #[test]
    fn hydrogens_are_tetrahedral() {
        let ethane = ethane(true);
        assert_eq!(ethane.formula(), "C2H6");
        let towards = |j: usize| (ethane.atom(j).position - ethane.atom(0).position).normalize();
        for (a, b) in [(1, 2), (2, 3), (3, 4)] {
            let degrees = towards(a).dot(&towards(b)).acos().to_degrees();
            assert!((degrees - 109.47).abs() < 1.5, "{degrees}");
        }
    }

    #[test]
    fn open_valences_are_where_something_may_grow() {
        let free = Fragments::new(&[ethane(false)], None).expect("open");
        assert_eq!(free.open(), [true, true]);
        let error = Fragments::new(&[ethane(true)], None).expect_err("closed").to_string();
        assert!(error.contains("name the attachment atoms"), "{error}");
    }

    #[test]
    fn attachment_points_are_where_something_may_grow() {
        let mut part = ethane(false);
        part.attachments = vec![Attachment { atom: 1, label: "R1".into(), place: 3 }];
        let grown = Fragments::new(&[part.clone()], None).expect("attached");
        assert_eq!(
            (grown.molecule().formula().as_str(), grown.open()),
            ("C2H3", [false, true, false, false, false].as_slice())
        );
        assert!(Fragments::new(&[part.clone()], Some(&[0])).is_err());
        // Counted through all fragments.
        let two = Fragments::new(&[ethane(true), part], None).expect("attached");
        assert_eq!(two.open().iter().position(|o| *o), Some(9));
    }

    #[test]
    fn fragments_without_a_geometry_are_refused() {
        let nowhere =
            Molecule::new([atom(Element::C, 0.0, 0.0), atom(Element::O, 0.0, 0.0)], []).expect("valid");
        let error = Fragments::new(&[nowhere], None).expect_err("refused").to_string();
        assert!(error.contains("on one place"), "{error}");
        let mut drawing = ethane(false);
        drawing.is_drawing = true;
        let error = Fragments::new(&[drawing], None).expect_err("refused").to_string();
        assert!(error.contains("drawing in two dimensions"), "{error}");
    }

    #[test]
    fn attaching_takes_a_hydrogen_and_closes_the_rest() {
        let grown = Fragments::new(&[ethane(true)], Some(&[1])).expect("attached");
        assert_eq!((grown.molecule().formula().as_str(), grown.open()[1]), ("C2H5", true));
        assert_eq!(grown.open().iter().filter(|o| **o).count(), 1);
        let closed = Fragments::new(&[ethane(false)], Some(&[1])).expect("attached");
        assert_eq!(closed.molecule().formula(), "C2H3");
        let twice = Fragments::new(&[ethane(true)], Some(&[1, 1])).expect("attached");
        assert_eq!(twice.molecule().formula(), "C2H4");
        assert!(Fragments::new(&[ethane(true)], Some(&[8])).is_err());
        assert!(Fragments::new(&[ethane(true)], Some(&[3])).is_err(), "a hydrogen has nothing to give");
    }
}
