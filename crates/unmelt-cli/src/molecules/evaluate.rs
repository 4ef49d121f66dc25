//! `unmelt molecules evaluate`.

use unmelt_molecules::evaluate::{BondSource, Evaluation, Reference, Share, evaluate};
use unmelt_molecules::format::{Fault, read_molecules};

use super::args::Evaluate;
use crate::failure::Failure;

/// Faults that are printed; the rest is counted.
const SHOWN_FAULTS: usize = 5;

/// Evaluates.
pub fn run(args: &Evaluate) -> Result<(), Failure> {
    let reading = read_molecules(&args.molecules)?;
    report_faults(&reading.faults);
    if reading.molecules.is_empty() {
        return Err(Failure::usage(format!(
            "{} holds no molecule that can be read",
            args.molecules.display()
        )));
    }
    let reference = match &args.reference {
        Some(path) => {
            let reading = read_molecules(path)?;
            report_faults(&reading.faults);
            Some(Reference::of(&reading.molecules))
        }
        None => None,
    };
    let evaluation = evaluate(&reading.molecules, reference.as_ref())?;
    if args.json {
        let json = serde_json::to_string_pretty(&evaluation).map_err(|e| Failure::failed(e.to_string()))?;
        println!("{json}");
    } else {
        print(&evaluation, reading.faults.len());
    }
    Ok(())
}

/// Says which records were skipped, and why.
pub fn report_faults(faults: &[Fault]) {
    for fault in faults.iter().take(SHOWN_FAULTS) {
        eprintln!("warning: {fault}");
    }
    if faults.len() > SHOWN_FAULTS {
        eprintln!("warning: {} records were skipped in all", faults.len());
    }
}

fn print(e: &Evaluation, skipped: usize) {
    let source = match e.bonds_from {
        BondSource::File => "bonds of the file",
        BondSource::Distances => "bonds from distances: the file has none",
    };
    println!("{} molecules, {:.1} atoms on average; {source}", e.count, e.mean_atoms);
    if skipped > 0 {
        println!("{skipped} records that make no molecule were skipped and are not counted");
    }
    let row = |name: &str, s: &Share| {
        println!("{name:<34}{:>6.2} %   ({:.2} – {:.2})", 100.0 * s.value, 100.0 * s.low, 100.0 * s.high);
    };
    row("atoms with an allowed valence", &e.valid_atoms);
    row("valid", &e.valid);
    row("valid and connected", &e.valid_and_connected);
    row("unique among valid", &e.unique);
    if let Some(novel) = &e.novel {
        row("novel among unique", novel);
    }
    println!("{:<34}{:>6.2} %", "all of these, of all", 100.0 * e.all_together);
    row("atom stability (EDM protocol)", &e.atom_stability);
    row("molecule stability (EDM protocol)", &e.molecule_stability);
    row("bonded pairs as by distances", &e.bonds_match);
    println!("{:<34}{:>6.2}", "rings per valid molecule", e.mean_rings);
    if let Some(g) = &e.geometry {
        println!("Wasserstein-1 distances from the reference, means over its eight commonest types:");
        println!("{:<34}{:>6.2} pm", "bond lengths", g.bond_lengths_pm);
        println!("{:<34}{:>6.2}°", "angles", g.angles_degrees);
        println!("{:<34}{:>6.2}°", "torsions", g.torsions_degrees);
    }
    println!("Molecules with{}:", if e.reference_structures.is_some() { " (in the reference)" } else { "" });
    for (name, share) in &e.structures {
        let reference = e.reference_structures.as_ref().map(|r| r.get(name).copied().unwrap_or_default());
        let reference = reference.map_or(String::new(), |r| format!("   ({:.1})", 100.0 * r));
        println!("  {name:<32}{:>6.1} %{reference}", 100.0 * share);
    }
    println!("In brackets: 95 % bootstrap intervals.");
}
