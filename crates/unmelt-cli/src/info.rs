//! `unmelt molecules info`, `unmelt models` and `unmelt devices`.

use unmelt_diffusion::device;
use unmelt_molecules::{Element, models};

use crate::failure::Failure;

/// Prints a model's card.
pub fn model(name: &str) -> Result<(), Failure> {
    let card = models::card(name)?;
    let (n, v, p) = (&card.model.network, &card.model.vocabulary, &card.provenance);
    let elements: Vec<String> =
        v.elements.iter().filter_map(|&z| Element::from_number(z)).map(|e| e.to_string()).collect();
    let charges: Vec<String> = v.charges.iter().map(|c| format!("{c:+}")).collect();
    let sizes = v.sizes.keys();
    println!("{}: {}", card.name, card.description);
    println!("elements      {}", elements.join(" "));
    println!("charges       {}", charges.join(" ").replace("+0", "0"));
    if let (Some(low), Some(high)) = (sizes.clone().min(), sizes.max()) {
        println!("atoms         {low} to {high}");
    }
    println!(
        "network       {} layers, width {} (atoms) and {} (pairs), {} parameters",
        n.layers, n.node_width, n.pair_width, card.weights.parameters
    );
    for p in &card.model.properties {
        let ([low, high], unit) = (p.range, &p.source.unit);
        println!(
            "property      {}: {low:.2} to {high:.2} {unit}, from the column {}",
            p.source.name, p.source.column
        );
    }
    println!("trained       {} steps, {} molecules seen, {:.0} minutes", p.steps, p.samples_seen, p.minutes);
    println!("              by {} on {}", p.trained_by, p.data);
    if !p.measured.is_empty() {
        println!("measured      {}", p.protocol);
        for (name, value) in &p.measured {
            println!("              {name}: {value}");
        }
    }
    println!("sha256        {}", card.weights.sha256);
    Ok(())
}

/// Prints the models inside the program.
pub fn models() -> Result<(), Failure> {
    for name in models::names() {
        println!("{name:<10} {}", models::card(name)?.description);
    }
    for name in unmelt_volumes::models::names() {
        println!("{name:<10} {}", unmelt_volumes::models::card(name)?.description);
    }
    Ok(())
}

/// Prints the devices that the program was built for.
pub fn devices() {
    for (name, what) in device::compiled() {
        println!("{name:<10} {what}");
    }
}
