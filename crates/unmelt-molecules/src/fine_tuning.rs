//! A training that begins with the weights of a model: what of the model stays, and what must fit it.

use unmelt_diffusion::checkpoint::{Card, ModelFiles};
use unmelt_diffusion::domain::Field;

use crate::{
    Element, Error, GraphModel, Molecule, MoleculeModel, NetworkSize, Property, Result, TrainingConfig,
    Vocabulary,
};

/// The card of a model to train on.
///
/// # Errors
/// A card that cannot be read, and a model that is no graph denoiser.
pub(crate) fn trainable(files: &ModelFiles) -> Result<Card<GraphModel>> {
    let card = MoleculeModel::card(files)?;
    match card.model {
        MoleculeModel::Graph(model) => Ok(Card {
            format: card.format,
            name: card.name,
            description: card.description,
            model: *model,
            conditions: card.conditions,
            provenance: card.provenance,
            weights: card.weights,
        }),
        MoleculeModel::Edm(_) => Err(Error::Request(format!(
            "the model {} is one of EDM, and training begins with graph denoisers only",
            card.name
        ))),
    }
}

/// The model of a card for a training on molecules. Network, classes and properties stay; sizes are those of the data.
///
/// # Errors
/// Elements or charges of the molecules that the model does not know, and settings that name another network or other
/// properties than the model has.
pub(crate) fn fitted(
    card: &Card<GraphModel>,
    config: &TrainingConfig,
    data: Vocabulary,
    molecules: &[Molecule],
) -> Result<GraphModel> {
    let own = &card.model;
    check_classes(&card.name, &own.vocabulary, &data)?;
    if let Some(size) = &config.network {
        check_size(card, size).map_err(unmelt_diffusion::Error::settings)?;
    }
    if let Some(sources) = &config.properties {
        let names = |names: Vec<&str>| if names.is_empty() { "none".into() } else { names.join(", ") };
        if !sources.iter().eq(own.properties.iter().map(|p| &p.source)) {
            let fault = format!(
                "must be those of the model {}, {}, from the same columns, but they are {}",
                card.name,
                names(own.properties.iter().map(|p| p.source.name.as_str()).collect()),
                names(sources.iter().map(|p| p.name.as_str()).collect()),
            );
            return Err(
                unmelt_diffusion::Error::settings(Field::new("").field("properties").fault(fault)).into()
            );
        }
    }
    for Property { source, .. } in &own.properties {
        if molecules.iter().all(|m| source.of(m).is_none()) {
            return Err(Error::Request(format!(
                "no molecule has a number in {:?}, which the property {} of the model {} is read from",
                source.column, source.name, card.name
            )));
        }
    }
    let vocabulary =
        Vocabulary { sizes: data.sizes, heavy_atoms: data.heavy_atoms, ..own.vocabulary.clone() };
    let mut model = GraphModel { vocabulary, loss: config.loss.clone(), ..own.clone() };
    if let Some(schedules) = &config.schedules {
        model.set_schedules(schedules);
    }
    Ok(as_read_again(model))
}

/// Checks that a model has the classes of data.
fn check_classes(name: &str, own: &Vocabulary, data: &Vocabulary) -> Result<()> {
    let symbol = |n: &u8| Element::from_number(*n).map_or_else(|| n.to_string(), |e| e.to_string());
    let elements = data.elements.iter().filter(|n| !own.elements.contains(n)).map(symbol);
    let charges = data.charges.iter().filter(|c| !own.charges.contains(c)).map(|c| format!("{c:+}"));
    for (what, unknown, known) in [
        ("elements", elements.collect::<Vec<_>>(), own.elements.iter().map(symbol).collect::<Vec<_>>()),
        ("charges", charges.collect(), own.charges.iter().map(|c| format!("{c:+}")).collect()),
    ] {
        if !unknown.is_empty() {
            return Err(Error::Request(format!(
                "the molecules have {what} that the model {name} does not know, {}; it knows {}",
                unknown.join(", "),
                known.join(", ")
            )));
        }
    }
    Ok(())
}

fn check_size(card: &Card<GraphModel>, size: &NetworkSize) -> unmelt_diffusion::Result<()> {
    let (own, part) = (&card.model.network, Field::new("").field("network"));
    for (key, named, has) in [
        ("node_width", size.node_width, own.node_width),
        ("pair_width", size.pair_width, own.pair_width),
        ("heads", size.heads, own.heads),
        ("vectors", size.vectors, own.vectors),
        ("layers", size.layers, own.layers),
    ] {
        if named != has {
            return Err(part
                .field(key)
                .fault(format!("must be that of the model {}, {has}, but it is {named}", card.name)));
        }
    }
    Ok(())
}

/// A model as it will be read from its card. Numbers can change in their last digit there, and a run that is resumed begins with
/// them.
fn as_read_again(model: GraphModel) -> GraphModel {
    const MOST: usize = 16;
    let mut model = model;
    for _ in 0..MOST {
        let text = serde_json::to_string(&model).expect("a model has nothing that JSON has not");
        let read: GraphModel = serde_json::from_str(&text).expect("a model reads what it wrote");
        if read == model {
            break;
        }
        model = read;
    }
    model
}
