//! Chains fold, in steps as at once, and can be looked at.
use dugnad_guest::stepped::Next;
use fold::{
    course::{Folded, init, step},
    table::csv,
};
use fold_host::{energy, read, structure};

/// Folds by steps, and sends each state through the form in which nodes keep it.
fn folded(settings: &str) -> Folded {
    let mut state = init(settings.as_bytes().to_vec()).expect("settings");
    for number in 1.. {
        match step(state, number).expect("it holds") {
            Next::Done(folded) => return folded,
            Next::State(next) => {
                let bytes = postcard::to_allocvec(&next).expect("postcard");
                state = postcard::from_bytes(&bytes).expect("postcard");
            }
        }
    }
    unreachable!("it ends")
}

#[test]
fn a_chain_that_is_cooled_finds_a_compact_shape() {
    let cold = folded("seed 12\nsteps 20\nmoves 6000");
    let first = &cold.samples[0];
    let last = cold.samples.last().expect("samples");
    assert!(cold.energy < -25.0 && cold.energy < last.potential, "{}", cold.energy);
    assert!(last.radius < 3.5 && last.radius < first.radius, "{} {}", first.radius, last.radius);
    assert_eq!(cold.samples.len(), 200);
    let again = folded("seed 12\nsteps 20\nmoves 6000");
    assert_eq!(cold, again);
}

#[test]
fn pictures_and_table_show_all_chains() {
    let all = ["seed 1\nsteps 4\nmoves 2000", "seed 2\nsteps 4\nmoves 2000"].map(folded);
    let framed = all.iter().flat_map(|one| {
        let bytes = postcard::to_allocvec(one).expect("postcard");
        [(bytes.len() as u64).to_le_bytes().to_vec(), bytes].concat()
    });
    let framed: Vec<u8> = framed.collect();
    let read = read(&framed).expect("as it was written");
    assert_eq!(read, all);
    assert!(fold_host::read(&framed[..framed.len() - 1]).is_err());
    let table = csv(read);
    let energies: Vec<f64> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).and_then(|text| text.parse().ok()).expect("a number"))
        .collect();
    assert!(energies.len() == 2 && energies.is_sorted(), "{table}");
    let folder = tempfile::tempdir().expect("a folder");
    let (way, shape) = (folder.path().join("energy.png"), folder.path().join("chain.png"));
    energy::draw(&way, &all).expect("drawn");
    structure::draw(&shape, &all[0]).expect("drawn");
    for picture in [way, shape] {
        let file = std::io::BufReader::new(std::fs::File::open(picture).expect("written"));
        let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("known")];
        reader.next_frame(&mut pixels).expect("a picture");
        let drawn = pixels.chunks(3).filter(|pixel| **pixel != pixels[..3]).count();
        assert!(drawn > 2_000, "{drawn} pixels differ from the ground");
    }
}
