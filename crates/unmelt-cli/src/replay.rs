//! `unmelt replay`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use unmelt_diffusion::ErrorKind;
use unmelt_diffusion::files::plain;
use unmelt_molecules::format::read_molecules;
use unmelt_molecules::replay::{self, Recorded};
use unmelt_molecules::{Generator, models};

use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;
use crate::replay_args::Replay;

/// Makes results again, and says whether they came out the same.
pub fn run(args: &Replay) -> Outcome {
    if crate::volumes::is_volume(&args.file) {
        return crate::volumes::replay(args);
    }
    if args.input.is_some() || args.mask.is_some() || args.sensitivities.is_some() {
        return Err(
            Failure::usage("--input, --mask and --sensitivities are for volumes").hint("leave them away")
        );
    }
    let reading = read_molecules(&args.file)?;
    let wanted = reading.molecules.into_iter().take(args.count.unwrap_or(usize::MAX));
    let recorded = wanted.map(|m| Recorded::of(m, &args.file)).collect::<Result<Vec<_>, _>>()?;
    if recorded.is_empty() {
        return Err(Failure::usage(format!("{} holds no molecule to make again", args.file.display())));
    }
    args.device.open()?;
    let job = interrupt::job();
    let mut generators: BTreeMap<String, Arc<Generator>> = BTreeMap::new();
    let mut bar = Bar::new(recorded.len() as u64, "molecules");
    let mut others = Vec::new();
    let mut done = 0;
    for part in replay::parts(&recorded) {
        let name = args.model.as_ref().unwrap_or(&part[0].record.model);
        if !generators.contains_key(name) {
            // The name of a file's record is never a folder: a file does not decide what is read.
            let files = match &args.model {
                Some(model) => models::find(model)?,
                None => {
                    let by_digest = models::named(&part[0].record.weights);
                    by_digest.or_else(|_| models::named(name))?
                }
            };
            generators.insert(name.clone(), models::load(&files, args.device)?);
        }
        let same = replay::replay(part, &generators[name], &job)?;
        let differs = part.iter().zip(same).filter(|(_, same)| !same);
        others.extend(differs.map(|(one, _)| one.molecule.name.clone()));
        done += part.len() as u64;
        bar.set(done);
    }
    bar.finish();
    let (all, same) = (recorded.len(), recorded.len() - others.len());
    println!("{same} of {all} molecules came out the same, to the last digit of the file.");
    if let Some(first) = others.first() {
        let versions: Vec<&str> = recorded.iter().map(|r| r.record.program.as_str()).collect();
        return Err(Failure::failed(format!("{} of {all} molecules came out differently, the first is \"{}\"", others.len(), plain(first)))
            .of_kind(ErrorKind::Numeric)
            .hint(format!(
                "the file was made by {}; another version, another device or another instruction set (UNMELT_SIMD) can round otherwise",
                plain(versions.first().unwrap_or(&"an unknown program"))
            )));
    }
    Ok(json!({ "file": args.file, "molecules": all, "same": same }))
}
