//! What a request asks of a model: conditions that it can never meet, and what its training data has next to nothing of.

use std::collections::BTreeMap;

use crate::vocabulary::heavy_atoms;
use crate::{Beginning, Element, ElementLimit, Error, GenerateRequest, MoleculeModel, Property, Result};

/// Checks that molecules of a request can keep to limits on what they contain.
pub(crate) fn check_limits(
    model: &MoleculeModel,
    request: &GenerateRequest,
    limits: &[ElementLimit],
) -> Result<()> {
    let refused = |what: String| Err(Error::Request(what));
    let mut ranges: BTreeMap<Element, [usize; 2]> = BTreeMap::new();
    for limit in limits {
        let [least, most] = ranges.entry(limit.element).or_insert([0, usize::MAX]);
        (*least, *most) = ((*least).max(limit.least), (*most).min(limit.most));
    }
    let (mut wanted, mut heavy) = (0usize, 0usize);
    for (&element, &[least, most]) in &ranges {
        if least > most {
            return refused(format!(
                "no molecule has at least {least} and at most {most} atoms of {element}"
            ));
        }
        if least > 0 && !model.elements().contains(&element.number()) {
            return refused(format!(
                "the model does not know the element {element}; it knows {}",
                known(model)
            ));
        }
        let fixed = match &request.beginning {
            Beginning::Formula(formula) => {
                let count = formula.counts().find(|(e, _)| *e == element).map_or(0, |(_, count)| count);
                if !(least..=most).contains(&count) {
                    return refused(format!(
                        "the formula {formula} has {count} atoms of {element}, but {} are wanted",
                        range(least, most)
                    ));
                }
                count
            }
            Beginning::Fragments(fragments) => {
                let count = fragments.molecule().atoms().filter(|a| a.element == element).count();
                if count > most {
                    return refused(format!(
                        "the fragments have {count} atoms of {element}, but at most {most} are wanted"
                    ));
                }
                count
            }
            _ => 0,
        };
        wanted = wanted.saturating_add(least.max(fixed));
        if element != Element::H {
            heavy = heavy.saturating_add(least.max(fixed));
        }
    }
    if let Beginning::Fragments(fragments) = &request.beginning {
        // Hydrogens may be given up where new atoms are bound; all other atoms stay.
        let stays = |e: Element| e != Element::H && !ranges.contains_key(&e);
        wanted = wanted.saturating_add(fragments.molecule().atoms().filter(|a| stays(a.element)).count());
    }
    // Sizes of the training data are drawn, so no molecule has more heavy atoms than those.
    if let (Beginning::Noise, None, Some([_, most])) =
        (&request.beginning, request.atoms, model.heavy_atoms())
        && heavy > most
    {
        return refused(format!(
            "{heavy} heavy atoms are wanted by what the molecules are to contain, but the model has seen {most} at most; say how many \
             atoms there should be to go beyond"
        ));
    }
    let largest = match &request.beginning {
        Beginning::Formula(formula) => Some(formula.atoms()),
        Beginning::Molecule { molecule, .. } => Some(molecule.len()),
        _ => request.atoms.or_else(|| model.sizes().keys().last().copied()),
    };
    match largest {
        Some(largest) if wanted > largest => refused(format!(
            "{wanted} atoms are wanted by what the molecules are to contain, but they have {largest} atoms at most"
        )),
        _ => Ok(()),
    }
}

/// What a request asks of the model that its training data has next to nothing of, as sentences.
pub(crate) fn doubts(model: &MoleculeModel, request: &GenerateRequest) -> Vec<String> {
    let mut doubts = Vec::new();
    for (name, value) in &request.targets {
        let Some(p) = Property::find(model.properties(), name) else { continue };
        let [low, high] = p.range;
        if !(low..=high).contains(value) {
            doubts.push(format!(
                "{} = {value} lies outside of what the model has seen, {low:.3} to {high:.3} {}",
                p.source.name, p.source.unit
            ));
        }
    }
    let (atoms, heavy) = match &request.beginning {
        Beginning::Formula(formula) => {
            let hydrogens: usize = formula.counts().filter(|(e, _)| *e == Element::H).map(|(_, n)| n).sum();
            (Some(formula.atoms()), Some(formula.atoms() - hydrogens))
        }
        Beginning::Molecule { molecule, .. } => (Some(molecule.len()), Some(heavy_atoms(molecule))),
        Beginning::Fragments(fragments) => {
            let given = fragments.molecule();
            (Some(request.atoms.unwrap_or(given.len())), Some(heavy_atoms(given)))
        }
        Beginning::Noise => (request.atoms, None),
    };
    let sizes = model.sizes();
    let seen = sizes.keys().next().zip(sizes.keys().last());
    if let (Some(n), Some((&fewest, &most))) = (atoms, seen) {
        let grows = matches!(request.beginning, Beginning::Fragments(_)) && request.atoms.is_none();
        if n > most {
            doubts.push(format!(
                "{n} atoms are more than the model has seen, {most} at most; most of what comes out will be no molecule"
            ));
        } else if n < fewest && !grows {
            doubts.push(format!("{n} atoms are fewer than the model has seen, {fewest} at least"));
        }
    }
    if let (Some(n), Some([fewest, most])) = (heavy, model.heavy_atoms()) {
        let fixed = !matches!(request.beginning, Beginning::Fragments(_));
        if n > most {
            doubts.push(format!(
                "{n} heavy atoms are more than the model has seen, {most} at most; less of what comes out will be valid"
            ));
        } else if n < fewest && fixed {
            doubts.push(format!("{n} heavy atoms are fewer than the model has seen, {fewest} at least"));
        }
    }
    doubts
}

/// The symbols of the elements that a model knows.
pub(crate) fn known(model: &MoleculeModel) -> String {
    let symbols = model.elements().iter().filter_map(|n| Element::from_number(*n));
    symbols.map(Element::symbol).collect::<Vec<_>>().join(", ")
}

fn range(least: usize, most: usize) -> String {
    match (least, most) {
        (least, usize::MAX) => format!("at least {least}"),
        (0, most) => format!("at most {most}"),
        (least, most) if least == most => format!("{least}"),
        (least, most) => format!("{least} to {most}"),
    }
}
