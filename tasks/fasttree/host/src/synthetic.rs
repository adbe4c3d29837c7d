//! Genes of made-up species whose tree is known, from a seed.
//!
//! Species part at random; along each branch sites change at random, all changes alike (Jukes and Cantor,
//! 1969), each gene at a rate of its own. So the tree that genes tell can be compared with the true one.
use crate::tree::Tree;
use std::{collections::BTreeMap, fs, io, path::Path};

/// Species.
pub const SPECIES: usize = 20;
/// Shortest and longest branch, changes a site.
const BRANCH: (f64, f64) = (0.003, 0.08);
/// Fewest and most sites of a gene.
const SITES: (f64, f64) = (150.0, 750.0);
const BASES: &[u8; 4] = b"ACGT";

/// Numbers as good as random: xorshift64* (Vigna, 2016).
struct Dice(u64);

impl Dice {
    /// From 0 to below 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, (least, most): (f64, f64)) -> f64 {
        least + self.share() * (most - least)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.share() * end as f64) as usize
    }
}

/// The tree of the species.
pub fn species_tree(seed: u64) -> Tree {
    let mut dice = Dice(seed.wrapping_mul(2).wrapping_add(1));
    let mut trees: Vec<Tree> = (1..=SPECIES)
        .map(|number| Tree { label: format!("species{number:02}"), ..Tree::default() })
        .collect();
    while trees.len() > 3 {
        let one = trees.swap_remove(dice.below(trees.len()));
        let other = trees.swap_remove(dice.below(trees.len()));
        trees.push(Tree { children: vec![one, other], ..Tree::default() });
    }
    let mut root = Tree { children: trees, ..Tree::default() };
    grow(&mut root, &mut dice);
    root
}

fn grow(tree: &mut Tree, dice: &mut Dice) {
    for child in &mut tree.children {
        child.length = dice.between(BRANCH);
        grow(child, dice);
    }
}

/// One gene of every species, in FASTA.
pub fn gene(tree: &Tree, seed: u64, number: u64) -> String {
    let mut dice = Dice((seed << 32 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    // The first numbers of near seeds are near each other.
    for _ in 0..16 {
        dice.share();
    }
    let sites = dice.between(SITES) as usize;
    let rate = dice.between((0.5, 2.0));
    let root: Vec<u8> = (0..sites).map(|_| BASES[dice.below(4)]).collect();
    let mut leaves = BTreeMap::new();
    evolve(tree, &root, rate, &mut dice, &mut leaves);
    leaves.into_iter().map(|(name, bases)| format!(">{name}\n{bases}\n")).collect()
}

fn evolve(
    tree: &Tree,
    bases: &[u8],
    rate: f64,
    dice: &mut Dice,
    leaves: &mut BTreeMap<String, String>,
) {
    if tree.children.is_empty() {
        leaves.insert(tree.label.clone(), String::from_utf8_lossy(bases).into_owned());
    }
    for child in &tree.children {
        // A change to any of the four, its own included, comes 4/3 as often as one that shows.
        let changed = 1.0 - (-rate * child.length * 4.0 / 3.0).exp();
        let next: Vec<u8> = bases
            .iter()
            .map(|base| if dice.share() < changed { BASES[dice.below(4)] } else { *base })
            .collect();
        evolve(child, &next, rate, dice, leaves);
    }
}

/// Writes `genes/` and the true tree, `species.nwk`, into a folder.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, seed: u64, genes: u64) -> io::Result<()> {
    let tree = species_tree(seed);
    fs::create_dir_all(folder.join("genes"))?;
    fs::write(folder.join("species.nwk"), tree.text())?;
    (0..genes).try_for_each(|number| {
        fs::write(folder.join(format!("genes/{number:08}.fasta")), gene(&tree, seed, number))
    })
}
