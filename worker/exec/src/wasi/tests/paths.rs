//! Paths: where they lead, and where they must not.
use super::*;
use crate::wasi::{
    input_name,
    tree::{NAME_BYTES_MAX, PATH_BYTES_MAX},
};

#[test]
fn paths_lead_where_they_say_and_never_out() {
    let mut guest = Guest::new();
    for path in ["deep/er/x", "./deep//er/./x", "deep/../deep/er/../er/x"] {
        let fd = guest.opened(INPUT, path, 0);
        assert_eq!(guest.read(fd, 9), b"x");
    }
    for path in ["..", "../x", "deep/../..", "deep/er/../../../input/sky.fil", "/input", "/"] {
        assert_eq!(guest.open_errno(INPUT, path, 0, READ_ONLY), Errno::Notcapable, "{path}");
    }
    let deep = guest.opened(INPUT, "deep", DIRECTORY);
    assert_eq!(guest.open_errno(deep, "../sky.fil", 0, READ_ONLY), Errno::Notcapable);
    for (path, errno) in [
        ("", Errno::Noent),
        ("none", Errno::Noent),
        ("none/x", Errno::Noent),
        ("deep/none", Errno::Noent),
        ("sky.fil/x", Errno::Notdir),
        ("sky.fil/..", Errno::Notdir),
        ("sky.fil/", Errno::Notdir),
        ("sky.fil/.", Errno::Notdir),
    ] {
        assert_eq!(guest.open_errno(INPUT, path, 0, READ_ONLY), errno, "{path}");
    }
}

#[test]
fn names_are_checked() {
    let mut guest = Guest::new();
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    assert_eq!(guest.open_errno(SCRATCH, &long, CREATE, READ_WRITE), Errno::Nametoolong);
    guest.opened(SCRATCH, &long[1..], CREATE);
    let over = PATH_BYTES_MAX + 1;
    let path = guest.errno(|call| call.path_unlink_file(SCRATCH, PATH, over));
    assert_eq!(path, Errno::Nametoolong);
    assert_eq!(guest.open_errno(SCRATCH, "nul\0", CREATE, READ_WRITE), Errno::Inval);
    guest.put(PATH, &[b'f', 0xff]);
    let garbage = guest.errno(|call| call.path_create_directory(SCRATCH, PATH, 2));
    assert_eq!(garbage, Errno::Ilseq);
    for bad in ["", "/x", "x/", "a//b", "..", "a/../b", ".", "nul\0"] {
        input_name(bad).expect_err("a bad name");
    }
    input_name("a/b.c").expect("a good name");
}

#[test]
fn opening_minds_how_it_is_asked() {
    let mut guest = Guest::new();
    let fd = guest.opened(SCRATCH, "f", CREATE | EXCLUSIVE);
    guest.write(fd, b"bytes");
    for (path, how, errno) in [
        ("f", CREATE | EXCLUSIVE, Errno::Exist),
        (".", CREATE | EXCLUSIVE, Errno::Exist),
        ("f", DIRECTORY, Errno::Notdir),
        ("d/", CREATE, Errno::Isdir),
        ("d", CREATE | DIRECTORY, Errno::Inval),
        (".", TRUNCATE, Errno::Isdir),
        (".", 0, Errno::Isdir),
        ("f", 16, Errno::Inval),
    ] {
        assert_eq!(guest.open_errno(SCRATCH, path, how, READ_WRITE), errno, "{path} {how}");
    }
    let len = guest.put(PATH, b"f");
    let flags = guest.errno(|call| call.path_open(SCRATCH, 0, PATH, len, 0, 0, 0, 64, OUT));
    assert_eq!(flags, Errno::Inval);
    guest.opened(SCRATCH, "f", CREATE | TRUNCATE);
    assert_eq!(guest.size_of(fd), 0);
    let directory = guest.opened(SCRATCH, ".", DIRECTORY);
    assert_eq!(guest.opened(directory, "f", 0), directory + 1);
}

#[test]
fn directories_come_and_go() {
    let mut guest = Guest::new();
    guest.make_directory(SCRATCH, "d").expect("it is new");
    guest.make_directory(SCRATCH, "d/e/").expect("it is new");
    let inside = guest.opened(SCRATCH, "d/e", DIRECTORY);
    for (path, errno) in [("d", Errno::Exist), (".", Errno::Exist), ("x/y", Errno::Noent)] {
        assert_eq!(guest.make_directory(SCRATCH, path), Err(errno.into()), "{path}");
    }
    guest.opened(SCRATCH, "f", CREATE);
    for (path, errno) in [
        ("d", Errno::Notempty),
        ("f", Errno::Notdir),
        ("none", Errno::Noent),
        (".", Errno::Inval),
        ("d/..", Errno::Inval),
    ] {
        assert_eq!(guest.remove_directory(SCRATCH, path), Err(errno.into()), "{path}");
    }
    for (path, errno) in [("d", Errno::Isdir), (".", Errno::Isdir), ("f/", Errno::Notdir)] {
        assert_eq!(guest.unlink(SCRATCH, path), Err(errno.into()), "{path}");
    }
    guest.remove_directory(SCRATCH, "d/e").expect("it is empty");
    assert_eq!(guest.open_errno(inside, "f", CREATE, READ_WRITE), Errno::Noent);
    assert_eq!(guest.rename(SCRATCH, "f", inside, "f"), Err(Errno::Noent.into()));
    guest.remove_directory(SCRATCH, "d").expect("it is empty");
    guest.unlink(SCRATCH, "f").expect("it is there");
}

#[test]
fn renaming_follows_posix() {
    let mut guest = Guest::new();
    let one = guest.opened(SCRATCH, "one", CREATE);
    guest.write(one, b"1");
    guest.opened(SCRATCH, "two", CREATE);
    for directory in ["d", "d/in", "empty"] {
        guest.make_directory(SCRATCH, directory).expect("it is new");
    }
    for (from, to, errno) in [
        ("none", "x", Errno::Noent),
        ("one", "d", Errno::Isdir),
        ("one", "x/", Errno::Notdir),
        ("one/", "x", Errno::Notdir),
        ("one", ".", Errno::Inval),
        (".", "x", Errno::Inval),
        ("d", "one", Errno::Notdir),
        ("d", "d/in/x", Errno::Inval),
        ("d", "d/x", Errno::Inval),
        ("empty", "d", Errno::Notempty),
        ("one", "none/x", Errno::Noent),
        ("one", "two/x", Errno::Notdir),
    ] {
        assert_eq!(guest.rename(SCRATCH, from, SCRATCH, to), Err(errno.into()), "{from} to {to}");
    }
    guest.rename(SCRATCH, "one", SCRATCH, "one").expect("nothing to do");
    guest.rename(SCRATCH, "one", SCRATCH, "two").expect("the other is replaced");
    assert_eq!(guest.open_errno(SCRATCH, "one", 0, READ_WRITE), Errno::Noent);
    let two = guest.opened(SCRATCH, "two", 0);
    assert_eq!(guest.read(two, 9), b"1");
    guest.rename(SCRATCH, "d/in", SCRATCH, "empty").expect("an empty directory is replaced");
    guest.rename(SCRATCH, "d", SCRATCH, "empty/d/").expect("it is new");
    guest.opened(SCRATCH, "empty/d", DIRECTORY);
}

#[test]
fn there_are_no_links() {
    let mut guest = Guest::new();
    guest.opened(SCRATCH, "f", CREATE);
    let len = guest.put(PATH, b"f");
    let link = guest.errno(|call| call.path_link(SCRATCH, 0, PATH, len, SCRATCH, PATH, len));
    assert_eq!(link, Errno::Notsup);
    let symlink = guest.errno(|call| call.path_symlink(PATH, len, SCRATCH, PATH, len));
    assert_eq!(symlink, Errno::Notsup);
    let readlink = guest.errno(|call| call.path_readlink(SCRATCH, PATH, len, DATA, 9, OUT));
    assert_eq!(readlink, Errno::Inval);
    guest.unlink(SCRATCH, "f").expect("it is there");
    let gone = guest.errno(|call| call.path_readlink(SCRATCH, PATH, len, DATA, 9, OUT));
    assert_eq!(gone, Errno::Noent);
}
