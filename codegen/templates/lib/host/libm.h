// The mathematics library of C, by the compiler's names for it, so that no header is read.
#pragma once

namespace tv::host::libm {

#define TV_UNARY(name)                                                          \
    static inline float name(float x) { return __builtin_##name##f(x); }        \
    static inline double name(double x) { return __builtin_##name(x); }
#define TV_BINARY(name)                                                                  \
    static inline float name(float a, float b) { return __builtin_##name##f(a, b); }     \
    static inline double name(double a, double b) { return __builtin_##name(a, b); }
TV_UNARY(sqrt) TV_UNARY(exp) TV_UNARY(exp2) TV_UNARY(log) TV_UNARY(log2) TV_UNARY(sin) TV_UNARY(cos) TV_UNARY(tanh)
TV_UNARY(erf) TV_UNARY(floor) TV_UNARY(ceil) TV_UNARY(rint) TV_UNARY(trunc) TV_UNARY(fabs)
TV_BINARY(pow) TV_BINARY(fmod) TV_BINARY(nextafter) TV_BINARY(copysign)
#undef TV_UNARY
#undef TV_BINARY
static inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }

}  // namespace tv::host::libm
