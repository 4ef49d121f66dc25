//! Conditions and options of `generate` and `evaluate` that cannot be met or have no effect.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

fn unmelt(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::cargo_bin("unmelt").expect("the program is built");
    command.args(arguments).current_dir(folder).output().expect("it runs")
}

/// Runs, expects this exit code, returns what was said.
fn ends(code: i32, arguments: &[&str], folder: &Path) -> String {
    let output = unmelt(arguments, folder);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

const QUICK: [&str; 8] = ["molecules", "generate", "--steps", "2", "--count", "3", "--output", "x.sdf"];

#[test]
fn what_cannot_be_met_or_changes_nothing_is_refused_before_the_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let f = folder.path();
    ends(0, &["molecules", "generate", "--steps", "2", "--count", "2", "--output", "in.sdf"], f);
    for (wrong, message) in [
        (&["--contains", "F>=1"][..], "does not know the element F; it knows H, C, N, O"),
        (
            &["--contains", "C<=0,N<=0,O=0"],
            "0 heavy atoms at most, but those that the model has seen have 1 at least; it knows H, C, N, O",
        ),
        (&["--contains", "C=1,N=0,O=0,H<=1"], "may contain 2 atoms at most, but they have 3 atoms at least"),
        (
            &["--contains", "C<=2,N=0,O=0,H<=3", "--atoms", "9"],
            "may contain 5 atoms at most, but they have 9",
        ),
        (&["--formula", "C999"], "the largest molecule that the model has seen has 29; ask for 116 at most"),
        (&["--atoms", "117"], "the molecules are to have 117 atoms, but the largest"),
        (&["--contains", "N>=2,N<=1"], "at least 2 and at most 1"),
        (
            &["--formula", "CH4", "--contains", "N"],
            "the formula CH4 has 0 atoms of N, but at least 1 are wanted",
        ),
        (&["--reference", "in.sdf"], "nothing asks for novel ones"),
        (&["--reference", "in.sdf", "--filter", "valid"], "nothing asks for novel ones"),
        (&["--max-draws", "5"], "nothing is filtered"),
        (&["--max-draws", "0", "--filter", "valid"], "must be at least 1"),
        (&["--first", "300000000000"], "must stay below 2^38"),
        (&["--property", "charm=1"], "it knows dipole, gap"),
        (&["--solver", "foo"], "foo"),
        (&["--grid", "power:x"], "\"power:x\" is no grid"),
        (&["--grid", "power:inf"], "is no grid"),
        (&["--atoms", "100000"], "the limit of 1024 for generated_atoms"),
        (&["--steps", "1000000000000"], "the limit of 100000 for steps"),
    ] {
        let said = ends(2, &[&QUICK[..], wrong].concat(), f);
        assert!(said.contains(message), "{wrong:?}: {said}");
        assert_eq!(names(f), ["in.csv", "in.sdf"], "{wrong:?}");
    }
    for option in ["--steps", "--seed", "--batch", "--count", "--temperature"] {
        let said = ends(2, &["molecules", "evaluate", "in.sdf", option, "7"], f);
        assert!(said.contains("cannot be used with") && said.contains(option), "{option}: {said}");
    }
    ends(0, &["molecules", "evaluate", "in.sdf"], f);
}

#[test]
fn a_run_that_gives_up_says_so_and_writes_what_passed() {
    let folder = tempfile::tempdir().expect("a folder");
    let f = folder.path();
    let nothing = ["--filter", "valid,stable", "--contains", "N=3", "--atoms", "3", "--max-draws", "20"];
    let said = ends(1, &[&QUICK[..], &nothing].concat(), f);
    assert!(
        said.contains("0 of 3 molecules were kept of 20 drawn") && said.contains("nothing was written"),
        "{said}"
    );
    assert!(names(f).is_empty(), "{:?}", names(f));
    let some = ["--filter", "unique", "--atoms", "2", "--max-draws", "20", "--count", "100000"];
    let said = ends(1, &[&QUICK[..4], &["--output", "x.sdf"], &some].concat(), f);
    assert!(said.contains("of 100000 molecules were kept") && said.contains("are in x.sdf"), "{said}");
    assert_eq!(names(f), ["x.csv", "x.sdf"]);
    let kept = std::fs::read_to_string(f.join("x.sdf")).expect("the molecules").matches("$$$$").count();
    let rows = std::fs::read_to_string(f.join("x.csv")).expect("the table").lines().count();
    assert!(kept > 0 && rows == kept + 1, "{kept} {rows}");
}

#[test]
fn the_work_begins_with_what_the_training_lacked() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = ends(0, &[&QUICK[..], &["--atoms", "31", "--property", "logP=1.0"]].concat(), folder.path());
    let (warning, result) = (said.find("warning: 31 atoms are more"), said.find("Wrote 3"));
    assert!(warning.is_some() && result.is_some(), "{said}");
    let table = std::fs::read_to_string(folder.path().join("x.csv")).expect("the table");
    assert!(table.lines().next().is_some_and(|l| l.contains("target_logp")), "{table}");
}
