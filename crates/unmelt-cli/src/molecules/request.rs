//! From options to the request, and to the filters of a run.

use std::path::Path;

use unmelt_diffusion::Grid;
use unmelt_diffusion::solver::Solver;
use unmelt_molecules::format::{Preparation, read_molecules, read_prepared};
use unmelt_molecules::{
    Beginning, Error, Filter, FilterSet, Fragments, GenerateRequest, KeySet, Molecule, MoleculeModel,
    PropertyTarget, missing_hydrogens, models,
};

use super::args::{Generate, Sampling};
use super::files::{report_faults, report_notes};
use crate::failure::Failure;

/// The request of a command line.
pub fn generation(args: &Generate, model: &MoleculeModel) -> Result<GenerateRequest, Failure> {
    let targets = PropertyTarget::targets(&args.property, model.properties())
        .map_err(|fault| Failure::usage(format!("--property: {fault}")))?;
    Ok(GenerateRequest {
        atoms: args.atoms,
        beginning: beginning(args, model)?,
        targets,
        guidance: args.guidance,
        guidance_interval: args.guidance_interval,
        candidates: args.candidates,
        ..sampling(&args.sampling)?
    })
}

/// A request without targets.
pub fn sampling(sampling: &Sampling) -> Result<GenerateRequest, Failure> {
    let solver = sampling.solver.parse::<Solver>().map_err(Failure::usage)?;
    let grid = sampling.grid.parse::<Grid>().map_err(Failure::usage)?;
    Ok(GenerateRequest {
        steps: sampling.steps,
        solver,
        grid,
        temperature: sampling.temperature,
        seed: sampling.seed,
        ..GenerateRequest::default()
    })
}

fn beginning(args: &Generate, model: &MoleculeModel) -> Result<Beginning, Failure> {
    if !args.attach.is_empty() && args.scaffold.is_none() && args.link.is_empty() {
        return Err(Failure::usage("--attach needs a --scaffold or fragments to --link"));
    }
    if let Some(formula) = &args.formula {
        return Ok(Beginning::Formula(formula.clone()));
    }
    if let Some(path) = &args.vary {
        let molecule = first(path, Preparation::Variation)?;
        model.encode(&molecule).map_err(|e| about(&[path.as_path()], e))?;
        return Ok(Beginning::Molecule { molecule, strength: args.strength });
    }
    let files: Vec<&Path> = args.scaffold.iter().chain(&args.link).map(|p| p.as_path()).collect();
    if files.is_empty() {
        return Ok(Beginning::Noise);
    }
    let mut parts = Vec::new();
    for &path in &files {
        match args.scaffold.is_some() {
            true => parts.push(first(path, Preparation::Fragments)?),
            false => parts.extend(all(path)?),
        }
    }
    if args.scaffold.is_none() && parts.iter().map(Molecule::components).sum::<usize>() < 2 {
        return Err(Failure::usage(
            "--link needs two fragments or more, in one file or in several, but there is one",
        ));
    }
    if args.attach.is_empty()
        && parts.iter().all(|p| p.attachments.is_empty() && !missing_hydrogens(p).is_empty())
    {
        eprintln!(
            "warning: the fragments have no hydrogens; what is new, hydrogens included, may bond to every atom with an open \
             valence; --attach names the atoms to grow from, and the others get their hydrogens"
        );
    }
    let attach: Vec<usize> = args.attach.iter().map(|k| *k as usize - 1).collect();
    let attach = (!attach.is_empty()).then_some(attach.as_slice());
    let fragments = Fragments::new(&parts, attach).map_err(|e| match attach {
        None => about(&files, e).hint("--attach names the atoms to grow from"),
        Some(_) => about(&files, e),
    })?;
    model.encode(fragments.molecule()).map_err(|e| about(&files, e))?;
    Ok(Beginning::Fragments(fragments))
}

/// What is wrong with molecules of these files.
fn about(files: &[&Path], error: Error) -> Failure {
    match error {
        Error::Request(fault) => {
            let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
            Failure::usage(format!("{}: {fault}", files.join(", ")))
        }
        other => other.into(),
    }
}

/// The molecules of a file to grow from, of which every record is a fragment: none may be left out.
fn all(path: &Path) -> Result<Vec<Molecule>, Failure> {
    let reading = read_prepared(path, Preparation::Fragments)?.of_some(path)?;
    report_notes(path, &reading.notes);
    match reading.faults.first() {
        Some(fault) => Err(Failure::usage(format!("a fragment cannot be read: {fault}"))),
        None => Ok(reading.molecules),
    }
}

/// The first molecule of a file; a file of several is used with a word about it.
fn first(path: &Path, preparation: Preparation) -> Result<Molecule, Failure> {
    let reading = read_prepared(path, preparation)?.of_some(path)?;
    report_faults(&reading.faults);
    report_notes(path, &reading.notes);
    let count = reading.molecules.len();
    if count > 1 {
        eprintln!("warning: {} holds {count} molecules; the first is used", path.display());
    }
    let molecule = reading.molecules.into_iter().next();
    molecule.ok_or_else(|| Failure::usage(format!("{} holds no molecule that can be read", path.display())))
}

/// What is kept of the answers.
pub fn filters(args: &Generate) -> Result<FilterSet, Failure> {
    let novel = args.filter.contains(&Filter::Novel);
    let known = match (&args.reference, novel) {
        (Some(path), true) => {
            let reading = read_molecules(path)?;
            report_faults(&reading.faults);
            KeySet::of(&reading.molecules)
        }
        (None, true) => models::training_keys(&args.model)?.ok_or_else(|| {
            Failure::usage(format!("the model {} does not know what it was trained on", args.model))
                .hint("name the molecules that are not novel with --reference")
        })?,
        (Some(_), false) => {
            return Err(Failure::usage(
                "--reference names molecules that are not novel, but nothing asks for novel ones",
            )
            .hint("add --filter novel, or leave --reference out"));
        }
        (None, false) => KeySet::default(),
    };
    Ok(FilterSet::new(args.filter.clone(), args.contains.clone(), known))
}
