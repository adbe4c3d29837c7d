/* Which exponents a unit is about: the primes of one span of a range.
 *
 * The arguments FIRST and SPAN are the job's, the index on standard input is the unit's: it takes the
 * primes from FIRST + index * SPAN up to, not including, FIRST + (index + 1) * SPAN.
 */
#ifndef EXPONENTS_H
#define EXPONENTS_H

#include "streams.h"

enum { EXPONENT_MAX = 1 << 30 };

struct span {
    uint64_t first, end;
};

static uint64_t argument(size_t place, const char *why) {
    uint64_t number;
    if (place >= args_count)
        refuse(why);
    const char *at = args[place], *end = at;
    while (*end)
        end++;
    if (!take_decimal(&at, end, &number) || at != end)
        refuse(why);
    return number;
}

/* The span of a unit with this input. */
static struct span span_of(const char *input, size_t bytes) {
    const char *say = "arguments: FIRST and SPAN, two numbers up to 1,073,741,824; SPAN from 1";
    uint64_t first = argument(0, say), span = argument(1, say), index;
    const char *end = input + bytes;
    if (first > EXPONENT_MAX || span < 1 || span > EXPONENT_MAX)
        refuse(say);
    if (!take_decimal(&input, end, &index) || end - input > 1 || (input < end && *input != '\n'))
        refuse("expected a unit index in decimal and a newline (a job with `[units] count`)");
    if (index > EXPONENT_MAX || first + (index + 1) * span > EXPONENT_MAX)
        refuse("this unit's exponents are beyond 1,073,741,824");
    return (struct span){first + index * span, first + (index + 1) * span};
}

static int is_small_prime(uint64_t number) {
    for (uint64_t divisor = 2; divisor * divisor <= number; divisor++)
        if (number % divisor == 0)
            return 0;
    return number >= 2;
}

#endif
