//! Atoms in cells of equal colour, split by the colours of neighbours, and put together again.
//!
//! The colour of an atom is the number of atoms in cells before its own. Splitting goes in rounds: in each, the atoms of a
//! cell are ordered by the sorted colours that their neighbours had before the round. Only atoms beside what was split in the round
//! before are looked at, and the largest part of a cell keeps its name, so that all rounds together take
//! O(bonds · log atoms) steps (Hopcroft 1971).

use std::cmp::Ordering;

/// Neighbours of each atom, ascending.
pub(super) type Graph = [Vec<u32>];

/// Ordered cells of atoms.
pub(super) struct Partition {
    /// Atoms, cell by cell.
    atoms: Vec<u32>,
    /// Place of each atom among them.
    place: Vec<u32>,
    /// Name of the cell of each atom.
    cell: Vec<u32>,
    /// First place and number of atoms of each cell, by name.
    cells: Vec<(u32, u32)>,
    /// What was split: the name of the cell, what it was, and how many cells there were.
    trail: Vec<(u32, (u32, u32), u32)>,
    /// Steps taken.
    pub work: u64,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    round: u32,
    /// The round in which an atom was looked at.
    seen: Vec<u32>,
    /// The round in which a cell was looked at, and the atoms in it that were.
    touched: Vec<(u32, u32)>,
    colours: Vec<u32>,
    views: Vec<View>,
    parts: Vec<Part>,
}

/// The colours around an atom.
#[derive(Clone, Copy)]
struct View {
    atom: u32,
    begin: u32,
    end: u32,
}

/// A part of a cell: views from `begin` to `end`, and the atoms that were not looked at, if they are of it.
#[derive(Clone, Copy)]
struct Part {
    cell: u32,
    begin: u32,
    end: u32,
    has_rest: bool,
}

/// What a refinement did, for comparison with another; it may end the refinement.
pub(super) trait Trace {
    /// A number that is the same for the same splitting; `false` ends the refinement.
    fn add(&mut self, number: u64) -> bool;
    /// Whether numbers are wanted.
    fn is_wanted(&self) -> bool;
}

/// A trace that nobody wants.
pub(super) struct Untraced;

impl Trace for Untraced {
    fn add(&mut self, _: u64) -> bool {
        true
    }

    fn is_wanted(&self) -> bool {
        false
    }
}

/// Mixes numbers (the finaliser of SplitMix64).
pub(super) fn mix(state: u64, number: u64) -> u64 {
    let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Partition {
    /// Atoms in cells by what is known of each, in its order; not yet split by neighbours.
    pub fn of<T: Ord>(known: &[T]) -> Self {
        let n = known.len();
        let mut atoms: Vec<u32> = (0..n as u32).collect();
        atoms.sort_by(|a, b| known[*a as usize].cmp(&known[*b as usize]));
        let mut new = Self {
            place: vec![0; n],
            cell: vec![0; n],
            cells: Vec::new(),
            trail: Vec::new(),
            work: 0,
            scratch: Scratch { seen: vec![0; n], touched: vec![(0, 0); n], ..Scratch::default() },
            atoms,
        };
        for p in 0..n {
            let k = new.atoms[p] as usize;
            new.place[k] = p as u32;
            if p == 0 || known[new.atoms[p - 1] as usize] != known[k] {
                new.cells.push((p as u32, 0));
            }
            let last = new.cells.len() - 1;
            new.cell[k] = last as u32;
            new.cells[last].1 += 1;
        }
        new
    }

    /// Number of atoms.
    pub fn len(&self) -> usize {
        self.atoms.len()
    }

    /// Atoms, cell by cell.
    pub fn atoms(&self) -> &[u32] {
        &self.atoms
    }

    /// Place of each atom.
    pub fn places(&self) -> &[u32] {
        &self.place
    }

    /// Colour of an atom.
    pub fn colour(&self, atom: u32) -> u32 {
        self.cells[self.cell[atom as usize] as usize].0
    }

    /// Number of atoms of the cell at a place.
    pub fn size_at(&self, place: usize) -> usize {
        self.cells[self.cell[self.atoms[place] as usize] as usize].1 as usize
    }

    /// Atoms of the cell that begins at a place.
    pub fn cell_at(&self, place: usize) -> &[u32] {
        &self.atoms[place..place + self.size_at(place)]
    }

    /// The place of the first cell of more than one atom, from a place where a cell begins.
    pub fn first_tie(&self, mut place: usize) -> Option<usize> {
        while place < self.len() {
            match self.size_at(place) {
                1 => place += 1,
                _ => return Some(place),
            }
        }
        None
    }

    /// A mark to come back to with [`undo`](Self::undo).
    pub fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Puts together what was split since a mark.
    pub fn undo(&mut self, mark: usize) {
        while self.trail.len() > mark {
            let Some((parent, whole, count)) = self.trail.pop() else { return };
            for &(first, size) in &self.cells[count as usize..] {
                for p in first..first + size {
                    self.cell[self.atoms[p as usize] as usize] = parent;
                }
                self.work += u64::from(size);
            }
            self.cells.truncate(count as usize);
            self.cells[parent as usize] = whole;
        }
    }

    /// Places and sizes of the cells that were made since a mark, and of those that became single atoms, in the order in which
    /// that was done.
    pub fn made_since(&self, mark: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
        let first = self.trail.get(mark).map_or(self.cells.len(), |t| t.2 as usize);
        let shrunk = self.trail[mark..].iter().map(|t| t.0 as usize).filter(move |c| *c < first);
        let single = shrunk.map(|c| self.cells[c]).filter(|c| c.1 == 1);
        self.cells[first..].iter().copied().chain(single)
    }

    /// Sets an atom apart, before the others of its cell.
    pub fn individualise(&mut self, atom: u32) {
        let name = self.cell[atom as usize];
        let (first, size) = self.cells[name as usize];
        if size < 2 {
            return;
        }
        self.trail.push((name, (first, size), self.cells.len() as u32));
        self.swap(atom, first);
        self.cell[atom as usize] = self.cells.len() as u32;
        self.cells.push((first, 1));
        self.cells[name as usize] = (first + 1, size - 1);
    }

    /// Sets all atoms of the cell at a place apart, in whatever order.
    pub fn individualise_all(&mut self, place: usize) {
        for p in place..place + self.size_at(place) {
            self.individualise(self.atoms[p]);
            self.work += 1;
        }
    }

    fn swap(&mut self, atom: u32, place: u32) {
        let (other, old) = (self.atoms[place as usize], self.place[atom as usize]);
        self.atoms.swap(place as usize, old as usize);
        (self.place[atom as usize], self.place[other as usize]) = (place, old);
    }

    /// Splits cells until atoms of one colour have neighbours of the same colours, beginning beside the atoms in `fresh`.
    /// `false` where the trace ended it.
    pub fn refine(&mut self, graph: &Graph, mut fresh: Vec<u32>, trace: &mut impl Trace) -> bool {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut whole = true;
        while whole && !fresh.is_empty() {
            self.look(graph, &fresh, &mut scratch);
            fresh.clear();
            whole = self.split(&mut scratch, &mut fresh, trace);
        }
        self.scratch = scratch;
        whole
    }

    /// Finds the atoms beside fresh ones and orders those of each cell by the colours around them.
    fn look(&mut self, graph: &Graph, fresh: &[u32], s: &mut Scratch) {
        s.round += 1;
        let mut touched: Vec<u32> = Vec::new();
        for &k in fresh {
            for &j in &graph[k as usize] {
                let name = self.cell[j as usize];
                let (first, size) = self.cells[name as usize];
                self.work += 1;
                if size < 2 || s.seen[j as usize] == s.round {
                    continue;
                }
                s.seen[j as usize] = s.round;
                let (round, count) = &mut s.touched[name as usize];
                if *round != s.round {
                    (*round, *count) = (s.round, 0);
                    touched.push(name);
                }
                let place = first + *count;
                *count += 1;
                self.swap(j, place);
            }
        }
        touched.sort_unstable_by_key(|name| self.cells[*name as usize].0);
        s.colours.clear();
        s.views.clear();
        s.parts.clear();
        for name in touched {
            self.order_cell(graph, name, s);
        }
    }

    /// The colours around an atom, sorted, at the end of the list.
    fn view(&mut self, graph: &Graph, atom: u32, colours: &mut Vec<u32>) -> View {
        let begin = colours.len();
        colours.extend(graph[atom as usize].iter().map(|j| self.colour(*j)));
        colours[begin..].sort_unstable();
        self.work += (colours.len() - begin) as u64;
        View { atom, begin: begin as u32, end: colours.len() as u32 }
    }

    fn order_cell(&mut self, graph: &Graph, name: u32, s: &mut Scratch) {
        let (first, size) = self.cells[name as usize];
        let count = s.touched[name as usize].1;
        let begin = s.views.len();
        for p in first..first + count {
            let view = self.view(graph, self.atoms[p as usize], &mut s.colours);
            s.views.push(view);
        }
        // All that were not looked at have the same colours around them.
        let rest =
            (count < size).then(|| self.view(graph, self.atoms[(first + count) as usize], &mut s.colours));
        let colours = &s.colours;
        let around = |v: &View| &colours[v.begin as usize..v.end as usize];
        s.views[begin..].sort_unstable_by(|a, b| around(a).cmp(around(b)));
        let part = |begin, end, has_rest| Part { cell: name, begin: begin as u32, end: end as u32, has_rest };
        let mut rest_waits = rest.is_some();
        let mut at = begin;
        while at < s.views.len() {
            let here = around(&s.views[at]);
            let end = at + s.views[at..].iter().take_while(|v| around(v) == here).count();
            let order = rest.filter(|_| rest_waits).map(|r| around(&r).cmp(here));
            match order {
                Some(Ordering::Less) => {
                    s.parts.push(part(at, at, true));
                    s.parts.push(part(at, end, false));
                    rest_waits = false;
                }
                Some(Ordering::Equal) => {
                    s.parts.push(part(at, end, true));
                    rest_waits = false;
                }
                Some(Ordering::Greater) | None => s.parts.push(part(at, end, false)),
            }
            at = end;
        }
        if rest_waits {
            s.parts.push(part(at, at, true));
        }
    }

    /// Makes cells of the parts; the atoms of all but the largest part of each cell are fresh.
    fn split(&mut self, s: &mut Scratch, fresh: &mut Vec<u32>, trace: &mut impl Trace) -> bool {
        for parts in s.parts.chunk_by(|a, b| a.cell == b.cell) {
            let name = parts[0].cell;
            let (first, size) = self.cells[name as usize];
            if trace.is_wanted() && !self.tell(parts, s, trace) {
                return false;
            }
            if parts.len() == 1 {
                continue;
            }
            // What comes before the rest goes to the front, what comes after it to the back.
            let rest = parts.iter().position(|p| p.has_rest);
            let before = rest.unwrap_or(parts.len());
            let mut place = first;
            for part in &parts[..before] {
                for v in &s.views[part.begin as usize..part.end as usize] {
                    self.swap(v.atom, place);
                    place += 1;
                }
            }
            let after = &parts[(before + 1).min(parts.len())..];
            let behind: u32 = after.iter().map(|p| p.end - p.begin).sum();
            let mut place = first + size - behind;
            for part in after {
                for v in &s.views[part.begin as usize..part.end as usize] {
                    self.swap(v.atom, place);
                    place += 1;
                }
            }
            let looked: u32 = parts.iter().map(|p| p.end - p.begin).sum();
            let size_of = |p: &Part| p.end - p.begin + if p.has_rest { size - looked } else { 0 };
            let largest = (0..parts.len()).max_by_key(|k| (size_of(&parts[*k]), usize::MAX - k)).unwrap_or(0);
            self.trail.push((name, (first, size), self.cells.len() as u32));
            let mut begin = first;
            for (k, part) in parts.iter().enumerate() {
                let n = size_of(part);
                if k == largest {
                    self.cells[name as usize] = (begin, n);
                } else {
                    let new = self.cells.len() as u32;
                    self.cells.push((begin, n));
                    for p in begin..begin + n {
                        let atom = self.atoms[p as usize];
                        self.cell[atom as usize] = new;
                        fresh.push(atom);
                    }
                    self.work += u64::from(n);
                }
                begin += n;
            }
        }
        true
    }

    fn tell(&self, parts: &[Part], s: &Scratch, trace: &mut impl Trace) -> bool {
        parts.iter().all(|part| {
            let head = mix(u64::from(self.cells[part.cell as usize].0), u64::from(part.end - part.begin));
            let view = s.views.get(part.begin as usize).filter(|_| part.end > part.begin);
            let around = view.map_or(&[][..], |v| &s.colours[v.begin as usize..v.end as usize]);
            trace.add(around.iter().fold(mix(head, u64::from(part.has_rest)), |h, c| mix(h, u64::from(*c))))
        })
    }
}
