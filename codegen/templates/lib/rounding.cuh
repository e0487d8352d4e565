// Numbers are rounded to any format, and encoded.
//
// A source is brought to one exact form, a whole number of 32 or 64 bits times a power of two, and rounded from there,
// once. Where one sum rounds, or the hardware has the conversion, that is used. Only a codebook's stochastic rounding
// divides.

namespace tv {

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

// Nearest even in one sum: a number beside 2^23 of its last places is rounded to them. The least exponent is that of the
// smallest normal number, so subnormal numbers are rounded to their places. Where the result saturates, or what is too
// large has the code after the largest number's, the source may be cut to that before.
template <class F, bool SATURATE>
constexpr bool ROUNDED_BY_A_SUM = F::EXPONENT >= 2 && F::EXPONENT <= 7 && F::MANTISSA <= 16 &&
                                  (SATURATE || (F::SIGNED && F::SPECIALS != Specials::FNUZ));
template <class F, bool SATURATE>
TV_DEVICE u32 encode_by_a_sum(float x) {
    constexpr u32 DROPPED = 23 - F::MANTISSA, LEAST = u32(128 - F::BIAS) << 23, MOST = SATURATE ? F::TOP : F::OVER;
    constexpr u32 LAST = (MOST + (u32(127 - F::BIAS) << F::MANTISSA)) << DROPPED;
    constexpr bool KEEPS_SIGN = F::SPECIALS == Specials::IEEE || F::SPECIALS == Specials::FN;
    const u32 given = F::SIGNED ? as_u32(x) : as_u32(max(x, 0.0f)), magnitude = min(given & 0x7FFFFFFFu, LAST);
    const u32 exponent = max(magnitude & 0x7F800000u, LEAST), large = exponent + (DROPPED << 23);
    const u32 places = as_u32(add(as_f32(magnitude), as_f32(large))) - large;
    u32 code = places + ((exponent - LEAST) >> DROPPED);
    if constexpr (F::SIGNED) {
        const u32 sign = given >> (32 - F::BITS) & F::SIGN;
        code |= F::SPECIALS == Specials::FNUZ && code == 0 ? 0 : sign;
        if constexpr (F::SPECIALS == Specials::FN && !SATURATE) return code;  // NaN is what is too large
        return x != x ? F::NOT_A_NUMBER | (KEEPS_SIGN ? sign : 0) : code;
    }
    return x != x ? F::NOT_A_NUMBER : code;
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
// How many of the words, which ascend as numbers, are at most x: a search in memory.
template <class W, class Number>
TV_DEVICE u32 words_up_to(Number x) {
    using Word = typename Choose<sizeof(Number) == 4, u32, u64>::Type;
    u32 found = 0;
    TV_UNROLL for (u32 step = 256; step; step /= 2) {
        if (step > W::COUNT) continue;
        const u32 next = found + step - 1 < W::COUNT ? found + step - 1 : W::COUNT - 1;
        const Word word = TableInMemory<W, Word>::values[next];
        bool least;
        if constexpr (sizeof(Number) == 4) least = x >= as_f32(word);
        else least = x >= as_f64(word);
        found += least && found + step <= W::COUNT ? step : 0;
    }
    return found;
}
template <class F, class Firsts, Round ROUND, class Number>
TV_DEVICE u32 encode_codebook(Number x, u32 random) {
    constexpr u32 COUNT = F::Codes::COUNT;
    u32 code;
    if constexpr (ROUND == Round::STOCHASTIC) {
        using Ordered = TableInMemory<typename F::Ordered, u64>;
        constexpr u64 least = F::Ordered::at(0), most = F::Ordered::at(COUNT - 1);
        const double y = min(max(double(x), as_f64(least)), as_f64(most));
        const u32 above = words_up_to<typename F::Ordered>(y), upper = above < 1 ? 1 : above < COUNT ? above : COUNT - 1;
        const double low = as_f64(Ordered::values[upper - 1]), high = as_f64(Ordered::values[upper]);
        const double nearness = div(sub(y, low), sub(high, low));
        const u32 place = double(random) < mul(nearness, 4294967296.0) ? upper : upper - 1;
        code = TableInMemory<typename F::Codes, u32>::values[place];
    } else if constexpr (COUNT > 16) {
        code = TableInMemory<typename F::Codes, u32>::values[words_up_to<Firsts>(x)];
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
    else if constexpr (ROUND == Round::NEAREST_EVEN && SATURATE && CONVERTED<F> && SAME<Number, float>)
        return convert_pair<F>(x, 0.0f) & (F::ONES | F::SIGN);
    else if constexpr (ROUND == Round::NEAREST_EVEN && SAME<Number, float> && ROUNDED_BY_A_SUM<F, SATURATE>)
        return encode_by_a_sum<F, SATURATE>(x);
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
