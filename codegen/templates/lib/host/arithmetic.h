// Arithmetic as the device does it: rounding, saturation and NaN by the PTX ISA. Approximations are those of the host's
// mathematics library, which are closer to the truth than the device's.
#pragma once
#include <cmath>
#include <limits>

namespace tv {

enum Rounding { NEAREST_EVEN, TOWARD_ZERO, DOWN, UP };

static inline u32 as_u32(float x) {
    u32 r;
    std::memcpy(&r, &x, 4);
    return r;
}
static inline float as_f32(u32 x) {
    float r;
    std::memcpy(&r, &x, 4);
    return r;
}

template <u32 LUT>
static inline u32 lop3(u32 a, u32 b, u32 c) {
    u32 r = 0;
    if (LUT & 0x01) r |= ~a & ~b & ~c;
    if (LUT & 0x02) r |= ~a & ~b & c;
    if (LUT & 0x04) r |= ~a & b & ~c;
    if (LUT & 0x08) r |= ~a & b & c;
    if (LUT & 0x10) r |= a & ~b & ~c;
    if (LUT & 0x20) r |= a & ~b & c;
    if (LUT & 0x40) r |= a & b & ~c;
    if (LUT & 0x80) r |= a & b & c;
    return r;
}
static inline u32 prmt(u32 a, u32 b, u32 selector) {
    const u64 both = u64(b) << 32 | a;
    u32 r = 0;
    for (u32 i = 0; i < 4; i++) {
        const u32 choice = selector >> 4 * i & 15, byte = u32(both >> 8 * (choice & 7)) & 0xFF;
        r |= (choice & 8 ? (byte & 0x80 ? 0xFF : 0) : byte) << 8 * i;
    }
    return r;
}
// The low 32 bits of high:low shifted right by the low five bits of a count.
static inline u32 funnel_right(u32 low, u32 high, u32 count) { return u32((u64(high) << 32 | low) >> (count & 31)); }

// A float cut to fewer bits: `mantissa` bits, and numbers below 2^-`smallest` in steps of 2^-(smallest + mantissa).
static inline float cut_float(float x, int mantissa, int smallest, Rounding rounding) {
    if (!std::isfinite(x) || x == 0) return x;
    int exponent;
    std::frexp(x, &exponent);
    const int step = std::max(exponent - 1, -smallest) - mantissa;
    const double scaled = std::ldexp(double(x), -step);
    double whole = std::floor(scaled);
    const double rest = scaled - whole;
    if (rounding == NEAREST_EVEN) whole += rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) != 0);
    else if (rounding == UP) whole += rest > 0;
    else if (rounding == TOWARD_ZERO) whole += rest > 0 && x < 0;
    return float(std::copysign(std::ldexp(whole, step), double(x)));
}

static inline float f16_to_f32(u32 h) {
    u32 bits = (h & 0x7FFF) << 13;
    float r = as_f32(bits) * 0x1p112f;
    if ((h & 0x7C00) == 0x7C00) r = as_f32(bits | 0x7F800000);
    return as_f32(as_u32(r) | (h & 0x8000) << 16);
}
template <Rounding rounding = NEAREST_EVEN>
static inline u32 f32_to_f16(float x) {
    const u32 sign = as_u32(x) >> 16 & 0x8000;
    const u32 bits = as_u32(x) & 0x7FFFFFFF;
    if (bits > 0x7F800000) return 0x7FFF;
    if (rounding == NEAREST_EVEN) {
        if (bits >= 0x477FF000) return sign | 0x7C00;
        if (bits < 0x38800000) return sign | (as_u32(as_f32(bits) + 0.5f) - 0x3F000000);
        return sign | (bits - 0x38000000 + 0xFFF + (bits >> 13 & 1)) >> 13;
    }
    const float cut = cut_float(x, 10, 14, rounding);
    const bool away = rounding == (sign ? DOWN : UP);
    const u32 magnitude = as_u32(cut) & 0x7FFFFFFF;
    if (magnitude > 0x477FE000) return sign | (bits == 0x7F800000 || away ? 0x7C00 : 0x7BFF);
    return sign | (magnitude < 0x38800000 ? as_u32(as_f32(magnitude) + 0.5f) - 0x3F000000
                                          : (magnitude - 0x38000000) >> 13);
}
static inline float bf16_to_f32(u32 h) { return as_f32(h << 16); }
template <Rounding rounding = NEAREST_EVEN>
static inline u32 f32_to_bf16(float x) {
    static_assert(rounding == NEAREST_EVEN || rounding == TOWARD_ZERO);
    const u32 bits = as_u32(x);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return 0x7FFF;
    return (rounding == TOWARD_ZERO ? bits : bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}
// Two numbers side by side, the first in the low half.
static inline u32 f32_to_f16x2(float low, float high) { return f32_to_f16(low) | f32_to_f16(high) << 16; }
static inline u32 f32_to_bf16x2(float low, float high) { return f32_to_bf16(low) | f32_to_bf16(high) << 16; }
// Nearest tf32, halfway cases away from zero, as the bits of an f32.
static inline u32 f32_to_tf32(float x) {
    const u32 bits = as_u32(x);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return 0x7FFFFFFF;
    return (bits & 0x7FFFFFFF) == 0x7F800000 ? bits : (bits + 0x1000) & 0xFFFFE000;
}
// Nearest integer by the rounding; saturated, and 0 for NaN.
template <Rounding rounding = NEAREST_EVEN>
static inline double rounded(float x) {
    const double wide = x;
    return rounding == DOWN ? std::floor(wide) : rounding == UP ? std::ceil(wide)
         : rounding == TOWARD_ZERO ? std::trunc(wide) : std::nearbyint(wide);
}
template <Rounding rounding = NEAREST_EVEN>
static inline s32 f32_to_s32(float x) {
    if (x != x) return 0;
    return s32(std::min(std::max(rounded<rounding>(x), -2147483648.0), 2147483647.0));
}
template <Rounding rounding = NEAREST_EVEN>
static inline u32 f32_to_u32(float x) {
    if (x != x) return 0;
    return u32(std::min(std::max(rounded<rounding>(x), 0.0), 4294967295.0));
}
static inline float s32_to_f32(s32 x) { return float(x); }
static inline float u32_to_f32(u32 x) { return float(x); }

static inline float add(float a, float b) { return a + b; }
static inline float sub(float a, float b) { return a - b; }
static inline float mul(float a, float b) { return a * b; }
static inline float fma(float a, float b, float c) { return std::fma(a, b, c); }
static inline float div(float a, float b) { return a / b; }
static inline float sqrt(float x) { return std::sqrt(x); }
static inline float min(float a, float b) { return a != a ? b : b != b ? a : a < b || (a == b && std::signbit(a)) ? a : b; }
static inline float max(float a, float b) { return a != a ? b : b != b ? a : a > b || (a == b && !std::signbit(a)) ? a : b; }
static inline float exp2_approx(float x) { return std::exp2(x); }
static inline float log2_approx(float x) { return std::log2(x); }
static inline float rcp_approx(float x) { return 1 / x; }
static inline float rsqrt_approx(float x) { return float(1 / std::sqrt(double(x))); }
static inline float sqrt_approx(float x) { return std::sqrt(x); }
static inline float sin_approx(float x) { return std::sin(x); }
static inline float cos_approx(float x) { return std::cos(x); }
static inline float tanh_approx(float x) { return std::tanh(x); }

namespace host {
template <class Operation>
static inline u32 halves(Operation operation) {
    return operation(0) | operation(16) << 16;
}
// Products of two 11-bit or 8-bit numbers are exact in double, and so is all but the last rounding of a sum.
static inline float to_odd(double exact_sum, double error) {
    u64 bits;
    std::memcpy(&bits, &exact_sum, 8);
    if (error != 0 && std::isfinite(exact_sum) && !(bits & 1)) {
        bits += (error > 0) == (exact_sum > 0) ? 1 : u64(-1);
        std::memcpy(&exact_sum, &bits, 8);
    }
    float near = float(exact_sum);
    u32 cut = as_u32(near);
    if (double(near) != exact_sum && std::isfinite(exact_sum) && std::isfinite(near)) {
        if (std::fabs(double(near)) > std::fabs(exact_sum)) cut--;
        cut |= 1;
    }
    return as_f32(cut);
}
// a * b + c, rounded to odd in f32, so that rounding it again to fewer bits is rounding once.
static inline float fma_to_odd(float a, float b, float c) {
    const double product = double(a) * double(b), sum = product + c;
    const double part = sum - product, error = (product - (sum - part)) + (c - part);
    return to_odd(sum, std::isfinite(sum) ? error : 0);
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
