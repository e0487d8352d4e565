// Numbers of any format: a format is a struct of constants, and decoding, rounding and encoding are derived from these.
//
// A source is brought to one exact form, a whole number of 32 or 64 bits times a power of two, and rounded from there,
// once. Where the hardware has the conversion, that is used. Only a codebook's stochastic rounding divides.

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
    if constexpr (F::KIND == Kind::CODEBOOK) return as_f32(look_up<typename F::Values, 0, 1u << F::BITS>(held));
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

// The exact form of a number: magnitude * 2^exponent, the highest bit of the magnitude being 1 unless it is zero.

template <class Word>
struct Exact {
    static constexpr s32 HIGHEST = 8 * sizeof(Word) - 1;
    Word magnitude;
    s32 exponent;
    bool negative, infinite, nan;
};

#ifdef __CUDA_ARCH__
TV_DEVICE s32 leading_zeros(u32 x) { return __clz(s32(x)); }
TV_DEVICE s32 leading_zeros(u64 x) { return __clzll(s64(x)); }
#else
TV_DEVICE s32 leading_zeros(u32 x) { return x ? __builtin_clz(x) : 32; }
TV_DEVICE s32 leading_zeros(u64 x) { return x ? __builtin_clzll(x) : 64; }
#endif

TV_DEVICE Exact<u32> exact(float x) {
    const u32 all = as_u32(x) & 0x7FFFFFFFu;
    const bool small = all < 0x00800000u;
    // A subnormal number of f32 is a normal one 2^32 times larger.
    const u32 bits = small ? as_u32(mul(as_f32(all), 4294967296.0f)) : all;
    const u32 magnitude = bits == 0 ? 0 : bits << 8 | 0x80000000u;
    const s32 exponent = all == 0 ? -8192 : s32(bits >> 23) - (small ? 190 : 158);
    return {magnitude, exponent, (as_u32(x) >> 31) != 0, all == 0x7F800000u, all > 0x7F800000u};
}
TV_DEVICE Exact<u64> exact(double x) {
    const u64 bits = as_u64(x) & 0x7FFFFFFFFFFFFFFFull;
    // Subnormal numbers of f64 have no highest bit yet.
    const u64 given = bits >> 52 ? bits << 11 | 0x8000000000000000ull : bits << 11;
    const s32 zeros = leading_zeros(given), field = s32(bits >> 52);
    const s32 exponent = bits == 0 ? -8192 : (field ? field : 1) - 1086 - zeros;
    return {zeros == 64 ? 0 : given << (zeros & 63), exponent, (as_u64(x) >> 63) != 0, bits == 0x7FF0000000000000ull,
            bits > 0x7FF0000000000000ull};
}
template <class Word>
TV_DEVICE Exact<Word> exact_integer(Word magnitude, bool negative) {
    const s32 zeros = leading_zeros(magnitude);
    if (magnitude == 0) return {0, -8192, false, false, false};
    return {Word(magnitude << zeros), -zeros, negative, false, false};
}
TV_DEVICE Exact<u32> exact(s32 x) { return exact_integer(x < 0 ? 0u - u32(x) : u32(x), x < 0); }
TV_DEVICE Exact<u32> exact(u32 x) { return exact_integer(x, false); }
TV_DEVICE Exact<u64> exact(s64 x) { return exact_integer(x < 0 ? 0ull - u64(x) : u64(x), x < 0); }
TV_DEVICE Exact<u64> exact(u64 x) { return exact_integer(x, false); }

// The magnitude without its lowest `drop` (at least 1) bits, which round it.
template <Round ROUND, class Word>
TV_DEVICE Word dropped(const Exact<Word>& x, s32 drop, u32 random) {
    constexpr s32 BITS = Exact<Word>::HIGHEST + 1;
    constexpr Word HALF = Word(1) << (BITS - 1);
    const bool none = drop >= BITS;
    const s32 past = none ? (drop - BITS < BITS ? drop - BITS : BITS - 1) : 0;
    const Word whole = none ? Word(0) : Word(x.magnitude >> (drop & (BITS - 1)));
    // What is dropped, as a fraction of one, and whether it has still lower bits.
    const Word rest = none ? Word(x.magnitude >> past) : Word(x.magnitude << (BITS - drop));
    const bool lower = none && (past == BITS - 1 ? drop > BITS && x.magnitude != 0 : Word(rest << past) != x.magnitude);
    const Word tail = none && drop - BITS >= BITS ? Word(0) : rest;
    bool more = false;
    if constexpr (ROUND == Round::NEAREST_EVEN) more = tail > HALF || (tail == HALF && (whole & 1));
    if constexpr (ROUND == Round::NEAREST_AWAY) more = tail >= HALF;
    if constexpr (ROUND == Round::UP) more = !x.negative && (tail != 0 || lower);
    if constexpr (ROUND == Round::DOWN) more = x.negative && (tail != 0 || lower);
    if constexpr (ROUND == Round::STOCHASTIC) {
        const Word drawn = Word(Word(random) << (BITS - 32));
        more = x.negative ? u32(tail >> (BITS - 32)) > ~random : tail > drawn || (tail == drawn && lower);
    }
    return whole + Word(more);
}

// Encoding floats

template <class F, Round ROUND, bool SATURATE, class Word>
TV_DEVICE typename F::Code encode_float(const Exact<Word>& x, u32 random) {
    using Code = typename F::Code;
    constexpr s32 HIGHEST = Exact<Word>::HIGHEST, MANTISSA = F::MANTISSA;
    static_assert(HIGHEST > MANTISSA);
    const s32 below = 1 - F::BIAS - (x.exponent + HIGHEST);
    const s32 drop = HIGHEST - MANTISSA + (below > 0 ? below : 0);
    const Word whole = dropped<ROUND>(x, drop, random);
    const s32 field = x.exponent + drop + MANTISSA + F::BIAS, end = (1 << F::EXPONENT) + 1;
    // Adding the field below the implicit bit lets a carry, and the step from subnormal to normal, come out by itself.
    Code code = (Code((field < end ? field : end) - 1) << MANTISSA) + Code(whole);
    const bool inward = ROUND == Round::TOWARD_ZERO || (ROUND == Round::UP && x.negative) ||
                        (ROUND == Round::DOWN && !x.negative);
    const bool held = SATURATE || (inward && !x.infinite);
    code = x.infinite || code > F::TOP ? (held ? F::TOP : F::OVER) : code;
    if constexpr (F::SIGNED) {
        const bool alone = F::SPECIALS == Specials::FNUZ && (code == 0 || code == F::SIGN);
        code |= x.negative && !alone ? F::SIGN : Code(0);
    } else {
        const Code lost = SATURATE || F::SPECIALS == Specials::FINITE ? Code(0) : F::NOT_A_NUMBER;
        code = x.negative && (whole != 0 || x.infinite) ? lost : code;
    }
    constexpr bool KEEPS_SIGN = F::SPECIALS == Specials::IEEE || F::SPECIALS == Specials::FN;
    return x.nan ? F::NOT_A_NUMBER | (KEEPS_SIGN && x.negative ? F::SIGN : Code(0)) : code;
}

// Powers of two. There is no zero and no negative number: these are below the smallest.
template <class F, Round ROUND, bool SATURATE, class Word>
TV_DEVICE u32 encode_scale(const Exact<Word>& x, u32 random) {
    const s32 field = s32(dropped<ROUND>(x, Exact<Word>::HIGHEST, random)) - 1 + x.exponent + Exact<Word>::HIGHEST + F::BIAS;
    constexpr bool INWARD = ROUND == Round::TOWARD_ZERO || ROUND == Round::DOWN;
    const bool below = x.negative || x.magnitude == 0, above = !below && (x.infinite || field >= s32(F::ONES));
    const bool lost = x.nan || (!SATURATE && (below || (above && !(INWARD && !x.infinite))));
    return lost ? F::ONES : below || (field < 0 && !x.infinite) ? 0 : above ? F::ONES - 1 : u32(field);
}

// Encoding integers

// The lowest 64 bits of the number rounded to an integer, and whether its magnitude has more.
template <Round ROUND, class Word>
TV_DEVICE u64 whole_number(const Exact<Word>& x, u32 random, bool& wide) {
    const u64 high = x.exponent >= 64 ? 0 : u64(x.magnitude) << (x.exponent & 63);
    const u64 rounded = u64(dropped<ROUND>(x, x.exponent < 0 ? -x.exponent : 1, random));
    wide = x.exponent + Exact<Word>::HIGHEST >= 64;
    return x.exponent < 0 ? rounded : high;
}
template <class F, Round ROUND, bool SATURATE, class Word>
TV_DEVICE u64 encode_integer(const Exact<Word>& x, u32 random) {
    constexpr u64 MOST = (0xFFFFFFFFFFFFFFFFull >> (64 - F::BITS)) >> F::SIGNED, LEAST = F::SIGNED ? MOST + 1 : 0;
    bool wide;
    u64 magnitude = whole_number<ROUND>(x, random, wide);
    if constexpr (SATURATE) {
        const u64 limit = x.negative ? LEAST : MOST;
        magnitude = x.nan ? 0 : x.infinite || wide || magnitude > limit ? limit : magnitude;
    } else {
        magnitude = x.nan || x.infinite ? 0 : magnitude;
    }
    return x.negative ? 0 - magnitude : magnitude;
}

// Saturated to the nearest integer, or cut, the hardware converts; what is left are the ends of a narrower range.
template <class F, Rounding ROUNDING>
TV_DEVICE typename F::Number narrowed(float x) {
    if constexpr (F::BITS == 64 && F::SIGNED) return f32_to_s64<ROUNDING>(x);
    else if constexpr (F::BITS == 64) return f32_to_u64<ROUNDING>(x);
    else if constexpr (F::SIGNED)
        return max(min(f32_to_s32<ROUNDING>(x), s32(0x7FFFFFFFu >> (32 - F::BITS))), -s32(0x7FFFFFFFu >> (32 - F::BITS)) - 1);
    else return min(f32_to_u32<ROUNDING>(x), 0xFFFFFFFFu >> (32 - F::BITS));
}
template <class F, bool SATURATE, class Number>
TV_DEVICE u64 integer_to_integer(Number x) {
    if constexpr (SATURATE) {
        constexpr u64 MOST = (0xFFFFFFFFFFFFFFFFull >> (64 - F::BITS)) >> F::SIGNED;
        constexpr s64 LEAST = F::SIGNED ? -s64(MOST) - 1 : 0;
        if constexpr (Number(-1) < Number(0)) {
            if (s64(x) < LEAST) return u64(LEAST);
            if (x < 0) return u64(s64(x));
        }
        return u64(x) > MOST ? MOST : u64(x);
    }
    return u64(s64(x));
}

// Encoding codebooks: `Firsts` has, for each two neighbours, the bits of the first f64 that goes to the upper one. For a
// source in f32 they are the first f32 numbers.

template <class F, class Firsts, u32 PLACE>
TV_DEVICE u32 code_at(float x, u32 code) {
    if constexpr (PLACE < Firsts::COUNT) {
        constexpr u32 next = u32(F::Codes::at(PLACE + 1)), first = u32(Firsts::at(PLACE));
        return code_at<F, Firsts, PLACE + 1>(x, x >= as_f32(first) ? next : code);
    }
    return code;
}
template <class F, class Firsts, u32 PLACE>
TV_DEVICE u32 code_at(double x, u32 code) {
    if constexpr (PLACE < Firsts::COUNT) {
        constexpr u32 next = u32(F::Codes::at(PLACE + 1));
        constexpr u64 first = Firsts::at(PLACE);
        return code_at<F, Firsts, PLACE + 1>(x, x >= as_f64(first) ? next : code);
    }
    return code;
}
template <class F, u32 PLACE>
TV_DEVICE u32 code_drawn(double x, u32 random, u32 code) {
    if constexpr (PLACE + 1 < F::Codes::COUNT) {
        constexpr u64 low = F::Ordered::at(PLACE), high = F::Ordered::at(PLACE + 1);
        constexpr u32 lower = u32(F::Codes::at(PLACE)), upper = u32(F::Codes::at(PLACE + 1));
        const double nearness = div(sub(x, as_f64(low)), sub(as_f64(high), as_f64(low)));
        const u32 chosen = double(random) < mul(nearness, 4294967296.0) ? upper : lower;
        return code_drawn<F, PLACE + 1>(x, random, PLACE == 0 || x >= as_f64(low) ? chosen : code);
    }
    return code;
}
template <class F, class Firsts, Round ROUND, class Number>
TV_DEVICE u32 encode_codebook(Number x, u32 random) {
    u32 code;
    if constexpr (ROUND == Round::STOCHASTIC) {
        constexpr u64 least = F::Ordered::at(0), most = F::Ordered::at(F::Codes::COUNT - 1);
        code = code_drawn<F, 0>(min(max(double(x), as_f64(least)), as_f64(most)), random, 0);
    } else {
        constexpr u32 lowest = u32(F::Codes::at(0));
        code = code_at<F, Firsts, 0>(x, lowest);
    }
    return x != x ? F::ZERO : code;
}

// Casts

// A 64-bit integer of more than 53 bits as the codec has it before it rounds it: its last 12 bits are one bit of a half.
template <class Number>
TV_DEVICE Number cut_integer(Number x) {
    if constexpr (sizeof(Number) == 8) {
        const u64 magnitude = Number(-1) < Number(0) && x < 0 ? 0 - u64(x) : u64(x);
        const u64 cut = (u64(x) & ~0xFFFull) + ((u64(x) & 0xFFF) ? 0x800 : 0);
        return magnitude >> 53 ? Number(cut) : x;
    }
    return x;
}
constexpr bool STANDARD(Round round) { return round != Round::NEAREST_AWAY && round != Round::STOCHASTIC; }
constexpr Rounding STANDARD_ROUNDING(Round round) {
    return round == Round::TOWARD_ZERO ? TOWARD_ZERO : round == Round::UP ? UP : round == Round::DOWN ? DOWN : NEAREST_EVEN;
}

template <class F, class Source, Round ROUND, bool SATURATE, class Number>
TV_DEVICE typename F::Held encode_to_float(Number x, u32 random) {
    constexpr Rounding ROUNDING = STANDARD_ROUNDING(ROUND);
    constexpr bool PLAIN = STANDARD(ROUND) && !SATURATE;
    if constexpr (PLAIN && F::BITS == 32 && SAME<Number, float>) return x;
    else if constexpr (PLAIN && F::BITS == 64 && SAME<Number, float>) return f32_to_f64(x);
    else if constexpr (PLAIN && F::BITS == 32 && SAME<Number, double>) return f64_to_f32<ROUNDING>(x);
    else if constexpr (PLAIN && ROUND == Round::NEAREST_EVEN && IS_F16<F> && SAME<Number, float>) return f32_to_f16(x);
    else if constexpr (PLAIN && ROUND == Round::NEAREST_EVEN && IS_BF16<F> && SAME<Number, float>) return f32_to_bf16(x);
    else if constexpr (F::SPECIALS == Specials::SCALE) return encode_scale<F, ROUND, SATURATE>(exact(x), random);
    else if constexpr (F::BITS == 64 && Source::KIND == Kind::INTEGER) {
        if constexpr (sizeof(x) == 4) return double(x);
        else return as_f64(encode_float<F, ROUND, SATURATE>(exact(x), random));
    } else if constexpr (F::BITS == 64) {
        return as_f64(encode_float<F, ROUND, SATURATE>(exact(double(x)), random));
    } else {
        const u32 code = encode_float<F, ROUND, SATURATE>(exact(x), random);
        if constexpr (F::BITS == 32) return as_f32(code);
        else return IS_TF32<F> ? code << 13 : code;
    }
}
template <class F, class Source, Round ROUND, bool SATURATE, class Number>
TV_DEVICE typename F::Held encode_to_integer(Number x, u32 random) {
    using Held = typename F::Held;
    constexpr u64 MASK = 0xFFFFFFFFFFFFFFFFull >> (64 - F::BITS);
    if constexpr (Source::KIND == Kind::INTEGER) return Held(integer_to_integer<F, SATURATE>(x) & MASK);
    else if constexpr (SATURATE && STANDARD(ROUND) && SAME<Number, float>)
        return Held(u64(narrowed<F, STANDARD_ROUNDING(ROUND)>(x)) & MASK);
    else return Held(encode_integer<F, ROUND, SATURATE>(exact(x), random) & MASK);
}

// An element of format S as one of format T, rounded once. `Firsts` is for codebooks, `random` for stochastic rounding.
template <class S, class T, Round ROUND = Round::NEAREST_EVEN, bool SATURATE = false, class Firsts = void>
TV_DEVICE typename T::Held cast(typename S::Held held, u32 random = 0) {
    if constexpr (SAME<S, T>) return held;
    else {
        constexpr bool WIDE_INTEGER = S::KIND == Kind::INTEGER && S::BITS > 16;
        if constexpr (T::KIND == Kind::INTEGER) return encode_to_integer<T, S, ROUND, SATURATE>(decode<S>(held), random);
        else if constexpr (T::KIND == Kind::CODEBOOK && WIDE_INTEGER)
            return encode_codebook<T, Firsts, ROUND>(double(cut_integer(decode<S>(held))), random);
        else if constexpr (T::KIND == Kind::CODEBOOK && S::BITS == 64)
            return encode_codebook<T, Firsts, ROUND>(decode<S>(held), random);
        else if constexpr (T::KIND == Kind::CODEBOOK) return encode_codebook<T, Firsts, ROUND>(decode_f32<S>(held), random);
        else if constexpr (WIDE_INTEGER && T::BITS == 64)
            return encode_to_float<T, S, ROUND, SATURATE>(decode<S>(held), random);
        else if constexpr (WIDE_INTEGER) return encode_to_float<T, S, ROUND, SATURATE>(cut_integer(decode<S>(held)), random);
        else if constexpr (S::KIND == Kind::INTEGER && T::BITS == 64) return double(decode_f32<S>(held));
        else if constexpr (S::BITS == 64) return encode_to_float<T, S, ROUND, SATURATE>(decode<S>(held), random);
        else return encode_to_float<T, S, ROUND, SATURATE>(decode_f32<S>(held), random);
    }
}

}  // namespace tv
