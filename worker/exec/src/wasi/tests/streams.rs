//! Streams, arguments, clocks, random bytes, waiting, and bad pointers to every call.
use super::*;
use crate::{
    STDERR_BYTES_MAX,
    wasi::{
        CLOCK_START_NS, Stop,
        memory::IOVECS_MAX,
        poll::SUBSCRIPTIONS_MAX,
        record::{EVENT_BYTES, SUBSCRIPTION_BYTES},
    },
};

#[test]
fn streams_are_read_and_written_in_order() {
    let mut guest = Guest::new();
    assert_eq!(guest.read(STDIN, 8), b"standard");
    assert_eq!(guest.read(STDIN, 100), b" input");
    assert_eq!(guest.read(STDIN, 100), b"");
    guest.write(STDOUT, b"out");
    guest.write(STDERR, b"err");
    guest.write(STDOUT, b"put");
    assert_eq!(guest.system.take_output(), b"output");
    assert_eq!(guest.system.take_errors(), b"err");
}

#[test]
fn output_over_its_limit_ends_the_guest_and_errors_over_theirs_do_not() {
    let mut guest = Guest::new();
    guest.write(STDOUT, &[1; 100]);
    guest.buffer(1);
    let ended = guest.call(|call| call.fd_write(STDOUT, IOVECS, 1, OUT));
    assert_eq!(ended, Err(Refusal::Stop(Stop::OutputTooLarge)));
    assert_eq!(guest.system.take_output().len(), 100);
    for _ in 0..40 {
        guest.write(STDERR, &[2; 4_000]);
    }
    assert_eq!(guest.system.take_errors().len(), STDERR_BYTES_MAX);
}

#[test]
fn streams_refuse_what_is_not_theirs() {
    let mut guest = Guest::new();
    guest.buffer(1);
    assert_eq!(guest.errno(|call| call.fd_write(STDIN, IOVECS, 1, OUT)), Errno::Notcapable);
    assert_eq!(guest.errno(|call| call.fd_read(STDOUT, IOVECS, 1, OUT)), Errno::Notcapable);
    assert_eq!(guest.errno(|call| call.fd_seek(STDIN, 0, 0, OUT)), Errno::Spipe);
    assert_eq!(guest.errno(|call| call.fd_tell(STDOUT, OUT)), Errno::Spipe);
    assert_eq!(guest.errno(|call| call.fd_pread(STDIN, IOVECS, 1, 0, OUT)), Errno::Spipe);
    assert_eq!(guest.errno(|call| call.fd_pwrite(STDOUT, IOVECS, 1, 0, OUT)), Errno::Spipe);
    assert_eq!(guest.errno(|call| call.fd_allocate(STDOUT, 0, 1)), Errno::Spipe);
    assert_eq!(guest.errno(|call| call.fd_sync(STDOUT)), Errno::Inval);
    assert_eq!(guest.errno(|call| call.fd_readdir(STDIN, DATA, 9, 0, OUT)), Errno::Notdir);
    assert_eq!(guest.errno(|call| call.fd_prestat_get(STDIN, OUT)), Errno::Badf);
    assert_eq!(guest.errno(|call| call.fd_filestat_set_times(STDOUT, 0, 0, 1)), Errno::Notcapable);
}

#[test]
fn arguments_and_environment_are_what_the_run_says() {
    let mut guest = Guest::new();
    guest.ok(|call| call.args_sizes_get(OUT, OUT + 4));
    assert_eq!((guest.u32_at(OUT), guest.u32_at(OUT + 4)), (3, 13));
    guest.ok(|call| call.args_get(OUT, DATA));
    assert_eq!(guest.bytes(DATA, 13), b"unit\0one\0two\0");
    assert_eq!(guest.u32_at(OUT + 8), DATA + 9);
    guest.ok(|call| call.environ_sizes_get(OUT, OUT + 4));
    assert_eq!((guest.u32_at(OUT), guest.u32_at(OUT + 4)), (1, 10));
    guest.ok(|call| call.environ_get(OUT, DATA));
    assert_eq!(guest.bytes(DATA, 10), b"KEY=value\0");
}

#[test]
fn clocks_advance_with_fuel_and_with_waiting_only() {
    let mut guest = Guest::new();
    for clock in 0..4 {
        guest.ok(|call| call.clock_time_get(clock, 0, OUT));
        assert_eq!(guest.u64_at(OUT), CLOCK_START_NS);
    }
    guest.fuel.left -= 5;
    guest.ok(|call| call.clock_time_get(1, 0, OUT));
    assert_eq!(guest.u64_at(OUT), CLOCK_START_NS + 5);
    guest.ok(|call| call.clock_res_get(0, OUT));
    assert_eq!(guest.u64_at(OUT), 1);
    assert_eq!(guest.errno(|call| call.clock_time_get(4, 0, OUT)), Errno::Inval);
    assert_eq!(guest.errno(|call| call.clock_res_get(9, OUT)), Errno::Inval);
}

#[test]
fn random_bytes_are_one_seeded_stream() {
    let (mut guest, mut other) = (Guest::new(), Guest::new());
    guest.ok(|call| call.random_get(DATA, 100));
    other.ok(|call| call.random_get(DATA, 30));
    other.ok(|call| call.random_get(DATA + 30, 70));
    assert_eq!(guest.bytes(DATA, 100), other.bytes(DATA, 100));
    let mut expected = [0; 100];
    blake3::Hasher::new_keyed(&crate::Seed { job: 7, unit: 7 }.key(None))
        .finalize_xof()
        .fill(&mut expected);
    assert_eq!(guest.bytes(DATA, 100), expected);
}

/// A subscription: its number, its tag, its clock or descriptor, its time, its flags.
fn subscribe(guest: &mut Guest, index: u32, tag: u8, subject: u32, time: u64, flags: u16) {
    let at = DATA + index * SUBSCRIPTION_BYTES;
    guest.put(at, &u64::from(index).to_le_bytes());
    guest.put(at + 8, &[tag]);
    guest.put(at + 16, &subject.to_le_bytes());
    guest.put(at + 24, &time.to_le_bytes());
    guest.put(at + 40, &flags.to_le_bytes());
}

#[test]
fn waiting_for_clocks_jumps_to_the_first_and_files_are_always_ready() {
    const EVENTS: u32 = 32_768;
    let mut guest = Guest::new();
    subscribe(&mut guest, 0, 0, 1, 9_000_000, 0);
    subscribe(&mut guest, 1, 0, 0, 5_000_000, 0);
    guest.ok(|call| call.poll_oneoff(DATA, EVENTS, 2, OUT));
    assert_eq!((guest.u32_at(OUT), guest.u64_at(EVENTS)), (1, 1));
    guest.ok(|call| call.clock_time_get(0, 0, OUT));
    let now = guest.u64_at(OUT);
    assert_eq!(now, CLOCK_START_NS + 5_000_000 + guest.fuel.used());
    subscribe(&mut guest, 0, 0, 1, now + 1_000, 1);
    subscribe(&mut guest, 1, 1, STDIN, 0, 0);
    subscribe(&mut guest, 2, 2, STDOUT, 0, 0);
    subscribe(&mut guest, 3, 1, CLOSED, 0, 0);
    subscribe(&mut guest, 4, 0, 8, 0, 0);
    subscribe(&mut guest, 5, 2, STDIN, 0, 0);
    guest.ok(|call| call.poll_oneoff(DATA, EVENTS, 6, OUT));
    assert_eq!(guest.u32_at(OUT), 5);
    assert_eq!((guest.u64_at(EVENTS), guest.u64_at(EVENTS + 16)), (1, 14));
    let errno = |guest: &Guest, event: u32| guest.u32_at(EVENTS + event * EVENT_BYTES + 8) as u16;
    let errnos = [0, 0, Errno::Badf as u16, Errno::Inval as u16, Errno::Notcapable as u16];
    assert_eq!([0, 1, 2, 3, 4].map(|event| errno(&guest, event)), errnos);
    subscribe(&mut guest, 0, 7, 0, 0, 0);
    assert_eq!(guest.errno(|call| call.poll_oneoff(DATA, EVENTS, 1, OUT)), Errno::Inval);
    for count in [0, SUBSCRIPTIONS_MAX + 1] {
        assert_eq!(guest.errno(|call| call.poll_oneoff(DATA, EVENTS, count, OUT)), Errno::Inval);
    }
}

#[test]
fn there_are_no_sockets_and_no_signals() {
    let mut guest = Guest::new();
    assert_eq!(guest.errno(|call| call.sock_accept(STDIN, 0, OUT)), Errno::Notsock);
    assert_eq!(guest.errno(|call| call.sock_recv(SCRATCH, 0, 0, 0, OUT, OUT)), Errno::Notsock);
    assert_eq!(guest.errno(|call| call.sock_send(STDOUT, 0, 0, 0, OUT)), Errno::Notsock);
    assert_eq!(guest.errno(|call| call.sock_shutdown(CLOSED, 0)), Errno::Badf);
    assert_eq!(guest.errno(|call| call.proc_raise(6)), Errno::Notsup);
    guest.ok(|call| call.sched_yield());
}

#[test]
fn buffers_are_few_and_their_sum_fits() {
    let mut guest = Guest::new();
    let many = guest.errno(|call| call.fd_write(STDOUT, 0, IOVECS_MAX + 1, OUT));
    assert_eq!(many, Errno::Inval);
    guest.memory[..8].copy_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0]);
    for index in 1..IOVECS_MAX {
        guest.memory.copy_within(0..8, index as usize * 8);
    }
    guest.ok(|call| call.fd_write(STDERR, 0, IOVECS_MAX, DATA));
    assert_eq!(guest.u32_at(DATA), IOVECS_MAX);
}

#[test]
fn moving_bytes_costs_fuel_before_it_happens() {
    let mut guest = Guest::new();
    let before = guest.fuel.left;
    guest.write(STDERR, &[0; 1_000]);
    assert_eq!(before - guest.fuel.left, 1_000);
    guest.fuel.left = 99;
    guest.buffer(100);
    let broke = Err(Refusal::Stop(Stop::OutOfFuel));
    assert_eq!(guest.call(|call| call.fd_write(STDOUT, IOVECS, 1, OUT)), broke);
    assert_eq!((guest.fuel.left, guest.system.take_output().len()), (0, 0));
    assert_eq!(guest.call(|call| call.random_get(DATA, 1)), broke);
    assert_eq!(guest.call(|call| call.fd_filestat_set_size(STDIN, 1)), Err(Errno::Spipe.into()));
}

type Attempt = (&'static str, fn(&mut Call<'_>) -> Answered);

/// Every call with a pointer, each pointer bad in turn.
const BAD_POINTERS: &[Attempt] = &[
    ("args_sizes_get count", |call| call.args_sizes_get(BAD, OUT)),
    ("args_sizes_get bytes", |call| call.args_sizes_get(OUT, BAD)),
    ("args_get pointers", |call| call.args_get(BAD, OUT)),
    ("args_get text", |call| call.args_get(OUT, u32::MAX)),
    ("environ_sizes_get count", |call| call.environ_sizes_get(BAD - 3, OUT)),
    ("environ_sizes_get bytes", |call| call.environ_sizes_get(OUT, BAD - 1)),
    ("environ_get pointers", |call| call.environ_get(u32::MAX, OUT)),
    ("environ_get text", |call| call.environ_get(OUT, BAD - 4)),
    ("clock_res_get", |call| call.clock_res_get(0, BAD - 7)),
    ("clock_time_get", |call| call.clock_time_get(0, 0, u32::MAX)),
    ("random_get at", |call| call.random_get(BAD, 1)),
    ("random_get len", |call| call.random_get(0, u32::MAX)),
    ("fd_fdstat_get", |call| call.fd_fdstat_get(STDIN, BAD - 23)),
    ("fd_filestat_get", |call| call.fd_filestat_get(SCRATCH, BAD - 63)),
    ("fd_prestat_get", |call| call.fd_prestat_get(INPUT, BAD - 7)),
    ("fd_prestat_dir_name", |call| call.fd_prestat_dir_name(INPUT, BAD - 5, 6)),
    ("fd_read iovecs", |call| call.fd_read(STDIN, BAD - 7, 1, OUT)),
    ("fd_read buffer", |call| call.fd_read(STDIN, 0, 1, OUT)),
    ("fd_read out", |call| call.fd_read(STDIN, IOVECS, 1, BAD - 3)),
    ("fd_write iovecs", |call| call.fd_write(STDOUT, u32::MAX, 1, OUT)),
    ("fd_write buffer", |call| call.fd_write(STDOUT, 0, 1, OUT)),
    ("fd_write out", |call| call.fd_write(STDOUT, IOVECS, 1, BAD)),
    ("fd_pread iovecs", |call| call.fd_pread(5, BAD, 1, 0, OUT)),
    ("fd_pread buffer", |call| call.fd_pread(5, 0, 1, 0, OUT)),
    ("fd_pread out", |call| call.fd_pread(5, IOVECS, 1, 0, BAD)),
    ("fd_pwrite iovecs", |call| call.fd_pwrite(5, BAD, 1, 0, OUT)),
    ("fd_pwrite buffer", |call| call.fd_pwrite(5, 0, 1, 0, OUT)),
    ("fd_pwrite out", |call| call.fd_pwrite(5, IOVECS, 1, 0, BAD)),
    ("fd_seek", |call| call.fd_seek(5, 0, 0, BAD - 7)),
    ("fd_tell", |call| call.fd_tell(5, BAD - 7)),
    ("fd_readdir buffer", |call| call.fd_readdir(SCRATCH, BAD - 1, 2, 0, OUT)),
    ("fd_readdir out", |call| call.fd_readdir(SCRATCH, DATA, 9, 0, BAD)),
    ("path_create_directory", |call| call.path_create_directory(SCRATCH, BAD, 1)),
    ("path_filestat_get path", |call| call.path_filestat_get(SCRATCH, 0, BAD, 1, OUT)),
    ("path_filestat_get out", |call| call.path_filestat_get(SCRATCH, 0, PATH, 1, BAD)),
    ("path_filestat_set_times", |call| call.path_filestat_set_times(SCRATCH, 0, BAD, 1, 0, 0, 0)),
    ("path_link from", |call| call.path_link(SCRATCH, 0, BAD, 1, SCRATCH, PATH, 1)),
    ("path_link to", |call| call.path_link(SCRATCH, 0, PATH, 1, SCRATCH, BAD, 1)),
    ("path_open path", |call| call.path_open(SCRATCH, 0, BAD, 1, 0, 0, 0, 0, OUT)),
    ("path_open out", |call| call.path_open(SCRATCH, 0, PATH, 1, 0, 0, 0, 0, BAD - 3)),
    ("path_readlink path", |call| call.path_readlink(SCRATCH, BAD, 1, DATA, 1, OUT)),
    ("path_readlink buffer", |call| call.path_readlink(SCRATCH, PATH, 1, BAD, 1, OUT)),
    ("path_readlink out", |call| call.path_readlink(SCRATCH, PATH, 1, DATA, 1, BAD)),
    ("path_remove_directory", |call| call.path_remove_directory(SCRATCH, BAD, 1)),
    ("path_rename from", |call| call.path_rename(SCRATCH, BAD, 1, SCRATCH, PATH, 1)),
    ("path_rename to", |call| call.path_rename(SCRATCH, PATH, 1, SCRATCH, BAD, 1)),
    ("path_symlink target", |call| call.path_symlink(BAD, 1, SCRATCH, PATH, 1)),
    ("path_symlink path", |call| call.path_symlink(PATH, 1, SCRATCH, BAD, 1)),
    ("path_unlink_file", |call| call.path_unlink_file(SCRATCH, BAD, 1)),
    ("poll_oneoff subscriptions", |call| call.poll_oneoff(BAD - 47, DATA, 1, OUT)),
    ("poll_oneoff events", |call| call.poll_oneoff(DATA, BAD - 31, 1, OUT)),
    ("poll_oneoff out", |call| call.poll_oneoff(DATA, DATA, 1, BAD)),
];

#[test]
fn bad_pointers_are_faults_everywhere() {
    for (what, attempt) in BAD_POINTERS {
        let mut guest = Guest::new();
        assert_eq!(guest.opened(SCRATCH, "f", CREATE), 5);
        guest.write(5, b"bytes");
        guest.put(PATH, b"f");
        guest.buffer(1);
        // The buffer that address 0 describes starts at the last byte and is two bytes long.
        guest.put(0, &(BAD - 1).to_le_bytes());
        guest.put(4, &2_u32.to_le_bytes());
        let answered = guest.call(attempt);
        assert_eq!(answered, Err(Refusal::Errno(Errno::Fault)), "{what}");
    }
}

type DescriptorAttempt = (&'static str, fn(&mut Call<'_>, u32) -> Answered);

/// Every call on a descriptor.
const DESCRIPTOR_CALLS: &[DescriptorAttempt] = &[
    ("fd_advise", |call, fd| call.fd_advise(fd, 0, 0, 0)),
    ("fd_allocate", |call, fd| call.fd_allocate(fd, 0, 1)),
    ("fd_close", |call, fd| call.fd_close(fd)),
    ("fd_datasync", |call, fd| call.fd_datasync(fd)),
    ("fd_fdstat_get", |call, fd| call.fd_fdstat_get(fd, OUT)),
    ("fd_fdstat_set_flags", |call, fd| call.fd_fdstat_set_flags(fd, 0)),
    ("fd_fdstat_set_rights", |call, fd| call.fd_fdstat_set_rights(fd, 0, 0)),
    ("fd_filestat_get", |call, fd| call.fd_filestat_get(fd, OUT)),
    ("fd_filestat_set_size", |call, fd| call.fd_filestat_set_size(fd, 0)),
    ("fd_filestat_set_times", |call, fd| call.fd_filestat_set_times(fd, 0, 0, 0)),
    ("fd_pread", |call, fd| call.fd_pread(fd, IOVECS, 0, 0, OUT)),
    ("fd_prestat_get", |call, fd| call.fd_prestat_get(fd, OUT)),
    ("fd_prestat_dir_name", |call, fd| call.fd_prestat_dir_name(fd, DATA, 100)),
    ("fd_pwrite", |call, fd| call.fd_pwrite(fd, IOVECS, 0, 0, OUT)),
    ("fd_read", |call, fd| call.fd_read(fd, IOVECS, 0, OUT)),
    ("fd_readdir", |call, fd| call.fd_readdir(fd, DATA, 9, 0, OUT)),
    ("fd_renumber from", |call, fd| call.fd_renumber(fd, 0)),
    ("fd_renumber to", |call, fd| call.fd_renumber(0, fd)),
    ("fd_seek", |call, fd| call.fd_seek(fd, 0, 0, OUT)),
    ("fd_sync", |call, fd| call.fd_sync(fd)),
    ("fd_tell", |call, fd| call.fd_tell(fd, OUT)),
    ("fd_write", |call, fd| call.fd_write(fd, IOVECS, 0, OUT)),
    ("path_create_directory", |call, fd| call.path_create_directory(fd, PATH, 1)),
    ("path_filestat_get", |call, fd| call.path_filestat_get(fd, 0, PATH, 1, OUT)),
    ("path_filestat_set_times", |call, fd| call.path_filestat_set_times(fd, 0, PATH, 1, 0, 0, 0)),
    ("path_link from", |call, fd| call.path_link(fd, 0, PATH, 1, SCRATCH, PATH, 1)),
    ("path_link to", |call, fd| call.path_link(SCRATCH, 0, PATH, 1, fd, PATH, 1)),
    ("path_open", |call, fd| call.path_open(fd, 0, PATH, 1, 0, 0, 0, 0, OUT)),
    ("path_readlink", |call, fd| call.path_readlink(fd, PATH, 1, DATA, 1, OUT)),
    ("path_remove_directory", |call, fd| call.path_remove_directory(fd, PATH, 1)),
    ("path_rename from", |call, fd| call.path_rename(fd, PATH, 1, SCRATCH, PATH, 1)),
    ("path_rename to", |call, fd| call.path_rename(SCRATCH, PATH, 1, fd, PATH, 1)),
    ("path_symlink", |call, fd| call.path_symlink(PATH, 1, fd, PATH, 1)),
    ("path_unlink_file", |call, fd| call.path_unlink_file(fd, PATH, 1)),
    ("sock_accept", |call, fd| call.sock_accept(fd, 0, OUT)),
    ("sock_recv", |call, fd| call.sock_recv(fd, 0, 0, 0, OUT, OUT)),
    ("sock_send", |call, fd| call.sock_send(fd, 0, 0, 0, OUT)),
    ("sock_shutdown", |call, fd| call.sock_shutdown(fd, 0)),
];

#[test]
fn closed_descriptors_are_bad_everywhere_and_a_stream_is_no_directory() {
    for (what, attempt) in DESCRIPTOR_CALLS {
        let mut guest = Guest::new();
        guest.opened(SCRATCH, "f", CREATE);
        guest.put(PATH, b"f");
        let closed = guest.call(|call| attempt(call, CLOSED));
        assert_eq!(closed, Err(Refusal::Errno(Errno::Badf)), "{what}");
        if what.starts_with("path_") {
            let stream = guest.call(|call| attempt(call, STDOUT));
            assert_eq!(stream, Err(Refusal::Errno(Errno::Notdir)), "{what}");
        }
    }
}
