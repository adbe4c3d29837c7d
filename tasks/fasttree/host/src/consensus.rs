//! One tree of many: what more than half of them say (Margush and McMorris, 1981).
//!
//! Two splits that are each in more than half of the trees are both in some tree, so they fit together.
use crate::tree::{Splits, Tree};
use std::collections::BTreeSet;

/// A split, how many trees have it, and the mean length of its branch.
type Counted = (BTreeSet<String>, usize, f64);

/// The tree of all splits that more than half of the trees have; inner labels are per cent of trees.
/// Nothing where there are no trees, or not all are of the same species.
pub fn consensus(trees: &[Tree]) -> Option<Tree> {
    let species = trees.first()?.species();
    if trees.iter().any(|tree| tree.species() != species) {
        return None;
    }
    let all: Vec<Splits> = trees.iter().map(Tree::splits).collect();
    let mut counted: Vec<Counted> = Vec::new();
    for split in all.iter().flat_map(Splits::keys).collect::<BTreeSet<_>>() {
        let lengths: Vec<f64> = all.iter().filter_map(|one| one.get(split)).copied().collect();
        if 2 * lengths.len() > trees.len() {
            let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
            counted.push((split.clone(), lengths.len(), mean));
        }
    }
    // Every split comes after those that it lies in.
    counted.sort_by_key(|(split, ..)| std::cmp::Reverse(split.len()));
    let first = species.first()?.clone();
    let all_others = counted.iter().position(|(split, ..)| split.len() + 1 == species.len());
    let first_length = all_others.map_or(0.0, |place| counted.remove(place).2);
    let mut root = Tree { children: below(&counted, trees.len()), ..Tree::default() };
    root.children.insert(0, Tree { label: first, length: first_length, children: Vec::new() });
    Some(root)
}

/// The trees of the largest splits, each with those inside it.
fn below(counted: &[Counted], trees: usize) -> Vec<Tree> {
    let mut parts = Vec::new();
    let mut rest = counted;
    let mut taken: Vec<&BTreeSet<String>> = Vec::new();
    while let [(split, count, length), others @ ..] = rest {
        rest = others;
        if taken.iter().any(|larger| split.is_subset(larger)) {
            continue;
        }
        taken.push(split);
        let inside: Vec<Counted> =
            others.iter().filter(|(other, ..)| other.is_subset(split)).cloned().collect();
        let label = match split.first() {
            Some(only) if split.len() == 1 => only.clone(),
            _ => (100 * count / trees).to_string(),
        };
        parts.push(Tree { label, length: *length, children: below(&inside, trees) });
    }
    parts
}
