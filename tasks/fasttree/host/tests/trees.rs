//! Trees are read as they are written, parted as they should be, and agreed on by majority.
use fasttree_host::{
    consensus::consensus,
    picture,
    synthetic::{SPECIES, gene, species_tree, write},
    tree::{Tree, distance},
};
use std::fs;

fn tree(text: &str) -> Tree {
    Tree::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_tree_is_read_as_it_was_written() {
    let read = tree("((a:0.1,b:0.2)0.98:0.05,c:1e-2,(d,e:-0.001)1.000);\n");
    assert_eq!(read.children.len(), 3);
    assert_eq!((read.children[0].label.as_str(), read.children[0].length), ("0.98", 0.05));
    assert_eq!(read.species().into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    assert_eq!(tree(&read.text()), read);
    let cases = [
        ("", "character 1: expected a name"),
        ("(a,b)", "character 6: expected `;` and the end"),
        ("(a,b;", "character 5: expected `,` or `)`"),
        ("(a,);", "character 4: expected a name"),
        ("(a:x,b);", "expected a length"),
        ("(a,b); (c,d);", "expected `;` and the end"),
    ];
    for (text, said) in cases {
        let error = Tree::parse(text).expect_err(said).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert!(Tree::parse(&"(".repeat(100_000)).is_err(), "it ends before the stack does");
}

#[test]
fn roots_do_not_matter_and_differences_are_counted() {
    let one = tree("((a:1,b:1):1,(c:1,(d:1,e:1):1):1);").splits();
    let rooted_elsewhere = tree("(a:1,b:1,((d:1,e:1):1,c:1):2);").splits();
    assert_eq!(one, rooted_elsewhere);
    assert_eq!(one.len(), 7, "five species and two branches inside");
    // {d, e} is not {c, e}: a split is missing in each.
    let other = tree("(a:1,b:1,((c:1,e:1):1,d:1):2);").splits();
    assert_eq!((distance(&one, &other), distance(&one, &one)), (2, 0));
}

#[test]
fn most_trees_decide_and_say_how_many_they_were() {
    let trees = [
        "(a:1,b:1,((d:1,e:1):4,c:1):2);",
        "(a:1,b:1,((d:1,e:1):2,c:1):2);",
        "(a:1,b:1,((c:1,e:1):1,d:1):2);",
    ]
    .map(tree);
    let agreed = consensus(&trees).expect("of the same species");
    assert_eq!(distance(&agreed.splits(), &trees[0].splits()), 0);
    let text = agreed.text();
    assert!(text.contains("(d:1.00000,e:1.00000)66:3.00000"), "{text}");
    assert!(text.contains(")100:2.00000"), "{text}");
    // Three trees, three opinions: nothing inside is agreed on.
    let none = ["((a,b),(c,d));", "((a,c),(b,d));", "((a,d),(b,c));"].map(tree);
    assert_eq!(consensus(&none).expect("a star").splits().len(), 4);
    assert!(consensus(&[tree("(a,b,c);"), tree("(a,b,d);")]).is_none() && consensus(&[]).is_none());
}

#[test]
fn genes_are_of_their_species_and_near_ones_are_alike() {
    let species = species_tree(5);
    assert_eq!((species.species().len(), species.splits().len()), (SPECIES, 2 * SPECIES - 3));
    assert_eq!(gene(&species, 5, 2), gene(&species, 5, 2));
    assert_ne!(gene(&species, 5, 2), gene(&species, 5, 3));
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), 5, 3).expect("written");
    let truth = tree(&fs::read_to_string(folder.path().join("species.nwk")).expect("written"));
    assert_eq!(distance(&truth.splits(), &species.splits()), 0);
    let text = fs::read_to_string(folder.path().join("genes/00000002.fasta")).expect("written");
    let sequences: Vec<&str> = text.lines().filter(|line| !line.starts_with('>')).collect();
    assert_eq!(sequences.len(), SPECIES);
    assert!(sequences.iter().all(|one| one.len() == sequences[0].len() && one.len() >= 150));
    let picture = folder.path().join("tree.png");
    picture::draw(&picture, &truth, "the true tree").expect("drawn");
    assert!(fs::metadata(picture).expect("written").len() > 4_000);
}
