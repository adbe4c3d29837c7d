/* Squares modulo 2^p - 1, by the weighted transform of Crandall and Fagin (1994), in integers.
 *
 * A number is n digits of alternating sizes: digit i stands at bit ceil(p i / n). With each digit
 * weighted by a power of the n-th root of two, squaring is one cyclic convolution of length n, whose wrap
 * is the very reduction modulo 2^p - 1. GIMPS does this in floating point; here it is done in the field
 * of q = 2^64 - 2^32 + 1 elements, which has roots of unity and roots of two of all lengths used, so
 * that nothing is ever rounded.
 *
 * Invariant: between calls each digit is below 2 to its size, so that a convolution stays below q.
 */
#ifndef SQUARE_H
#define SQUARE_H

#include <stdint.h>

enum { LENGTH_MAX = 1 << 13, DIGIT_SUM_BITS_MAX = 63 };

#define Q UINT64_C(0xFFFFFFFF00000001)
/* 2^64 modulo q. */
#define EPSILON UINT64_C(0xFFFFFFFF)
/* A generator of the field's units. */
#define GENERATOR 7
/* The order of 2. */
#define ORDER_OF_TWO 192

static uint64_t add(uint64_t a, uint64_t b) {
    uint64_t sum = a + b;
    return sum < a || sum >= Q ? sum - Q : sum;
}

static uint64_t subtract(uint64_t a, uint64_t b) { return a < b ? a - b + Q : a - b; }

/* Both below q. As 2^64 = 2^32 - 1 and 2^96 = -1, the upper half folds into the lower one. */
static uint64_t multiply(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    /* Some compilers see what this is, and would call a library's multiplication of 128 bits. */
    __asm__("" : "+r"(a1));
    uint64_t low = a0 * b0, cross = a1 * b0, other = a0 * b1;
    uint64_t middle = (low >> 32) + (uint32_t)cross + (uint32_t)other;
    uint64_t high = a1 * b1 + (cross >> 32) + (other >> 32) + (middle >> 32);
    low = middle << 32 | (uint32_t)low;
    uint64_t rest = low - (high >> 32);
    if (low < high >> 32)
        rest -= EPSILON;
    uint64_t fold = (high << 32) - (uint32_t)high;
    uint64_t sum = rest + fold;
    if (sum < fold)
        sum += EPSILON;
    return sum >= Q ? sum - Q : sum;
}

static uint64_t power(uint64_t base, uint64_t exponent) {
    uint64_t product = 1;
    for (; exponent; exponent >>= 1, base = multiply(base, base))
        if (exponent & 1)
            product = multiply(product, base);
    return product;
}

static uint64_t inverse(uint64_t a) { return power(a, Q - 2); }

/* The n-th root of two: of an element of order 192 n, the power whose n-th power is two. */
static uint64_t root_of_two(uint64_t n) {
    uint64_t base = power(GENERATOR, (Q - 1) / (ORDER_OF_TWO * n));
    uint64_t root = base;
    while (power(root, n) != 2)
        root = multiply(root, base);
    return root;
}

static struct {
    uint32_t p, n;
    /* Where each digit begins, and p at the end. */
    uint32_t place[LENGTH_MAX + 1];
    uint64_t weight[LENGTH_MAX], unweight[LENGTH_MAX];
    uint64_t root[LENGTH_MAX / 2], unroot[LENGTH_MAX / 2];
    uint64_t digit[LENGTH_MAX];
} number;

/* The least power of two of digits that a convolution has room for; 0 if there is none. */
static uint32_t length_for(uint32_t p) {
    uint32_t bits = 0;
    for (uint32_t n = 1; n <= LENGTH_MAX; n *= 2, bits++)
        if (2 * ((p + n - 1) / n) + bits + 1 <= DIGIT_SUM_BITS_MAX)
            return n;
    return 0;
}

/* Makes the tables for an exponent that `length_for` has a length for. */
static void prepare(uint32_t p) {
    uint32_t n = length_for(p);
    uint64_t root = root_of_two(n), unroot = inverse(root), share = inverse(n);
    uint64_t turn = power(GENERATOR, (Q - 1) / n), unturn = inverse(turn);
    number.p = p;
    number.n = n;
    for (uint32_t i = 0; i <= n; i++)
        number.place[i] = (uint32_t)(((uint64_t)p * i + n - 1) / n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t lacking = (uint64_t)number.place[i] * n - (uint64_t)p * i;
        number.weight[i] = power(root, lacking);
        number.unweight[i] = multiply(power(unroot, lacking), share);
    }
    for (uint32_t i = 0; i < n / 2; i++) {
        number.root[i] = i ? multiply(number.root[i - 1], turn) : 1;
        number.unroot[i] = i ? multiply(number.unroot[i - 1], unturn) : 1;
    }
}

/* To the frequencies, which come in bit-reversed order. */
static void transform(uint64_t *x, uint32_t n) {
    for (uint32_t half = n / 2, step = 1; half; half /= 2, step *= 2)
        for (uint32_t block = 0; block < n; block += 2 * half)
            for (uint32_t i = 0; i < half; i++) {
                uint64_t a = x[block + i], b = x[block + i + half];
                x[block + i] = add(a, b);
                x[block + i + half] = multiply(subtract(a, b), number.root[i * step]);
            }
}

/* And back, times n. */
static void untransform(uint64_t *x, uint32_t n) {
    for (uint32_t half = 1, step = n / 2; half < n; half *= 2, step /= 2)
        for (uint32_t block = 0; block < n; block += 2 * half)
            for (uint32_t i = 0; i < half; i++) {
                uint64_t a = x[block + i];
                uint64_t b = multiply(x[block + i + half], number.unroot[i * step]);
                x[block + i] = add(a, b);
                x[block + i + half] = subtract(a, b);
            }
}

/* Brings every digit below 2 to its size; what leaves at the top comes in at the bottom. */
static void carry(void) {
    uint64_t over = 0;
    do {
        for (uint32_t i = 0; i < number.n; i++) {
            uint32_t size = number.place[i + 1] - number.place[i];
            uint64_t sum = number.digit[i] + over;
            number.digit[i] = sum & ((UINT64_C(1) << size) - 1);
            over = sum >> size;
        }
    } while (over);
}

static void square(void) {
    uint64_t *x = number.digit;
    for (uint32_t i = 0; i < number.n; i++)
        x[i] = multiply(x[i], number.weight[i]);
    transform(x, number.n);
    for (uint32_t i = 0; i < number.n; i++)
        x[i] = multiply(x[i], x[i]);
    untransform(x, number.n);
    for (uint32_t i = 0; i < number.n; i++)
        x[i] = multiply(x[i], number.unweight[i]);
    carry();
}

static uint64_t digit_max(uint32_t i) {
    return (UINT64_C(1) << (number.place[i + 1] - number.place[i])) - 1;
}

/* Takes a number up to the first digit's largest away; borrows where that is too much. */
static void take_away(uint64_t less) {
    uint32_t i = 0;
    while (number.digit[i] < less) {
        number.digit[i] += digit_max(i) + 1 - less;
        less = 1;
        i = (i + 1) % number.n;
    }
    number.digit[i] -= less;
}

/* 2^p - 1 is another way to write 0. */
static int is_zero(void) {
    int zero = 1, full = 1;
    for (uint32_t i = 0; i < number.n; i++) {
        zero &= number.digit[i] == 0;
        full &= number.digit[i] == digit_max(i);
    }
    return zero | full;
}

static uint64_t low_64_bits(void) {
    uint64_t low = 0;
    if (!is_zero())
        for (uint32_t i = 0; i < number.n && number.place[i] < 64; i++)
            low |= number.digit[i] << number.place[i];
    return low;
}

#endif
