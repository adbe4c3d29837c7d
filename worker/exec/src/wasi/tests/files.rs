//! Open files and directories.
use super::*;
use crate::wasi::{
    CLOCK_START_NS,
    descriptors::{DESCRIPTORS_MAX, flags},
    tree::{SCRATCH_BYTES_MAX, SCRATCH_NODES_MAX},
};

#[test]
fn files_are_written_sought_and_read_back() {
    let mut guest = Guest::new();
    let fd = guest.opened(SCRATCH, "f", CREATE);
    guest.write(fd, b"0123456789");
    guest.ok(|call| call.fd_tell(fd, OUT));
    assert_eq!(guest.u64_at(OUT), 10);
    for (offset, whence, to) in [(-4, 2, 6), (-2, 1, 4), (3, 0, 3)] {
        guest.ok(|call| call.fd_seek(fd, offset, whence, OUT));
        assert_eq!(guest.u64_at(OUT), to);
    }
    assert_eq!(guest.read(fd, 4), b"3456");
    guest.put(DATA, b"ab");
    guest.buffer(2);
    guest.ok(|call| call.fd_pwrite(fd, IOVECS, 1, 12, OUT));
    guest.buffer(100);
    guest.ok(|call| call.fd_pread(fd, IOVECS, 1, 8, OUT));
    assert_eq!(guest.bytes(DATA, guest.u32_at(OUT)), b"89\0\0ab");
    assert_eq!(guest.read(fd, 100), b"789\0\0ab", "pread and pwrite leave the position alone");
    assert_eq!(guest.errno(|call| call.fd_seek(fd, -1, 0, OUT)), Errno::Inval);
    assert_eq!(guest.errno(|call| call.fd_seek(fd, i64::MIN, 1, OUT)), Errno::Inval);
    assert_eq!(guest.errno(|call| call.fd_seek(fd, 0, 3, OUT)), Errno::Inval);
}

#[test]
fn appending_goes_to_the_end_wherever_the_position_is() {
    let mut guest = Guest::new();
    let fd = guest.opened(SCRATCH, "f", CREATE);
    guest.write(fd, b"one");
    guest.ok(|call| call.fd_fdstat_set_flags(fd, flags::APPEND.into()));
    guest.ok(|call| call.fd_seek(fd, 0, 0, OUT));
    guest.write(fd, b"two");
    guest.ok(|call| call.fd_seek(fd, 0, 0, OUT));
    assert_eq!(guest.read(fd, 9), b"onetwo");
    assert_eq!(guest.errno(|call| call.fd_fdstat_set_flags(fd, 1 << 5)), Errno::Inval);
    assert_eq!(guest.errno(|call| call.fd_fdstat_set_flags(fd, 1 << 16)), Errno::Inval);
}

#[test]
fn sizes_are_set_and_limited() {
    let mut guest = Guest::new();
    let fd = guest.opened(SCRATCH, "f", CREATE);
    guest.ok(|call| call.fd_allocate(fd, 10, 20));
    guest.ok(|call| call.fd_allocate(fd, 0, 1));
    assert_eq!(guest.size_of(fd), 30);
    guest.ok(|call| call.fd_filestat_set_size(fd, 7));
    assert_eq!(guest.size_of(fd), 7);
    assert_eq!(guest.errno(|call| call.fd_allocate(fd, 0, 0)), Errno::Inval);
    assert_eq!(guest.errno(|call| call.fd_allocate(fd, u64::MAX, 1)), Errno::Fbig);
    let over = SCRATCH_BYTES_MAX + 1;
    assert_eq!(guest.errno(|call| call.fd_filestat_set_size(fd, over)), Errno::Fbig);
    guest.buffer(1);
    assert_eq!(guest.errno(|call| call.fd_pwrite(fd, IOVECS, 1, over, OUT)), Errno::Fbig);
    assert_eq!(guest.errno(|call| call.fd_pwrite(fd, IOVECS, 1, u64::MAX, OUT)), Errno::Fbig);
    let before = guest.fuel.left;
    guest.ok(|call| call.fd_filestat_set_size(fd, SCRATCH_BYTES_MAX));
    assert_eq!(before - guest.fuel.left, SCRATCH_BYTES_MAX - 7, "clearing bytes has its price");
    let other = guest.opened(SCRATCH, "g", CREATE);
    guest.buffer(1);
    assert_eq!(guest.errno(|call| call.fd_write(other, IOVECS, 1, OUT)), Errno::Nospc);
    guest.ok(|call| call.fd_close(fd));
    guest.unlink(SCRATCH, "f").expect("it is there");
    guest.write(other, b"there is room again");
}

#[test]
fn a_removed_file_lives_until_it_is_closed() {
    let mut guest = Guest::new();
    let fd = guest.opened(SCRATCH, "f", CREATE);
    guest.write(fd, b"still here");
    guest.unlink(SCRATCH, "f").expect("it is there");
    guest.ok(|call| call.fd_seek(fd, 0, 0, OUT));
    assert_eq!(guest.read(fd, 99), b"still here");
    guest.ok(|call| call.fd_filestat_get(fd, OUT));
    assert_eq!(guest.u64_at(OUT + 24), 0, "no links");
    guest.ok(|call| call.fd_close(fd));
    assert_eq!(guest.errno(|call| call.fd_close(fd)), Errno::Badf);
}

#[test]
fn input_never_changes() {
    let mut guest = Guest::new();
    let fd = guest.opened(INPUT, "sky.fil", 0);
    assert_eq!(guest.read(fd, 99), b"spectra");
    guest.ok(|call| call.fd_filestat_get(fd, OUT));
    assert_eq!(guest.u64_at(OUT + 40), CLOCK_START_NS);
    assert_eq!(guest.open_errno(INPUT, "sky.fil", 0, READ_WRITE), Errno::Rofs);
    assert_eq!(guest.open_errno(INPUT, "sky.fil", TRUNCATE, READ_ONLY), Errno::Rofs);
    assert_eq!(guest.open_errno(INPUT, "new", CREATE, READ_ONLY), Errno::Rofs);
    assert_eq!(guest.errno(|call| call.fd_filestat_set_size(fd, 0)), Errno::Rofs);
    assert_eq!(guest.errno(|call| call.fd_filestat_set_times(fd, 1, 1, 1)), Errno::Rofs);
    guest.buffer(1);
    assert_eq!(guest.errno(|call| call.fd_write(fd, IOVECS, 1, OUT)), Errno::Notcapable);
    assert_eq!(guest.unlink(INPUT, "sky.fil"), Err(Errno::Rofs.into()));
    assert_eq!(guest.make_directory(INPUT, "d"), Err(Errno::Rofs.into()));
    assert_eq!(guest.remove_directory(INPUT, "deep"), Err(Errno::Notempty.into()));
    assert_eq!(guest.rename(INPUT, "sky.fil", SCRATCH, "mine"), Err(Errno::Rofs.into()));
    guest.opened(SCRATCH, "f", CREATE);
    assert_eq!(guest.rename(SCRATCH, "f", INPUT, "f"), Err(Errno::Rofs.into()));
}

#[test]
fn directories_list_their_entries_from_any_cookie() {
    let mut guest = Guest::new();
    for name in ["b", "a", "c"] {
        guest.opened(SCRATCH, name, CREATE);
    }
    guest.make_directory(SCRATCH, "d").expect("it is new");
    let mut names = Vec::new();
    let mut cookie = 0;
    loop {
        guest.ok(|call| call.fd_readdir(SCRATCH, DATA, 60, cookie, OUT));
        let used = guest.u32_at(OUT);
        if used < 24 {
            break;
        }
        let len = guest.u32_at(DATA + 16);
        names.push((guest.bytes(DATA + 24, len).to_vec(), guest.bytes(DATA + 20, 1)[0]));
        cookie = guest.u64_at(DATA);
    }
    let expected = [(".", 3), ("..", 3), ("a", 4), ("b", 4), ("c", 4), ("d", 3)];
    let expected: Vec<_> = expected.map(|(name, kind)| (name.as_bytes().to_vec(), kind)).into();
    assert_eq!(names, expected);
    guest.ok(|call| call.fd_readdir(SCRATCH, DATA, 30, 0, OUT));
    assert_eq!(guest.u32_at(OUT), 30, "an entry that does not fit fills the buffer");
    guest.ok(|call| call.fd_readdir(SCRATCH, DATA, 30, u64::MAX, OUT));
    assert_eq!(guest.u32_at(OUT), 0);
}

#[test]
fn files_and_directories_are_not_taken_for_each_other() {
    let mut guest = Guest::new();
    let fd = guest.opened(SCRATCH, "f", CREATE);
    guest.buffer(1);
    assert_eq!(guest.errno(|call| call.fd_read(SCRATCH, IOVECS, 1, OUT)), Errno::Isdir);
    assert_eq!(guest.errno(|call| call.fd_write(SCRATCH, IOVECS, 1, OUT)), Errno::Isdir);
    assert_eq!(guest.errno(|call| call.fd_seek(SCRATCH, 0, 0, OUT)), Errno::Isdir);
    assert_eq!(guest.errno(|call| call.fd_filestat_set_size(SCRATCH, 0)), Errno::Isdir);
    assert_eq!(guest.errno(|call| call.fd_readdir(fd, DATA, 9, 0, OUT)), Errno::Notdir);
    assert_eq!(guest.make_directory(fd, "d"), Err(Errno::Notdir.into()));
    assert_eq!(guest.errno(|call| call.fd_prestat_dir_name(fd, DATA, 9)), Errno::Badf);
    guest.ok(|call| call.fd_advise(fd, 0, 1, 5));
    assert_eq!(guest.errno(|call| call.fd_advise(fd, 0, 1, 6)), Errno::Inval);
    assert_eq!(guest.errno(|call| call.fd_advise(fd, u64::MAX, 1, 0)), Errno::Inval);
    guest.ok(|call| call.fd_sync(fd));
    guest.ok(|call| call.fd_datasync(SCRATCH));
}

#[test]
fn preopened_directories_tell_their_names() {
    let mut guest = Guest::new();
    for (fd, name) in [(INPUT, &b"/input"[..]), (SCRATCH, b"/scratch")] {
        let len = name.len() as u32;
        guest.ok(|call| call.fd_prestat_get(fd, OUT));
        assert_eq!((guest.u32_at(OUT), guest.u32_at(OUT + 4)), (0, len));
        guest.ok(|call| call.fd_prestat_dir_name(fd, DATA, len));
        assert_eq!(guest.bytes(DATA, len), name);
        let short = guest.errno(|call| call.fd_prestat_dir_name(fd, DATA, len - 1));
        assert_eq!(short, Errno::Nametoolong);
    }
    assert_eq!(guest.errno(|call| call.fd_prestat_get(5, OUT)), Errno::Badf);
}

#[test]
fn rights_only_shrink() {
    let mut guest = Guest::new();
    let fd = guest.opened(SCRATCH, "f", CREATE);
    guest.ok(|call| call.fd_fdstat_set_rights(fd, rights::FD_READ | rights::FD_TELL, 0));
    guest.ok(|call| call.fd_fdstat_get(fd, OUT));
    assert_eq!(guest.bytes(OUT, 1), [4]);
    assert_eq!(guest.u64_at(OUT + 8), rights::FD_READ | rights::FD_TELL);
    let more = guest.errno(|call| call.fd_fdstat_set_rights(fd, rights::ALL, 0));
    assert_eq!(more, Errno::Notcapable);
    guest.buffer(1);
    assert_eq!(guest.errno(|call| call.fd_write(fd, IOVECS, 1, OUT)), Errno::Notcapable);
    assert_eq!(guest.errno(|call| call.fd_seek(fd, 1, 0, OUT)), Errno::Notcapable);
    guest.ok(|call| call.fd_seek(fd, 0, 1, OUT));
    assert_eq!(guest.errno(|call| call.fd_allocate(fd, 0, 1)), Errno::Notcapable);
    assert_eq!(guest.errno(|call| call.fd_filestat_get(fd, OUT)), Errno::Notcapable);
    guest.ok(|call| call.fd_fdstat_set_rights(SCRATCH, rights::PATH_OPEN, rights::FD_READ));
    assert_eq!(guest.open_errno(SCRATCH, "g", CREATE, READ_WRITE), Errno::Notcapable);
    let weak = guest.opened(SCRATCH, "f", 0);
    guest.buffer(1);
    assert_eq!(guest.errno(|call| call.fd_write(weak, IOVECS, 1, OUT)), Errno::Notcapable);
}

#[test]
fn times_are_set_as_asked() {
    let mut guest = Guest::new();
    let fd = guest.opened(SCRATCH, "f", CREATE);
    guest.ok(|call| call.fd_filestat_set_times(fd, 5, 6, 1 | 4));
    guest.ok(|call| call.fd_filestat_get(fd, OUT));
    assert_eq!((guest.u64_at(OUT + 40), guest.u64_at(OUT + 48)), (5, 6));
    let len = guest.put(PATH, b"f");
    guest.ok(|call| call.path_filestat_set_times(SCRATCH, 0, PATH, len, 9, 9, 2));
    guest.ok(|call| call.path_filestat_get(SCRATCH, 0, PATH, len, OUT));
    assert!(guest.u64_at(OUT + 40) >= CLOCK_START_NS);
    assert_eq!(guest.u64_at(OUT + 48), 6);
    for which in [1 | 2, 4 | 8, 16] {
        assert_eq!(guest.errno(|call| call.fd_filestat_set_times(fd, 0, 0, which)), Errno::Inval);
    }
}

#[test]
fn descriptors_are_numbered_from_the_lowest_and_limited() {
    let mut guest = Guest::new();
    let first = guest.opened(SCRATCH, "f", CREATE);
    let second = guest.opened(SCRATCH, "f", 0);
    assert_eq!((first, second), (5, 6));
    guest.ok(|call| call.fd_renumber(second, STDOUT));
    assert_eq!(guest.errno(|call| call.fd_tell(second, OUT)), Errno::Badf);
    guest.write(STDOUT, b"into the file");
    guest.ok(|call| call.fd_renumber(first, first));
    assert_eq!(guest.size_of(first), 13);
    guest.ok(|call| call.fd_close(STDIN));
    assert_eq!(guest.opened(SCRATCH, "f", 0), STDIN);
    let room = DESCRIPTORS_MAX as u32 - 6;
    for _ in 0..room {
        guest.opened(SCRATCH, "f", 0);
    }
    assert_eq!(guest.open_errno(SCRATCH, "f", 0, READ_WRITE), Errno::Mfile);
}

#[test]
fn scratch_holds_a_limited_number_of_files() {
    let mut guest = Guest::new();
    for index in 0..SCRATCH_NODES_MAX {
        guest.make_directory(SCRATCH, &format!("d{index}")).expect("there is room");
    }
    assert_eq!(guest.make_directory(SCRATCH, "over"), Err(Errno::Nospc.into()));
    assert_eq!(guest.open_errno(SCRATCH, "over", CREATE, READ_WRITE), Errno::Nospc);
    guest.remove_directory(SCRATCH, "d7").expect("it is empty");
    guest.opened(SCRATCH, "over", CREATE);
}
