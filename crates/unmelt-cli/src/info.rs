//! `unmelt molecules info`, `unmelt models` and `unmelt devices`.

use serde_json::json;
use unmelt_diffusion::device;
use unmelt_diffusion::files::plain;
use unmelt_molecules::{Element, MoleculeModel, models};

use crate::Outcome;

/// Prints a model's card.
pub fn model(name: &str) -> Outcome {
    let card = models::card(name)?;
    let (model, p) = (&card.model, &card.provenance);
    let elements: Vec<String> =
        model.elements().iter().filter_map(|&z| Element::from_number(z)).map(|e| e.to_string()).collect();
    let sizes = model.sizes().keys();
    println!("{}: {}", plain(&card.name), plain(&card.description));
    println!("elements      {}", elements.join(" "));
    if let MoleculeModel::Graph(graph) = model {
        let charges: Vec<String> = graph.vocabulary.charges.iter().map(|c| format!("{c:+}")).collect();
        println!("charges       {}", charges.join(" ").replace("+0", "0"));
    }
    if let (Some(low), Some(high)) = (sizes.clone().min(), sizes.max()) {
        println!("atoms         {low} to {high}");
    }
    let network = match model {
        MoleculeModel::Graph(graph) => {
            let n = &graph.network;
            format!("{} layers, width {} (atoms) and {} (pairs)", n.layers, n.node_width, n.pair_width)
        }
        MoleculeModel::Edm(edm) => {
            format!("EDM's, {} layers, width {}", edm.network.layers, edm.network.hidden)
        }
    };
    println!("network       {network}, {} parameters", card.weights.parameters);
    for p in model.properties() {
        let ([low, high], source) = (p.range, &p.source);
        let range = format!("{low:.2} to {high:.2} {}", source.unit);
        let (name, column) = (plain(&source.name), plain(&source.column));
        println!("property      {name}: {}, from the column {column}", plain(range.trim_end()));
    }
    println!("trained       by {} on {}", plain(&p.trained_by), plain(&p.data));
    if p.steps > 0 {
        println!(
            "              {} steps, {} molecules seen, {:.0} minutes",
            p.steps, p.samples_seen, p.minutes
        );
    }
    if !p.measured.is_empty() {
        println!("measured      {}", plain(&p.protocol));
        for (name, value) in &p.measured {
            println!("              {}: {value}", plain(name));
        }
    }
    println!("sha256        {}", plain(&card.weights.sha256));
    Ok(json!(card))
}

/// Prints the models inside the program.
pub fn models() -> Outcome {
    let mut listed = Vec::new();
    for name in models::names() {
        listed.push(("molecules", name, models::card(name)?.description));
    }
    for name in unmelt_imaging::models::names() {
        listed.push(("volumes", name, unmelt_imaging::models::card(name)?.description));
    }
    listed.iter().for_each(|(_, name, description)| println!("{name:<10} {description}"));
    let entry =
        |(of, name, description): &(_, _, _)| json!({ "name": name, "of": of, "description": description });
    Ok(listed.iter().map(entry).collect())
}

/// Prints the devices that the program was built for.
pub fn devices() -> serde_json::Value {
    let devices = device::compiled();
    devices.iter().for_each(|(name, what)| println!("{name:<10} {what}"));
    devices.iter().map(|(name, what)| json!({ "name": name, "description": what })).collect()
}
