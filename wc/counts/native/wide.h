/* Instructions on 64 bytes at once (AVX-512 with VBMI2), where the machine that we run on has them.
 *
 * What is compiled must run on every x86-64, so this is asked while running. A loop that is written
 * for both kinds is compiled twice: EITHER_WAY is put into a function IN_512 and into one that is not.
 */
#ifndef FAULTLINE_WIDE_H
#define FAULTLINE_WIDE_H

#include "base.h"

#if defined(__GNUC__)
#define EITHER_WAY static inline __attribute__((always_inline))
#else
#define EITHER_WAY static inline
#endif

#if defined(__x86_64__) && defined(__GNUC__) && defined(LITTLE_ENDIAN_MACHINE) && !defined(WITHOUT_512)
#define MAY_HAVE_512 1
#include <immintrin.h>
#define IN_512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,popcnt")))

static inline bool
has_512(void)
{
    return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
}
#else
#define MAY_HAVE_512 0
#define IN_512

static inline bool
has_512(void)
{
    return false;
}
#endif

#endif
