/* The unit: a span of exponents, and the prime factors up to 2^BITS of 2^p - 1 for each prime p among them.
 *
 * A factor of 2^p - 1 is 2 k p + 1 and 1 or 7 modulo 8 (Fermat, Euler), so few numbers have to be tried;
 * one divides if 2^p leaves 1 modulo it. A line of the output is the exponent, and the factors, least
 * first, or `-` where none was found.
 *
 * A factor is dear to find and cheap to check, so the module exports `verify`, for the profile `checked`.
 * What it says yes to: each exponent of the unit has its line, and each number in it is a prime factor of
 * that 2^p - 1. What it cannot say is that none is missing; it looks itself up to 2^(BITS - EASE) alone.
 */
#include "exponents.h"

enum { BITS_MIN = 8, BITS_MAX = 62, EASE = 8, FACTORS_MAX = 16, INPUT_BYTES_MAX = 64 };

/* Small primes strike out what they divide, in windows of so many k. */
enum { SIEVE_PRIME_MAX = 1024, WINDOW = 1 << 16 };

/* Arithmetic modulo an odd number below 2^62, by Montgomery (1985): a stands for a / 2^64. */
struct modulus {
    uint64_t value, inverse, one;
};

/* The upper half of a product. */
static uint64_t upper(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    /* Some compilers see what this is, and would call a library's multiplication of 128 bits. */
    __asm__("" : "+r"(a1));
    uint64_t cross = a1 * b0, other = a0 * b1;
    uint64_t middle = (a0 * b0 >> 32) + (uint32_t)cross + (uint32_t)other;
    return a1 * b1 + (cross >> 32) + (other >> 32) + (middle >> 32);
}

static struct modulus modulus(uint64_t value) {
    uint64_t inverse = value; /* right in 3 bits; each round doubles them */
    for (int round = 0; round < 5; round++)
        inverse *= 2 - value * inverse;
    return (struct modulus){value, inverse, (0 - value) % value};
}

static uint64_t times(const struct modulus *m, uint64_t a, uint64_t b) {
    uint64_t high = upper(a, b), taken = upper(a * b * m->inverse, m->value);
    return high < taken ? high - taken + m->value : high - taken;
}

static uint64_t doubled(const struct modulus *m, uint64_t a) {
    return 2 * a >= m->value ? 2 * a - m->value : 2 * a;
}

static uint64_t power_of_two(const struct modulus *m, uint64_t exponent) {
    uint64_t product = m->one;
    for (int bit = 63 - __builtin_clzll(exponent); bit >= 0; bit--) {
        product = times(m, product, product);
        if (exponent >> bit & 1)
            product = doubled(m, product);
    }
    return product;
}

static int divides(uint64_t factor, uint64_t p) {
    struct modulus m = modulus(factor);
    return power_of_two(&m, p) == m.one;
}

/* Whether `base` does not betray an odd number: Miller (1976), Rabin (1980). */
static int passes(const struct modulus *m, uint64_t base) {
    uint64_t one = m->one, minus_one = m->value - one, product = one, factor = one;
    int twos = __builtin_ctzll(m->value - 1);
    for (; base > 1; base--)
        factor = factor >= m->value - one ? factor - (m->value - one) : factor + one;
    for (uint64_t rest = (m->value - 1) >> twos; rest; rest >>= 1) {
        if (rest & 1)
            product = times(m, product, factor);
        factor = times(m, factor, factor);
    }
    if (product == one)
        return 1;
    for (; twos > 1 && product != minus_one; twos--)
        product = times(m, product, product);
    return product == minus_one;
}

/* The first twelve primes betray every composite below 2^64 (Sorenson and Webster, 2015). */
static int is_prime(uint64_t odd) {
    static const uint8_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    struct modulus m = modulus(odd);
    for (size_t i = 0; i < sizeof bases; i++) {
        if (odd == bases[i])
            return 1;
        if (odd % bases[i] == 0 || !passes(&m, bases[i]))
            return 0;
    }
    return 1;
}

/* What a factor may be: below 2^bits, and not the number itself. */
static uint64_t limit(uint64_t p, uint64_t bits) {
    return p <= bits ? (UINT64_C(1) << p) - 1 : UINT64_C(1) << bits;
}

static uint8_t struck[WINDOW];

/* Small primes, and of each the least k whose 2 k p + 1 it divides. */
static struct {
    uint16_t prime, k;
} strikes[SIEVE_PRIME_MAX / 4];
static size_t strikes_count;

static void prepare_sieve(uint64_t p) {
    strikes_count = 0;
    for (uint16_t prime = 3; prime < SIEVE_PRIME_MAX; prime += 2) {
        if (!is_small_prime(prime) || p % prime == 0)
            continue;
        uint16_t k = 0;
        while ((2 * k * (p % prime) + 1) % prime)
            k++;
        strikes[strikes_count].prime = prime;
        strikes[strikes_count++].k = k;
    }
}

/* Strikes out the k of a window whose 2 k p + 1 is a multiple of a small prime, but that prime itself. */
static void sieve(uint64_t first, uint64_t p) {
    for (size_t i = 0; i < WINDOW; i++)
        struck[i] = 0;
    for (size_t i = 0; i < strikes_count; i++) {
        uint64_t prime = strikes[i].prime;
        uint64_t at = (strikes[i].k + prime - first % prime) % prime;
        if (2 * (first + at) * p + 1 == prime)
            at += prime;
        for (; at < WINDOW; at += prime)
            struck[at] = 1;
    }
}

/* The prime factors of 2^p - 1 up to 2^bits, least first. A composite divisor has one of them in it. */
static size_t find(uint64_t p, uint64_t bits, uint64_t *factors) {
    size_t count = 0;
    uint64_t end = limit(p, bits);
    if (p == 2)
        return 0; /* 3 is prime, and not of the form that others have */
    prepare_sieve(p);
    for (uint64_t first = 1; 2 * first * p + 1 < end; first += WINDOW) {
        sieve(first, p);
        for (size_t i = 0; i < WINDOW; i++) {
            uint64_t factor = 2 * (first + i) * p + 1, rest = factor & 7;
            if (struck[i] || (rest != 1 && rest != 7))
                continue;
            if (factor >= end)
                break;
            if (divides(factor, p) && is_prime(factor)) {
                if (count == FACTORS_MAX)
                    refuse("more factors than there is room for");
                factors[count++] = factor;
            }
        }
    }
    return count;
}

static uint64_t bits_argument(void) {
    const char *say = "arguments: FIRST, SPAN and BITS; factors are found up to 2^BITS, 8 to 62";
    uint64_t bits = argument(2, say);
    if (bits < BITS_MIN || bits > BITS_MAX)
        refuse(say);
    return bits;
}

PROGRAM {
    static char input[INPUT_BYTES_MAX];
    if (!take_args())
        refuse("the arguments cannot be read");
    struct span span = span_of(input, read_all(input, sizeof input));
    uint64_t bits = bits_argument(), factors[FACTORS_MAX];
    for (uint64_t p = span.first; p < span.end; p++) {
        if (!is_small_prime(p))
            continue;
        size_t count = find(p, bits, factors);
        put_decimal(p);
        put('\t');
        for (size_t i = 0; i < count; i++) {
            if (i)
                put(' ');
            put_decimal(factors[i]);
        }
        put_text(count ? "\n" : "-\n");
    }
    finish();
}

/* Whether all that is named is a prime factor below 2^bits, in order, and the easy ones are among it. */
static int named_well(uint64_t p, uint64_t bits, const uint64_t *named, size_t count) {
    uint64_t easy[FACTORS_MAX];
    size_t easy_count = find(p, bits > BITS_MIN + EASE ? bits - EASE : BITS_MIN, easy);
    for (size_t i = 0; i < count; i++) {
        uint64_t factor = named[i];
        if (factor < 3 || factor % 2 == 0 || factor >= limit(p, bits) || (i && factor <= named[i - 1]))
            return 0;
        if (!divides(factor, p) || !is_prime(factor))
            return 0;
    }
    for (size_t i = 0; i < easy_count; i++)
        if (i >= count || easy[i] != named[i])
            return 0;
    return 1;
}

/* Reads a line's exponent and factors; 0 if it is none. */
static int take_line(const char **at, const char *end, uint64_t *p, uint64_t *factors, size_t *count) {
    *count = 0;
    if (!take_decimal(at, end, p) || *at == end || *(*at)++ != '\t')
        return 0;
    if (end - *at >= 2 && **at == '-' && (*at)[1] == '\n') {
        *at += 2;
        return 1;
    }
    for (;;) {
        if (*count == FACTORS_MAX || !take_decimal(at, end, &factors[(*count)++]) || *at == end)
            return 0;
        char behind = *(*at)++;
        if (behind != ' ')
            return behind == '\n';
    }
}

/* On standard input: the input's length as 8 bytes, little endian, the input, and the output. */
VERIFY {
    static char framed[sizeof output + INPUT_BYTES_MAX];
    if (!take_args())
        refuse("the arguments cannot be read");
    size_t bytes = read_all(framed, sizeof framed);
    const char *input = framed + 8, *end = framed + bytes;
    uint64_t input_bytes = 0, bits = bits_argument(), p, factors[FACTORS_MAX];
    for (int i = 0; i < 8; i++)
        input_bytes |= (uint64_t)(uint8_t)framed[i] << 8 * i;
    if (bytes < 8 || input_bytes > bytes - 8)
        refuse("standard input is no input with its output");
    const char *at = input + input_bytes;
    struct span span = span_of(input, (size_t)input_bytes);
    for (uint64_t expected = span.first; expected < span.end; expected++) {
        size_t count;
        if (!is_small_prime(expected))
            continue;
        if (!take_line(&at, end, &p, factors, &count) || p != expected)
            refuse("the output is wrong: not a line for each exponent");
        if (!named_well(p, bits, factors, count))
            refuse("the output is wrong: it names what is no factor, or misses an easy one");
    }
    if (at != end)
        refuse("the output is wrong: there is more in it");
    leave(0);
}
