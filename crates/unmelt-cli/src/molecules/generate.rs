//! `unmelt molecules generate`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::json;
use unmelt_diffusion::budget::Budget;
use unmelt_diffusion::files::write_whole;
use unmelt_diffusion::job::{Event, Job};
use unmelt_molecules::evaluate::Assessment;
use unmelt_molecules::format::{MoleculeWriter, TableRow, TableWriter};
use unmelt_molecules::{Batch, Frame, GenerateRequest, Molecule, SamplingRun, Wanted, models, preview};

use super::args::Generate;
use super::request;
use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// What the summary says of the molecules that were written.
#[derive(Default)]
struct Done {
    written: u64,
    valid_and_connected: u64,
    stable: u64,
}

/// What a run writes.
struct Outputs {
    molecules: MoleculeWriter,
    table: TableWriter,
    trajectory: Option<MoleculeWriter>,
    preview: Option<Preview>,
}

/// A picture of the first molecules.
struct Preview {
    path: PathBuf,
    molecules: Vec<Molecule>,
}

/// Molecules of the picture, and of a row of it.
const PICTURED: usize = 12;
const PICTURED_IN_A_ROW: usize = 4;

/// Generates.
pub fn run(args: &Generate) -> Outcome {
    // Everything that can be wrong is found before the work begins.
    let table = args.table.clone().unwrap_or_else(|| args.output.with_extension("csv"));
    let _claims = claim(args, &table)?;
    let files = models::find(&args.model)?;
    let generator = models::load(&files, args.sampling.device)?;
    let request = request::generation(args, &generator.card().model)?;
    let whole = Wanted { first: args.first, count: args.count, batch: args.sampling.batch };
    let wanted = args.shard.map_or(whole, |shard| whole.shard(shard));
    let filter_set = request::filters(args)?;
    let plan = request.plan(generator.card(), wanted, &filter_set, &Budget::of_machine())?;
    let mut sampling_run = SamplingRun::new(&generator, plan, filter_set)?;
    if let Some(most) = args.max_draws {
        sampling_run = sampling_run.giving_up_after(most)?;
    }
    let has_estimates = generator.card().model.estimates_properties();
    let mut outputs = Outputs::create(args, &table, &request, has_estimates)?;
    note!("{}", sampling_run.plan().sentence());
    sampling_run.plan().warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let evaluations = sampling_run.plan().evaluations_each;
    interrupt::listen();

    let begin = Instant::now();
    let bar = Mutex::new(Bar::new(wanted.count, "molecules"));
    let listener = |event: &Event| {
        if let Event::Progress(p) = event {
            bar_of(&bar).set((p.share() * p.samples as f64) as u64);
        }
    };
    let cancel = interrupt::token();
    let job = Job::new().cancelled_by(&cancel).heard_by(&listener);
    let mut done = Done::default();
    while !sampling_run.is_finished() && !interrupt::requested() {
        say_what_is_kept(args, &done, &sampling_run);
        let (is_first, mut fault) = (sampling_run.drawn() == 0, None);
        let mut watch = |frame: &Frame| {
            if is_first && let Err(error) = outputs.follow(frame) {
                fault = Some(error);
                cancel.cancel();
            }
        };
        let rest = sampling_run.rest();
        let batch = sampling_run.advance(&job, &mut watch);
        if let Some(error) = fault {
            return Err(Failure::from(error).on_the_way());
        }
        let batch = match batch {
            Err(error @ unmelt_molecules::Error::GaveUp { .. }) => {
                bar_of(&bar).finish();
                return Err(gave_up(error.into(), outputs, args, &done));
            }
            Err(error) if error.is_stopped() => break,
            batch => batch?,
        };
        if let Err(error) = outputs.write(&batch) {
            // A table without its molecules would be of no use.
            let rescued = outputs.rescue();
            return Err(kept(Failure::from(error).on_the_way(), rescued, args, &done, rest));
        }
        done.add(&batch.rows);
    }
    bar_of(&bar).finish();
    if !sampling_run.is_finished() && done.written == 0 {
        return Err(Failure::stopped());
    }
    outputs.finish()?;
    report(args, &done, begin.elapsed(), evaluations, &sampling_run);
    let rest = sampling_run.rest();
    Ok(json!({
        "output": args.output, "table": table, "trajectory": args.trajectory, "preview": args.preview, "molecules": done.written,
        "valid_and_connected": done.valid_and_connected, "stable": done.stable, "drawn": sampling_run.drawn(),
        "rest": (!sampling_run.is_finished()).then(|| json!({ "first": rest.first, "count": rest.count })),
        "model": generator.card().name, "seed": request.seed, "evaluations": evaluations,
        "seconds": begin.elapsed().as_secs_f64(), "plan": sampling_run.plan(),
    }))
}

fn bar_of(bar: &Mutex<Bar>) -> MutexGuard<'_, Bar> {
    bar.lock().unwrap_or_else(|e| e.into_inner())
}

/// Claims all that is written.
fn claim(args: &Generate, table: &Path) -> Result<unmelt_diffusion::files::Claims, Failure> {
    let files = [&args.scaffold, &args.vary, &args.reference].into_iter().flatten();
    let inputs: Vec<&Path> = files.chain(&args.link).map(PathBuf::as_path).collect();
    let mut outputs = vec![args.output.as_path(), table];
    outputs.extend(args.trajectory.as_deref());
    outputs.extend(args.preview.as_deref());
    args.writing.claim(&inputs, &outputs)
}

impl Outputs {
    fn create(
        args: &Generate,
        table: &Path,
        request: &GenerateRequest,
        has_estimates: bool,
    ) -> Result<Self, Failure> {
        let molecules = MoleculeWriter::create(&args.output)?;
        let targets: Vec<&str> = request.targets.iter().map(|(name, _)| name.as_str()).collect();
        let trajectory = args.trajectory.as_deref().map(MoleculeWriter::create).transpose()?;
        let preview = args.preview.clone().map(|path| Preview { path, molecules: Vec::new() });
        let table = TableWriter::create(table, &targets, has_estimates)?;
        Ok(Self { molecules, table, trajectory, preview })
    }

    /// Writes a frame of the first molecule.
    fn follow(&mut self, frame: &Frame) -> unmelt_molecules::Result<()> {
        let Some(trajectory) = self.trajectory.as_mut() else { return Ok(()) };
        let Some(mut molecule) = frame.molecules()?.into_iter().next() else { return Ok(()) };
        molecule.name = format!("t = {:.4}", frame.time());
        trajectory.write(&[molecule])
    }

    /// Writes a batch, or says why not; what was written before stays whole.
    fn write(&mut self, batch: &Batch) -> unmelt_molecules::Result<()> {
        self.molecules.write(&batch.molecules)?;
        if let Some(preview) = &mut self.preview {
            let missing = PICTURED - preview.molecules.len();
            preview.molecules.extend(batch.molecules.iter().take(missing).cloned());
        }
        self.table.write(&batch.rows)?;
        self.molecules.commit()?;
        self.table.commit()
    }

    fn rescue(self) -> bool {
        self.molecules.rescue() && self.table.rescue()
    }

    fn finish(self) -> unmelt_molecules::Result<()> {
        self.molecules.finish()?;
        self.table.finish()?;
        self.trajectory.map_or(Ok(()), MoleculeWriter::finish)?;
        match self.preview {
            Some(Preview { path, molecules }) if !molecules.is_empty() => {
                Ok(write_whole(path, &preview(&molecules, PICTURED_IN_A_ROW)?)?)
            }
            _ => Ok(()),
        }
    }
}

/// A run that gave up, with a word on what passed; where nothing did, nothing is written.
fn gave_up(failure: Failure, outputs: Outputs, args: &Generate, done: &Done) -> Failure {
    if done.written == 0 {
        return failure.hint("nothing was written; --max-draws N allows more draws");
    }
    match outputs.finish() {
        Ok(()) => failure.hint(format!(
            "the {} that passed are in {}; --max-draws N allows more draws",
            done.written,
            args.output.display()
        )),
        Err(error) => Failure::from(error).on_the_way(),
    }
}

/// A failure to write, with a word on what is left of the work.
fn kept(failure: Failure, rescued: bool, args: &Generate, done: &Done, rest: Wanted) -> Failure {
    if !rescued {
        return failure;
    }
    failure.hint(format!(
        "the first {} molecules are in {}; the rest: --first {} --count {}",
        done.written,
        args.output.display(),
        rest.first,
        rest.count
    ))
}

impl Done {
    fn add(&mut self, rows: &[TableRow]) {
        self.written += rows.len() as u64;
        let count = |f: fn(&Assessment) -> bool| rows.iter().filter(|r| f(&r.assessment)).count() as u64;
        self.valid_and_connected += count(|a| a.valid && a.connected);
        self.stable += count(Assessment::stable);
    }
}

/// What is said where the work has to end at once.
fn say_what_is_kept(args: &Generate, done: &Done, sampling_run: &SamplingRun) {
    if done.written > 0 && args.output.extension().is_none_or(|e| e != "parquet") {
        let (rest, path) = (sampling_run.rest(), args.output.display());
        let mut words = format!("{} molecules are done and written to {path}.", done.written);
        if sampling_run.is_open() {
            words += &format!(" The rest: --first {} --count {}", rest.first, rest.count);
        }
        interrupt::last_words(words);
    }
}

fn report(args: &Generate, done: &Done, time: Duration, evaluations: usize, sampling_run: &SamplingRun) {
    let percent = |n: u64, of: u64| 100.0 * n as f64 / of.max(1) as f64;
    if !sampling_run.is_finished() {
        let rest = sampling_run.rest();
        println!(
            "Interrupted: {} of {} molecules are done and written.",
            done.written,
            done.written + rest.count
        );
        if sampling_run.is_open() {
            println!("The rest: --first {} --count {}", rest.first, rest.count);
        }
    }
    println!(
        "Wrote {} molecules to {} in {:.1} s ({} evaluations each).",
        done.written,
        args.output.display(),
        time.as_secs_f64(),
        evaluations
    );
    if !sampling_run.is_open() {
        let share = percent(done.written, sampling_run.drawn());
        println!("{} were drawn; {share:.1} % of them passed the filters.", sampling_run.drawn());
    }
    if done.written > 0 {
        println!(
            "Valid and connected: {:.1} %. All atoms stable by the EDM protocol: {:.1} %.",
            percent(done.valid_and_connected, done.written),
            percent(done.stable, done.written)
        );
    }
}
