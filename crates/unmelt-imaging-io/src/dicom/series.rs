//! Which frames make a volume: by series, kind of image, echo and orientation, and by time where several volumes lie at one
//! place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use nalgebra::Vector3;
use unmelt_diffusion::files::plain;

use super::file::bytes_at;
use super::frame::{Frame, Kind, MARKS};
use super::image::{Image, fault};
use super::pixels::Pixels;
use crate::{Error, Result};

/// Most groups of one series and kind.
const GROUPS: usize = 1000;
/// Slices nearer than this along their normal lie at one place, in mm.
const SAME_PLACE: f64 = 1e-3;

/// A file whose image cannot be used.
pub(super) struct Problem {
    /// SeriesInstanceUID and SeriesNumber, where they could be read.
    pub series: Option<[String; 2]>,
    pub error: Error,
    /// Whether it is no scan at all: colours, a segmentation, a dose.
    pub other_kind: bool,
}

/// One of several volumes at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    /// From 0.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// Slices that it has.
    pub slices: usize,
    /// Slices that it should have.
    pub places: usize,
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "volume {} of {} at the same place", self.number + 1, self.of)?;
        if self.slices < self.places {
            write!(f, ", incomplete: {} of {} slices", self.slices, self.places)?;
        }
        Ok(())
    }
}

/// Frames that belong together.
#[derive(Default)]
pub(super) struct Group {
    pub frames: Vec<Frame>,
    pub kind: Kind,
    /// Which of several volumes at one place.
    pub time: Option<Time>,
    /// Whether it only shows where the others lie.
    pub localizer: bool,
    /// Files of it that cannot be read.
    pub faults: Vec<Error>,
    /// Files of it that are no scans.
    pub others: Vec<Error>,
    pub warnings: Vec<String>,
}

/// Puts frames and problems in groups, in the order in which they are listed.
pub(super) fn groups(frames: Vec<Frame>, problems: Vec<Problem>, path: &Path) -> Result<Vec<Group>> {
    let mut groups = by_kind(frames, path)?;
    groups.iter_mut().for_each(drop_copies);
    let mut groups = merge_shades(merge_single_slices(groups));
    mark_localizers(&mut groups);
    let mut groups: Vec<Group> = groups.into_iter().flat_map(by_time).collect();
    for problem in problems {
        attach(&mut groups, problem);
    }
    let number = |g: &Group| g.kind.number.parse::<f64>().unwrap_or(f64::INFINITY);
    groups.sort_by(|a, b| {
        number(a)
            .total_cmp(&number(b))
            .then_with(|| a.kind.cmp(&b.kind))
            .then_with(|| a.localizer.cmp(&b.localizer))
    });
    Ok(groups)
}

fn by_kind(frames: Vec<Frame>, path: &Path) -> Result<Vec<Group>> {
    let mut places: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for frame in frames {
        let known = places.entry((*frame.kind).clone()).or_default();
        let together = |g: &&usize| groups[**g].frames.first().is_some_and(|first| alike(first, &frame));
        match known.iter().find(together) {
            Some(g) => groups[*g].frames.push(frame),
            None if known.len() < GROUPS => {
                known.push(groups.len());
                let kind = (*frame.kind).clone();
                groups.push(Group { frames: vec![frame], kind, ..Group::default() });
            }
            None => {
                let text = format!(
                    "a series of it has images of more than {GROUPS} orientations and echoes, so they make no volume"
                );
                return Err(Error::format("DICOM folder", path, text));
            }
        }
    }
    Ok(groups)
}

/// Whether two frames of one kind are of one orientation and echo. What differs in size and in spacing is another scan, as a
/// localizer among slices is.
fn alike(a: &Frame, b: &Frame) -> bool {
    let spaced_alike = || (0..2).all(|k| (a.spacing[k] - b.spacing[k]).abs() <= 1e-3 * a.spacing[k]);
    (a.size == b.size || spaced_alike())
        && (0..2).all(|k| (a.axes[k] - b.axes[k]).norm() <= 1e-3)
        && (a.echo - b.echo).abs() <= 0.02
}

/// Leaves out files that are there twice: the same instance at the same place, with the same samples.
fn drop_copies(group: &mut Group) {
    // By instance, frame and tile.
    type Name = (String, u32, Option<(usize, usize)>);
    let mut seen: BTreeMap<Name, (Vector3<f64>, PathBuf)> = BTreeMap::new();
    let mut compared: BTreeMap<(PathBuf, PathBuf), bool> = BTreeMap::new();
    let mut dropped = BTreeSet::new();
    let mut faults = Vec::new();
    group.frames.retain(|frame| {
        if frame.instance[1].is_empty() {
            return true;
        }
        let key = (frame.instance[1].clone(), frame.index, frame.tile);
        let Some((position, path)) = seen.get(&key) else {
            seen.insert(key, (frame.position, frame.image.path.clone()));
            return true;
        };
        if (position - frame.position).norm() > SAME_PLACE {
            return true;
        }
        let pair = (path.clone(), frame.image.path.clone());
        let equal = *compared.entry(pair).or_insert_with(|| same_samples(path, frame));
        if !equal {
            let text = format!(
                "it has the same SOPInstanceUID and place as {} and other pixel data; leave one of them out",
                path.display()
            );
            faults.push(fault(&frame.image.path, text));
            return true;
        }
        dropped.insert(frame.image.path.clone());
        false
    });
    if let Some(first) = dropped.first() {
        group.warnings.push(format!(
            "left out as copies of others (the same SOPInstanceUID and pixel data): {} files, the first {}",
            dropped.len(),
            first.display()
        ));
    }
    faults.truncate(1);
    group.faults.extend(faults);
}

/// Whether the samples in a file are those of a frame's file: byte for byte, or, where they are packed or ordered in another
/// way, number for number.
fn same_samples(path: &Path, frame: &Frame) -> bool {
    let image = &frame.image;
    let Ok(other) = super::file::open(path) else { return false };
    let Some(place) = other.pixels else { return false };
    if place.length == image.place.length && other.syntax == image.syntax {
        let bytes =
            |path, offset| bytes_at(path, image.is_deflated(), offset, place.length.unwrap_or(u64::MAX)).ok();
        let theirs = bytes(path, place.offset);
        if theirs.is_some() && theirs == bytes(&image.path, image.place.offset) {
            return true;
        }
    }
    let Ok(other) = Image::of(&other, path) else { return false };
    if (other.size, other.frames) != (image.size, image.frames) {
        return false;
    }
    let (Ok(theirs), Ok(ours)) = (Pixels::open(&other), Pixels::open(image)) else { return false };
    (0..image.frames).all(|k| match (theirs.frame(k), ours.frame(k)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    })
}

/// Some scanners give each slice a SeriesInstanceUID of its own: those of one SeriesNumber are one series.
fn merge_single_slices(groups: Vec<Group>) -> Vec<Group> {
    let (single, mut rest): (Vec<Group>, Vec<Group>) =
        groups.into_iter().partition(|g| g.frames.len() == 1 && !g.kind.number.is_empty());
    let without_uid = |kind: &Kind| Kind { uid: String::new(), ..kind.clone() };
    let mut merged = merge(single, without_uid, |known, group| match (known.first(), group.first()) {
        (Some(a), Some(b)) => alike(a, b) && a.size == b.size && a.kind.uid != b.kind.uid,
        _ => false,
    });
    for group in &mut merged {
        if group.frames.len() > 1 {
            group.warnings.push(format!(
                "each of the {} slices has a SeriesInstanceUID of its own; they are taken together by their SeriesNumber",
                group.frames.len()
            ));
        }
    }
    rest.append(&mut merged);
    rest
}

/// Values of ImageType that make no other kind of image: how it was filtered or put together.
const SHADES: [&str; 10] = ["ADD", "NONE", "OTHER", "ND", "NORM", "DIS2D", "DIS3D", "FIL", "SHARP", "SMOOTH"];

/// Slices of one series that differ in such values alone, and lie at other places, are one volume.
fn merge_shades(groups: Vec<Group>) -> Vec<Group> {
    let plain = |image: &str| {
        let values =
            image.split('\\').map(str::trim).filter(|v| !SHADES.contains(v) && !v.starts_with("CT_"));
        values.collect::<Vec<_>>().join("\\")
    };
    let plain_kind = |kind: &Kind| Kind { image: plain(&kind.image), ..kind.clone() };
    merge(groups, plain_kind, |known, group| match (known.first(), group.first()) {
        (Some(a), Some(b)) => alike(a, b) && apart(known, group),
        _ => false,
    })
}

/// Adds each group to the first one before it that has the same kind by `kind_of` and whose frames fit its own.
fn merge(
    groups: Vec<Group>,
    kind_of: impl Fn(&Kind) -> Kind,
    fit: impl Fn(&[Frame], &[Frame]) -> bool,
) -> Vec<Group> {
    let mut merged: Vec<Group> = Vec::new();
    let mut places: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    for mut group in groups {
        let known = places.entry(kind_of(&group.kind)).or_default();
        match known.iter().find(|g| fit(&merged[**g].frames, &group.frames)) {
            Some(g) => {
                merged[*g].frames.append(&mut group.frames);
                merged[*g].warnings.append(&mut group.warnings);
                merged[*g].faults.append(&mut group.faults);
            }
            None => {
                known.push(merged.len());
                merged.push(group);
            }
        }
    }
    merged
}

/// Whether no frame of one list lies at the height of one of the other.
fn apart(a: &[Frame], b: &[Frame]) -> bool {
    let normal = a[0].axes[0].cross(&a[0].axes[1]);
    let mut heights: Vec<f64> = a.iter().map(|f| f.position.dot(&normal)).collect();
    heights.sort_by(f64::total_cmp);
    b.iter().all(|f| {
        let height = f.position.dot(&normal);
        let at = heights.partition_point(|h| *h < height - SAME_PLACE);
        heights.get(at).is_none_or(|h| *h > height + SAME_PLACE)
    })
}

/// Divides a group in which several volumes lie at one place.
fn by_time(mut group: Group) -> Vec<Group> {
    let Some(first) = group.frames.first() else { return vec![group] };
    let normal = first.axes[0].cross(&first.axes[1]);
    let height = |f: &Frame| f.position.dot(&normal);
    group
        .frames
        .sort_by(|a, b| height(a).total_cmp(&height(b)).then(a.moment.number.total_cmp(&b.moment.number)));
    let mut places = Vec::with_capacity(group.frames.len());
    for (k, frame) in group.frames.iter().enumerate() {
        let place = match places.last() {
            None => 0,
            Some(last) if height(frame) - height(&group.frames[k - 1]) < SAME_PLACE => *last,
            Some(last) => last + 1,
        };
        places.push(place);
    }
    let there = places.last().map_or(0, |p| p + 1);
    let mut counts = vec![0usize; there];
    places.iter().for_each(|p| counts[*p] += 1);
    let most = counts.iter().copied().max().unwrap_or(0);
    if most < 2 {
        return vec![group];
    }
    if let Some((a, b)) = beside(&group.frames, &places) {
        let text = match a == b {
            true => "frames of it lie beside each other at one height, so that they make no volume".into(),
            false => format!(
                "it lies beside {} at one height, so that they make no volume; leave one of them out",
                b.display()
            ),
        };
        group.faults.push(fault(&a, text));
        return vec![group];
    }
    let Some(volumes) = volumes(&group.frames, &places, &counts, most) else {
        let path = &group.frames[0].image.path;
        let text = format!(
            "up to {most} slices of its series lie at one place, and not everywhere as many: time points that were broken \
             off, and nothing tells them apart"
        );
        group.faults.push(fault(path, text));
        return vec![group];
    };
    let mut divided: Vec<Group> = (0..most)
        .map(|_| Group {
            kind: group.kind.clone(),
            warnings: group.warnings.clone(),
            localizer: group.localizer,
            ..Group::default()
        })
        .collect();
    for (frame, volume) in group.frames.into_iter().zip(volumes) {
        divided[volume].frames.push(frame);
    }
    divided[0].faults = group.faults;
    for (k, part) in divided.iter_mut().enumerate() {
        let slices = part.frames.len();
        part.time = Some(Time { number: k, of: most, slices, places: there });
        if slices < there {
            part.warnings.push(format!(
                "this volume of a series of {most} is incomplete: {} of {there} slices",
                part.frames.len()
            ));
        }
    }
    divided
}

/// Two frames of one height that lie at different places, by their files.
fn beside(frames: &[Frame], places: &[usize]) -> Option<(PathBuf, PathBuf)> {
    let mut first = 0;
    for k in 1..frames.len() {
        if places[k] != places[first] {
            first = k;
        }
        let (a, b) = (&frames[first], &frames[k]);
        let way = a.position - b.position;
        if (0..2).any(|axis| way.dot(&a.axes[axis]).abs() > 0.5 * a.spacing[axis]) {
            return Some((b.image.path.clone(), a.image.path.clone()));
        }
    }
    None
}

/// For each frame the volume that it belongs to; none where that cannot be told.
fn volumes(frames: &[Frame], places: &[usize], counts: &[usize], most: usize) -> Option<Vec<usize>> {
    for mark in 0..MARKS {
        let of = |f: &Frame| f.moment.marks[mark].clone();
        let values: BTreeSet<String> = frames.iter().map(of).collect();
        let pairs: BTreeSet<(String, usize)> = frames.iter().map(of).zip(places.iter().copied()).collect();
        if values.len() == most && pairs.len() == frames.len() {
            let order: BTreeMap<String, usize> =
                values.into_iter().enumerate().map(|(k, v)| (v, k)).collect();
            return Some(frames.iter().map(|f| order[&f.moment.marks[mark]]).collect());
        }
    }
    // By the number of the instance: the first at each place, the second, …
    let mut seen = vec![0usize; counts.len()];
    let mut bounds = vec![(f64::INFINITY, f64::NEG_INFINITY); most];
    let mut found = Vec::with_capacity(frames.len());
    for (frame, place) in frames.iter().zip(places) {
        let volume = seen[*place];
        seen[*place] += 1;
        let (low, high) = bounds[volume];
        bounds[volume] = (low.min(frame.moment.number), high.max(frame.moment.number));
        found.push(volume);
    }
    let even = counts.iter().all(|n| *n == most);
    let after_each_other = bounds.windows(2).all(|w| w[0].1 < w[1].0);
    (even || after_each_other).then_some(found)
}

/// A group is a localizer if its images say so, or if it is a few slices of a series that has many in another orientation.
fn mark_localizers(groups: &mut [Group]) {
    let said = |g: &Group| g.kind.image.split('\\').any(|v| matches!(v.trim(), "LOCALIZER" | "SCOUT"));
    let small = |g: &Group| {
        let n = g.frames.len();
        let same = |o: &&Group| {
            o.kind.uid == g.kind.uid && o.kind.number == g.kind.number && o.kind.study == g.kind.study
        };
        let turned = |o: &&Group| match (o.frames.first(), g.frames.first()) {
            (Some(a), Some(b)) => (0..2).any(|k| (a.axes[k] - b.axes[k]).norm() > 0.1),
            _ => false,
        };
        n > 0 && n <= 3 && groups.iter().filter(same).filter(turned).any(|o| o.frames.len() >= 4 * n)
    };
    let marks: Vec<bool> = groups.iter().map(|g| said(g) || small(g)).collect();
    groups.iter_mut().zip(marks).for_each(|(g, mark)| g.localizer = mark);
}

fn attach(groups: &mut Vec<Group>, problem: Problem) {
    let Problem { series, error, other_kind } = problem;
    let of_it = |g: &Group| match &series {
        Some([uid, number]) => g.kind.uid == *uid && g.kind.number == *number,
        None => true,
    };
    // A file of a series may belong to any of its groups.
    let said = copy(&error);
    let mut error = Some(error);
    for group in groups.iter_mut().filter(|g| of_it(g)) {
        let list = if other_kind { &mut group.others } else { &mut group.faults };
        list.push(error.take().unwrap_or_else(|| copy_of(&said)));
    }
    if let Some(error) = error {
        let [uid, number] = series.unwrap_or_default();
        let mut group = Group { kind: Kind { uid, number, ..Kind::default() }, ..Group::default() };
        (if other_kind { &mut group.others } else { &mut group.faults }).push(error);
        groups.push(group);
    }
}

/// What an error says of which file, to be said again.
fn copy(error: &Error) -> (PathBuf, String) {
    match error {
        Error::Format { path, fault, .. } => (path.clone(), fault.clone()),
        other => (PathBuf::new(), other.to_string()),
    }
}

fn copy_of((path, text): &(PathBuf, String)) -> Error {
    if path.as_os_str().is_empty() { Error::Request(text.clone()) } else { fault(path, text.clone()) }
}

/// The groups that are the times of one series, in their order, where nothing else that could be wanted is there. The others stay.
pub(super) fn times(groups: &mut Vec<Group>) -> Option<Vec<Group>> {
    let is_time = |g: &Group| g.time.is_some() && !g.localizer;
    let first = groups.iter().find(|g| is_time(g))?;
    let (kind, Time { of, .. }) = (first.kind.clone(), first.time?);
    let of_it = |g: &Group| is_time(g) && g.kind == kind;
    let whole = |g: &Group| g.time.is_some_and(|t| t.of == of && t.slices == t.places) && g.faults.is_empty();
    let harmless = |g: &Group| g.localizer || g.frames.is_empty() && g.faults.is_empty();
    let alone = groups.iter().all(|g| if of_it(g) { whole(g) } else { harmless(g) });
    if !alone || groups.iter().filter(|g| of_it(g)).count() != of {
        return None;
    }
    let (mut found, rest): (Vec<Group>, Vec<Group>) = std::mem::take(groups).into_iter().partition(of_it);
    *groups = rest;
    found.sort_by_key(|g| g.time.map(|t| t.number));
    Some(found)
}

/// The group that is wanted by its number in the list or its SeriesInstanceUID, or the only one; and what is to be said.
pub(super) fn choose(
    groups: &mut Vec<Group>,
    wanted: Option<&str>,
    path: &Path,
) -> Result<(Group, Vec<String>)> {
    let lines = |which: &dyn Fn(&Group) -> bool| {
        let chosen = groups.iter().enumerate().filter(|(_, g)| which(g));
        chosen.map(|(k, g)| line(k + 1, g)).collect::<Vec<_>>()
    };
    let several = |series: Vec<String>| Error::SeveralSeries { path: path.into(), series };
    let mut warnings = Vec::new();
    let index = match wanted {
        Some(wanted) => {
            let number = wanted.parse::<usize>().ok().filter(|n| (1..=groups.len()).contains(n));
            let of_uid = |g: &Group| g.kind.uid == wanted || g.frames.iter().any(|f| f.kind.uid == wanted);
            let found: Vec<usize> = (0..groups.len()).filter(|k| of_uid(&groups[*k])).collect();
            let main: Vec<usize> = found.iter().copied().filter(|k| !groups[*k].localizer).collect();
            match (number, found.as_slice(), main.as_slice()) {
                (Some(n), ..) => n - 1,
                (_, [only], _) | (_, _, [only]) => *only,
                (_, [], _) => return Err(several(lines(&|_| true))),
                _ => return Err(several(lines(&of_uid))),
            }
        }
        None => {
            let scans: Vec<usize> = (0..groups.len())
                .filter(|k| !groups[*k].frames.is_empty() && !groups[*k].localizer)
                .collect();
            let harmless = |g: &Group| g.localizer || g.frames.is_empty() && g.faults.is_empty();
            let rest_is_harmless =
                |only: usize| groups.iter().enumerate().all(|(k, g)| k == only || harmless(g));
            match scans.as_slice() {
                [only] if rest_is_harmless(*only) => {
                    let left: Vec<String> = groups
                        .iter()
                        .enumerate()
                        .filter(|(k, _)| k != only)
                        .map(|(k, g)| line(k + 1, g))
                        .collect();
                    if !left.is_empty() {
                        warnings.push(format!("left out: {}", left.join("; ")));
                    }
                    *only
                }
                _ if groups.len() == 1 => 0,
                // Where nothing can be read, the first reason says more than a list.
                _ if groups.iter().all(|g| g.frames.is_empty()) => 0,
                _ => return Err(several(lines(&|_| true))),
            }
        }
    };
    let mut group = groups.swap_remove(index);
    if let Some(error) = group.faults.drain(..).next() {
        return Err(error);
    }
    if group.frames.is_empty()
        && let Some(error) = group.others.drain(..).next()
    {
        return Err(error);
    }
    if let Some(first) = group.others.first() {
        warnings.push(format!(
            "left out: {} files of the series that are no scans; the first: {first}",
            group.others.len()
        ));
    }
    warnings.append(&mut group.warnings);
    Ok((group, warnings))
}

/// What a person needs to know of a group to choose it, without any identifying tag.
fn line(number: usize, group: &Group) -> String {
    let Kind { uid, number: series, modality, image, .. } = &group.kind;
    let short = |text: &str| plain(&text.chars().take(64).collect::<String>());
    let mut parts = Vec::new();
    if let Some(first) = group.frames.first() {
        let [columns, rows] = first.size;
        parts.push(format!("{} slices of {columns} × {rows}", group.frames.len()));
        parts.push(plane(first).into());
        if first.echo > 0.0 {
            parts.push(format!("echo time {} ms", first.echo));
        }
    }
    if !series.is_empty() {
        parts.push(format!("series {}", short(series)));
    }
    if !image.is_empty() && !group.frames.is_empty() {
        parts.push(short(image));
    }
    parts.extend(group.time.map(|t| t.to_string()));
    if group.localizer {
        parts.push("localizer".into());
    }
    if let Some((path, fault)) =
        group.faults.first().or(if group.frames.is_empty() { group.others.first() } else { None }).map(copy)
    {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        parts.push(format!("cannot be read: {}: {fault}", plain(&file)));
    }
    format!("{number}  {}  {} {}", short(uid), short(modality), parts.join(", "))
}

/// The plane of the slices in words of anatomy.
fn plane(frame: &Frame) -> &'static str {
    let normal = frame.axes[0].cross(&frame.axes[1]);
    let oblique = normal.iter().all(|v| v.abs() < 0.9);
    match (normal.iamax(), oblique) {
        (0, false) => "sagittal",
        (1, false) => "coronal",
        (2, false) => "axial",
        (0, true) => "oblique sagittal",
        (1, true) => "oblique coronal",
        _ => "oblique axial",
    }
}
