//! The unit: a tile's number, and a scene if it is another than the usual one, on standard input; its
//! pixels on standard output.
#![cfg_attr(target_os = "unknown", no_std, no_main)]

dugnad_guest::command!(dugnad_guest::run_bytes(|input| {
    render::tile::run(&input, dugnad_guest::progress)
}));
