//! Ring systems: the parts of a graph that hold together when any one atom is taken away (Hopcroft & Tarjan 1973).

/// A graph as lists of neighbours, each with the number of the bond to it.
pub(crate) type Neighbours = Vec<Vec<(usize, usize)>>;

/// Lists of neighbours from the ends of bonds.
pub(crate) fn neighbours(atoms: usize, bonds: impl Iterator<Item = (usize, usize)>) -> Neighbours {
    let mut lists = vec![Vec::new(); atoms];
    for (k, (i, j)) in bonds.enumerate() {
        lists[i].push((j, k));
        lists[j].push((i, k));
    }
    lists
}

/// The bonds of each ring system, two rings being one system where they share a bond; bonds in no ring are in none.
pub(crate) fn ring_systems(graph: &Neighbours) -> Vec<Vec<usize>> {
    let n = graph.len();
    // When an atom was found, counted from 1, and the earliest atom that is reached from what was found after it.
    let (mut found, mut earliest, mut clock) = (vec![0u32; n], vec![0u32; n], 0);
    let (mut open, mut systems) = (Vec::new(), Vec::new());
    // Atom, bond it was reached by, next neighbour.
    let mut walk: Vec<(usize, usize, usize)> = Vec::new();
    for start in 0..n {
        if found[start] > 0 {
            continue;
        }
        clock += 1;
        (found[start], earliest[start]) = (clock, clock);
        walk.push((start, usize::MAX, 0));
        while let Some(top) = walk.last_mut() {
            let (k, by, next) = *top;
            if let Some(&(j, bond)) = graph[k].get(next) {
                top.2 += 1;
                if bond == by {
                } else if found[j] == 0 {
                    clock += 1;
                    (found[j], earliest[j]) = (clock, clock);
                    open.push(bond);
                    walk.push((j, bond, 0));
                } else if found[j] < found[k] {
                    open.push(bond);
                    earliest[k] = earliest[k].min(found[j]);
                }
                continue;
            }
            walk.pop();
            let Some(&(parent, ..)) = walk.last() else { continue };
            earliest[parent] = earliest[parent].min(earliest[k]);
            if earliest[k] >= found[parent] {
                let first = open.iter().rposition(|b| *b == by).unwrap_or(0);
                let system = open.split_off(first);
                if system.len() > 1 {
                    systems.push(system);
                }
            }
        }
    }
    systems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_share_bonds_and_not_atoms() {
        // Two rings at one atom (0 1 2 and 0 3 4), a bond to a ring of four with a bond across it (5 6 7 8).
        let bonds =
            [(0, 1), (1, 2), (2, 0), (0, 3), (3, 4), (4, 0), (4, 5), (5, 6), (6, 7), (7, 8), (8, 5), (5, 7)];
        let mut systems = ring_systems(&neighbours(10, bonds.into_iter()));
        systems.iter_mut().for_each(|s| s.sort_unstable());
        systems.sort();
        assert_eq!(systems, [vec![0, 1, 2], vec![3, 4, 5], vec![7, 8, 9, 10, 11]]);
        let chain = neighbours(50_000, (1..50_000).map(|k| (k - 1, k)));
        assert!(ring_systems(&chain).is_empty());
    }
}
