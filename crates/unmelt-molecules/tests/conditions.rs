//! What a model can never meet is refused before the work; what its data lacks is said; runs with filters give up.

use burn::tensor::Device;
use unmelt_diffusion::budget::Budget;
use unmelt_diffusion::job::Job;
use unmelt_diffusion::{ErrorKind, Fault, Subject};
use unmelt_molecules::format::read_sdf;
use unmelt_molecules::{
    Atom, Beginning, ElementLimit, Error, Filter, FilterSet, Fragments, GenerateRequest, Generator, KeySet,
    Molecule, Plan, SamplingRun, Wanted, models,
};

fn generator() -> Generator {
    Generator::load(&models::find("qm9").expect("built in"), &Device::flex()).expect("a model")
}

/// A run without a budget.
fn run_of<'a>(
    generator: &'a Generator,
    request: &GenerateRequest,
    filter_set: FilterSet,
    wanted: Wanted,
) -> Result<SamplingRun<'a>, Error> {
    let plan = request.plan(generator.card(), wanted, &filter_set, &Budget::default())?;
    SamplingRun::new(generator, plan, filter_set)
}

fn limits(texts: &[&str]) -> Vec<ElementLimit> {
    texts.iter().map(|t| t.parse().expect("a limit")).collect()
}

/// A chain of carbon atoms without hydrogen.
fn chain(count: usize) -> Molecule {
    let line =
        |k: usize| format!("{:10.4}{:10.4}{:10.4} C   0  0\n", 1.5 * k as f64, 0.3 * (k % 2) as f64, 0.1);
    let atoms: String = (0..count).map(line).collect();
    let bonds: String = (1..count).map(|k| format!("{k:3}{:3}  1  0\n", k + 1)).collect();
    let text = format!(
        "chain\n\n\n{count:3}{:3}  0  0  0  0            999 V2000\n{atoms}{bonds}M  END\n$$$$\n",
        count - 1
    );
    let mut reading = read_sdf(&text);
    assert!(reading.faults.is_empty(), "{:?}", reading.faults);
    reading.molecules.remove(0)
}

#[test]
fn conditions_that_no_molecule_can_meet_are_refused() {
    let generator = generator();
    let formula = |text: &str| Beginning::Formula(text.parse().expect("a formula"));
    let scaffold = Beginning::Fragments(Fragments::new(&[chain(4)], None).expect("fragments"));
    let cases: [(Beginning, Option<usize>, &[&str], &str); 9] = [
        (Beginning::Noise, None, &["F>=1"], "does not know the element F; it knows H, C, N, O"),
        (Beginning::Noise, None, &["Cl"], "does not know the element Cl"),
        (Beginning::Noise, None, &["N>=2", "N<=1"], "at least 2 and at most 1 atoms of N"),
        (Beginning::Noise, None, &["N>=30"], "30 heavy atoms are wanted"),
        (Beginning::Noise, Some(9), &["N>=5", "O>=5"], "they have 9 atoms at most"),
        (formula("C7H10O2"), None, &["N>=1"], "the formula C7H10O2 has 0 atoms of N, but at least 1"),
        (formula("C7H10O2"), None, &["O<=1"], "has 2 atoms of O, but at most 1"),
        (scaffold.clone(), None, &["C<=3"], "the fragments have 4 atoms of C, but at most 3"),
        (scaffold, Some(6), &["N>=3"], "7 atoms are wanted"),
    ];
    for (beginning, atoms, contains, expected) in cases {
        let request = GenerateRequest { beginning, atoms, ..GenerateRequest::default() };
        let filter_set = FilterSet::new(Vec::new(), limits(contains), KeySet::default());
        let wanted = Wanted { first: 0, count: 1, batch: 1 };
        let error = run_of(&generator, &request, filter_set, wanted).err().expect("refused").to_string();
        assert!(error.contains(expected), "{contains:?}: {error}");
    }
    let fine = GenerateRequest::default();
    generator
        .check_limits(&fine, &limits(&["F=0", "N>=1", "O<=2", "Br<=3"]))
        .expect("molecules without F or Br");
    let ether = GenerateRequest { beginning: formula("C2H6O"), ..GenerateRequest::default() };
    generator.check_limits(&ether, &limits(&["O=1", "C>=2"])).expect("ethanol");
    let fluorine = GenerateRequest { beginning: formula("C2F6"), ..GenerateRequest::default() };
    let error = generator.check(&fluorine).expect_err("no fluorine").to_string();
    assert!(error.contains("the element F, which the formula names; it knows H, C, N, O"), "{error}");
}

#[test]
fn what_the_training_lacked_is_said_before_the_work() {
    let generator = generator();
    let said = |request: GenerateRequest| generator.warnings(&request).join("; ");
    let usual = GenerateRequest::default;
    assert_eq!(said(usual()), "");
    assert_eq!(said(GenerateRequest { atoms: Some(20), ..usual() }), "");
    assert!(said(GenerateRequest { atoms: Some(45), ..usual() }).contains("45 atoms are more"));
    assert!(said(GenerateRequest { atoms: Some(2), ..usual() }).contains("2 atoms are fewer"));
    let scaffold = |n| Beginning::Fragments(Fragments::new(&[chain(n)], None).expect("fragments"));
    assert_eq!(said(GenerateRequest { beginning: scaffold(9), ..usual() }), "");
    let thirteen = said(GenerateRequest { beginning: scaffold(13), ..usual() });
    assert!(thirteen.contains("13 heavy atoms are more than the model has seen, 9 at most"), "{thirteen}");
    let vary = Beginning::Molecule { molecule: chain(13), strength: 0.3 };
    assert!(said(GenerateRequest { beginning: vary, ..usual() }).contains("13 heavy atoms"));
    let formula = |text: &str| Beginning::Formula(text.parse().expect("a formula"));
    assert_eq!(said(GenerateRequest { beginning: formula("C9H20"), ..usual() }), "");
    assert!(said(GenerateRequest { beginning: formula("C10H8"), ..usual() }).contains("10 heavy atoms"));
    let targets = vec![("LogP".into(), 9.0)];
    assert!(said(GenerateRequest { targets, ..usual() }).contains("logp = 9 lies outside"));
}

#[test]
fn more_atoms_than_memory_are_refused() {
    let generator = generator();
    let request = |atoms| GenerateRequest { atoms: Some(atoms), steps: 1, ..GenerateRequest::default() };
    for atoms in [0, 1025, usize::MAX] {
        assert!(generator.check(&request(atoms)).is_err(), "{atoms}");
    }
    let many =
        generator.generate(&request(1000), 0..64, &Job::new(), &mut |_| ()).expect_err("pairs").to_string();
    assert!(many.contains("the limit pairs"), "{many}");
    let many = generator
        .generate(&request(3), 0..1 << 30, &Job::new(), &mut |_| ())
        .expect_err("a batch")
        .to_string();
    assert!(many.contains("the limit batch"), "{many}");
    let steps = GenerateRequest { steps: usize::MAX, ..request(3) };
    assert!(generator.check(&steps).expect_err("steps").to_string().contains("the limit steps"));
}

#[test]
fn no_candidate_has_the_number_of_a_sample() {
    let generator = generator();
    let targets = vec![("dipole".into(), 2.0)];
    let request = GenerateRequest {
        steps: 2,
        atoms: Some(5),
        targets,
        candidates: Some(3),
        ..GenerateRequest::default()
    };
    let end = 1 << 38;
    generator.generate(&request, end - 1..end, &Job::new(), &mut |_| ()).expect("the last number");
    for numbers in [end..end + 1, end - 1..end + 1, 1 << 47..(1 << 47) + 1] {
        let error = generator
            .generate(&request, numbers, &Job::new(), &mut |_| ())
            .expect_err("no number")
            .to_string();
        assert!(error.contains("must stay below 2^38"), "{error}");
    }
    for (first, count) in [(end, 1), (end - 1, 2), (u64::MAX, 1), (0, u64::MAX)] {
        let wanted = Wanted { first, count, batch: 1 };
        assert!(run_of(&generator, &request, FilterSet::default(), wanted).is_err(), "{first} {count}");
    }
}

/// How a run ends that is asked for `count` molecules and gives up after `most` draws: what it kept, and why it ended.
fn sampling_run(
    generator: &Generator,
    filter_set: FilterSet,
    count: u64,
    most: u64,
    batch: u64,
) -> (Vec<String>, Option<Error>) {
    let request = GenerateRequest { steps: 2, atoms: Some(3), ..GenerateRequest::default() };
    let wanted = Wanted { first: 0, count, batch };
    let run = run_of(generator, &request, filter_set, wanted).expect("a run");
    let mut run = run.giving_up_after(most).expect("a number");
    let mut kept = Vec::new();
    while !run.is_finished() {
        match run.advance(&Job::new(), &mut |_| ()) {
            Ok(batch) => kept.extend(batch.rows.iter().map(|r| r.assessment.key.clone())),
            Err(error) => return (kept, Some(error)),
        }
    }
    (kept, None)
}

#[test]
fn a_run_gives_up_after_draws_without_a_new_keeper() {
    let generator = generator();
    let never = || FilterSet::new(vec![Filter::Valid, Filter::Stable], limits(&["N=3"]), KeySet::default());
    let (kept, error) = sampling_run(&generator, never(), 5, 40, 16);
    let found = error.expect("it gives up");
    assert!(matches!(found, Error::GaveUp { drawn: 40, kept: 0, wanted: 5, in_a_row: 40 }), "{found:?}");
    assert!(kept.is_empty());
    assert!(found.to_string().starts_with("0 of 5 molecules were kept of 40 drawn"), "{found}");
    // Molecules of three atoms are soon all known.
    let unique = || FilterSet::new(vec![Filter::Unique], Vec::new(), KeySet::default());
    let runs = [1, 7, 64].map(|batch| {
        let (kept, error) = sampling_run(&generator, unique(), 100_000, 25, batch);
        let Some(Error::GaveUp { drawn, kept: count, .. }) = error else { panic!("it gives up") };
        assert!(count > 0 && count == kept.len() as u64);
        (kept, drawn)
    });
    assert!(runs.iter().all(|run| *run == runs[0]), "the batch matters");
    let request = GenerateRequest::default();
    let wanted = Wanted { first: 0, count: 1, batch: 1 };
    let run = |filter_set| run_of(&generator, &request, filter_set, wanted).expect("a run");
    assert!(run(unique()).giving_up_after(0).is_err());
    assert!(run(FilterSet::default()).giving_up_after(5).is_err(), "nothing is filtered");
}

#[test]
fn properties_are_named_in_any_case_and_once() {
    let generator = generator();
    let asked = |targets: &[(&str, f64)]| {
        let targets = targets.iter().map(|(n, v)| (n.to_string(), *v)).collect();
        let request = GenerateRequest { steps: 1, atoms: Some(4), targets, ..GenerateRequest::default() };
        let wanted = Wanted { first: 0, count: 1, batch: 1 };
        let mut run = run_of(&generator, &request, FilterSet::default(), wanted)?;
        run.advance(&Job::new(), &mut |_| ()).map(|batch| batch.rows[0].targets.clone())
    };
    assert_eq!(asked(&[("logP", 1.5)]).expect("logp"), [("logp".to_string(), 1.5)]);
    let fails = |targets: &[(&str, f64)]| asked(targets).expect_err("refused").to_string();
    assert!(fails(&[("logp", 1.0), ("LogP", 1.0)]).contains("logp is named twice"));
    assert!(fails(&[("charm", 1.0)]).contains("knows no property \"charm\""));
    for far in [f64::NAN, f64::INFINITY, 1e300] {
        assert!(fails(&[("gap", far)]).contains("the target of gap"));
    }
}

#[test]
fn atoms_that_stay_keep_their_isotopes_and_radicals() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rdkit.sdf"));
    let all = read_sdf(&text.expect("the file")).molecules;
    let ethanol = all.into_iter().find(|m| m.name == "CCO").expect("in the file");
    // Marks alone: what has an open valence, the network fills.
    let mut atoms: Vec<Atom> = ethanol.atoms().copied().collect();
    atoms[0].radicals = 1;
    atoms[1].isotope = 13;
    let last = atoms.len() - 1;
    atoms[last].isotope = 2;
    let marked = Molecule::new(atoms, ethanol.bonds()).expect("valid");
    let request = GenerateRequest {
        beginning: Beginning::Molecule { molecule: marked.clone(), strength: 0.01 },
        steps: 3,
        ..GenerateRequest::default()
    };
    let generator = generator();
    let warnings = generator.warnings(&request).join("; ");
    assert!(warnings.contains("neither isotopes nor radicals"), "{warnings}");
    let marks = |m: &Molecule| m.atoms().map(|a| (a.isotope, a.radicals)).collect::<Vec<_>>();
    let bonds = |m: &Molecule| {
        let mut bonds: Vec<_> =
            m.bonds().map(|b| (b.begin.min(b.end), b.begin.max(b.end), b.order)).collect();
        bonds.sort_unstable();
        bonds
    };
    for molecule in generator.generate(&request, 0..3, &Job::new(), &mut |_| ()).expect("molecules") {
        assert_eq!(bonds(&molecule), bonds(&marked), "next to nothing was melted");
        assert_eq!(marks(&molecule), marks(&marked));
    }
    // Melted as a whole it is another molecule, whose atoms have no marks but where all happens to be as before.
    let beginning = Beginning::Molecule { molecule: marked.clone(), strength: 1.0 };
    let other = GenerateRequest { beginning, ..request };
    for molecule in generator.generate(&other, 0..3, &Job::new(), &mut |_| ()).expect("molecules") {
        let whole = bonds(&molecule) == bonds(&marked);
        assert!(whole || marks(&molecule) != marks(&marked));
    }
}

#[test]
fn sizes_and_limits_that_no_molecule_meets_are_refused() {
    let generator = generator();
    let fault = |request: &GenerateRequest| generator.check(request).expect_err("refused").to_string();
    let formula = |text: &str| Beginning::Formula(text.parse().expect("a formula"));
    let request = GenerateRequest { beginning: formula("C999"), ..GenerateRequest::default() };
    assert!(
        fault(&request)
            .contains("C999 has 999 atoms, but the largest molecule that the model has seen has 29")
    );
    let request = GenerateRequest { atoms: Some(117), ..GenerateRequest::default() };
    assert!(fault(&request).contains("ask for 116 at most"));
    generator.check(&GenerateRequest { atoms: Some(116), ..GenerateRequest::default() }).expect("large");
    let limits = |text: &str| text.split(' ').map(|l| l.parse().expect("a limit")).collect::<Vec<_>>();
    let check = |atoms, text: &str| {
        let request = GenerateRequest { atoms, ..GenerateRequest::default() };
        generator.check_limits(&request, &limits(text)).map_err(|e| e.to_string())
    };
    for (atoms, text) in [(None, "C<=0 N=0 O<=0"), (None, "C=1 N=0 O=0 H<=1"), (Some(9), "C<=2 N=0 O=0 H<=3")]
    {
        assert!(
            check(atoms, text).is_err_and(|e| e.contains("it knows") || e.contains("the model knows")),
            "{text}"
        );
    }
    for (atoms, text) in
        [(None, "C<=0"), (None, "H=0"), (Some(9), "C<=2 N=0 O=0"), (Some(5), "C<=2 N=0 O=0 H<=3")]
    {
        check(atoms, text).expect(text);
    }
}

#[test]
fn plans_name_the_field_that_cannot_be_honoured() {
    let generator = generator();
    let plan = |request: &GenerateRequest, budget: Budget| {
        request.plan(generator.card(), Wanted::new(64), &FilterSet::default(), &budget)
    };
    let usual = GenerateRequest::default;
    let dipole = || vec![("dipole".to_string(), 2.0)];
    let cases: [(&str, GenerateRequest); 7] = [
        ("steps", GenerateRequest { steps: 0, ..usual() }),
        ("atoms", GenerateRequest { atoms: Some(0), ..usual() }),
        ("atoms", GenerateRequest { atoms: Some(117), ..usual() }),
        ("candidates", GenerateRequest { candidates: Some(0), ..usual() }),
        ("targets", GenerateRequest { targets: vec![("charm".into(), 1.0)], ..usual() }),
        ("guidance", GenerateRequest { guidance: f64::NAN, ..usual() }),
        (
            "guidance_interval",
            GenerateRequest { guidance_interval: Some([0.9, 0.1]), targets: dipole(), ..usual() },
        ),
    ];
    for (field, request) in cases {
        let error = plan(&request, Budget::default()).expect_err(field);
        assert_eq!(error.subject(), Some(Subject::Field(field.into())), "{error}");
    }
    // A budget makes batches smaller, which changes no molecule; one that is too small is an error.
    let request = GenerateRequest { steps: 2, targets: dipole(), ..usual() };
    let small = plan(&request, Budget { memory: Some(120_000_000), ..Budget::default() }).expect("smaller");
    assert!(small.cost.batch < 64 && small.filled_in.iter().any(|f| f.field == "batch"), "{small:?}");
    let none = plan(&request, Budget { memory: Some(1 << 20), ..Budget::default() }).expect_err("too little");
    assert_eq!((none.kind(), none.subject()), (ErrorKind::Limit, Some(Subject::Field("memory".into()))));
    let few = plan(&request, Budget { samples: Some(511), ..Budget::default() }).expect_err("too many");
    assert_eq!(few.subject(), Some(Subject::Field("samples".into())));
    // A plan comes back from JSON, and is of one model.
    let text = serde_json::to_string(&small).expect("JSON");
    let back: Plan = serde_json::from_str(&text).expect("a plan");
    assert_eq!(serde_json::to_string(&back).expect("JSON"), text);
    let other = Plan { weights: "0".repeat(64), ..back };
    let error = SamplingRun::new(&generator, other, FilterSet::default()).err().expect("another model");
    assert_eq!(error.kind(), ErrorKind::Model);
}

#[test]
fn guidance_in_an_interval_of_all_levels_is_guidance() {
    let generator = generator();
    let of = |guidance: f64, guidance_interval: Option<[f64; 2]>| {
        let request = GenerateRequest {
            steps: 6,
            atoms: Some(6),
            targets: vec![("dipole".into(), 3.0)],
            candidates: Some(1),
            guidance,
            guidance_interval,
            ..GenerateRequest::default()
        };
        let molecules = generator.generate(&request, 0..2, &Job::new(), &mut |_| ()).expect("molecules");
        molecules.iter().map(|m| serde_json::to_string(m).expect("JSON")).collect::<Vec<_>>()
    };
    let everywhere = of(3.0, None);
    assert_eq!(of(3.0, Some([0.0, 1.0])), everywhere);
    assert_ne!(of(3.0, Some([0.4, 0.6])), everywhere);
    // Nothing is evaluated at this level.
    assert_eq!(of(3.0, Some([1e-9, 2e-9])), of(1.0, None));
}
