/* The unit: a span of exponents, and of each prime p among them whether 2^p - 1 is prime.
 *
 * The test is that of Lucas (1878) and Lehmer (1930): s = 4, then p - 2 times s = s^2 - 2 modulo 2^p - 1;
 * the number is prime if 0 is left. A line of the output is the exponent, `prime` or `composite`, and the
 * last 64 bits of what is left in hexadecimal, as the lists of GIMPS have them.
 */
#include "exponents.h"
#include "square.h"

enum { INPUT_BYTES_MAX = 64 };

static void put_hex64(uint64_t number) {
    for (int shift = 60; shift >= 0; shift -= 4)
        put("0123456789ABCDEF"[number >> shift & 15]);
}

static void test(uint32_t p) {
    uint64_t left = 0;
    if (p > 2) {
        prepare(p);
        for (uint32_t i = 0; i < number.n; i++)
            number.digit[i] = 0;
        number.digit[0] = 4;
        carry();
        for (uint32_t step = 2; step < p; step++) {
            square();
            take_away(2);
        }
        left = low_64_bits();
    }
    int prime = p == 2 || is_zero();
    put_decimal(p);
    put_text(prime ? "\tprime\t" : "\tcomposite\t");
    put_hex64(left);
    put('\n');
}

PROGRAM {
    static char input[INPUT_BYTES_MAX];
    if (!take_args())
        refuse("the arguments cannot be read");
    struct span span = span_of(input, read_all(input, sizeof input));
    for (uint64_t p = span.first; p < span.end; p++) {
        if (!is_small_prime(p))
            continue;
        if (!length_for((uint32_t)p))
            refuse("exponents of this task end at 196,608");
        test((uint32_t)p);
    }
    finish();
}

#ifndef __wasm__
VERIFY { refuse("what this task says can be checked by saying it again only"); }
#endif
