// Bits of numbers, and conversions between formats that the hardware has.

namespace tv {

TV_DEVICE u32 as_u32(float x) { return __float_as_uint(x); }
TV_DEVICE float as_f32(u32 x) { return __uint_as_float(x); }
TV_DEVICE u64 as_u64(double x) { return u64(__double_as_longlong(x)); }
TV_DEVICE double as_f64(u64 x) { return __longlong_as_double(s64(x)); }
template <u32 LUT>
TV_DEVICE u32 lop3(u32 a, u32 b, u32 c) {
    u32 r;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(r) : "r"(a), "r"(b), "r"(c), "n"(LUT));
    return r;
}
TV_DEVICE u32 prmt(u32 a, u32 b, u32 selector) {
    u32 r;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(selector));
    return r;
}
TV_DEVICE u32 funnel_right(u32 low, u32 high, u32 count) {
    u32 r;
    asm("shf.r.wrap.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(low), "r"(high), "r"(count));
    return r;
}

#define TV_CONVERT(r, to, x, from, rn, rz, rm, rp, types)                              \
    if (rounding == TOWARD_ZERO) asm("cvt." rz "." types " %0, %1;" : "=" to(r) : from(x));    \
    else if (rounding == DOWN) asm("cvt." rm "." types " %0, %1;" : "=" to(r) : from(x));      \
    else if (rounding == UP) asm("cvt." rp "." types " %0, %1;" : "=" to(r) : from(x));        \
    else asm("cvt." rn "." types " %0, %1;" : "=" to(r) : from(x));

// To an integer: saturated, and 0 for NaN (where 64 bits are involved the hardware gives another number for NaN).
#define TV_TO_INTEGER(name, R, to, types, F, from)                                     \
    template <Rounding rounding = NEAREST_EVEN>                                        \
    TV_DEVICE R name(F x) {                                                            \
        R r;                                                                           \
        TV_CONVERT(r, to, x, from, "rni", "rzi", "rmi", "rpi", types)                  \
        return sizeof(R) + sizeof(F) > 8 && x != x ? R(0) : r;                         \
    }
#define TV_TO_FLOAT(name, R, to, types, F, from)                                       \
    template <Rounding rounding = NEAREST_EVEN>                                        \
    TV_DEVICE R name(F x) {                                                            \
        R r;                                                                           \
        TV_CONVERT(r, to, x, from, "rn", "rz", "rm", "rp", types)                      \
        return r;                                                                      \
    }
TV_TO_INTEGER(f32_to_s32, s32, "r", "s32.f32", float, "f")
TV_TO_INTEGER(f32_to_u32, u32, "r", "u32.f32", float, "f")
TV_TO_INTEGER(f32_to_s64, s64, "l", "s64.f32", float, "f")
TV_TO_INTEGER(f32_to_u64, u64, "l", "u64.f32", float, "f")
TV_TO_INTEGER(f64_to_s32, s32, "r", "s32.f64", double, "d")
TV_TO_INTEGER(f64_to_u32, u32, "r", "u32.f64", double, "d")
TV_TO_INTEGER(f64_to_s64, s64, "l", "s64.f64", double, "d")
TV_TO_INTEGER(f64_to_u64, u64, "l", "u64.f64", double, "d")
TV_TO_FLOAT(s32_to_f32, float, "f", "f32.s32", s32, "r")
TV_TO_FLOAT(u32_to_f32, float, "f", "f32.u32", u32, "r")
TV_TO_FLOAT(s64_to_f32, float, "f", "f32.s64", s64, "l")
TV_TO_FLOAT(u64_to_f32, float, "f", "f32.u64", u64, "l")
TV_TO_FLOAT(s64_to_f64, double, "d", "f64.s64", s64, "l")
TV_TO_FLOAT(u64_to_f64, double, "d", "f64.u64", u64, "l")
TV_TO_FLOAT(f64_to_f32, float, "f", "f32.f64", double, "d")
template <Rounding rounding = NEAREST_EVEN>
TV_DEVICE u32 f32_to_f16(float x) {
    u16 r;
    TV_CONVERT(r, "h", x, "f", "rn", "rz", "rm", "rp", "f16.f32")
    return r;
}
#undef TV_TO_INTEGER
#undef TV_TO_FLOAT
#undef TV_CONVERT
TV_DEVICE double s32_to_f64(s32 x) { return double(x); }
TV_DEVICE double u32_to_f64(u32 x) { return double(x); }
TV_DEVICE double f32_to_f64(float x) { return double(x); }
TV_DEVICE float f16_to_f32(u32 h) {
    float r;
    asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(u16(h)));
    return r;
}
TV_DEVICE float bf16_to_f32(u32 h) { return as_f32(h << 16); }

// A pair has its first number in the low half.
#if __CUDA_ARCH__ >= 800
TV_DEVICE u32 f32_to_f16x2(float low, float high) {
    u32 r;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
template <Rounding rounding = NEAREST_EVEN>
TV_DEVICE u32 f32_to_bf16(float x) {
    static_assert(rounding == NEAREST_EVEN || rounding == TOWARD_ZERO);
    u16 r;
    if (rounding == TOWARD_ZERO) asm("cvt.rz.bf16.f32 %0, %1;" : "=h"(r) : "f"(x));
    else asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(x));
    return r;
}
TV_DEVICE u32 f32_to_bf16x2(float low, float high) {
    u32 r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
TV_DEVICE u32 f32_to_tf32(float x) {
    u32 r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
    return r;
}
#else
TV_DEVICE u32 f32_to_f16x2(float low, float high) { return f32_to_f16(low) | f32_to_f16(high) << 16; }
template <Rounding rounding = NEAREST_EVEN>
TV_DEVICE u32 f32_to_bf16(float x) {
    static_assert(rounding == NEAREST_EVEN || rounding == TOWARD_ZERO);
    const u32 bits = as_u32(x);
    if (x != x) return 0x7FFF;
    return (rounding == TOWARD_ZERO ? bits : bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}
TV_DEVICE u32 f32_to_bf16x2(float low, float high) { return f32_to_bf16(low) | f32_to_bf16(high) << 16; }
TV_DEVICE u32 f32_to_tf32(float x) {
    const u32 bits = as_u32(x);
    if (x != x) return 0x7FFFFFFF;
    return (bits & 0x7FFFFFFF) == 0x7F800000 ? bits : (bits + 0x1000) & 0xFFFFE000;
}
#endif

}  // namespace tv
