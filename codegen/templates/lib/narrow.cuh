// Two numbers at once, of formats that the hardware converts or compares so. Rules: PTX ISA, "cvt", "set", "min", "max".

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

// Every element of a tile of f32 numbers as one of T, f16 or bf16: one instruction rounds two into the halves of a word.
template <class T, s32 SLOTS>
TV_DEVICE void cast_pairs(u32* z, const float* x) {
    TV_UNROLL for (s32 i = 0; i < (SLOTS + 1) / 2; i++) {
        const float low = x[2 * i], high = 2 * i + 1 < SLOTS ? x[2 * i + 1] : 0.0f;
        z[i] = IS_F16<T> ? f32_to_f16x2(low, high) : f32_to_bf16x2(low, high);
    }
}

}  // namespace tv
