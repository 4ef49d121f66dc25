//! A record on its way to a molecule: atoms and bonds as they were read, attachment points among them.

use std::collections::BTreeMap;

use nalgebra::Point3;

use super::super::text::clip;
use crate::{Atom, Attachment, Bond, BondOrder, Element, Molecule};

/// What an atom of a record may be marked with, to say that something is bonded to it.
const MARK: &str = "attachment mark";

/// Atoms and bonds of a record.
#[derive(Default)]
pub(super) struct Draft {
    /// Atoms; an attachment point has a hydrogen here.
    pub atoms: Vec<Atom>,
    /// Bonds between them.
    pub bonds: Vec<Bond>,
    /// What the file calls those that are attachment points.
    points: BTreeMap<usize, String>,
    /// Atoms that are marked as places where something is bonded.
    marked: Vec<usize>,
}

impl Draft {
    /// Adds an atom by its symbol.
    pub fn add_atom(&mut self, symbol: &str, charge: i8, position: Point3<f64>) -> Result<(), String> {
        let k = self.atoms.len();
        let mut atom = Atom::new(Element::H, charge, position);
        if is_attachment(symbol) {
            self.points.insert(k, symbol.into());
        } else {
            (atom.element, atom.isotope) = element(symbol, k + 1)?;
        }
        self.atoms.push(atom);
        Ok(())
    }

    /// Adds a bond between atoms counted from 1.
    pub fn add_bond(&mut self, a: usize, b: usize, order: usize) -> Result<(), String> {
        let k = self.bonds.len() + 1;
        let from_zero = |x: usize| x.checked_sub(1).ok_or_else(|| format!("bond {k} names atom 0"));
        self.bonds.push(Bond { begin: from_zero(a)?, end: from_zero(b)?, order: bond_order(order, k)? });
        Ok(())
    }

    /// Marks an atom, from 0, as a place where something is bonded.
    pub fn mark(&mut self, atom: usize) {
        self.marked.push(atom);
    }

    /// The molecule: attachment points become places of the atoms that they are bonded to.
    pub fn molecule(self) -> Result<Molecule, String> {
        let whole = Molecule::new(self.atoms, self.bonds).map_err(|e| e.to_string())?;
        if self.points.is_empty() && self.marked.is_empty() {
            return Ok(whole);
        }
        let kept: Vec<bool> = (0..whole.len()).map(|k| !self.points.contains_key(&k)).collect();
        let mut new = vec![0; whole.len()];
        (0..whole.len()).filter(|&k| kept[k]).enumerate().for_each(|(place, k)| new[k] = place);
        let mut attachments = Vec::new();
        for (&k, label) in &self.points {
            let bonded: Vec<usize> = whole.neighbours(k).map(|(j, _)| j).collect();
            match bonded[..] {
                [j] if kept[j] => {
                    attachments.push(Attachment { atom: new[j], label: label.clone(), place: k + 1 });
                }
                _ => {
                    return Err(format!(
                        "atom {} is the attachment point {label} with {} bonds; it must have one, to an atom",
                        k + 1,
                        bonded.len()
                    ));
                }
            }
        }
        let marks = self.marked.iter().filter(|&&k| kept.get(k) == Some(&true));
        attachments.extend(marks.map(|&k| Attachment { atom: new[k], label: MARK.into(), place: k + 1 }));
        let mut molecule = whole.subset(&kept).map_err(|e| e.to_string())?;
        molecule.attachments = attachments;
        Ok(molecule)
    }
}

/// A molecule that is none of a fragment: marks on atoms say nothing of it, attachment points are no atoms.
pub(crate) fn refuse_attachments(mut molecule: Molecule) -> Result<Molecule, String> {
    if let Some(point) = molecule.attachments.iter().find(|a| a.label != MARK) {
        return Err(format!(
            "atom {} is {}, an attachment point and no element: use the record as a scaffold or as a fragment to link, or \
             put an atom there (where a scaffold has one, name its attachment atoms)",
            point.place, point.label
        ));
    }
    molecule.attachments.clear();
    Ok(molecule)
}

/// Whether a symbol is one of those that programs write for a place where something is bonded.
fn is_attachment(symbol: &str) -> bool {
    let group = |s: &str| s == "#" || s.bytes().all(|b| b.is_ascii_digit());
    symbol == "*" || symbol.eq_ignore_ascii_case("Du") || symbol.strip_prefix('R').is_some_and(group)
}

/// Symbols of queries (CTfile formats).
const QUERIES: [&str; 12] = ["A", "Q", "X", "M", "L", "LP", "AH", "QH", "XH", "MH", "Pol", "Mod"];

/// An element and its isotope: D and T are hydrogen with 2 and 3.
fn element(symbol: &str, k: usize) -> Result<(Element, u16), String> {
    if symbol.starts_with('[') || symbol == "NOT" || QUERIES.contains(&symbol) {
        return Err(format!(
            "atom {k} is \"{}\", which stands for many elements: a query is no molecule",
            clip(symbol)
        ));
    }
    Element::with_isotope(symbol)
        .ok_or_else(|| format!("atom {k} is of the unknown element \"{}\"", clip(symbol)))
}

fn bond_order(order: usize, k: usize) -> Result<BondOrder, String> {
    match order {
        // Zero for no electrons that are shared.
        0 => Ok(BondOrder::Zero),
        5..=7 => {
            Err(format!("bond {k} has the order {order}, which stands for several: a query is no molecule"))
        }
        _ => u8::try_from(order)
            .ok()
            .and_then(BondOrder::from_code)
            .ok_or_else(|| format!("bond {k} has the order {order}, want 1, 2, 3, 4, 8, 9 or 10")),
    }
}

/// A coordinate of the atom number `k`, from 1.
pub(super) fn coordinate(text: &str, k: usize) -> Result<f64, String> {
    let fault = || format!("atom {k} has the coordinate \"{}\", which is no number", clip(text));
    let x: f64 = text.parse().map_err(|_| fault())?;
    if x.is_finite() { Ok(x) } else { Err(format!("atom {k} has the coordinate {}", clip(text))) }
}

/// Unpaired electrons of a radical's code: singlet and triplet have two, a doublet one.
pub(super) fn radicals(code: i64) -> Option<u8> {
    match code {
        0 => Some(0),
        2 => Some(1),
        1 | 3 => Some(2),
        _ => None,
    }
}
