// Two numbers at once, of formats that the hardware converts or compares so. Rules: PTX ISA, "cvt", "set", "min", "max".
// The host's counterparts are derived from the formats.

namespace tv {

// All ones in the halves of a word in which the magnitude of the first f16 is at least the second, or one of them is NaN;
// the lesser and the greater of two numbers, of which one may be NaN.
#ifdef __CUDA_ARCH__
TV_DEVICE u32 reaches_f16x2(u32 a, u32 b) {
    u32 r;
    asm("{ .reg .b32 t; abs.f16x2 t, %1; set.geu.u32.f16x2 %0, t, %2; }" : "=r"(r) : "r"(a), "r"(b));
    return r;
}
#if __CUDA_ARCH__ >= 800
TV_DEVICE u32 min_f16x2(u32 a, u32 b) {
    u32 r;
    asm("min.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
    return r;
}
TV_DEVICE u32 max_bf16x2(u32 a, u32 b) {
    u32 r;
    asm("max.bf16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
    return r;
}
#endif
#else
TV_DEVICE u32 reaches_f16x2(u32 a, u32 b) {
    const bool low = !(f16_to_f32(a & 0x7FFF) < f16_to_f32(b & 0xFFFF)), high = !(f16_to_f32(a >> 16 & 0x7FFF) < f16_to_f32(b >> 16));
    return (low ? 0xFFFFu : 0) | (high ? 0xFFFF0000u : 0);
}
TV_DEVICE u32 min_f16x2(u32 a, u32 b) {
    return f32_to_f16x2(min(f16_to_f32(a & 0xFFFF), f16_to_f32(b & 0xFFFF)), min(f16_to_f32(a >> 16), f16_to_f32(b >> 16)));
}
TV_DEVICE u32 max_bf16x2(u32 a, u32 b) {
    return f32_to_bf16x2(max(bf16_to_f32(a & 0xFFFF), bf16_to_f32(b & 0xFFFF)), max(bf16_to_f32(a >> 16), bf16_to_f32(b >> 16)));
}
#endif

// Two narrow floats at the foot of a word, in a byte each (of f4e2m1 in half a byte), as f16; of e8m0 as bf16.
#ifdef __CUDA_ARCH__
#define TV_PAIR_OF(name, types, ...)                                                         \
    TV_DEVICE u32 cvt_##name(u32 codes) {                                                    \
        u32 r;                                                                               \
        asm("cvt.rn." types " %0, %1;" : "=r"(r) : "h"(u16(codes)));                         \
        return r;                                                                            \
    }
#if __CUDA_ARCH__ >= 890
TV_PAIR_OF(f8e4m3, "f16x2.e4m3x2")
TV_PAIR_OF(f8e5m2, "f16x2.e5m2x2")
#endif
#if __CUDA_ARCH__ >= 1000
TV_PAIR_OF(f6e2m3, "f16x2.e2m3x2")
TV_PAIR_OF(f6e3m2, "f16x2.e3m2x2")
TV_PAIR_OF(e8m0, "bf16x2.ue8m0x2")
TV_DEVICE u32 cvt_f4e2m1(u32 codes) {
    u32 r;
    asm("{ .reg .b8 low, high; mov.b16 {low, high}, %1; cvt.rn.f16x2.e2m1x2 %0, low; }" : "=r"(r) : "h"(u16(codes)));
    return r;
}
#endif
#else
#define TV_PAIR_OF(name, width, encode, ...)                                                                           \
    TV_DEVICE u32 cvt_##name(u32 codes) {                                                                              \
        using F = __VA_ARGS__;                                                                                         \
        constexpr u32 MASK = (1u << width) - 1;                                                                        \
        return encode(decode_float<F>(codes & MASK), decode_float<F>(codes >> width & MASK));                          \
    }
TV_PAIR_OF(f8e4m3, 8, f32_to_f16x2, Float<8, 4, 3, 7, true, Specials::FN>)
TV_PAIR_OF(f8e5m2, 8, f32_to_f16x2, Float<8, 5, 2, 15, true, Specials::IEEE>)
TV_PAIR_OF(f6e2m3, 8, f32_to_f16x2, Float<6, 2, 3, 1, true, Specials::FINITE>)
TV_PAIR_OF(f6e3m2, 8, f32_to_f16x2, Float<6, 3, 2, 3, true, Specials::FINITE>)
TV_PAIR_OF(f4e2m1, 4, f32_to_f16x2, Float<4, 2, 1, 1, true, Specials::FINITE>)
TV_PAIR_OF(e8m0, 8, f32_to_bf16x2, Float<8, 8, 0, 127, false, Specials::SCALE>)
#endif
#undef TV_PAIR_OF

// Two f32 numbers as narrow floats at the foot of a word, of six bits in a byte each: nearest even, saturated. The
// hardware makes of NaN one NaN of its own, and the largest number where the format has none.
template <class F>
constexpr bool CONVERTED = false;
template <class F>
TV_DEVICE u32 convert_pair(float low, float high);
#ifdef __CUDA_ARCH__
#define TV_CONVERTED(type, ...)                                                              \
    template <>                                                                              \
    constexpr bool CONVERTED<__VA_ARGS__> = true;                                            \
    template <>                                                                              \
    TV_DEVICE_MEMBER u32 convert_pair<__VA_ARGS__>(float low, float high) {                  \
        u16 r;                                                                               \
        asm("cvt.rn.satfinite." type ".f32 %0, %1, %2;" : "=h"(r) : "f"(high), "f"(low));    \
        return r;                                                                            \
    }
#if __CUDA_ARCH__ >= 890
TV_CONVERTED("e4m3x2", Float<8, 4, 3, 7, true, Specials::FN>)
TV_CONVERTED("e5m2x2", Float<8, 5, 2, 15, true, Specials::IEEE>)
#endif
#if __CUDA_ARCH__ >= 1000
TV_CONVERTED("e2m3x2", Float<6, 2, 3, 1, true, Specials::FINITE>)
TV_CONVERTED("e3m2x2", Float<6, 3, 2, 3, true, Specials::FINITE>)
template <>
constexpr bool CONVERTED<Float<4, 2, 1, 1, true, Specials::FINITE>> = true;
template <>
TV_DEVICE_MEMBER u32 convert_pair<Float<4, 2, 1, 1, true, Specials::FINITE>>(float low, float high) {
    u16 r;
    asm("{ .reg .b8 t; cvt.rn.satfinite.e2m1x2.f32 t, %1, %2; mov.b16 %0, {t, t}; }" : "=h"(r) : "f"(high), "f"(low));
    return low_bits<8>(r);
}
#endif
#undef TV_CONVERTED
#endif

}  // namespace tv
