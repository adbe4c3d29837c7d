//! Trees in the notation named after Newick's restaurant, and the splits that make them.
//!
//! Invariant: a split is the part of the species without the first by name, so that trees with different
//! roots have the same splits where they say the same.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// A species, or what several have come from.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tree {
    /// The species' name, or how well what is below is supported; may be empty.
    pub label: String,
    /// Of the branch above.
    pub length: f64,
    /// None of a species.
    pub children: Vec<Tree>,
}

/// A set of species with the length of the branch that parts it from the others.
pub type Splits = BTreeMap<BTreeSet<String>, f64>;

/// Why a text is no tree.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("character {at}: expected {expected}")]
pub struct NoTree {
    /// From 1.
    pub at: usize,
    /// What should stand there.
    pub expected: &'static str,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, wanted: char) -> bool {
        let found = self.text[self.at..].starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn word(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| "(),:;".contains(c) || c.is_whitespace());
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, NoTree> {
        Err(NoTree { at: self.at + 1, expected })
    }

    fn tree(&mut self, depth: usize) -> Result<Tree, NoTree> {
        let mut tree = Tree::default();
        if depth > DEPTH_MAX {
            return self.fail("a tree that is not so deep");
        }
        if self.take('(') {
            tree.children.push(self.tree(depth + 1)?);
            while self.take(',') {
                tree.children.push(self.tree(depth + 1)?);
            }
            if !self.take(')') {
                return self.fail("`,` or `)`");
            }
        }
        tree.label = self.word().to_owned();
        if tree.children.is_empty() && tree.label.is_empty() {
            return self.fail("a name");
        }
        if self.take(':') {
            let Ok(length) = self.word().parse() else { return self.fail("a length") };
            tree.length = length;
        }
        Ok(tree)
    }
}

/// Deepest tree that is read.
const DEPTH_MAX: usize = 1_000;

impl Tree {
    /// Reads a tree.
    ///
    /// # Errors
    /// Where it stops to be one.
    pub fn parse(text: &str) -> Result<Tree, NoTree> {
        let mut reader = Reader { text: text.trim(), at: 0 };
        let tree = reader.tree(0)?;
        if !reader.take(';') || reader.at < reader.text.len() {
            return reader.fail("`;` and the end");
        }
        Ok(tree)
    }

    /// The tree as text.
    pub fn text(&self) -> String {
        self.part() + ";\n"
    }

    fn part(&self) -> String {
        let mut text = String::new();
        if !self.children.is_empty() {
            let parts: Vec<String> = self.children.iter().map(Tree::part).collect();
            let _ = write!(text, "({})", parts.join(","));
        }
        let _ = write!(text, "{}:{:.5}", self.label, self.length);
        text
    }

    /// The names of the species.
    pub fn species(&self) -> BTreeSet<String> {
        if self.children.is_empty() {
            return BTreeSet::from([self.label.clone()]);
        }
        self.children.iter().flat_map(Tree::species).collect()
    }

    /// Every split: those of single species, too, which all trees have.
    pub fn splits(&self) -> Splits {
        let all = self.species();
        let mut splits = Splits::new();
        for child in &self.children {
            child.collect(&all, &mut splits);
        }
        splits
    }

    fn collect(&self, all: &BTreeSet<String>, splits: &mut Splits) -> BTreeSet<String> {
        let below: BTreeSet<String> = match self.children.as_slice() {
            [] => BTreeSet::from([self.label.clone()]),
            children => children.iter().flat_map(|child| child.collect(all, splits)).collect(),
        };
        let has_first = all.first().is_some_and(|first| below.contains(first));
        let split =
            if has_first { all.difference(&below).cloned().collect() } else { below.clone() };
        // Both branches at a root of two are one.
        *splits.entry(split).or_default() += self.length;
        below
    }
}

/// How many splits only one of two trees has (Robinson and Foulds, 1981).
pub fn distance(one: &Splits, other: &Splits) -> usize {
    let missing = |from: &Splits, to: &Splits| from.keys().filter(|k| !to.contains_key(*k)).count();
    missing(one, other) + missing(other, one)
}
