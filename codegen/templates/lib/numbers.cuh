// Numbers of any format: a format is a struct of constants, and decoding is derived from these.

namespace tv {

enum class Round { NEAREST_EVEN, NEAREST_AWAY, TOWARD_ZERO, UP, DOWN, STOCHASTIC };
enum class Specials { FINITE, FN, IEEE, FNUZ, SCALE };

template <bool CONDITION, class A, class B>
struct Choose { using Type = A; };
template <class A, class B>
struct Choose<false, A, B> { using Type = B; };
template <class A, class B>
constexpr bool SAME = false;
template <class A>
constexpr bool SAME<A, A> = true;

// Formats. `Held` is the C++ type in which an element lies (of packed formats a word with the code), `Number` one that
// has every number of the format. e8m0 is a Float without mantissa; of fn formats with eight exponent bits, numbers
// beyond f32 are infinite in `Number`.

enum class Kind { INTEGER, FLOAT, CODEBOOK };

template <u32 BITS_, bool SIGNED_>
struct Integer {
    static constexpr Kind KIND = Kind::INTEGER;
    static constexpr u32 BITS = BITS_;
    static constexpr bool SIGNED = SIGNED_;
    using Number = typename Choose<BITS == 64, typename Choose<SIGNED, s64, u64>::Type,
                                   typename Choose<SIGNED, s32, u32>::Type>::Type;
    using Held = typename Choose<BITS == 1 && !SIGNED, bool, typename Choose<BITS >= 32, Number, u32>::Type>::Type;
};
template <u32 BITS_, u32 EXPONENT_, u32 MANTISSA_, s32 BIAS_, bool SIGNED_, Specials SPECIALS_>
struct Float {
    static constexpr Kind KIND = Kind::FLOAT;
    static constexpr u32 BITS = BITS_, EXPONENT = EXPONENT_, MANTISSA = MANTISSA_;
    static constexpr s32 BIAS = BIAS_;
    static constexpr bool SIGNED = SIGNED_;
    static constexpr Specials SPECIALS = SPECIALS_;
    using Number = typename Choose<BITS == 64, double, float>::Type;
    using Held = typename Choose<BITS >= 32, Number, u32>::Type;
    using Code = typename Choose<BITS == 64, u64, u32>::Type;
    static constexpr Code ONES = (Code(1) << (EXPONENT + MANTISSA)) - 1;
    static constexpr Code INFINITE = ((Code(1) << EXPONENT) - 1) << MANTISSA;
    static constexpr Code SIGN = SIGNED ? Code(1) << (BITS - 1) : Code(0);
    // The largest number, what is beyond it where nothing saturates, and NaN but for its sign.
    static constexpr Code TOP = SPECIALS == Specials::IEEE ? INFINITE - 1 : SPECIALS == Specials::FN ? ONES - 1 : ONES;
    static constexpr Code OVER = SPECIALS == Specials::IEEE ? INFINITE : SPECIALS == Specials::FNUZ ? SIGN : ONES;
    static constexpr Code NOT_A_NUMBER =
        SPECIALS == Specials::IEEE ? INFINITE | Code(1) << (MANTISSA ? MANTISSA - 1 : 0) : OVER;
};
// `Values` and `Ordered` are words: the numbers as f32, by code; the same as f64, ascending, with the codes in `Codes`.
template <u32 BITS_, u32 ZERO_, class Values_, class Codes_, class Ordered_>
struct Codebook {
    static constexpr Kind KIND = Kind::CODEBOOK;
    static constexpr u32 BITS = BITS_, ZERO = ZERO_;
    using Values = Values_;
    using Codes = Codes_;
    using Ordered = Ordered_;
    using Number = float;
    using Held = u32;
};
template <u64... VALUES>
struct Words {
    static constexpr u32 COUNT = sizeof...(VALUES);
    static constexpr u64 at(u32 i) {
        constexpr u64 values[] = {VALUES...};
        return values[i];
    }
};

// The same words as a table in global memory, for a number that is not known when the kernel is compiled.
template <class W, class Word>
struct TableInMemory;
template <u64... VALUES, class Word>
struct TableInMemory<Words<VALUES...>, Word> { static constexpr Word values[] = {Word(VALUES)...}; };

// The word of a code, by halves: a tree of selects between immediate values, which needs no memory.
template <class W, u32 FIRST, u32 SIZE>
TV_DEVICE u32 look_up(u32 code) {
    if constexpr (SIZE == 1) {
        constexpr u32 value = FIRST < W::COUNT ? u32(W::at(FIRST < W::COUNT ? FIRST : 0)) : 0x7FC00000u;
        return value;
    } else {
        const u32 low = look_up<W, FIRST, SIZE / 2>(code), high = look_up<W, FIRST + SIZE / 2, SIZE / 2>(code);
        return code & (SIZE / 2) ? high : low;
    }
}

// Decoding

// Exponent and mantissa at the place where f32 has them are the number but for a power of two; subnormal numbers too.
template <class F>
TV_DEVICE float decode_float(u32 code) {
    const u32 magnitude = code & F::ONES, sign = F::SIGNED ? (code & F::SIGN) << (32 - F::BITS) : 0;
    if constexpr (F::SPECIALS == Specials::SCALE)
        return as_f32(code == F::ONES ? 0x7FC00000u : code == 0 ? 0x00400000u : code << 23);
    const u32 placed = magnitude << (23 - F::MANTISSA);
    float value = as_f32(placed);
    if constexpr (F::BIAS < 127) value = mul(value, as_f32(u32(254 - F::BIAS) << 23));
    if constexpr (F::BIAS == 128) value = placed >= 0x7F800000u ? as_f32(placed - 0x00800000u) : mul(value, 0.5f);
    u32 bits = as_u32(value);
    if constexpr (F::SPECIALS == Specials::IEEE) {
        bits = magnitude >= F::INFINITE ? (magnitude == F::INFINITE ? 0x7F800000u : 0x7FC00000u) : bits;
    } else {
        // Without infinities the largest exponent of eight bits is that of numbers, which f32 does not have.
        if constexpr (F::EXPONENT == 8 && F::BIAS == 127) bits = placed >= 0x7F800000u ? 0x7F800000u : bits;
        if constexpr (F::SPECIALS == Specials::FN) bits = magnitude == F::ONES ? 0x7FC00000u : bits;
        if constexpr (F::SPECIALS == Specials::FNUZ) return as_f32(code == F::SIGN ? 0x7FC00000u : bits | sign);
    }
    return as_f32(bits | sign);
}

template <class F>
constexpr bool IS_F16 = false;
template <>
constexpr bool IS_F16<Float<16, 5, 10, 15, true, Specials::IEEE>> = true;
template <class F>
constexpr bool IS_BF16 = false;
template <>
constexpr bool IS_BF16<Float<16, 8, 7, 127, true, Specials::IEEE>> = true;
// tf32 lies in a word as the f32 number that it is.
template <class F>
constexpr bool IS_TF32 = false;
template <>
constexpr bool IS_TF32<Float<19, 8, 10, 127, true, Specials::IEEE>> = true;

template <class F>
TV_DEVICE typename F::Number decode(typename F::Held held) {
    if constexpr (F::KIND == Kind::CODEBOOK && F::BITS > 4) {
        const u32 last = F::Values::COUNT - 1;
        return as_f32(TableInMemory<typename F::Values, u32>::values[held < last ? held : last]);
    } else if constexpr (F::KIND == Kind::CODEBOOK) return as_f32(look_up<typename F::Values, 0, 1u << F::BITS>(held));
    else if constexpr (F::KIND == Kind::INTEGER && F::BITS < 32 && F::SIGNED) return sign_extend<F::BITS>(u32(held));
    else if constexpr (F::KIND == Kind::INTEGER || F::BITS >= 32) return typename F::Number(held);
    else if constexpr (IS_F16<F>) return f16_to_f32(held);
    else if constexpr (IS_BF16<F>) return bf16_to_f32(held);
    else if constexpr (IS_TF32<F>) return as_f32(held);
    else return decode_float<F>(held);
}

// The number of a code as f32, where f32 has every number of the format: a narrow integer by its place in the mantissa
// of 2^23, which takes no conversion.
template <class F>
TV_DEVICE float decode_f32(typename F::Held held) {
    if constexpr (F::KIND == Kind::INTEGER && F::BITS <= 16) {
        constexpr u32 HALF = F::SIGNED ? 1u << (F::BITS - 1) : 0;
        return sub(as_f32(0x4B000000u | (u32(held) ^ HALF)), float(0x800000 + HALF));
    } else {
        static_assert(F::KIND != Kind::INTEGER && F::BITS < 64);
        return decode<F>(held);
    }
}

}  // namespace tv
