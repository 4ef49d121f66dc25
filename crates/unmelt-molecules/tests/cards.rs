//! Cards with numbers and lists that cannot be: a sentence each time, never a panic, and no memory on the card's word.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::tensor::Device;
use serde_json::{Value, json};
use unmelt_diffusion::checkpoint::ModelFiles;
use unmelt_diffusion::job::Job;
use unmelt_molecules::edm::EdmImport;
use unmelt_molecules::{GenerateRequest, Generator, models};

/// A card with one thing changed.
struct Change {
    /// Where, as names and numbers joined by slashes.
    place: String,
    /// What is there now.
    to: String,
    card: String,
}

/// Stands for NaN until the card is text; JSON has no such number.
const NAN: &str = "@NaN@";

/// Every number of a card set to what it cannot be, and every list cut, emptied and lengthened.
fn changes(card: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |place: &str, to: Value| {
        let mut changed = card.clone();
        *changed.pointer_mut(place).expect("the place is there") = to.clone();
        let text = |v: &Value| v.to_string().replace(&format!("\"{NAN}\""), "NaN");
        changes.push(Change { place: place.into(), to: text(&to), card: text(&changed) });
    };
    visit("", card, &mut |place, value| match value {
        Value::Number(_) => {
            let integers = [0, -1, 1_000_000_000_000_000_000i64].map(|n| json!(n));
            let others = [json!(1e18), json!(1e-300), json!(1e300), json!(u64::MAX), json!(NAN)];
            for to in integers.into_iter().chain(others) {
                add(place, to);
            }
        }
        Value::Array(items) => {
            add(place, json!([]));
            if let Some((last, rest)) = items.split_last() {
                add(place, Value::Array(rest.to_vec()));
                add(place, Value::Array([items.as_slice(), std::slice::from_ref(last)].concat()));
            }
        }
        Value::Object(fields) if place.ends_with("/sizes") => {
            for key in fields.keys() {
                for to in ["0", "-1", "1000000000000000000", "18446744073709551615", "NaN"] {
                    let mut other = fields.clone();
                    let count = other.remove(key).expect("it is there");
                    other.insert(to.into(), count);
                    add(place, Value::Object(other));
                }
            }
        }
        _ => {}
    });
    changes
}

fn visit(place: &str, value: &Value, see: &mut dyn FnMut(&str, &Value)) {
    see(place, value);
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(k, v)| visit(&format!("{place}/{k}"), v, see))
        }
        Value::Object(fields) => fields.iter().for_each(|(k, v)| visit(&format!("{place}/{k}"), v, see)),
        _ => {}
    }
}

/// Loads a model with a card and generates a molecule in one step.
fn attempt(files: &ModelFiles, card: &str) -> unmelt_molecules::Result<()> {
    let files = ModelFiles { card: card.into(), ..files.clone() };
    let generator = Generator::load(&files, &Device::flex())?;
    let request = GenerateRequest { steps: 1, ..GenerateRequest::default() };
    generator.generate(&request, 0..1, &Job::new(), &mut |_| ()).map(drop)
}

/// Most bytes that the process had at any time; none where the system does not say.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmPeak:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn every_change_is_survived(files: &ModelFiles) {
    let card: Value = serde_json::from_slice(&files.card).expect("a card");
    attempt(files, &card.to_string()).expect("the card as it is");
    let before = most_memory();
    let mut wrong = Vec::new();
    let (mut refused, mut accepted) = (0, 0);
    for Change { place, to, card } in changes(&card) {
        let begin = std::time::Instant::now();
        match catch_unwind(AssertUnwindSafe(|| attempt(files, &card))) {
            Err(_) => wrong.push(format!("{place} = {to}: panic")),
            Ok(Ok(())) => accepted += 1,
            Ok(Err(error)) => {
                refused += 1;
                let sentence = error.to_string();
                // The name of the field, or of what holds it, or of what its length must agree with.
                let names = place.split('/').filter(|part| !part.is_empty() && part.parse::<u64>().is_err());
                let mut nearest = names.rev().take(2).chain(["vocabulary", "atoms"]);
                if to != "NaN" && !nearest.any(|name| sentence.contains(name)) {
                    wrong.push(format!("{place} = {to}: {sentence}"));
                }
            }
        }
        if begin.elapsed().as_secs() > 10 {
            wrong.push(format!("{place} = {to}: it took {:?}", begin.elapsed()));
        }
    }
    println!("{refused} changed cards are refused, {accepted} are usable");
    assert!(wrong.is_empty(), "{} changes:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused > 3 * accepted, "{refused} refused, {accepted} accepted");
    if let (Some(before), Some(after)) = (before, most_memory()) {
        assert!(after - before < 1 << 30, "{} MiB were taken", (after - before) >> 20);
    }
}

#[test]
fn the_built_in_card_changed_anywhere_is_refused_or_works() {
    every_change_is_survived(&models::find("qm9").expect("built in"));
}

fn imported(name: &str, norms: &[&str]) -> ModelFiles {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/edm").join(name);
    let norms = norms.iter().map(|n| n.parse().expect("a norm")).collect();
    let output = tempfile::tempdir().expect("a folder");
    EdmImport { folder, norms }.write(output.path()).expect("an import");
    ModelFiles::read(output.path()).expect("a model")
}

#[test]
fn the_card_of_an_edm_model_changed_anywhere_is_refused_or_works() {
    every_change_is_survived(&imported("plain", &[]));
}

/// The sentence about a card of the built-in model with a part replaced.
fn sentence(place: &str, to: Value) -> String {
    let files = models::find("qm9").expect("built in");
    let mut card: Value = serde_json::from_slice(&files.card).expect("a card");
    *card.pointer_mut(place).expect("the place is there") = to;
    attempt(&files, &card.to_string()).expect_err("a fault").to_string()
}

#[test]
fn sentences_name_the_field_and_what_it_must_be() {
    for (place, to, expected) in [
        ("/format", json!(3), "its format is 3, this program reads 1 to 2"),
        (
            "/model/network/layers",
            json!(1000),
            "model.network.layers: 1000 is above the limit of 256 for layers",
        ),
        ("/model/network/heads", json!(0), "model.network.heads must be at least 1, but it is 0"),
        ("/model/network/heads", json!(7), "model.network.node_width must be a multiple"),
        (
            "/model/network/elements",
            json!(3),
            "model.network.elements is 3, but the vocabulary has this many: 4",
        ),
        ("/model/network/layers", json!(-1), "network.layers: invalid value: integer `-1`"),
        ("/model/network/layers", json!(4), "weights.parameters is 1026522, but the network has"),
        ("/model/vocabulary/elements/3", json!(7), "model.vocabulary.elements must differ"),
        ("/model/vocabulary/charges", json!((-15..=15).rev().collect::<Vec<i8>>()), "charges must ascend"),
        (
            "/model/features/0/schedule/power",
            json!(0),
            "model.features.0.schedule.power must be from 0.1 to 10",
        ),
        ("/model/features/1/name", json!("bonds"), "model.features.1 must be the atoms"),
        (
            "/model/features/3/process",
            json!({"categorical": {"kind": "absorbing", "classes": 4}}),
            "model.features.3.process must be categorical and end in classes of the data",
        ),
        (
            "/model/features/0/schedule",
            json!({"kind": "linear", "beta_start": 1e-4, "beta_end": 0.02, "steps": 1_000_000_000_000u64}),
            "model.features.0.schedule: the schedule: 1000000000000 is above the limit of 100000 for steps",
        ),
        ("/model/properties/0/deviation", json!(0), "model.properties.0.deviation must be from"),
        ("/model/loss/weighting/max", json!(0.01), "model.loss.weighting.max must be"),
        (
            "/model/vocabulary/heavy_atoms/1",
            json!(30),
            "model.vocabulary.heavy_atoms must be at most 29, the atoms of the largest molecule, but they are 30",
        ),
        (
            "/model/vocabulary/heavy_atoms/0",
            json!(10),
            "model.vocabulary.heavy_atoms must be the fewest and the most",
        ),
        ("/model/vocabulary/heavy_atoms", json!(1e-300), "vocabulary.heavy_atoms: invalid type"),
        (
            "/provenance/measured/posebusters_pass_of_300",
            json!(1e300),
            "provenance.measured.posebusters_pass_of_300 must be from",
        ),
        (
            "/model/vocabulary/sizes/3",
            json!(u64::MAX / 2),
            "model.vocabulary.sizes.3 must be from 0 to 1000000000000000, but it is",
        ),
        ("/name", json!("a\n$$$$\nb"), "name must be some letters on one line, at most 200 bytes"),
        (
            "/model/properties/1/source/name",
            json!("DIPOLE"),
            "properties.1.source.name must be a name of its own",
        ),
        (
            "/model/properties/1/source/name",
            json!("a>\nb"),
            "properties.1.source.name must be a name of its own",
        ),
        ("/provenance/minutes", json!(-1), "provenance.minutes must be"),
    ] {
        let sentence = sentence(place, to);
        assert!(sentence.contains(expected), "{place}: {sentence}");
        assert!(sentence.contains("model.json"), "{place}: {sentence}");
    }
}

#[test]
fn weights_are_held_against_the_card() {
    let files = models::find("qm9").expect("built in");
    let mut card: Value = serde_json::from_slice(&files.card).expect("a card");
    card["weights"]["parameters"] = json!(1);
    let error = attempt(&files, &card.to_string()).expect_err("a fault").to_string();
    assert!(error.contains("weights.parameters is 1, but the network has 1026522"), "{error}");
    // Two time features fewer take as many rows from the first layers of atoms and of pairs.
    card["model"]["network"]["time_features"] = json!(14);
    card["weights"]["parameters"] = json!(1_026_522 - 2 * (128 + 64));
    let error = attempt(&files, &card.to_string()).expect_err("a fault").to_string();
    assert!(error.contains("model.safetensors") && error.contains("nodes.0.weight"), "{error}");
}
