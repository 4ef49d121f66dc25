//! Canonical orders against all graphs of a size, and on graphs that are hard.

use std::collections::HashSet;

use super::search::label_in;
use super::*;

type Bonds = Vec<(usize, usize)>;

/// A graph of carbon with an order of its atoms that a number gives.
fn skeleton(n: usize, bonds: &Bonds, seed: u64) -> Skeleton {
    let mut place: Vec<usize> = (0..n).collect();
    let mut state = seed;
    for k in (1..n).rev().filter(|_| seed > 0) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        place.swap(k, (state >> 33) as usize % (k + 1));
    }
    let mut neighbours = vec![Vec::new(); n];
    for &(i, j) in bonds {
        neighbours[place[i]].push(place[j] as u32);
        neighbours[place[j]].push(place[i] as u32);
    }
    neighbours.iter_mut().for_each(|list: &mut Vec<u32>| list.sort_unstable());
    Skeleton { kept: (0..n).collect(), atoms: vec![[6, 0, 0, 8, 0]; n], neighbours }
}

fn parts_text(skeleton: Skeleton, modes: &[bool]) -> String {
    let mut parts: Vec<String> = skeleton
        .parts()
        .iter()
        .map(|part| match label_in(&part.atoms, &part.neighbours, modes, 1_000_000) {
            Labelling::Canonical(order) => part.text(&order),
            Labelling::Refined { .. } => panic!("small graphs are walked to their end"),
        })
        .collect();
    parts.sort();
    parts.join(".")
}

#[test]
fn all_graphs_of_six_atoms_are_told_apart() {
    // Graphs of 1 to 6 unlabelled nodes (OEIS A000088).
    for (n, wanted) in [(1, 1), (2, 2), (3, 4), (4, 11), (5, 34), (6, 156)] {
        let pairs: Bonds = (0..n).flat_map(|j| (0..j).map(move |i| (i, j))).collect();
        for modes in [[false], [true]] {
            let found: HashSet<String> = (0..1u32 << pairs.len())
                .map(|bits| {
                    let chosen = pairs.iter().enumerate().filter(|(k, _)| bits >> k & 1 == 1);
                    parts_text(skeleton(n, &chosen.map(|(_, b)| *b).collect(), 0), &modes)
                })
                .collect();
            assert_eq!(found.len(), wanted, "graphs of {n} atoms, traced: {}", modes[0]);
        }
    }
}

/// A ring with bonds to atoms that lie so far ahead (LCF notation).
fn ring_with(n: usize, ahead: &[i64]) -> Bonds {
    let other = |k: usize| (k as i64 + ahead[k % ahead.len()]).rem_euclid(n as i64) as usize;
    let all = (0..n).flat_map(|k| [(k, (k + 1) % n), (k, other(k))]);
    let unique: std::collections::BTreeSet<_> = all.map(|(i, j)| (i.min(j), i.max(j))).collect();
    unique.into_iter().collect()
}

/// Hexagons in rows, as bricks; joined to a torus or not.
fn sheet(width: usize, height: usize, joined: bool) -> Bonds {
    let at = |x: usize, y: usize| (y % height) * width + x % width;
    let mut bonds = Vec::new();
    for y in 0..height {
        for x in 0..width {
            if joined || x + 1 < width {
                bonds.push((at(x, y), at(x + 1, y)));
            }
            if (x + y) % 2 == 0 && (joined || y + 1 < height) {
                bonds.push((at(x, y), at(x, y + 1)));
            }
        }
    }
    bonds
}

fn polystyrene(units: usize) -> Bonds {
    let unit = |m: usize| {
        let o = 8 * m;
        let ring = (0..6).map(move |k| (o + 2 + k, o + 2 + (k + 1) % 6));
        ring.chain([(o, o + 1), (o, o + 2)]).chain((m > 0).then(|| (o - 7, o)))
    };
    (0..units).flat_map(unit).collect()
}

/// Cages whose atoms all have three neighbours and are not all alike, on a chain.
fn cuneanes(count: usize) -> Bonds {
    let cage =
        [(0, 1), (0, 2), (0, 3), (1, 2), (1, 4), (2, 5), (3, 6), (3, 7), (4, 5), (4, 6), (5, 7), (6, 7)];
    let unit = |m: usize| {
        let o = 10 * m;
        let cage = cage.into_iter().map(move |(i, j)| (o + i, o + j));
        cage.chain([(o, o + 8), (o + 8, o + 9)]).chain((m > 0).then(|| (o - 1, o + 8)))
    };
    (0..count).flat_map(unit).collect()
}

/// C60: an atom for each edge of an icosahedron and each of its directions.
fn c60() -> Bonds {
    let ring = |k: usize| {
        let (up, down, next) = (1 + k, 6 + k, (k + 1) % 5);
        [(0, up), (up, 1 + next), (up, down), (1 + next, down), (down, 6 + next), (down, 11)]
    };
    let edges: Bonds = (0..5).flat_map(ring).flat_map(|(i, j)| [(i, j), (j, i)]).collect();
    let mut bonds = Vec::new();
    for (a, &(u, v)) in edges.iter().enumerate() {
        for (b, &(w, x)) in edges.iter().enumerate().skip(a + 1) {
            if (w, x) == (v, u) || (w == u && edges.contains(&(v, x))) {
                bonds.push((a, b));
            }
        }
    }
    assert_eq!((edges.len(), bonds.len()), (60, 90));
    bonds
}

fn tree(arity: usize, least: usize) -> (usize, Bonds) {
    let (mut bonds, mut n, mut next) = (Vec::new(), 1, 0);
    while n < least {
        bonds.extend((n..n + arity).map(|k| (next, k)));
        (n, next) = (n + arity, next + 1);
    }
    (n, bonds)
}

#[test]
fn large_and_symmetric_graphs_are_walked_to_their_end() {
    let n = 20_000;
    let chain: Bonds = (1..n).map(|k| (k - 1, k)).collect();
    let ring: Bonds = (0..n).map(|k| (k, (k + 1) % n)).collect();
    let hexagons = |count: usize| -> Bonds {
        (0..count).flat_map(|f| (0..6).map(move |k| (6 * f + k, 6 * f + (k + 1) % 6))).collect()
    };
    let ethyls: Bonds = (0..5_000).flat_map(|k| [(0, 2 * k + 1), (2 * k + 1, 2 * k + 2)]).collect();
    let (dendrimer, branches) = tree(3, n);
    let cases: [(&str, usize, Bonds); 13] = [
        ("chain", n, chain),
        ("ring", n, ring),
        ("star", n, (1..n).map(|k| (0, k)).collect()),
        ("star of ethyls", 10_001, ethyls),
        ("sheet", 142 * 141, sheet(142, 141, false)),
        ("torus", 142 * 140, sheet(142, 140, true)),
        ("500 hexagons", 3_000, hexagons(500)),
        ("polystyrene", n, polystyrene(n / 8)),
        ("dendrimer", dendrimer, branches),
        ("cuneanes", n, cuneanes(n / 10)),
        ("dodecahedrane", 20, ring_with(20, &[10, 7, 4, -4, -7, 10, -4, 7, -7, 4])),
        ("C60", 60, c60()),
        ("cuneane", 8, cuneanes(1).into_iter().filter(|b| b.1 < 8).collect()),
    ];
    for (name, n, bonds) in cases {
        let texts = [0, 12_345].map(|seed| {
            let mut texts = HashSet::new();
            for part in skeleton(n, &bonds, seed).parts() {
                match label(&part.atoms, &part.neighbours) {
                    Labelling::Canonical(order) => texts.insert(part.text(&order)),
                    Labelling::Refined { .. } => panic!("{name} is walked to its end"),
                };
            }
            texts
        });
        assert_eq!(texts[0].len(), 1, "parts of {name} are alike");
        assert!(texts[0] == texts[1], "{name} in another order");
    }
}

#[test]
fn a_walk_that_is_given_up_still_knows_no_order() {
    let texts = [0, 7, 99].map(|seed| {
        let skeleton = skeleton(60, &ring_with(60, &[9, -9, 13, 7, -13, -7]), seed);
        match label_in(&skeleton.atoms, &skeleton.neighbours, &[false, true], 10) {
            Labelling::Refined { order, cells } => skeleton.text_of_cells(&order, &cells),
            Labelling::Canonical(_) => panic!("ten steps are not enough"),
        }
    });
    assert!(texts[0].starts_with("refined [([6, 0, 0, 8, 0], "));
    assert_eq!((&texts[0], &texts[0]), (&texts[1], &texts[2]));
}
