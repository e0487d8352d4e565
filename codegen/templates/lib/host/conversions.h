// Bits of numbers, and conversions as the device does them: rounding, saturation and NaN by the PTX ISA.
#pragma once

namespace tv {

enum Rounding { NEAREST_EVEN, TOWARD_ZERO, DOWN, UP };

static inline u32 as_u32(float x) {
    u32 r;
    __builtin_memcpy(&r, &x, 4);
    return r;
}
static inline float as_f32(u32 x) {
    float r;
    __builtin_memcpy(&r, &x, 4);
    return r;
}
static inline u64 as_u64(double x) {
    u64 r;
    __builtin_memcpy(&r, &x, 8);
    return r;
}
static inline double as_f64(u64 x) {
    double r;
    __builtin_memcpy(&r, &x, 8);
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
    if (!__builtin_isfinite(x) || x == 0) return x;
    int exponent;
    __builtin_frexp(x, &exponent);
    const int step = (exponent - 1 > -smallest ? exponent - 1 : -smallest) - mantissa;
    const double scaled = __builtin_ldexp(double(x), -step);
    double whole = host::libm::floor(scaled);
    const double rest = scaled - whole;
    if (rounding == NEAREST_EVEN) whole += rest > 0.5 || (rest == 0.5 && host::libm::fmod(whole, 2) != 0);
    else if (rounding == UP) whole += rest > 0;
    else if (rounding == TOWARD_ZERO) whole += rest > 0 && x < 0;
    return float(host::libm::copysign(__builtin_ldexp(whole, step), double(x)));
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

namespace host {

// The integer by the rounding; saturated, and 0 for NaN.
template <Rounding rounding, class Integer>
static inline Integer whole(double x) {
    constexpr bool SIGNED = Integer(-1) < Integer(0);
    constexpr Integer LEAST = SIGNED ? Integer(Integer(1) << (8 * sizeof(Integer) - 1)) : Integer(0);
    const double end = __builtin_ldexp(1.0, 8 * int(sizeof(Integer)) - SIGNED);
    if (x != x) return 0;
    const double r = rounding == DOWN ? host::libm::floor(x) : rounding == UP ? host::libm::ceil(x)
                   : rounding == TOWARD_ZERO ? host::libm::trunc(x) : host::libm::rint(x);
    return r >= end ? Integer(~LEAST) : r <= double(LEAST) ? LEAST : Integer(r);
}

// The nearest number, or its neighbour on the side that the rounding asks for.
template <Rounding rounding, class Float, class Exact>
static inline Float toward(Float nearest, Exact back, Exact exact) {
    const bool down = rounding == DOWN || (rounding == TOWARD_ZERO && exact > 0);
    const bool up = rounding == UP || (rounding == TOWARD_ZERO && exact < 0);
    if (down && back > exact) return host::libm::nextafter(nearest, Float(-__builtin_inf()));
    if (up && back < exact) return host::libm::nextafter(nearest, Float(__builtin_inf()));
    return nearest;
}

}  // namespace host

#define TV_TO_INTEGER(name, Integer, Float)                      \
    template <Rounding rounding = NEAREST_EVEN>                  \
    static inline Integer name(Float x) { return host::whole<rounding, Integer>(x); }
#define TV_TO_FLOAT(name, Float, Integer)                        \
    template <Rounding rounding = NEAREST_EVEN>                  \
    static inline Float name(Integer x) {                        \
        return host::toward<rounding>(Float(x), __int128(Float(x)), __int128(x)); \
    }
TV_TO_INTEGER(f32_to_s32, s32, float)
TV_TO_INTEGER(f32_to_u32, u32, float)
TV_TO_INTEGER(f32_to_s64, s64, float)
TV_TO_INTEGER(f32_to_u64, u64, float)
TV_TO_INTEGER(f64_to_s32, s32, double)
TV_TO_INTEGER(f64_to_u32, u32, double)
TV_TO_INTEGER(f64_to_s64, s64, double)
TV_TO_INTEGER(f64_to_u64, u64, double)
TV_TO_FLOAT(s32_to_f32, float, s32)
TV_TO_FLOAT(u32_to_f32, float, u32)
TV_TO_FLOAT(s64_to_f32, float, s64)
TV_TO_FLOAT(u64_to_f32, float, u64)
TV_TO_FLOAT(s64_to_f64, double, s64)
TV_TO_FLOAT(u64_to_f64, double, u64)
#undef TV_TO_INTEGER
#undef TV_TO_FLOAT
template <Rounding rounding = NEAREST_EVEN>
static inline float f64_to_f32(double x) { return host::toward<rounding>(float(x), double(float(x)), x); }
static inline double s32_to_f64(s32 x) { return double(x); }
static inline double u32_to_f64(u32 x) { return double(x); }
static inline double f32_to_f64(float x) { return double(x); }

}  // namespace tv
