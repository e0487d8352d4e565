// What templates of elementwise instructions need beside common.cuh: hints to the compiler, tables, codes as numbers,
// signs and whole quotients of floats. Plain C++17 over the intrinsics, the same on both sides.

#ifdef __CUDA_ARCH__
#define TV_PRAGMA(text) _Pragma(#text)
#define TV_UNROLL_BY(n) TV_PRAGMA(unroll n)
#define TV_ASSUME(condition) __builtin_assume(condition)
#else
#define TV_UNROLL_BY(n)
#define TV_ASSUME(condition) ((void)(condition))
#endif

namespace tv {

// A table that is indexed by what is constant once loops are unrolled.
template <int... VALUES>
struct Table {
    static constexpr int at(int i) {
        constexpr int values[] = {VALUES...};
        return values[i];
    }
};

// Codes of integers

template <u32 BITS>
TV_DEVICE s32 sign_extend(u32 code) {
    static_assert(1 <= BITS && BITS <= 32);
    return s32(code << (32 - BITS)) >> (32 - BITS);
}
template <u32 BITS>
TV_DEVICE u32 low_bits(u32 number) {
    static_assert(1 <= BITS && BITS <= 32);
    return number & (0xFFFFFFFFu >> (32 - BITS));
}
// Two codes of 16 bits in one word.
TV_DEVICE u32 pair(u32 low, u32 high) { return low_bits<16>(low) | high << 16; }

// The sign of a float is a bit, which NaN has too; of 16-bit floats the codes are taken.

TV_DEVICE float neg(float x) { return as_f32(as_u32(x) ^ 0x80000000u); }
TV_DEVICE float abs(float x) { return as_f32(as_u32(x) & 0x7FFFFFFFu); }
TV_DEVICE double neg(double x) { return as_f64(as_u64(x) ^ 0x8000000000000000ull); }
TV_DEVICE double abs(double x) { return as_f64(as_u64(x) & 0x7FFFFFFFFFFFFFFFull); }
#define TV_SIGN(type)                                                    \
    TV_DEVICE u32 neg_##type(u32 x) { return x ^ 0x8000u; }              \
    TV_DEVICE u32 abs_##type(u32 x) { return x & 0x7FFFu; }              \
    TV_DEVICE u32 neg_##type##x2(u32 x) { return x ^ 0x80008000u; }      \
    TV_DEVICE u32 abs_##type##x2(u32 x) { return x & 0x7FFF7FFFu; }
TV_SIGN(f16)
TV_SIGN(bf16)
#undef TV_SIGN

// A product and a sum of 16-bit floats, rounded once

TV_DEVICE u32 fma_f16(u32 a, u32 b, u32 c) { return low_bits<16>(fma_f16x2(a, b, c)); }
#if TV_ARCHITECTURE >= 800
TV_DEVICE u32 fma_bf16(u32 a, u32 b, u32 c) { return low_bits<16>(fma_bf16x2(a, b, c)); }
#else
// In f32 first: of the two numbers around the exact one that whose last bit is 1, since rounding it again to fewer bits
// is rounding once (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
TV_DEVICE u32 fma_bf16(u32 a, u32 b, u32 c) {
    const float down = __fmaf_rd(bf16_to_f32(a), bf16_to_f32(b), bf16_to_f32(c));
    const float up = __fmaf_ru(bf16_to_f32(a), bf16_to_f32(b), bf16_to_f32(c));
    return f32_to_bf16(as_u32(down) & 1 ? down : up);
}
#endif

// A product added to a sum: of floats rounded once, of integers in 32 bits, which wrap

TV_DEVICE float multiply_add(float a, float b, float c) { return fma(a, b, c); }
TV_DEVICE double multiply_add(double a, double b, double c) { return fma(a, b, c); }
template <class A, class B>
TV_DEVICE s32 multiply_add(A a, B b, s32 c) {
    return s32(u32(a) * u32(b) + u32(c));
}

// Python's quotient of floats rounded down, and what it leaves, with the sign of the divisor, in the steps that NumPy
// takes. What C's fmod leaves is exact.

template <class F>
TV_DEVICE F float_rem(F a, F b) {
    const F rest = fmod(a, b);
    if (b == 0) return rest;
    if (rest == 0) return b < 0 ? neg(F(0)) : F(0);
    return (b < 0) != (rest < 0) ? add(rest, b) : rest;
}
template <class F>
TV_DEVICE F float_floor_div(F a, F b) {
    if (b == 0) return div(a, b);
    const F rest = fmod(a, b);
    F quotient = div(sub(a, rest), b);
    if (rest != 0 && (b < 0) != (rest < 0)) quotient = sub(quotient, F(1));
    if (quotient == 0) return mul(F(0), div(a, b));
    const F whole = floor(quotient);
    return sub(quotient, whole) > F(0.5) ? add(whole, F(1)) : whole;
}
TV_DEVICE float rem(float a, float b) { return float_rem(a, b); }
TV_DEVICE double rem(double a, double b) { return float_rem(a, b); }
TV_DEVICE float floor_div(float a, float b) { return float_floor_div(a, b); }
TV_DEVICE double floor_div(double a, double b) { return float_floor_div(a, b); }

}  // namespace tv
