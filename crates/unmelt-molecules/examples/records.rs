//! Prints what files of molecules hold, a line of JSON for each record; `tests/peers/molecule_files.py` compares it with RDKit.

use std::path::Path;

use serde_json::json;
use unmelt_molecules::format::read_molecules;

fn main() {
    for file in std::env::args().skip(1) {
        let reading = match read_molecules(Path::new(&file)) {
            Ok(reading) => reading,
            Err(error) => {
                println!("{}", json!({ "file": file, "error": error.to_string() }));
                continue;
            }
        };
        for m in &reading.molecules {
            let atoms: Vec<_> =
                m.atoms().map(|a| json!([a.element.symbol(), a.charge, a.radicals, a.isotope])).collect();
            let positions: Vec<_> = m.atoms().map(|a| [a.position.x, a.position.y, a.position.z]).collect();
            let bonds: Vec<_> = m.bonds().map(|b| json!([b.begin, b.end, b.order.code()])).collect();
            let record = json!({
                "file": file, "name": m.name, "atoms": atoms, "positions": positions, "bonds": bonds, "fields": m.fields,
            });
            println!("{record}");
        }
        for fault in &reading.faults {
            println!("{}", json!({ "file": file, "position": fault.position, "fault": fault.message }));
        }
    }
}
