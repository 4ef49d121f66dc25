//! The canonical order of the atoms of a connected graph.
//!
//! Ties that refinement leaves are broken in every way, and the order with the smallest description wins (McKay &
//! Piperno 2014). What is known to be a symmetry spares the ways that it makes equal: twins from the outset, exchanges that
//! show beside two atoms that were set apart, and any two orders with the same description. The walk keeps a list of its own; nothing
//! here calls itself.
//!
//! Above [`UNTRACED`] atoms the ways are compared at every step already, by what refinement does, so that most are left soon.

use std::collections::HashMap;

use super::partition::{Graph, Partition, Trace, Untraced, mix};

/// Most atoms of a graph whose ways are compared by their descriptions alone. Keys of smaller ones rest on it.
const UNTRACED: usize = 256;

/// Steps of the walk before it is given up.
const BUDGET: u64 = 40_000_000;

/// Orders that are kept to find symmetries by.
const KEPT: usize = 32;

/// Ends the trace of a refinement.
const END: u64 = u64::MAX;

/// What was found.
pub(super) enum Labelling {
    /// The canonical order.
    Canonical(Vec<u32>),
    /// The walk took too long. An order, and the cells that refinement alone gives: the places where they begin and end.
    Refined { order: Vec<u32>, cells: Vec<(usize, usize)> },
}

/// The canonical order of a connected graph, of which something is known at each atom.
pub(super) fn label<T: Ord>(known: &[T], graph: &Graph) -> Labelling {
    let modes: &[bool] = if known.len() <= UNTRACED { &[false, true] } else { &[true] };
    label_in(known, graph, modes, BUDGET)
}

/// The same by untraced or traced walks of a number of steps each; the first that ends is taken.
pub(super) fn label_in<T: Ord>(known: &[T], graph: &Graph, modes: &[bool], budget: u64) -> Labelling {
    let mut partition = Partition::of(known);
    partition.refine(graph, (0..known.len() as u32).collect(), &mut Untraced);
    let root = partition.mark();
    let twins = twins(&partition, graph);
    for &traced in modes {
        partition.undo(root);
        partition.work = 0;
        let mut search = Search::new(graph, &twins, partition, (traced, budget));
        let finished = search.run();
        partition = search.partition;
        if let (true, Some((_, order))) = (finished, search.best) {
            return Labelling::Canonical(order);
        }
    }
    partition.undo(root);
    let mut cells = Vec::new();
    let mut place = 0;
    while place < partition.len() {
        cells.push((place, place + partition.size_at(place)));
        place += partition.size_at(place);
    }
    Labelling::Refined { order: partition.atoms().to_vec(), cells }
}

/// For each atom the first one that it can be exchanged with because all their other neighbours are the same.
fn twins(partition: &Partition, graph: &Graph) -> Vec<u32> {
    let n = graph.len();
    let mut twins: Vec<u32> = (0..n as u32).collect();
    for closed in [false, true] {
        let mut around: Vec<(u32, Vec<u32>, u32)> = (0..n as u32)
            .filter(|k| partition.size_at(partition.colour(*k) as usize) > 1)
            .map(|k| {
                let mut list = graph[k as usize].clone();
                if closed {
                    list.push(k);
                    list.sort_unstable();
                }
                (partition.colour(k), list, k)
            })
            .collect();
        around.sort_unstable();
        for same in around.chunk_by(|a, b| (a.0, &a.1) == (b.0, &b.1)).filter(|s| s.len() > 1) {
            same.iter().for_each(|s| twins[s.2 as usize] = same[0].2);
        }
    }
    twins
}

/// A symmetry: atoms that move, and where to.
type Moves = Vec<(u32, u32)>;

struct Search<'a> {
    graph: &'a Graph,
    twins: &'a [u32],
    partition: Partition,
    traced: bool,
    budget: u64,
    levels: Vec<Level>,
    /// The level at which an atom is set apart.
    depth: Vec<u32>,
    symmetries: Vec<Moves>,
    /// For each atom the symmetries that move it, and where to.
    moved: Vec<Vec<(u32, u32)>>,
    /// What all symmetries make equal.
    orbits: Orbits,
    /// The level down to which only first atoms were set apart.
    first_way: usize,
    /// Orders by the hash of their description, with the atoms that were set apart.
    kept: HashMap<u64, (Vec<u32>, Vec<u32>)>,
    /// The smallest description and its order.
    best: Option<(Vec<u32>, Vec<u32>)>,
    /// What refinement did on the way to it, by level.
    best_trace: Vec<Vec<u64>>,
    /// Where atoms go, while a symmetry is looked at.
    image: Vec<u32>,
    work: u64,
}

/// A tie that is being broken.
struct Level {
    /// The state of the partition before.
    mark: usize,
    /// Where the cell begins.
    tie: usize,
    /// The atom that is set apart.
    chosen: u32,
    /// Atoms that came to be alone in their cells with an atom that was set apart, by place.
    alone: Option<Vec<(u32, u32)>>,
    siblings: Option<Siblings>,
    /// Symmetries that the siblings have heard of.
    heard: usize,
}

/// The atoms of a cell, to be tried one after the other.
struct Siblings {
    /// Ascending where they have orbits of their own.
    atoms: Vec<u32>,
    next: usize,
    /// By places among the atoms; none where all symmetries that are known hold, and those of the whole walk count.
    orbits: Option<Orbits>,
}

impl Siblings {
    fn join(&mut self, a: u32, b: u32) {
        let (Ok(a), Ok(b)) = (self.atoms.binary_search(&a), self.atoms.binary_search(&b)) else { return };
        if let Some(orbits) = &mut self.orbits {
            orbits.join(a as u32, b as u32);
        }
    }

    /// The next atom of an orbit of which none was tried; it is tried now.
    fn advance(&mut self, all: &mut Orbits) -> Option<u32> {
        while let Some(&atom) = self.atoms.get(self.next) {
            let is_new = match &mut self.orbits {
                Some(own) => own.attempt(self.next as u32),
                None => all.attempt(atom),
            };
            self.next += 1;
            if is_new {
                return Some(atom);
            }
        }
        None
    }
}

/// Sets of what symmetries make equal.
struct Orbits {
    parent: Vec<u32>,
    /// Whether one of the set was tried, at its root.
    tried: Vec<bool>,
}

impl Orbits {
    fn new(n: usize) -> Self {
        Self { parent: (0..n as u32).collect(), tried: vec![false; n] }
    }

    fn root(&mut self, mut k: u32) -> u32 {
        while self.parent[k as usize] != k {
            let above = self.parent[self.parent[k as usize] as usize];
            self.parent[k as usize] = above;
            k = above;
        }
        k
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parent[b as usize] = a;
            self.tried[a as usize] |= self.tried[b as usize];
        }
    }

    /// Whether none of the set was tried before; one is now.
    fn attempt(&mut self, k: u32) -> bool {
        let root = self.root(k) as usize;
        !std::mem::replace(&mut self.tried[root], true)
    }
}

/// Compares what a refinement does with the best so far, and takes its place where it is smaller.
struct Follow {
    numbers: Vec<u64>,
    at: usize,
    records: bool,
    is_less: bool,
}

impl Trace for Follow {
    fn add(&mut self, number: u64) -> bool {
        // The largest number ends a trace.
        let number = number.min(END - 1);
        self.compare(number)
    }

    fn is_wanted(&self) -> bool {
        true
    }
}

impl Follow {
    fn compare(&mut self, number: u64) -> bool {
        if self.records {
            self.numbers.push(number);
            return true;
        }
        match self.numbers.get(self.at) {
            Some(best) if number > *best => false,
            Some(best) if number == *best => {
                self.at += 1;
                true
            }
            _ => {
                self.numbers.truncate(self.at);
                self.numbers.push(number);
                (self.records, self.is_less) = (true, true);
                true
            }
        }
    }
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph, twins: &'a [u32], partition: Partition, (traced, budget): (bool, u64)) -> Self {
        let n = graph.len();
        let mut orbits = Orbits::new(n);
        (0..n).for_each(|k| orbits.join(twins[k], k as u32));
        Self {
            graph,
            twins,
            partition,
            traced,
            budget,
            levels: Vec::new(),
            depth: vec![u32::MAX; n],
            symmetries: Vec::new(),
            moved: vec![Vec::new(); n],
            orbits,
            first_way: usize::MAX,
            kept: HashMap::new(),
            best: None,
            best_trace: Vec::new(),
            image: (0..n as u32).collect(),
            work: 0,
        }
    }

    /// Walks all ways; `false` where that takes too long.
    fn run(&mut self) -> bool {
        let mut from = 0;
        // In a tree all atoms of one colour are equal, so that any way is as good as the others.
        let ends: usize = self.graph.iter().map(Vec::len).sum();
        if ends < 2 * self.graph.len() {
            self.descend(from);
            return !self.is_spent();
        }
        loop {
            self.descend(from);
            match self.advance() {
                Some(place) => from = place,
                None => return !self.is_spent(),
            }
        }
    }

    fn is_spent(&self) -> bool {
        self.work + self.partition.work > self.budget
    }

    /// Breaks ties by their first atoms until there is none, and looks at the order that this gives.
    fn descend(&mut self, mut from: usize) {
        while let Some(tie) = self.partition.first_tie(from) {
            if self.is_spent() {
                return;
            }
            from = tie;
            let cell = self.partition.cell_at(tie);
            let first = cell[0];
            let twin = self.twins[first as usize];
            if cell.iter().all(|k| self.twins[*k as usize] == twin) {
                self.work += cell.len() as u64;
                self.partition.individualise_all(tie);
                continue;
            }
            let mark = self.partition.mark();
            self.levels.push(Level { mark, tie, chosen: first, alone: None, siblings: None, heard: 0 });
            if !self.choose(first) {
                return;
            }
        }
        self.arrive();
    }

    /// Sets an atom apart at the last level and refines; `false` where another way is known to be better.
    fn choose(&mut self, atom: u32) -> bool {
        let depth = self.levels.len() - 1;
        self.partition.individualise(atom);
        self.depth[atom as usize] = depth as u32;
        let mut is_less = false;
        if self.traced {
            let known = self.best_trace.get_mut(depth).map(std::mem::take);
            let mut follow = Follow {
                records: known.is_none(),
                numbers: known.unwrap_or_default(),
                at: 0,
                is_less: false,
            };
            let whole = self.partition.refine(self.graph, vec![atom], &mut follow) && follow.compare(END);
            is_less = follow.is_less;
            if follow.records {
                self.best_trace.truncate(depth);
                self.best_trace.push(follow.numbers);
            } else {
                self.best_trace[depth] = follow.numbers;
            }
            if is_less {
                self.best = None;
            }
            if !whole {
                self.levels[depth].chosen = atom;
                return false;
            }
        } else {
            self.partition.refine(self.graph, vec![atom], &mut Untraced);
        }
        let level = &mut self.levels[depth];
        level.chosen = atom;
        if level.alone.is_none() || is_less {
            level.alone = Some(alone(&self.partition, level.mark));
        }
        true
    }

    /// The next way: where its ties begin; none where all were walked or it takes too long.
    fn advance(&mut self) -> Option<usize> {
        loop {
            if self.is_spent() {
                return None;
            }
            let depth = self.levels.len().checked_sub(1)?;
            let atom = self.next_sibling(depth);
            let Some(atom) = atom else {
                self.levels.pop();
                continue;
            };
            let before = self.levels[depth].alone.clone();
            if !self.choose(atom) {
                continue;
            }
            let Level { mark, tie, .. } = self.levels[depth];
            let symmetry = before.and_then(|before| {
                let now = alone(&self.partition, mark);
                let is_like = before.iter().map(|b| b.0).eq(now.iter().map(|n| n.0));
                self.symmetry(before.iter().map(|b| b.1), now.iter().map(|n| n.1), is_like)
            });
            match symmetry {
                Some(moves) => self.keep_symmetry(moves),
                None => return Some(tie),
            }
        }
    }

    /// Undoes the last choice of a level and finds an atom that no symmetry makes equal to one that was tried.
    fn next_sibling(&mut self, depth: usize) -> Option<u32> {
        let level = &mut self.levels[depth];
        self.partition.undo(level.mark);
        self.depth[level.chosen as usize] = u32::MAX;
        // Symmetries count that leave all atoms in place that were set apart before.
        let stays = |moves: &Moves| moves.iter().all(|(a, _)| self.depth[*a as usize] as usize >= depth);
        if level.siblings.is_none() && depth < self.first_way {
            // All symmetries were found below this level, and leave those atoms in place.
            self.first_way = depth;
            self.orbits.tried.fill(false);
            self.orbits.attempt(level.chosen);
            let atoms = self.partition.cell_at(level.tie).to_vec();
            self.work += atoms.len() as u64;
            level.siblings = Some(Siblings { atoms, next: 0, orbits: None });
        } else if level.siblings.is_none() {
            let mut atoms = self.partition.cell_at(level.tie).to_vec();
            atoms.sort_unstable();
            self.work += atoms.len() as u64;
            let mut siblings = Siblings { orbits: Some(Orbits::new(atoms.len())), atoms, next: 0 };
            let mut verdicts: HashMap<u32, bool> = HashMap::new();
            for k in 0..siblings.atoms.len() {
                let atom = siblings.atoms[k];
                siblings.join(atom, self.twins[atom as usize]);
                for &(symmetry, to) in &self.moved[atom as usize] {
                    self.work += 1;
                    let stays = verdicts.entry(symmetry).or_insert_with(|| {
                        self.work += self.symmetries[symmetry as usize].len() as u64;
                        stays(&self.symmetries[symmetry as usize])
                    });
                    if *stays {
                        siblings.join(atom, to);
                    }
                }
            }
            if let (Ok(k), Some(orbits)) = (siblings.atoms.binary_search(&level.chosen), &mut siblings.orbits)
            {
                orbits.attempt(k as u32);
            }
            level.siblings = Some(siblings);
        } else if let Some(siblings) = level.siblings.as_mut().filter(|s| s.orbits.is_some()) {
            for moves in &self.symmetries[level.heard..] {
                self.work += moves.len() as u64;
                if stays(moves) {
                    moves.iter().for_each(|(a, b)| siblings.join(*a, *b));
                }
            }
        }
        level.heard = self.symmetries.len();
        level.siblings.as_mut().and_then(|s| s.advance(&mut self.orbits))
    }

    fn keep_symmetry(&mut self, moves: Moves) {
        let number = self.symmetries.len() as u32;
        for (a, b) in &moves {
            self.moved[*a as usize].push((number, *b));
            self.orbits.join(*a, *b);
        }
        self.symmetries.push(moves);
    }

    /// Looks at an order of all atoms.
    fn arrive(&mut self) {
        let description = describe(&self.partition, self.graph);
        self.work += description.len() as u64;
        let hash = description.iter().fold(0, |h, x| mix(h, u64::from(*x)));
        let path: Vec<u32> = self.levels.iter().map(|l| l.chosen).collect();
        let order = self.partition.atoms().to_vec();
        if let Some((known_path, known)) = self.kept.get(&hash).cloned() {
            if let Some(moves) = self.symmetry(known.into_iter(), order.iter().copied(), true) {
                self.keep_symmetry(moves);
                // All ways below where the two part are equal.
                let same = path.iter().zip(&known_path).take_while(|(a, b)| a == b).count();
                for level in self.levels.drain((same + 1).min(path.len())..) {
                    self.depth[level.chosen as usize] = u32::MAX;
                }
                return;
            }
        } else if self.kept.len() < KEPT {
            self.kept.insert(hash, (path, order.clone()));
        }
        if self.best.as_ref().is_none_or(|b| description < b.0) {
            self.best = Some((description, order));
        }
    }

    /// The symmetry that moves atoms to others, in pairs, and those that are in only one of the lists back to where their chain
    /// begins; none where that is no symmetry or the lists are not alike.
    fn symmetry(
        &mut self,
        from: impl Iterator<Item = u32> + Clone,
        to: impl Iterator<Item = u32> + Clone,
        is_like: bool,
    ) -> Option<Moves> {
        if !is_like {
            return None;
        }
        let mut moves: Moves = from.zip(to).filter(|(a, b)| a != b).collect();
        let mut back: HashMap<u32, u32> = moves.iter().map(|(a, b)| (*b, *a)).collect();
        moves.iter().for_each(|(a, b)| self.image[*a as usize] = *b);
        // Chains close: the last atom goes to the first.
        for k in 0..moves.len() {
            let last = moves[k].1;
            if self.image[last as usize] == last {
                let mut first = last;
                while let Some(before) = back.remove(&first) {
                    first = before;
                }
                self.image[last as usize] = first;
                moves.push((last, first));
            }
        }
        self.work += 4 * moves.len() as u64;
        let graph = self.graph;
        let image = &self.image;
        let is_symmetry = moves.iter().all(|(a, b)| {
            let (own, other) = (&graph[*a as usize], &graph[*b as usize]);
            own.len() == other.len() && own.iter().all(|j| other.binary_search(&image[*j as usize]).is_ok())
        });
        moves.iter().for_each(|(a, _)| self.image[*a as usize] = *a);
        (is_symmetry && !moves.is_empty()).then_some(moves)
    }
}

/// Places and atoms of the cells that came to have one atom since a mark, by place.
fn alone(partition: &Partition, mark: usize) -> Vec<(u32, u32)> {
    let atoms = partition.atoms();
    let single = partition.made_since(mark).filter(|c| c.1 == 1);
    let mut list: Vec<(u32, u32)> = single.map(|c| (c.0, atoms[c.0 as usize])).collect();
    list.sort_unstable();
    list.dedup();
    list
}

/// The graph in an order: for each atom the places of its neighbours, from 1, each list ended by 0.
fn describe(partition: &Partition, graph: &Graph) -> Vec<u32> {
    let mut description = Vec::new();
    for &k in partition.atoms() {
        let begin = description.len();
        description.extend(graph[k as usize].iter().map(|j| partition.places()[*j as usize] + 1));
        description[begin..].sort_unstable();
        description.push(0);
    }
    description
}
