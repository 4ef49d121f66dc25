//! The program as a person meets it.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use unmelt_molecules::Molecule;
use unmelt_molecules::format::read_molecules;

fn unmelt(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::cargo_bin("unmelt").expect("the program is built");
    command.args(arguments).current_dir(folder).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs, expects success, returns what was printed.
fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = unmelt(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs, expects this exit code, returns the complaint.
fn fails(code: i32, arguments: &[&str], folder: &Path) -> String {
    let output = unmelt(arguments, folder);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {complaint}");
    assert!(!complaint.contains("panicked"), "{complaint}");
    complaint
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

const QUICK: [&str; 9] =
    ["molecules", "generate", "--steps", "6", "--seed", "5", "--count", "7", "--overwrite"];

fn generate(folder: &Path, output: &str, more: &[&str]) -> String {
    succeeds(&[&QUICK[..], &["--output", output], more].concat(), folder)
}

#[test]
fn the_same_seed_gives_the_same_molecules_whatever_the_batch() {
    let f = folder();
    generate(f.path(), "all.sdf", &[]);
    generate(f.path(), "small.sdf", &["--batch", "2"]);
    let read = |name: &str| std::fs::read_to_string(f.path().join(name)).expect("written");
    assert_eq!(read("all.sdf"), read("small.sdf"));
    assert_eq!(read("all.csv"), read("small.csv"));
    generate(f.path(), "rest.sdf", &["--first", "4", "--count", "3"]);
    assert!(read("all.sdf").ends_with(&read("rest.sdf")), "a later shard is the end of the whole");
    let shards = ["1/3", "2/3", "3/3"].map(|shard| {
        generate(f.path(), "shard.sdf", &["--shard", shard]);
        read("shard.sdf")
    });
    assert_eq!(read("all.sdf"), shards.concat());
    let both = ["--shard", "1/3", "--filter", "valid", "--output", "x.sdf"];
    assert!(fails(2, &[&QUICK[..], &both].concat(), f.path()).contains("cannot be used with"));
    assert!(
        fails(2, &[&QUICK[..], &["--shard", "4/3", "--output", "x.sdf"]].concat(), f.path())
            .contains("is no shard")
    );
    generate(f.path(), "other.sdf", &["--seed", "6"]);
    assert_ne!(read("all.sdf"), read("other.sdf"));
}

#[test]
fn one_atom_molecules_are_the_same_alone_and_together() {
    let f = folder();
    generate(f.path(), "all.sdf", &["--atoms", "1"]);
    generate(f.path(), "alone.sdf", &["--atoms", "1", "--batch", "1"]);
    let read = |name: &str| std::fs::read_to_string(f.path().join(name)).expect("written");
    assert_eq!(read("all.sdf"), read("alone.sdf"));
    assert_eq!(read_molecules(&f.path().join("all.sdf")).expect("read").molecules[0].len(), 1);
}

#[test]
fn every_format_holds_the_same_atoms() {
    let f = folder();
    let read = |name: &str| -> Vec<Molecule> {
        generate(f.path(), name, &[]);
        let reading = read_molecules(&f.path().join(name)).expect("readable");
        assert!(reading.faults.is_empty());
        reading.molecules
    };
    let (sdf, xyz, parquet) = (read("a.sdf"), read("b.xyz"), read("c.parquet"));
    assert_eq!(sdf.len(), 7);
    for ((a, b), c) in sdf.iter().zip(&xyz).zip(&parquet) {
        for k in 0..a.len() {
            assert_eq!(a.atom(k).element, b.atom(k).element);
            assert!((a.atom(k).position - b.atom(k).position).norm() < 1e-3);
            assert!((a.atom(k).position - c.atom(k).position).norm() < 1e-3);
        }
        assert_eq!(a.bonds().collect::<Vec<_>>(), c.bonds().collect::<Vec<_>>());
    }
    let table = std::fs::read_to_string(f.path().join("a.csv")).expect("the table");
    assert_eq!(
        table.lines().next(),
        Some("sample,seed,smiles,formula,atoms,stable,valid,connected,rings,key")
    );
    assert_eq!(table.lines().count(), 8);
}

#[test]
fn every_solver_makes_molecules() {
    let f = folder();
    for solver in unmelt_diffusion::solver::Solver::NAMES {
        generate(f.path(), "x.sdf", &["--solver", solver, "--count", "2", "--atoms", "9", "--steps", "12"]);
        assert_eq!(read_molecules(&f.path().join("x.sdf")).expect("readable").molecules[0].len(), 9);
    }
}

#[test]
fn every_grid_makes_molecules() {
    let f = folder();
    for grid in ["trailing", "karras", "logsnr", "power:1.5"] {
        generate(f.path(), "x.sdf", &["--grid", grid, "--count", "2", "--atoms", "9"]);
    }
    for grid in ["magic", "power:0", "power:x"] {
        let complaint = fails(2, &[&QUICK[..], &["--output", "x.sdf", "--grid", grid]].concat(), f.path());
        assert!(complaint.contains("is no grid; use trailing"), "{complaint}");
    }
}

#[test]
fn counts_of_nothing_and_too_many() {
    let f = folder();
    generate(f.path(), "none.sdf", &["--count", "0"]);
    assert_eq!(std::fs::read(f.path().join("none.sdf")).expect("written").len(), 0);
    let complaint = fails(2, &[&QUICK[..], &["--output", "x.sdf", "--atoms", "0"]].concat(), f.path());
    assert!(complaint.contains("at least 1 atom, but 0 were asked for"), "{complaint}");
    let complaint = fails(2, &[&QUICK[..], &["--output", "x.sdf", "--steps", "0"]].concat(), f.path());
    assert!(complaint.contains("steps must be at least 1"), "{complaint}");
    let huge = ["--output", "x.sdf", "--first", "281474976710656"];
    assert!(fails(2, &[&QUICK[..], &huge].concat(), f.path()).contains("2^38"));
}

#[test]
fn bad_outputs_are_found_before_the_work_begins() {
    let f = folder();
    let long = ["molecules", "generate", "--count", "1000000", "--output"];
    for (output, message) in [
        ("no/such/folder/x.sdf", "could not write no/such/folder/x.sdf"),
        ("x.pdb", "use one of .sdf, .xyz, .parquet"),
        ("x", "use one of .sdf, .xyz, .parquet"),
    ] {
        let complaint = fails(2, &[&long[..], &[output]].concat(), f.path());
        assert!(complaint.contains(message), "{complaint}");
    }
    let complaint = fails(2, &[&long[..], &["x.sdf", "--table", "gone/t.csv"]].concat(), f.path());
    assert!(complaint.contains("could not write gone/t.csv"), "{complaint}");
    assert!(fails(2, &[&long[..], &["x.sdf", "--model", "nope"]].concat(), f.path()).contains("one of: qm9"));
    assert!(
        fails(2, &[&long[..], &["x.sdf", "--solver", "magic"]].concat(), f.path())
            .contains("possible values")
    );
    assert!(names(f.path()).is_empty(), "nothing is left: {:?}", names(f.path()));
}

#[test]
fn outputs_replace_nothing_unasked_and_inputs_never() {
    let f = folder();
    let plain = |more: &[&str]| unmelt(&[&QUICK[..8], more].concat(), f.path());
    assert!(plain(&["--output", "a.sdf"]).status.success());
    let before = std::fs::read(f.path().join("a.sdf")).expect("written");
    for (more, message) in [
        (&["--output", "a.sdf"][..], "a.sdf is there already"),
        (&["--output", "a.xyz"], "a.csv is there already"),
        (&["--output", "b.sdf", "--table", "./b.sdf"], "two outputs"),
        (&["--output", "b.sdf", "--trajectory", "b.sdf"], "two outputs"),
        (&["--overwrite", "--output", "a.sdf", "--vary", "a.sdf"], "is an input"),
        (&["--overwrite", "--output", "b.sdf", "--trajectory", "a.sdf", "--vary", "a.sdf"], "is an input"),
    ] {
        let output = plain(more);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {complaint}");
        assert!(complaint.contains(message), "{more:?}: {complaint}");
    }
    assert_eq!(std::fs::read(f.path().join("a.sdf")).expect("there"), before);
    assert_eq!(names(f.path()), ["a.csv", "a.sdf"]);
    assert!(plain(&["--output", "a.sdf", "--overwrite", "--count", "2"]).status.success());
    assert_ne!(std::fs::read(f.path().join("a.sdf")).expect("there"), before);
}

#[test]
fn limits_and_instruction_sets_are_known_names() {
    let f = folder();
    assert!(succeeds(&["models", "--limit", "voxels=2e9"], f.path()).starts_with("qm9"));
    for (limit, message) in
        [("pixels=3", "the limits are"), ("voxels", "is no limit"), ("voxels=-1", "is no limit")]
    {
        assert!(fails(2, &["--limit", limit, "models"], f.path()).contains(message));
    }
    let twice = fails(2, &["--limit", "voxels=3", "--limit", "voxels=4", "models"], f.path());
    assert!(twice.contains("--limit names voxels twice"), "{twice}");
    let mut command = Command::cargo_bin("unmelt").expect("the program is built");
    let output = command.arg("models").env("UNMELT_SIMD", "mmx").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("UNMELT_SIMD is \"mmx\""));
}

#[test]
fn devices_that_are_not_compiled_in_name_the_feature() {
    let f = folder();
    let at = |device| fails(2, &[&QUICK[..], &["--output", "x.sdf", "--device", device]].concat(), f.path());
    if !cfg!(feature = "cuda") {
        insta::assert_snapshot!(at("cuda:1"), @r"
        error: this program was built without cuda; build it from source with --features cuda
        ");
    }
    if !cfg!(feature = "wgpu") {
        assert!(at("wgpu").contains("--features wgpu"));
    }
    assert!(at("tpu").contains("use cpu, cuda, cuda:N or wgpu"));
    assert!(succeeds(&["devices"], f.path()).starts_with("cpu"));
}

#[test]
fn models_describe_themselves() {
    let f = folder();
    assert!(succeeds(&["models"], f.path()).starts_with("qm9"));
    let card = succeeds(&["molecules", "info"], f.path());
    for part in ["elements      H C N O", "charges       -1 0 +1", "atoms         3 to 29", "QM9", "measured"]
    {
        assert!(card.contains(part), "{part} in {card}");
    }
}

/// The result of a command that was asked for JSON.
fn result(document: &str) -> serde_json::Value {
    let mut document: serde_json::Value = serde_json::from_str(document).expect("JSON");
    assert_eq!((&document["schema"], &document["ok"]), (&1.into(), &true.into()), "{document}");
    document["result"].take()
}

#[test]
fn every_command_speaks_json_and_tells_its_errors_in_it() {
    let f = folder();
    let generate =
        ["molecules", "generate", "--count", "3", "--atoms", "9", "--steps", "5", "--json", "--output"];
    let said = succeeds(&[&generate[..], &["x.sdf", "--threads", "1"]].concat(), f.path());
    let json = result(&said);
    assert_eq!(
        (&json["molecules"], &json["output"], &json["rest"]),
        (&3.into(), &"x.sdf".into(), &().into())
    );
    let output = unmelt(&[&generate[..], &["x.sdf"]].concat(), f.path());
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["ok"], &json["error"]["kind"]), (&false.into(), &"io".into()), "{json}");
    let message = json["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("x.sdf is there already") && json["error"]["hint"].is_string(), "{json}");
    assert!(text(&output.stderr).contains(message), "people are told as well");
    let output = unmelt(&["molecules", "generate", "--count", "x", "--json"], f.path());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["ok"], &json["error"]["kind"]), (&false.into(), &"usage".into()), "{json}");
    let models = result(&succeeds(&["models", "--json"], f.path()));
    assert_eq!(models[0]["name"], "qm9");
    assert_eq!(result(&succeeds(&["molecules", "info", "--json"], f.path()))["name"], "qm9");
    assert!(result(&succeeds(&["devices", "--json"], f.path()))[0]["name"] == "cpu");
}

#[test]
fn quiet_runs_print_nothing_and_logs_get_every_line() {
    let f = folder();
    let generate =
        ["molecules", "generate", "--count", "3", "--atoms", "9", "--steps", "5", "--log", "all.log"];
    let output = unmelt(&[&generate[..], &["--quiet", "--output", "x.sdf"]].concat(), f.path());
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
    let more = unmelt(&[&generate[..], &["--verbose", "--output", "y.sdf"]].concat(), f.path());
    assert!(more.status.success() && text(&more.stderr).contains("threads"));
    let log = std::fs::read_to_string(f.path().join("all.log")).expect("a log");
    assert!(
        log.contains("Wrote 3 molecules to x.sdf") && log.contains("Wrote 3 molecules to y.sdf"),
        "{log}"
    );
    assert!(log.lines().all(|line| line.split_once(' ').is_some_and(|(t, _)| t.parse::<f64>().is_ok())));
    let before = std::fs::read(f.path().join("x.sdf")).expect("there");
    for log in ["x.sdf", "./x.sdf"] {
        let refused = fails(2, &["molecules", "evaluate", "x.sdf", "--log", log], f.path());
        assert!(refused.contains("is named as the log and for something else"), "{refused}");
    }
    assert!(fails(2, &["models", "--log", "y.sdf"], f.path()).contains("is no log of this program"));
    assert_eq!(std::fs::read(f.path().join("x.sdf")).expect("there"), before);
    let refused = fails(2, &["models", "--threads", "0"], f.path());
    assert!(refused.contains("--threads"), "{refused}");
    assert!(
        fails(2, &["models", "--log", "no/such/folder.log"], f.path()).contains("could not open the log")
    );
}

#[test]
fn generated_molecules_are_made_again_from_their_file() {
    let f = folder();
    generate(
        f.path(),
        "x.sdf",
        &["--steps", "8", "--seed", "3", "--property", "dipole=3.5", "--candidates", "2"],
    );
    let said = succeeds(&["replay", "x.sdf"], f.path());
    assert!(said.contains("7 of 7 molecules came out the same"), "{said}");
    let table = std::fs::read_to_string(f.path().join("x.csv")).expect("a table");
    assert!(table.lines().next().is_some_and(|l| l.ends_with("target_dipole,estimate_dipole")), "{table}");
    for file in ["y.parquet", "z.xyz"] {
        generate(
            f.path(),
            file,
            &["--steps", "8", "--seed", "3", "--property", "dipole=3.5", "--candidates", "2"],
        );
        let said = succeeds(&["replay", file], f.path());
        assert!(said.contains("7 of 7 molecules came out the same"), "{file}: {said}");
    }
    let filters = ["--steps", "8", "--filter", "valid", "--batch", "5"];
    generate(f.path(), "kept.sdf", &filters);
    assert!(succeeds(&["replay", "kept.sdf", "--count", "3"], f.path()).contains("3 of 3"));
    let ring = concat!(env!("CARGO_MANIFEST_DIR"), "/../unmelt-molecules/tests/data/rdkit.sdf");
    generate(f.path(), "near.sdf", &["--steps", "8", "--vary", ring]);
    assert!(succeeds(&["replay", "near.sdf"], f.path()).contains("7 of 7"));
    // A coordinate that was changed, a record that was cut, and a file without records.
    let text = std::fs::read_to_string(f.path().join("x.sdf")).expect("there");
    let line = text.lines().nth(4).expect("an atom");
    let digit = if &line[9..10] == "1" { "2" } else { "1" };
    std::fs::write(
        f.path().join("moved.sdf"),
        text.replacen(line, &format!("{}{digit}{}", &line[..9], &line[10..]), 1),
    )
    .expect("written");
    let moved = fails(1, &["replay", "moved.sdf"], f.path());
    assert!(moved.contains("1 of 7 molecules came out differently"), "{moved}");
    std::fs::write(f.path().join("cut.sdf"), text.replace("\"format\":1", "\"format\":2")).expect("written");
    assert!(fails(2, &["replay", "cut.sdf"], f.path()).contains("version 2"));
    assert!(fails(2, &["replay", ring], f.path()).contains("nothing says how it was made"));
}

#[test]
fn options_come_from_a_file_unless_they_are_typed() {
    let f = folder();
    let write = |text: &str| std::fs::write(f.path().join("usual.toml"), text).expect("room");
    let said = |arguments: &[&str]| fails(2, arguments, f.path());
    write(
        "count = 3\nsteps = 6\nseed = 5\noutput = \"x.sdf\"\nfilter = [\"valid\"]\noverwrite = true\njson = true\n",
    );
    let document = succeeds(&["--config", "usual.toml", "molecules", "generate"], f.path());
    assert_eq!(result(&document)["molecules"], 3);
    let typed = ["molecules", "generate", "--config", "usual.toml", "--count", "2", "--output", "y.sdf"];
    assert_eq!(result(&succeeds(&typed, f.path()))["molecules"], 2);
    assert_eq!(names(f.path()), ["usual.toml", "x.csv", "x.sdf", "y.csv", "y.sdf"]);

    for (text, complaint) in [
        ("cuont = 3\n", "usual.toml: cuont is no option of unmelt molecules generate"),
        ("count = [3, 4]\n", "usual.toml: count takes one value, not a list"),
        ("overwrite = 1\n", "usual.toml: overwrite must be true or false, but it is 1"),
        ("count = { a = 1 }\n", "usual.toml: count must be a text, a number"),
        ("count = \"three\"\n", "three"),
        ("count = \n", "usual.toml, line 1 (count)"),
        ("config = \"other.toml\"\n", "config is no option"),
    ] {
        write(text);
        let found = said(&["molecules", "generate", "--config", "usual.toml", "--output", "z.sdf"]);
        assert!(found.contains(complaint), "{text}: {found}");
    }
    let missing = said(&["molecules", "generate", "--config", "nowhere.toml", "--output", "z.sdf"]);
    assert!(missing.contains("nowhere.toml"), "{missing}");
}

#[test]
fn the_cost_is_told_before_it_is_spent() {
    let f = folder();
    let words =
        ["molecules", "generate", "--count", "3", "--atoms", "5", "--steps", "2", "--property", "dipole=2"];
    let run = |more: &[&str]| {
        let out = unmelt(&[&words[..], more].concat(), f.path());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        [out.stdout, out.stderr].map(|text| String::from_utf8_lossy(&text).into_owned())
    };
    let [said, told] = run(&["--candidates", "4", "--output", "a.sdf", "--json"]);
    assert!(told.starts_with("3 molecules, 12 drawn, 48 evaluations in 1 batch, about "), "{told}");
    let document: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let plan = &document["result"]["plan"];
    assert_eq!((&plan["cost"]["drawn"], &plan["cost"]["evaluations"]), (&12.into(), &48.into()));
    // Without guidance an evaluation a step, and in half of the noise levels about as many as there are.
    let [_, told] = run(&["--candidates", "1", "--guidance", "1", "--output", "b.sdf"]);
    assert!(told.starts_with("3 molecules, 6 evaluations in 1 batch, about "), "{told}");
    let [_, told] = run(&["--candidates", "1", "--guidance-interval", "0.9,1", "--output", "c.sdf"]);
    assert!(told.starts_with("3 molecules, 9 evaluations in 1 batch, about "), "{told}");
    let [_, told] = run(&["--output", "d.sdf", "--quiet"]);
    assert_eq!(told, "");
}

#[test]
fn completions_pages_and_the_reference_name_every_command() {
    let f = folder();
    for shell in ["bash", "zsh", "fish"] {
        assert!(succeeds(&["completions", shell], f.path()).contains("super-resolve"), "{shell}");
    }
    succeeds(&["man", "pages"], f.path());
    let page = std::fs::read_to_string(f.path().join("pages/unmelt-volumes-enhance.1")).expect("a page");
    assert!(page.contains("super") && page.contains(".TH"), "{page}");
    let reference = succeeds(&["reference"], f.path());
    for command in ["unmelt molecules generate", "unmelt volumes calibrate", "unmelt completions"] {
        assert!(reference.contains(command), "{command}");
    }
}

#[test]
fn evaluation_reads_counts_and_prints() {
    let f = folder();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../unmelt-molecules/tests/data/rdkit.sdf");
    let broken = std::fs::read_to_string(source).expect("there").replacen("  1  2  1", "  1  1  1", 1);
    std::fs::write(f.path().join("in.sdf"), broken).expect("written");
    let output = unmelt(&["molecules", "evaluate", "in.sdf"], f.path());
    assert!(output.status.success());
    assert!(
        text(&output.stderr).starts_with("warning: in.sdf: record 1 was skipped: atom 1 is bonded to itself")
    );
    let table = text(&output.stdout);
    assert!(table.contains("30 molecules") && table.contains("1 records that make no molecule"), "{table}");
    let json = succeeds(&["molecules", "evaluate", source, "--reference", source, "--json"], f.path());
    let json = result(&json);
    assert_eq!((json["count"].as_u64(), json["valid"]["value"].as_f64()), (Some(31), Some(1.0)));
    assert_eq!(json["novel"]["value"].as_f64(), Some(0.0));
}

#[test]
fn unreadable_inputs_get_one_sentence() {
    let f = folder();
    let write = |name: &str, bytes: &[u8]| std::fs::write(f.path().join(name), bytes).expect("written");
    write("empty.sdf", b"");
    write("noise.sdf", &[0xFF, 0xFE, 0, 1, 2, 3]);
    write("noise.xyz", &[0xFF; 100]);
    write("huge.xyz", b"99999999999\n\nC 0 0 0\n");
    write("half.sdf", b"x\n\n\n 99 99  0  0  0  0            999 V2000\n");
    write("odd.txt", b"C 0 0 0");
    write("t.parquet", b"PAR1 but not really");
    for name in [
        "empty.sdf",
        "noise.sdf",
        "noise.xyz",
        "huge.xyz",
        "half.sdf",
        "odd.txt",
        "t.parquet",
        "gone.sdf",
        ".",
    ] {
        let complaint = fails(2, &["molecules", "evaluate", name], f.path());
        let errors: Vec<&str> = complaint.lines().filter(|l| l.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{name}: {complaint}");
    }
}

const CONFIG: &str = "name = \"tiny\"\nbatch = 4\n[network]\nnode_width = 16\npair_width = 16\nheads = 2\nlayers = 1\n\
                      [training]\nsteps = 12\nreport_every = 3\n";

#[test]
fn training_begins_with_the_weights_of_a_model() {
    let f = folder();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../unmelt-molecules/tests/data/rdkit.sdf");
    std::fs::write(f.path().join("c.toml"), CONFIG).expect("written");
    let rest =
        "name = \"tuned\"\nbatch = 4\n[validation]\nmolecules = 0\n[training]\nsteps = 6\nreport_every = 2\n";
    std::fs::write(f.path().join("t.toml"), rest).expect("written");
    let first = ["molecules", "train", "--data", source, "--config", "c.toml", "--output", "first"];
    succeeds(&first, f.path());
    let tune = ["molecules", "train", "--data", source, "--config", "t.toml", "--output"];
    let read = |name: &str| std::fs::read(f.path().join(name)).expect("there");
    succeeds(&[&tune[..], &["whole", "--from", "first"]].concat(), f.path());
    // Before the first step the weights are those of the model.
    succeeds(&[&tune[..], &["parts", "--from", "first", "--minutes", "0"]].concat(), f.path());
    assert_eq!(read("parts/model.safetensors"), read("first/model.safetensors"));
    succeeds(&[&tune[..], &["parts", "--resume"]].concat(), f.path());
    assert_eq!(read("parts/model.safetensors"), read("whole/model.safetensors"));
    assert_ne!(read("parts/model.safetensors"), read("first/model.safetensors"));
    let card = |run: &str| -> serde_json::Value {
        serde_json::from_slice(&read(&format!("{run}/model.json"))).expect("a card")
    };
    let (before, after) = (card("first"), card("parts"));
    let began_with = &after["provenance"]["began_with"];
    assert_eq!(began_with["name"], "tiny");
    assert_eq!(began_with["sha256"], before["weights"]["sha256"]);
    assert_eq!(after["model"]["vocabulary"], before["model"]["vocabulary"]);
    // What does not fit is named, and nothing is written.
    for (config, message) in [
        (
            "[network]\nnode_width = 32\npair_width = 16\nheads = 2\nlayers = 1",
            "bad.toml: network.node_width must be that of the model tiny, 16, but it is 32",
        ),
        (
            "[[properties]]\nname = \"gap\"\ncolumn = \"gap\"",
            "bad.toml: properties must be those of the model tiny, none",
        ),
    ] {
        std::fs::write(f.path().join("bad.toml"), config).expect("written");
        let bad = [
            "molecules",
            "train",
            "--data",
            source,
            "--config",
            "bad.toml",
            "--output",
            "bad",
            "--from",
            "first",
        ];
        let said = fails(2, &bad, f.path());
        assert!(said.contains(message) && !f.path().join("bad").exists(), "{said}");
    }
    std::fs::write(f.path().join("b.xyz"), "2\n\nB 0 0 0\nH 0 0 1.2\n").expect("written");
    let other = ["molecules", "train", "--data", "b.xyz", "--output", "bad", "--from", "first"];
    let said = fails(2, &other, f.path());
    assert!(said.contains("elements that the model tiny does not know, B;"), "{said}");
    for (more, message) in [(["--from", "gone"], "no model"), (["--from", "bad.toml"], "no model")] {
        let said = fails(2, &[&tune[..], &["bad"], &more[..]].concat(), f.path());
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn training_resumes_and_its_model_generates() {
    let f = folder();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../unmelt-molecules/tests/data/rdkit.sdf");
    std::fs::write(f.path().join("c.toml"), CONFIG).expect("written");
    let train = ["molecules", "train", "--data", source, "--config", "c.toml", "--output"];
    succeeds(&[&train[..], &["whole"]].concat(), f.path());
    let said = succeeds(&[&train[..], &["parts", "--minutes", "0"]].concat(), f.path());
    assert!(said.contains("Stopped after 0 of 12 steps; go on with --resume"), "{said}");
    succeeds(&[&train[..], &["parts", "--resume"]].concat(), f.path());
    let losses = |run: &str| -> Vec<String> {
        let text = std::fs::read_to_string(f.path().join(run).join("losses.csv")).expect("the losses");
        // All but the speed.
        text.lines().map(|l| l.rsplit_once(',').expect("columns").0.to_string()).collect()
    };
    assert_eq!(losses("whole"), losses("parts"));
    assert_eq!(losses("whole").len(), 5);
    // A run that is there is neither begun anew nor destroyed unasked.
    let before = names(&f.path().join("whole"));
    let held = fails(2, &[&train[..], &["whole"]].concat(), f.path());
    assert!(held.contains("holds a run already") && held.contains("--resume"), "{held}");
    assert_eq!(losses("whole").len(), 5);
    assert_eq!(names(&f.path().join("whole")), before);
    let none = fails(2, &[&train[..], &["new", "--resume"]].concat(), f.path());
    assert!(none.contains("holds no checkpoint") && !f.path().join("new").exists(), "{none}");
    // A model alone cannot be gone on with.
    std::fs::create_dir(f.path().join("bare")).expect("room");
    for name in ["model.json", "model.safetensors"] {
        std::fs::copy(f.path().join("whole").join(name), f.path().join("bare").join(name)).expect("room");
    }
    let held = fails(2, &[&train[..], &["bare"]].concat(), f.path());
    assert!(held.contains("bare holds a model, but no checkpoint that a run could go on from"), "{held}");
    assert!(held.contains("--overwrite") && !held.contains("--resume"), "{held}");
    let held = fails(2, &[&train[..], &["bare", "--resume"]].concat(), f.path());
    assert!(held.contains("bare holds a model, but no checkpoint of a run"), "{held}");
    succeeds(&[&train[..], &["parts", "--overwrite"]].concat(), f.path());
    assert_eq!(losses("whole"), losses("parts"));
    let read = |name: &str| std::fs::read(f.path().join(name)).expect("there");
    assert_eq!(read("whole/model.safetensors"), read("parts/model.safetensors"));
    generate(f.path(), "x.sdf", &["--model", "whole", "--atoms", "5"]);
    assert!(succeeds(&["molecules", "info", "--model", "whole"], f.path()).starts_with("tiny"));

    let validated = std::fs::read_to_string(f.path().join("whole/validation.csv")).expect("a table");
    assert!(validated.starts_with("step,loss,valid,valid_and_connected\n12,"), "{validated}");
    std::fs::write(
        f.path().join("held.toml"),
        format!("{CONFIG}[validation]\nshare = 0.4\nsplit = \"scaffold\"\nmolecules = 4\nsteps = 3\n"),
    )
    .expect("written");
    let held = ["molecules", "train", "--data", source, "--config", "held.toml", "--output", "held"];
    assert!(succeeds(&held, f.path()).contains("held out"));
    let validated = std::fs::read_to_string(f.path().join("held/validation.csv")).expect("a table");
    assert!(validated.starts_with("step,loss,"), "{validated}");
    assert!(
        succeeds(&["molecules", "info", "--model", "held"], f.path()).contains("held out (scaffold split)")
    );

    for (config, message) in [
        ("[validation]\nshare = 1.0", "validation.share must be at least 0 and below 1"),
        ("stpes = 3", "unknown field `stpes`"),
        ("batch = 0", "c.toml: batch must be at least 1"),
        (
            "batch = 100000",
            "c.toml: batch: 100000 is above the limit of 65536 for batch; raise the limit batch if so much is meant",
        ),
        ("[network]\nheads = 3\nnode_width = 16", "multiple of the number of heads"),
        ("batch = ", "c.toml, line 1"),
        ("[training]\nsteps = -1", "c.toml, line 2 (steps)"),
        ("[training]\nsteps = 0", "c.toml: training.steps must be"),
        ("[training]\ncheckpoint_minutes = 1e20", "c.toml: training.checkpoint_minutes must be"),
        ("[training]\ncheckpoint_minutes = nan", "checkpoint_minutes must be"),
        ("[training]\nema_decay = -0.5", "ema_decay must be"),
        ("[training.learning_rate]\npeak = inf", "c.toml: training.learning_rate.peak must be"),
    ] {
        std::fs::write(f.path().join("c.toml"), config).expect("written");
        let complaint = fails(2, &[&train[..], &["bad"]].concat(), f.path());
        assert!(complaint.contains(message), "{complaint}");
        assert!(!f.path().join("bad").exists(), "nothing is written: {config}");
    }
    for minutes in ["-1", "nan", "1e20", "inf"] {
        let complaint = fails(2, &[&train[..], &["bad", "--minutes", minutes]].concat(), f.path());
        assert!(complaint.contains("--minutes must be"), "{complaint}");
    }
    assert!(
        fails(2, &["molecules", "train", "--data", "gone.sdf", "--output", "o"], f.path())
            .contains("gone.sdf")
    );
}

/// A scaffold, a formula, a molecule to vary, wanted properties: each answer keeps what was given.
#[test]
fn molecules_begin_from_what_is_given() {
    let f = folder();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../unmelt-molecules/tests/data/rdkit.sdf");
    let all = read_molecules(source.as_ref()).expect("readable").molecules;
    let ethanol = all.into_iter().find(|m| m.name == "CCO").expect("in the file");
    let mut sdf = Vec::new();
    unmelt_molecules::format::write_sdf(&mut sdf, &ethanol).expect("written");
    std::fs::write(f.path().join("in.sdf"), sdf).expect("written");
    let read = |name: &str| read_molecules(&f.path().join(name)).expect("readable").molecules;

    generate(f.path(), "s.sdf", &["--scaffold", "in.sdf", "--attach", "1", "--atoms", "14"]);
    for molecule in read("s.sdf") {
        // The first carbon gave up its first hydrogen, all else stays where it was, with its bonds.
        let kept: Vec<usize> = (0..9).filter(|k| *k != 3).collect();
        for (new, &old) in kept.iter().enumerate() {
            let (a, b) = (molecule.atom(new), ethanol.atom(old));
            assert!(a.element == b.element && (a.position - b.position).norm() < 1e-4);
        }
        let inner = molecule.bonds().filter(|b| b.begin < 8 && b.end < 8).count();
        assert_eq!((molecule.len(), inner), (14, 7));
        assert!(molecule.bonds().all(|b| (b.begin < 8) == (b.end < 8) || b.begin.min(b.end) == 0));
    }
    generate(f.path(), "f.sdf", &["--formula", "C3H8O"]);
    assert!(read("f.sdf").iter().all(|m| m.formula().trim_end_matches(['+', '-']) == "C3H8O"));
    generate(f.path(), "v.sdf", &["--vary", "in.sdf", "--strength", "0.01"]);
    assert!(read("v.sdf").iter().all(|m| {
        unmelt_molecules::canonical_key(m) == unmelt_molecules::canonical_key(&ethanol)
            && m.atoms().zip(ethanol.atoms()).all(|(a, b)| (a.position - b.position).norm() < 0.2)
    }));
    let one = ["--scaffold", "in.sdf", "--attach", "1", "--atoms", "14", "--count", "1"];
    generate(f.path(), "one.sdf", &one);
    generate(f.path(), "l.sdf", &["--link", "in.sdf", "one.sdf", "--attach", "1,10", "--atoms", "24"]);
    generate(
        f.path(),
        "p.parquet",
        &["--property", "dipole=3.5D", "--property", "gap=6", "--table", "p2.parquet"],
    );
    let target = ["--property", "dipole=6", "--guidance", "1", "--count", "5"];
    let candidates = |k: &str, name: &str| {
        let said = generate(f.path(), name, &[&target[..], &["--candidates", k]].concat());
        (said, std::fs::read_to_string(f.path().join(name)).expect("written"))
    };
    let (one, three) = (candidates("1", "c1.sdf"), candidates("3", "c3.sdf"));
    assert!(
        one.0.contains("(6 evaluations each)") && three.0.contains("(18 evaluations each)"),
        "{} {}",
        one.0,
        three.0
    );
    assert!(one.1 != three.1, "of three candidates others are kept");
    generate(f.path(), "t.sdf", &["--trajectory", "way.xyz"]);
    assert_eq!(read("way.xyz").len(), 6);

    std::fs::write(f.path().join("hf.xyz"), "2\n\nH 0 0 0\nF 0 0 0.92\n").expect("room");
    for (wrong, message) in [
        (&["--vary", "hf.xyz"][..], "hf.xyz: the model does not know the element F"),
        (&["--scaffold", "hf.xyz"][..], "hf.xyz: no atom of the scaffold has an open valence"),
        (
            &["--link", "hf.xyz", "hf.xyz", "--attach", "9"][..],
            "hf.xyz, hf.xyz: the attachment atoms name atom 9",
        ),
        (&["--property", "dipole=3eV"][..], "dipole is in D, but eV was given"),
        (&["--property", "charm=3"][..], "it knows dipole, gap"),
        (&["--property", "dipole"][..], "write a name and a number"),
        (&["--property", "dipole=3", "--candidates", "0"][..], "candidates must be between 1 and 1000"),
        (&["--temperature", "0"][..], "temperature must be above 0"),
        (&["--formula", "C3Xx"][..], "is no formula"),
        (&["--formula", "C3F"][..], "does not know the element F"),
        (&["--scaffold", "in.sdf"][..], "hint: --attach names the atoms"),
        (&["--property", "gap=3", "--property", "Gap=4"][..], "--property: the property gap is named twice"),
        (&["--scaffold", "in.sdf", "--attach", "99"][..], "in.sdf: the attachment atoms name atom 99"),
        (&["--scaffold", "in.sdf", "--attach", "1", "--atoms", "5"][..], "leave nothing to grow"),
        (&["--scaffold", "gone.sdf"][..], "gone.sdf"),
        (&["--vary", "in.sdf", "--strength", "2"][..], "strength must be above 0"),
        (&["--filter", "pretty"][..], "is no filter"),
        (&["--contains", "N>>1"][..], "is no limit"),
        (&["--attach", "1"][..], "needs a --scaffold"),
    ] {
        let complaint = fails(2, &[&QUICK[..], &["--output", "x.sdf"], wrong].concat(), f.path());
        assert!(complaint.contains(message), "{wrong:?}: {complaint}");
    }
}

#[test]
fn filters_draw_until_enough_pass() {
    let f = folder();
    let filters = ["--filter", "valid,connected,unique,novel", "--contains", "N<=2", "--steps", "25"];
    let said = generate(f.path(), "x.sdf", &filters);
    assert!(said.contains("Wrote 7 molecules") && said.contains("were drawn"), "{said}");
    let said = succeeds(&["molecules", "evaluate", "x.sdf", "--json"], f.path());
    let json = result(&said);
    assert_eq!(json["valid_and_connected"]["value"].as_f64(), Some(1.0));
    assert_eq!(json["unique"]["value"].as_f64(), Some(1.0));
}

#[test]
fn a_checkpoint_of_edm_becomes_a_model() {
    let f = folder();
    let checkpoint = |name: &str| {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../unmelt-molecules/tests/data/edm").join(name);
        path.to_string_lossy().into_owned()
    };
    let import = ["molecules", "import", "--from", "edm"];
    let (plain, conditional) = (checkpoint("plain"), checkpoint("conditional"));
    let said = succeeds(&[&import[..], &[&plain, "--output", "edm"]].concat(), f.path());
    assert!(said.starts_with("Imported plain: 1473 parameters"), "{said}");
    let card = succeeds(&["molecules", "info", "--model", "edm"], f.path());
    assert!(card.contains("H C N O F") && card.contains("EDM's, 2 layers, width 8"), "{card}");
    generate(f.path(), "edm.sdf", &["--model", "edm", "--atoms", "5"]);
    assert_eq!(read_molecules(&f.path().join("edm.sdf")).expect("molecules").molecules.len(), 7);
    let wants = fails(2, &[&import[..], &[&conditional, "--output", "c"]].concat(), f.path());
    assert!(wants.contains("norm alpha=MEAN,MAD"), "{wants}");
    let none = fails(2, &[&import[..], &[".", "--output", "c"]].concat(), f.path());
    assert!(none.contains("args.pickle"), "{none}");
    assert!(!f.path().join("c").exists());
}

#[test]
fn a_model_is_evaluated_without_a_file() {
    let f = folder();
    let sampled = ["--steps", "6", "--seed", "5"];
    generate(f.path(), "seven.sdf", &[]);
    let of_file = succeeds(&["molecules", "evaluate", "seven.sdf", "--json"], f.path());
    let of_model = succeeds(
        &[&["molecules", "evaluate", "--model", "qm9", "--count", "7", "--json"], &sampled[..]].concat(),
        f.path(),
    );
    let (of_file, mut of_model) = (result(&of_file), result(&of_model));
    let sampling = of_model.as_object_mut().and_then(|o| o.remove("sampling")).expect("what it took");
    assert_eq!(of_file, of_model);
    assert_eq!((&sampling["evaluations"], &sampling["device"]), (&6.into(), &"cpu".into()));
    assert!(sampling["seconds"].as_f64().is_some_and(|s| s > 0.0));
    assert_eq!(names(f.path()), ["seven.csv", "seven.sdf"]);
    assert!(fails(2, &["molecules", "evaluate"], f.path()).contains("--model"));
}
