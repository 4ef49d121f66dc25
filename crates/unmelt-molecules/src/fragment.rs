//! Parts of molecules that are kept while the rest is generated around them.

use nalgebra::{Point3, Vector3};

use crate::perception::single_bond_length;
use crate::validity::open_valence;
use crate::{Atom, Bond, BondOrder, Element, Error, Molecule, Result};

/// One or several fragments, fixed in space, and the atoms of theirs that may bear something new.
#[derive(Clone, Debug)]
pub struct Fragments {
    molecule: Molecule,
    open: Vec<bool>,
}

impl Fragments {
    /// Puts fragments together. Atoms count through all of them, from 0.
    ///
    /// Without `attach`, what is new may bond to every atom with an open valence. With it, to those atoms alone: each
    /// gives up a hydrogen where it has no open valence, and the open valences of all others are closed by hydrogens at
    /// ideal places.
    pub fn new(parts: &[Molecule], attach: Option<&[usize]>) -> Result<Self> {
        let whole = join(parts)?;
        if whole.is_empty() {
            return Err(Error::Request("a scaffold must have at least one atom".into()));
        }
        match attach {
            None => {
                let open: Vec<bool> = (0..whole.len()).map(|k| open_valence(&whole, k) > 0).collect();
                if !open.contains(&true) {
                    return Err(Error::Request(
                        "no atom of the scaffold has an open valence; name atoms to grow from with --attach, or take \
                         hydrogens away"
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
        if let Some(k) = attach.iter().find(|k| **k >= n) {
            return Err(Error::Request(format!(
                "--attach names atom {}, but the scaffold has {n} atoms",
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
    Ok(Molecule::new(atoms, bonds)?)
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
        assert!(error.contains("--attach"), "{error}");
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
