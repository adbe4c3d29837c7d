/* The unit's two ends: standard input, the arguments, standard output, an exit code.
 *
 * For WebAssembly these are the six calls of WASI preview 1 that a filter needs, so that a program
 * needs no C library at all; natively the same by POSIX, so that it can be tried as any filter can.
 *
 * Invariant: output leaves at once and whole, by `finish`; a program that fails writes none.
 * It is not a C library: nothing is allocated, all buffers are of fixed size and belong to the program.
 */
#ifndef STREAMS_H
#define STREAMS_H

#include <stddef.h>
#include <stdint.h>

enum { ARGS_MAX = 8, ARG_BYTES_MAX = 1024 };

static char *args[ARGS_MAX];
static size_t args_count;

#ifdef __wasm__

struct buffer {
    const void *start;
    size_t bytes;
};

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
WASI(fd_read) int wasi_fd_read(int fd, const struct buffer *all, size_t count, size_t *read);
WASI(fd_write) int wasi_fd_write(int fd, const struct buffer *all, size_t count, size_t *written);
WASI(args_sizes_get) int wasi_args_sizes_get(size_t *count, size_t *bytes);
WASI(args_get) int wasi_args_get(char **all, char *text);
WASI(proc_exit) _Noreturn void wasi_proc_exit(int code);

static _Noreturn void leave(int code) { wasi_proc_exit(code); }

static size_t read_some(char *into, size_t room) {
    struct buffer buffer = {into, room};
    size_t read = 0;
    return wasi_fd_read(0, &buffer, 1, &read) == 0 ? read : 0;
}

static size_t write_some(int fd, const char *text, size_t bytes) {
    struct buffer buffer = {text, bytes};
    size_t written = 0;
    return wasi_fd_write(fd, &buffer, 1, &written) == 0 ? written : 0;
}

/* The arguments after the program's name. */
static int take_args(void) {
    static char text[ARG_BYTES_MAX];
    static char *all[ARGS_MAX + 1];
    size_t count, bytes;
    if (wasi_args_sizes_get(&count, &bytes) || count > ARGS_MAX + 1 || bytes > ARG_BYTES_MAX)
        return 0;
    if (count == 0 || wasi_args_get(all, text))
        return 0;
    args_count = count - 1;
    for (size_t i = 0; i < args_count; i++)
        args[i] = all[i + 1];
    return 1;
}

/* A function of the module that the grid calls. */
#define EXPORT(name) __attribute__((export_name(#name))) void name(void)
#define PROGRAM EXPORT(_start)
#define VERIFY EXPORT(verify)

#else

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void leave(int code) { exit(code); }

static size_t read_some(char *into, size_t room) {
    ssize_t bytes = read(0, into, room);
    return bytes > 0 ? (size_t)bytes : 0;
}

static size_t write_some(int fd, const char *text, size_t bytes) {
    ssize_t written = write(fd, text, bytes);
    return written > 0 ? (size_t)written : 0;
}

static char **main_args;

static int take_args(void) {
    while (main_args[args_count] && args_count < ARGS_MAX) {
        args[args_count] = main_args[args_count];
        args_count++;
    }
    return 1;
}

/* Natively a first argument `verify` asks for the check. */
static void program(void);
static void verify(void);
int main(int count, char **all) {
    int checks = count > 1 && strcmp(all[1], "verify") == 0;
    main_args = all + 1 + checks;
    checks ? verify() : program();
    return 0;
}
#define PROGRAM static void program(void)
#define VERIFY static void verify(void)

#endif

static void write_all(int fd, const char *text, size_t bytes) {
    while (bytes > 0) {
        size_t written = write_some(fd, text, bytes);
        if (written == 0)
            leave(1);
        text += written;
        bytes -= written;
    }
}

/* Ends the program: its input or arguments are not what it takes. */
static _Noreturn void refuse(const char *why) {
    size_t bytes = 0;
    while (why[bytes])
        bytes++;
    write_all(2, why, bytes);
    write_all(2, "\n", 1);
    leave(1);
}

/* All of standard input; refuses more than there is room for. */
static size_t read_all(char *into, size_t room) {
    size_t bytes = 0, read;
    while ((read = read_some(into + bytes, room - bytes)) > 0) {
        bytes += read;
        if (bytes == room)
            refuse("standard input is longer than this task takes");
    }
    return bytes;
}

/* What is to be written. */
static char output[1 << 20];
static size_t output_bytes;

static void put(char c) {
    if (output_bytes == sizeof output)
        refuse("the output is longer than this task writes: take a shorter span of exponents");
    output[output_bytes++] = c;
}

static void put_text(const char *text) {
    while (*text)
        put(*text++);
}

static void put_decimal(uint64_t number) {
    if (number >= 10)
        put_decimal(number / 10);
    put((char)('0' + number % 10));
}

static _Noreturn void finish(void) {
    write_all(1, output, output_bytes);
    leave(0);
}

/* Reads a decimal number below 2^63 at `*at`, and goes behind it; 0 if there is none. */
static int take_decimal(const char **at, const char *end, uint64_t *number) {
    const char *from = *at;
    for (*number = 0; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        if (*number > (UINT64_MAX >> 1) / 10 - 1)
            return 0;
        *number = *number * 10 + (uint64_t)(**at - '0');
    }
    return *at > from;
}

#endif
