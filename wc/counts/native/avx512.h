/* AVX-512 with VBMI2 (64 bytes an instruction), where the processor that we run on has it.
 *
 * The extension must run on every x86-64, so has_avx512() asks at run time. A loop for both cases is
 * written once, as an ALWAYS_INLINE function, and compiled twice: inlined into a function that is
 * TARGET_AVX512, and into one that is not.
 */
#ifndef FAULTLINE_AVX512_H
#define FAULTLINE_AVX512_H

#include "base.h"

#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

#if defined(__x86_64__) && defined(__GNUC__) && defined(LITTLE_ENDIAN_MACHINE) && !defined(WITHOUT_AVX512)
#define MAYBE_AVX512 1
#include <immintrin.h>
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,popcnt")))

static inline bool
has_avx512(void)
{
    return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
}
#else
#define MAYBE_AVX512 0
#define TARGET_AVX512

static inline bool
has_avx512(void)
{
    return false;
}
#endif

#endif
