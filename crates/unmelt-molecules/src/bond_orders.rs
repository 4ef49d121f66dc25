//! Bond orders and formal charges of joined atoms: every valence closed, the charges adding up to a given sum.

use crate::{Atom, Element};

/// Steps of the search in one unsaturated part before its best so far is taken.
const BUDGET: usize = 20_000;

/// Larger molecules are left as the tables of lengths have them.
const MOST_ATOMS: usize = 5_000;

/// Charges and valences that an element has, the commonest first.
fn states(element: Element) -> &'static [(i8, u8)] {
    match element.symbol() {
        "H" => &[(0, 1)],
        "B" | "Al" => &[(0, 3), (-1, 4)],
        "C" | "Si" | "Ge" => &[(0, 4)],
        "N" => &[(0, 3), (1, 4)],
        "P" | "As" => &[(0, 3), (0, 5), (1, 4)],
        "O" => &[(0, 2), (1, 3)],
        "S" | "Se" | "Te" => &[(0, 2), (0, 4), (0, 6), (1, 3)],
        "F" => &[(0, 1)],
        "Cl" | "Br" | "I" => &[(0, 1), (0, 3), (0, 5), (0, 7)],
        "Li" | "Na" | "K" | "Rb" | "Cs" => &[(0, 1)],
        _ => &[],
    }
}

/// Which elements take a negative charge first.
fn greed(element: Element) -> u8 {
    match element.symbol() {
        "F" | "Cl" | "Br" | "I" => 0,
        "O" => 1,
        "S" | "Se" | "Te" => 2,
        "N" => 3,
        "C" => 4,
        "P" | "As" => 5,
        "H" => 6,
        _ => 7,
    }
}

/// Orders of the pairs and charges of the atoms; none where no closed form is found.
pub(crate) fn assign(atoms: &[Atom], pairs: &[(usize, usize)], total: i32) -> Option<(Vec<u8>, Vec<i8>)> {
    // Nitro groups come before ions at first, as in nitrobenzoate; nitrite and diazonium need their charge before.
    [false, true].into_iter().find_map(|ions| assign_with(atoms, pairs, total, ions))
}

/// As `assign`; where `ions` come first, open atoms next to nitrogen take or leave the charge that the sum asks for.
fn assign_with(
    atoms: &[Atom],
    pairs: &[(usize, usize)],
    total: i32,
    ions: bool,
) -> Option<(Vec<u8>, Vec<i8>)> {
    if atoms.len() > MOST_ATOMS {
        return None;
    }
    let mut neighbours = vec![Vec::new(); atoms.len()];
    for (bond, &(i, j)) in pairs.iter().enumerate() {
        neighbours[i].push((j, bond));
        neighbours[j].push((i, bond));
    }
    let (open, left) = (vec![0; atoms.len()], vec![0; atoms.len()]);
    let mut form = Form { atoms, neighbours, charge: Vec::new(), open, orders: vec![1; pairs.len()], left };
    form.begin()?;
    form.fill(pairs);
    // Oxides and ylides first: they move charge without changing its sum.
    for _ in 0..atoms.len() {
        if !(form.raise_valence() || form.separate_charges(total, ions)) {
            break;
        }
        form.fill(pairs);
    }
    form.balance(total);
    let sum: i32 = form.charge.iter().map(|c| i32::from(*c)).sum();
    (sum == total && form.open.iter().all(|o| *o == 0)).then_some((form.orders, form.charge))
}

struct Form<'a> {
    atoms: &'a [Atom],
    /// Neighbours of each atom, with the number of the bond.
    neighbours: Vec<Vec<(usize, usize)>>,
    charge: Vec<i8>,
    /// What each atom has left of its valence.
    open: Vec<u8>,
    orders: Vec<u8>,
    /// Of these the units that a search leaves open.
    left: Vec<u8>,
}

impl Form<'_> {
    fn degree(&self, k: usize) -> u8 {
        self.neighbours[k].len().min(200) as u8
    }

    /// Single bonds, and of each atom the first state that has room for them.
    fn begin(&mut self) -> Option<()> {
        for (k, atom) in self.atoms.iter().enumerate() {
            let degree = self.degree(k);
            if atom.charge != 0 {
                // The file says the charge: what is bonded to the atom is all there is.
                self.charge.push(atom.charge);
                continue;
            }
            let (charge, valence) = states(atom.element).iter().find(|(_, valence)| *valence >= degree)?;
            self.charge.push(*charge);
            self.open[k] = valence - degree;
        }
        Some(())
    }

    /// Gives the open valences to double and triple bonds, anew.
    fn fill(&mut self, pairs: &[(usize, usize)]) {
        for (bond, &(i, j)) in pairs.iter().enumerate() {
            let more = std::mem::replace(&mut self.orders[bond], 1) - 1;
            self.open[i] += more;
            self.open[j] += more;
        }
        let mut seen = vec![false; self.atoms.len()];
        for start in 0..self.atoms.len() {
            if seen[start] || self.open[start] == 0 {
                continue;
            }
            // A part of open atoms next to each other.
            seen[start] = true;
            let mut part = vec![start];
            let mut at = 0;
            while at < part.len() {
                for &(j, _) in &self.neighbours[part[at]] {
                    if self.open[j] > 0 && !std::mem::replace(&mut seen[j], true) {
                        part.push(j);
                    }
                }
                at += 1;
            }
            self.fill_part(&part);
        }
    }

    /// Finds the orders of one part that leave least open.
    fn fill_part(&mut self, part: &[usize]) {
        let all: usize = part.iter().map(|&k| usize::from(self.open[k])).sum();
        for left in (all % 2..=all).step_by(2) {
            let mut budget = BUDGET;
            if self.search(part, left, &mut budget) || budget == 0 {
                break;
            }
        }
    }

    /// Bonds the most constrained open atom of a part to a neighbour, and so on; `spare` units may stay open.
    fn search(&mut self, part: &[usize], spare: usize, budget: &mut usize) -> bool {
        // The depth of the search is the number of steps, so it is walked with a stack of its own.
        let mut stack: Vec<Step> = Vec::new();
        let mut spare = spare;
        part.iter().for_each(|&k| self.left[k] = 0);
        loop {
            let choices = |k: usize| self.neighbours[k].iter().filter(|b| self.has_room(b)).count();
            let next = part
                .iter()
                .copied()
                .filter(|&k| self.open[k] > self.left[k])
                .min_by_key(|&k| (choices(k), greed(self.atoms[k].element)));
            let Some(k) = next else { return true };
            *budget = budget.saturating_sub(1);
            stack.push(Step { atom: k, tried: 0, done: None });
            // Goes on with the last step that has something left to try.
            loop {
                let Some(step) = stack.last_mut() else { return false };
                match step.done.take() {
                    Some(Done::Bond(j, bond)) => {
                        self.open[step.atom] += 1;
                        self.open[j] += 1;
                        self.orders[bond] -= 1;
                    }
                    Some(Done::Spare) => {
                        self.left[step.atom] -= 1;
                        spare += 1;
                    }
                    None => {}
                }
                if *budget == 0 {
                    return false;
                }
                let k = step.atom;
                let choices = self.neighbours[k].iter().enumerate().skip(step.tried);
                let choice = choices.into_iter().find(|(_, b)| self.has_room(b));
                if let Some((at, &(j, bond))) = choice {
                    step.tried = at + 1;
                    step.done = Some(Done::Bond(j, bond));
                    self.open[k] -= 1;
                    self.open[j] -= 1;
                    self.orders[bond] += 1;
                    break;
                }
                if spare > 0 && step.tried <= self.neighbours[k].len() {
                    step.tried = self.neighbours[k].len() + 1;
                    step.done = Some(Done::Spare);
                    self.left[k] += 1;
                    spare -= 1;
                    break;
                }
                stack.pop();
            }
        }
    }

    /// Whether a bond to a neighbour can be of a higher order.
    fn has_room(&self, (neighbour, bond): &(usize, usize)) -> bool {
        self.open[*neighbour] > self.left[*neighbour] && self.orders[*bond] < 3
    }

    /// Raises the valence of an atom such as sulphur by two where two of its neighbours are left open.
    fn raise_valence(&mut self) -> bool {
        for k in 0..self.atoms.len() {
            let open = self.neighbours[k].iter().filter(|(j, _)| self.open[*j] > 0).count();
            let valence = self.valence(k);
            let higher = states(self.atoms[k].element).contains(&(0, valence + 2));
            if self.charge[k] == 0
                && self.open[k] == 0
                && self.atoms[k].charge == 0
                && open >= 2
                && higher
                && valence >= 3
            {
                self.open[k] += 2;
                return true;
            }
        }
        false
    }

    /// What an atom has of valence in all.
    fn valence(&self, k: usize) -> u8 {
        let bonds: u8 = self.neighbours[k].iter().map(|(_, b)| self.orders[*b]).fold(0, u8::saturating_add);
        bonds.saturating_add(self.open[k])
    }

    /// Moves an electron from a nitrogen to an open neighbour: nitro groups, N-oxides, azides, isocyanides. Where the sum
    /// of the charges is still to rise, an open carbon gets none: iminium, guanidinium, pyridinium.
    fn separate_charges(&mut self, total: i32, ions: bool) -> bool {
        let mut best: Option<(u8, u8, usize, usize)> = None;
        for k in (0..self.atoms.len()).filter(|&k| self.open[k] > 0 && self.charge[k] == 0) {
            for &(j, _) in &self.neighbours[k] {
                let gives =
                    self.atoms[j].element == Element::N && self.charge[j] == 0 && self.valence(j) == 3;
                if gives && self.atoms[j].charge == 0 {
                    let candidate = (greed(self.atoms[k].element), self.degree(k), k, j);
                    best = Some(best.map_or(candidate, |b| b.min(candidate)));
                }
            }
        }
        let Some((_, _, k, j)) = best else { return false };
        let sum: i32 = self.charge.iter().map(|c| i32::from(*c)).sum();
        let element = self.atoms[k].element;
        if !(sum < total && (element == Element::C || ions && element == Element::N)) {
            self.charge[k] = -1;
            self.open[k] -= 1;
        }
        if ions && sum > total {
            return true;
        }
        self.charge[j] = 1;
        self.open[j] += 1;
        true
    }

    /// Gives charges to atoms that are left open until the sum is as wanted.
    fn balance(&mut self, total: i32) {
        let mut open: Vec<usize> =
            (0..self.atoms.len()).filter(|&k| self.open[k] > 0 && self.charge[k] == 0).collect();
        open.sort_by_key(|&k| (greed(self.atoms[k].element), k));
        let missing = total - self.charge.iter().map(|c| i32::from(*c)).sum::<i32>();
        let sign: i8 = if missing < 0 { -1 } else { 1 };
        if sign > 0 {
            open.reverse();
        }
        for k in open.into_iter().take(missing.unsigned_abs() as usize) {
            self.charge[k] = sign;
            self.open[k] -= 1;
        }
    }
}

/// One choice of the search.
struct Step {
    atom: usize,
    /// Neighbours that have been tried; one more than there are where the unit was left open.
    tried: usize,
    done: Option<Done>,
}

enum Done {
    Bond(usize, usize),
    Spare,
}
