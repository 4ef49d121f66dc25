//! Checkpoints of EDM: imported without executing anything, and generated with.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::{Value, json};
use unmelt_diffusion::job::Job;
use unmelt_molecules::edm::{EdmImport, PropertyNorm};
use unmelt_molecules::format::write_sdf;
use unmelt_molecules::{Beginning, GenerateRequest, Generator, Molecule};

fn checkpoint(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/edm").join(name)
}

fn norms(texts: &[&str]) -> Vec<PropertyNorm> {
    texts.iter().map(|t| t.parse().expect("a norm")).collect()
}

fn sdf(molecule: &Molecule) -> Vec<u8> {
    let mut text = Vec::new();
    write_sdf(&mut text, molecule).expect("memory does not run out");
    text
}

/// A copy of a checkpoint to spoil.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["args.pickle", "generative_model_ema.npy"] {
        std::fs::copy(checkpoint(name).join(file), folder.path().join(file)).expect("a copy");
    }
    folder
}

fn fault(folder: &Path) -> String {
    let output = tempfile::tempdir().expect("a folder");
    let import = EdmImport { folder: folder.to_path_buf(), norms: Vec::new() };
    let error = import.write(output.path()).expect_err("an error").to_string();
    assert!(!output.path().join("model.json").exists(), "a model was written in spite of: {error}");
    error
}

fn imported(name: &str, norms: Vec<PropertyNorm>) -> Generator {
    let output = tempfile::tempdir().expect("a folder");
    EdmImport { folder: checkpoint(name), norms }.write(output.path()).expect("an import");
    Generator::open(output.path(), &Device::flex()).expect("a model")
}

#[test]
fn an_imported_model_generates_the_same_in_any_batch() {
    let generator = imported("plain", Vec::new());
    let request = GenerateRequest { steps: 4, seed: 5, ..GenerateRequest::default() };
    let together = generator.generate(&request, 0..3, &Job::new(), &mut |_| ()).expect("molecules");
    let alone = generator.generate(&request, 2..3, &Job::new(), &mut |_| ()).expect("molecules");
    assert!(sdf(&together[2]) == sdf(&alone[0]), "its company matters");
    assert!(together.iter().all(|m| (3..=29).contains(&m.len())));
}

#[test]
fn a_conditional_model_wants_its_property() {
    let generator = imported("conditional", norms(&["alpha=75.3,6.3"]));
    let free = GenerateRequest { steps: 3, atoms: Some(9), ..GenerateRequest::default() };
    assert!(
        generator
            .check(&free)
            .expect_err("a target is missing")
            .to_string()
            .contains("name the property alpha")
    );
    assert!(generator.generate(&free, 0..1, &Job::new(), &mut |_| ()).is_err(), "generating checks as well");
    let wanted = |alpha| GenerateRequest { targets: vec![("alpha".into(), alpha)], ..free.clone() };
    assert_eq!(generator.evaluations(&wanted(80.0)).expect("a count"), 3);
    let of = |alpha| {
        generator.generate(&wanted(alpha), 0..1, &Job::new(), &mut |_| ()).expect("molecules").remove(0)
    };
    assert!(sdf(&of(60.0)) != sdf(&of(90.0)), "the property says nothing");
    assert_eq!(of(60.0).len(), 9);
}

#[test]
fn what_edm_never_learned_is_refused() {
    let generator = imported("plain", Vec::new());
    let formula = Beginning::Formula("C2H6O".parse().expect("a formula"));
    let request = GenerateRequest { beginning: formula, ..GenerateRequest::default() };
    assert!(generator.check(&request).expect_err("no formulas").to_string().contains("formulas"));
    let candidates = GenerateRequest { candidates: Some(3), ..GenerateRequest::default() };
    assert!(generator.check(&candidates).is_err());
}

#[test]
fn spoiled_checkpoints_are_named() {
    let folder = copy("plain");
    let weights = folder.path().join("generative_model_ema.npy");
    let whole = std::fs::read(&weights).expect("the weights");
    for kept in [0, 10, 1000, whole.len() / 2, whole.len() - 30] {
        std::fs::write(&weights, &whole[..kept]).expect("a file");
        let error = fault(folder.path());
        assert!(error.contains("generative_model_ema.npy"), "{kept} bytes: {error}");
    }
    std::fs::remove_file(&weights).expect("a removal");
    assert!(fault(folder.path()).contains("generative_model.npy"));
    std::fs::copy(checkpoint("conditional").join("generative_model_ema.npy"), &weights).expect("a copy");
    assert!(fault(folder.path()).contains("dynamics.egnn"));
    std::fs::remove_file(folder.path().join("args.pickle")).expect("a removal");
    assert!(fault(folder.path()).contains("args.pickle"));
    assert!(fault(&checkpoint("conditional")).contains("norm alpha=MEAN,MAD"));
}

#[test]
fn pickles_are_never_executed() {
    let folder = copy("plain");
    let mark = folder.path().join("executed");
    let call = format!("cos\nsystem\n(S'touch {}'\ntR.", mark.display());
    std::fs::write(folder.path().join("args.pickle"), &call).expect("a file");
    assert!(fault(folder.path()).contains("args.pickle"));
    std::fs::copy(checkpoint("plain").join("args.pickle"), folder.path().join("args.pickle"))
        .expect("a copy");
    std::fs::write(folder.path().join("generative_model_ema.npy"), &call).expect("a file");
    assert!(fault(folder.path()).contains("generative_model_ema.npy"));
    assert!(!mark.exists(), "the pickle was executed");
}

#[test]
fn norms_are_read_or_explained() {
    assert!("alpha=75.3,6.3".parse::<PropertyNorm>().is_ok());
    for bad in ["alpha", "alpha=", "alpha=1", "alpha=1,0", "alpha=1,-2", "alpha=x,2", "alpha=1,inf"] {
        assert!(bad.parse::<PropertyNorm>().is_err(), "{bad}");
    }
}

/// Settings of the plain checkpoint as a pickle of protocol 0, with some of them changed; values are as JSON has them.
fn settings(changes: &[(&str, Value)]) -> Vec<u8> {
    let mut all = json!({
        "model": "egnn_dynamics", "probabilistic_model": "diffusion", "diffusion_steps": 1000,
        "diffusion_noise_schedule": "polynomial_2", "diffusion_noise_precision": 1e-5, "condition_time": true,
        "n_layers": 2, "inv_sublayers": 1, "nf": 8, "tanh": true, "attention": true, "norm_constant": 1,
        "dataset": "qm9", "include_charges": true, "normalize_factors": [1, 4, 10], "conditioning": [],
        "context_node_nf": 0, "ema_decay": 0.9999, "current_epoch": 1001
    });
    for (key, value) in changes {
        all[key] = value.clone();
    }
    format!("{}.", pickled(&all)).into_bytes()
}

fn pickled(value: &Value) -> String {
    match value {
        Value::Null => "N".into(),
        Value::Bool(b) => format!("I0{}\n", u8::from(*b)),
        Value::Number(n) if n.is_f64() => format!("F{n}\n"),
        Value::Number(n) => format!("L{n}L\n"),
        Value::String(text) => format!("V{text}\n"),
        Value::Array(items) => {
            format!("(l{}", items.iter().map(|v| format!("{}a", pickled(v))).collect::<String>())
        }
        Value::Object(items) => {
            format!("(d{}", items.iter().map(|(k, v)| format!("V{k}\n{}s", pickled(v))).collect::<String>())
        }
    }
}

#[test]
fn settings_that_grow_or_cannot_be_are_refused() {
    let folder = copy("plain");
    let with = |bytes: &[u8]| {
        std::fs::write(folder.path().join("args.pickle"), bytes).expect("a file");
        fault(folder.path())
    };
    let laughs = |levels| [&b"\x80\x02K\x01"[..], &b"2\x86".repeat(levels), b"."].concat();
    assert!(with(&laughs(40)).contains("nested deeper"), "85 bytes that grow to a trillion values");
    assert!(with(&laughs(25)).contains("more values"));
    assert!(with(&vec![b'('; 1 << 20]).contains("far more than the settings"));
    let huge = i64::MAX;
    for (key, value) in [
        ("nf", json!(0)),
        ("nf", json!(-1)),
        ("nf", json!(huge)),
        ("nf", json!(1e18)),
        ("n_layers", json!(0)),
        ("n_layers", json!(huge)),
        ("inv_sublayers", json!(0)),
        ("inv_sublayers", json!(huge)),
        ("diffusion_steps", json!(0)),
        ("diffusion_steps", json!(huge)),
        ("diffusion_noise_precision", json!(-1)),
        ("diffusion_noise_precision", json!(huge)),
        ("diffusion_noise_schedule", json!("polynomial_nan")),
        ("diffusion_noise_schedule", json!("polynomial_1e18")),
        ("norm_constant", json!(-1)),
        ("norm_constant", json!(huge)),
        ("normalization_factor", json!(0)),
        ("normalize_factors", json!([1, 0, 10])),
        ("normalize_factors", json!([1, huge, 10])),
        ("normalize_factors", json!([1, 4])),
        ("context_node_nf", json!(huge)),
        ("dataset", json!("none")),
    ] {
        let sentence = with(&settings(&[(key, value.clone())]));
        assert!(!sentence.contains("panicked"), "{key} = {value}: {sentence}");
    }
    // The width that the weights have is another one.
    let sentence = with(&settings(&[("nf", json!(16))]));
    assert!(sentence.contains("has shape") && sentence.contains("16"), "{sentence}");
    std::fs::write(folder.path().join("args.pickle"), settings(&[])).expect("a file");
    let output = tempfile::tempdir().expect("a folder");
    let import = EdmImport { folder: folder.path().to_path_buf(), norms: Vec::new() };
    import.write(output.path()).expect("the settings as they are");
}

#[test]
fn what_a_model_has_no_use_for_is_refused() {
    let generator = imported("conditional", norms(&["alpha=75.3,6.3"]));
    let targets = vec![("Alpha".into(), 80.0)];
    let usual = GenerateRequest { steps: 2, atoms: Some(5), targets, ..GenerateRequest::default() };
    generator.check(&usual).expect("a request");
    let guided = GenerateRequest { guidance: 3.0, ..usual.clone() };
    assert!(generator.check(&guided).expect_err("no guidance").to_string().contains("cannot be guided"));
    let warm = GenerateRequest { temperature: 0.7, ..usual };
    assert!(generator.check(&warm).expect_err("no classes").to_string().contains("temperature"));
}
