// Arithmetic as the device does it, and its mathematical functions. Approximations are those of the host's library, which
// are closer to the truth than the device's.
#pragma once

namespace tv {

#define TV_ARITHMETIC(F)                                                                                      \
    static inline F add(F a, F b) { return a + b; }                                                           \
    static inline F sub(F a, F b) { return a - b; }                                                           \
    static inline F mul(F a, F b) { return a * b; }                                                           \
    static inline F div(F a, F b) { return a / b; }                                                           \
    static inline F fma(F a, F b, F c) { return host::libm::fma(a, b, c); }                                          \
    static inline F min(F a, F b) {                                                                           \
        return a != a ? b : b != b ? a : a < b || (a == b && __builtin_signbit(a)) ? a : b;                        \
    }                                                                                                         \
    static inline F max(F a, F b) {                                                                           \
        return a != a ? b : b != b ? a : a > b || (a == b && !__builtin_signbit(a)) ? a : b;                       \
    }                                                                                                         \
    static inline F sqrt(F x) { return host::libm::sqrt(x); }                                                        \
    static inline F exp(F x) { return host::libm::exp(x); }                                                          \
    static inline F exp2(F x) { return host::libm::exp2(x); }                                                        \
    static inline F log(F x) { return host::libm::log(x); }                                                          \
    static inline F log2(F x) { return host::libm::log2(x); }                                                        \
    static inline F sin(F x) { return host::libm::sin(x); }                                                          \
    static inline F cos(F x) { return host::libm::cos(x); }                                                          \
    static inline F tanh(F x) { return host::libm::tanh(x); }                                                        \
    static inline F erf(F x) { return host::libm::erf(x); }                                                          \
    static inline F pow(F a, F b) { return host::libm::pow(a, b); }                                                  \
    static inline F fmod(F a, F b) { return host::libm::fmod(a, b); }                                                \
    static inline F floor(F x) { return host::libm::floor(x); }                                                      \
    static inline F ceil(F x) { return host::libm::ceil(x); }                                                        \
    static inline F round_even(F x) { return host::libm::rint(x); }                                                  \
    static inline F rsqrt(F x) { return F(1 / host::libm::sqrt(double(x))); }
TV_ARITHMETIC(float)
TV_ARITHMETIC(double)
#undef TV_ARITHMETIC
static inline float exp2_approx(float x) { return host::libm::exp2(x); }
static inline float log2_approx(float x) { return host::libm::log2(x); }
static inline float rcp_approx(float x) { return 1 / x; }
static inline float rsqrt_approx(float x) { return rsqrt(x); }
static inline float sqrt_approx(float x) { return host::libm::sqrt(x); }
static inline float sin_approx(float x) { return host::libm::sin(x); }
static inline float cos_approx(float x) { return host::libm::cos(x); }
static inline float tanh_approx(float x) { return host::libm::tanh(x); }

static inline u32 mul_hi_u32(u32 a, u32 b) { return u32(u64(a) * b >> 32); }
static inline u64 mul_wide_u32(u32 a, u32 b) { return u64(a) * b; }

namespace host {
template <class Operation>
static inline u32 halves(Operation operation) {
    return operation(0) | operation(16) << 16;
}
// Products of two 11-bit or 8-bit numbers are exact in double, and so is all but the last rounding of a sum.
static inline float to_odd(double exact_sum, double error) {
    u64 bits;
    __builtin_memcpy(&bits, &exact_sum, 8);
    if (error != 0 && __builtin_isfinite(exact_sum) && !(bits & 1)) {
        bits += (error > 0) == (exact_sum > 0) ? 1 : u64(-1);
        __builtin_memcpy(&exact_sum, &bits, 8);
    }
    float near = float(exact_sum);
    u32 cut = as_u32(near);
    if (double(near) != exact_sum && __builtin_isfinite(exact_sum) && __builtin_isfinite(near)) {
        if (host::libm::fabs(double(near)) > host::libm::fabs(exact_sum)) cut--;
        cut |= 1;
    }
    return as_f32(cut);
}
// a * b + c, rounded to odd in f32, so that rounding it again to fewer bits is rounding once.
static inline float fma_to_odd(float a, float b, float c) {
    const double product = double(a) * double(b), sum = product + c;
    const double part = sum - product, error = (product - (sum - part)) + (c - part);
    return to_odd(sum, __builtin_isfinite(sum) ? error : 0);
}
}  // namespace host

#define TV_HALVES(type)                                                                                      \
    static inline u32 add_##type##x2(u32 a, u32 b) {                                                         \
        return host::halves([=](u32 s) {                                                                     \
            return f32_to_##type(host::fma_to_odd(type##_to_f32(a >> s & 0xFFFF), 1, type##_to_f32(b >> s & 0xFFFF)));\
        });                                                                                                  \
    }                                                                                                        \
    static inline u32 sub_##type##x2(u32 a, u32 b) { return add_##type##x2(a, b ^ 0x80008000); }             \
    static inline u32 mul_##type##x2(u32 a, u32 b) {                                                         \
        return host::halves([=](u32 s) {                                                                     \
            return f32_to_##type(host::fma_to_odd(type##_to_f32(a >> s & 0xFFFF), type##_to_f32(b >> s & 0xFFFF), -0.0f));\
        });                                                                                                  \
    }                                                                                                        \
    static inline u32 fma_##type##x2(u32 a, u32 b, u32 c) {                                                  \
        return host::halves([=](u32 s) {                                                                     \
            return f32_to_##type(host::fma_to_odd(type##_to_f32(a >> s & 0xFFFF), type##_to_f32(b >> s & 0xFFFF),  \
                                                  type##_to_f32(c >> s & 0xFFFF)));                          \
        });                                                                                                  \
    }
TV_HALVES(f16)
TV_HALVES(bf16)
#undef TV_HALVES

}  // namespace tv
