//! What a request asks of a model: conditions that it can never meet, and what its training data has next to nothing of.

use std::collections::BTreeMap;

use crate::vocabulary::heavy_atoms;
use crate::{Beginning, Element, ElementLimit, Error, GenerateRequest, MoleculeModel, Property, Result};

/// Times as many atoms as the largest molecule of the training has that can be asked for. Far beyond that nothing comes out that is a
/// molecule, and the work grows with the square.
const MOST_TIMES: usize = 4;

/// Checks that a request asks for no molecules that are many times as large as what the model has seen.
pub(crate) fn check_size(model: &MoleculeModel, request: &GenerateRequest) -> Result<()> {
    let Some(&largest) = model.sizes().keys().last() else { return Ok(()) };
    let (what, atoms) = match (&request.beginning, request.atoms) {
        (Beginning::Formula(formula), _) => (format!("the formula {formula} has"), formula.atoms()),
        (Beginning::Molecule { molecule, .. }, _) => ("the molecule to vary has".into(), molecule.len()),
        (Beginning::Fragments(fragments), None) => ("the fragments have".into(), fragments.molecule().len()),
        (_, Some(atoms)) => ("the molecules are to have".to_string(), atoms),
        (Beginning::Noise, None) => return Ok(()),
    };
    let most = largest.saturating_mul(MOST_TIMES);
    match atoms > most {
        true => Err(Error::field(
            "atoms",
            format!(
                "{what} {atoms} atoms, but the largest molecule that the model has seen has {largest}; ask for {most} at most, and for \
             {largest} where valid molecules are wanted"
            ),
        )),
        false => Ok(()),
    }
}

/// Checks that molecules of a request can keep to limits on what they contain.
pub(crate) fn check_limits(
    model: &MoleculeModel,
    request: &GenerateRequest,
    limits: &[ElementLimit],
) -> Result<()> {
    let refused = |what: String| Err(Error::field("contains", what));
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
    check_room(model, request, &ranges)?;
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

/// Checks that what molecules may contain at most leaves room for as many atoms as they have.
fn check_room(
    model: &MoleculeModel,
    request: &GenerateRequest,
    ranges: &BTreeMap<Element, [usize; 2]>,
) -> Result<()> {
    let elements = || model.elements().iter().filter_map(|n| Element::from_number(*n));
    let most_of = |element: Element| ranges.get(&element).map_or(usize::MAX, |[_, most]| *most);
    let sum = |all: &mut dyn Iterator<Item = Element>| all.map(most_of).fold(0, usize::saturating_add);
    let (atoms, heavy) = (sum(&mut elements()), sum(&mut elements().filter(|e| *e != Element::H)));
    let fewest = match &request.beginning {
        Beginning::Noise => request.atoms.or_else(|| model.sizes().keys().next().copied()),
        Beginning::Molecule { molecule, .. } => Some(molecule.len()),
        Beginning::Fragments(_) => request.atoms,
        Beginning::Formula(_) => None,
    };
    if let Some(fewest) = fewest
        && atoms < fewest
    {
        return Err(Error::field(
            "contains",
            format!(
                "the molecules may contain {atoms} atoms at most, but they have {fewest} atoms at least; the model knows {}",
                known(model)
            ),
        ));
    }
    if let (Beginning::Noise, Some([fewest, _])) = (&request.beginning, model.heavy_atoms())
        && heavy < fewest
    {
        return Err(Error::field(
            "contains",
            format!(
                "the molecules may contain {heavy} heavy atoms at most, but those that the model has seen have {fewest} at least; it \
             knows {}",
                known(model)
            ),
        ));
    }
    Ok(())
}

/// What a request asks of the model that its training data has next to nothing of, as sentences.
pub(crate) fn warnings(model: &MoleculeModel, request: &GenerateRequest) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, value) in &request.targets {
        let Some(p) = Property::find(model.properties(), name) else { continue };
        let [low, high] = p.range;
        if !(low..=high).contains(value) {
            warnings.push(format!(
                "{} = {value} lies outside of what the model has seen, {low:.3} to {high:.3} {}",
                p.source.name, p.source.unit
            ));
        }
    }
    if let Beginning::Molecule { molecule, .. } = &request.beginning
        && molecule.atoms().any(|a| a.isotope != 0 || a.radicals != 0)
    {
        warnings.push(
            "the model knows neither isotopes nor radicals: atoms keep theirs where their element, charge and bonds stay, and others \
             lose them"
                .into(),
        );
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
            warnings.push(format!(
                "{n} atoms are more than the model has seen, {most} at most; most of what comes out will be no molecule"
            ));
        } else if n < fewest && !grows {
            warnings.push(format!("{n} atoms are fewer than the model has seen, {fewest} at least"));
        }
    }
    if let (Some(n), Some([fewest, most])) = (heavy, model.heavy_atoms()) {
        let fixed = !matches!(request.beginning, Beginning::Fragments(_));
        if n > most {
            warnings.push(format!(
                "{n} heavy atoms are more than the model has seen, {most} at most; less of what comes out will be valid"
            ));
        } else if n < fewest && fixed {
            warnings.push(format!("{n} heavy atoms are fewer than the model has seen, {fewest} at least"));
        }
    }
    warnings
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
