// Tiles of narrow numbers as f16 and bf16, two at a time: the codes 2j and 2j + 1 become the halves of word j.
//
// A code goes to its half by bytes: `prmt` takes, for each half, the byte that holds the code, of the stream of codes
// shifted such that no code straddles bytes. An integer is put into the mantissa of a power of two, of which it is freed
// by one fma, that also undoes its place in the byte; exponent and mantissa of a float are moved to where the target has
// them, which is right but for a power of two, also of subnormal numbers. Everything is exact.

namespace tv {

// 32 bits of a stream of WORDS words; what lies outside of it is 0.
template <s32 WORDS, s32 FIRST>
TV_DEVICE u32 window(const u32* x) {
    if constexpr (FIRST < 0) return x[0] << -FIRST;
    else if constexpr (FIRST % 32 == 0) return FIRST / 32 < WORDS ? x[FIRST / 32 < WORDS ? FIRST / 32 : 0] : 0;
    else if constexpr (FIRST / 32 + 1 < WORDS) return funnel_right(x[FIRST / 32], x[FIRST / 32 + 1], FIRST % 32);
    else return FIRST / 32 < WORDS ? x[FIRST / 32 < WORDS ? FIRST / 32 : 0] >> FIRST % 32 : 0;
}
// The byte that begins at a bit of the stream: a window that as many others as possible share, and the byte's place in it.
template <s32 START>
struct Byte {
    static constexpr s32 SHIFT = (START % 8 + 8) % 8;
    static constexpr s32 WINDOW = (START - SHIFT < 0 ? -32 : (START - SHIFT) / 32 * 32) + SHIFT;
    static constexpr u32 PLACE = u32(START - WINDOW) / 8;
};
// Two bytes of the stream, each in both bytes of its half.
template <s32 WORDS, s32 LOW, s32 HIGH>
TV_DEVICE u32 two_bytes(const u32* x) {
    constexpr u32 selector = Byte<LOW>::PLACE * 0x11u + (4 + Byte<HIGH>::PLACE) * 0x1100u;
    return prmt(window<WORDS, Byte<LOW>::WINDOW>(x), window<WORDS, Byte<HIGH>::WINDOW>(x), selector);
}

// f16 or bf16 as the codes of constants, and their arithmetic on pairs.
template <class T>
constexpr u32 code_of_power(s32 exponent) { return u32(T::BIAS + exponent) << T::MANTISSA; }
template <class T>
constexpr u32 code_of_integer(u32 number, u32 exponent = 0) {
    return number >> (exponent + 1) ? code_of_integer<T>(number, exponent + 1)
                                    : code_of_power<T>(s32(exponent)) | ((number << T::MANTISSA >> exponent) - (1u << T::MANTISSA));
}
template <class T>
constexpr bool PAIRS = IS_F16<T>;
#if TV_ARCHITECTURE >= 800
template <>
constexpr bool PAIRS<Float<16, 8, 7, 127, true, Specials::IEEE>> = true;
#endif
template <class T>
TV_DEVICE u32 fma_pair(u32 a, u32 b, u32 c) {
#if TV_ARCHITECTURE >= 800
    if constexpr (IS_BF16<T>) return fma_bf16x2(a, b, c);
#endif
    return fma_f16x2(a, b, c);
}
template <class T>
TV_DEVICE u32 sub_pair(u32 a, u32 b) {
#if TV_ARCHITECTURE >= 800
    if constexpr (IS_BF16<T>) return sub_bf16x2(a, b);
#endif
    return sub_f16x2(a, b);
}
template <class T>
TV_DEVICE u32 mul_pair(u32 a, u32 b) {
#if TV_ARCHITECTURE >= 800
    if constexpr (IS_BF16<T>) return mul_bf16x2(a, b);
#endif
    return mul_f16x2(a, b);
}

// The bit of its byte at which code number SLOT lies: where it is in the stream if it fits there, else the lowest.
template <class S, class T>
constexpr s32 bit_of(s32 slot) {
    const s32 bit = slot * s32(S::BITS) % 8, end = T::MANTISSA < 8 ? s32(T::MANTISSA) : 8;
    return bit + s32(S::BITS) <= end ? bit : 0;
}
template <class S, class T, s32 WORDS, s32 SLOT>
TV_DEVICE u32 integers_widened(const u32* x) {
    constexpr s32 BITS = S::BITS, LOW = bit_of<S, T>(SLOT), HIGH = bit_of<S, T>(SLOT + 1);
    constexpr u32 ONES = (1u << BITS) - 1, HALF = S::SIGNED ? 1u << (BITS - 1) : 0;
    constexpr u32 mask = ONES << LOW | ONES << HIGH << 16;
    constexpr u32 magic = code_of_power<T>(T::MANTISSA) * 0x10001u ^ (HALF << LOW | HALF << HIGH << 16);
    const u32 placed = lop3<0x6A>(two_bytes<WORDS, SLOT * BITS - LOW, (SLOT + 1) * BITS - HIGH>(x), mask, magic);
    constexpr u32 low = code_of_integer<T>((1u << (T::MANTISSA - LOW)) + HALF);
    constexpr u32 high = code_of_integer<T>((1u << (T::MANTISSA - HIGH)) + HALF);
    constexpr u32 scale = code_of_power<T>(-LOW) | code_of_power<T>(-HIGH) << 16;
    if constexpr (LOW == 0 && HIGH == 0) return sub_pair<T>(placed, low | high << 16);
    else return fma_pair<T>(placed, scale, low | high << 16 | 0x80008000u);
}

template <class S, class T, s32 WORDS, s32 SLOT>
TV_DEVICE u32 floats_widened(const u32* x) {
    constexpr s32 BITS = S::BITS, SHIFT = s32(T::EXPONENT) - s32(S::EXPONENT);
    const u32 codes = two_bytes<WORDS, (SLOT + 1) * BITS - 8, (SLOT + 2) * BITS - 8>(x);
    constexpr u32 mask = (S::ONES << (16 - BITS) >> SHIFT) * 0x10001u;
    if constexpr (SHIFT == 0) return codes & (mask | 0x80008000u);
    else {
        const u32 magnitude = codes >> SHIFT & mask;
        const u32 placed = lop3<0xEA>(codes, 0x80008000u, magnitude);
        const u32 value = mul_pair<T>(placed, code_of_power<T>(T::BIAS - S::BIAS) * 0x10001u);
        if constexpr (S::SPECIALS != Specials::FN) return value;
        // All ones, which are NaN, and one more carry into the bit above them.
        constexpr u32 one = (1u << (16 - BITS) >> SHIFT) * 0x10001u;
        const u32 carried = (magnitude + one) >> (15 - SHIFT) & 0x00010001u;
        return value | carried * 0x7FFFu;
    }
}

// By f32: integers of eight bits, which the mantissa of bf16 does not hold beside a power of two, and where there is no
// arithmetic of bf16. What is cut off is 0.
template <class S, s32 WORDS, s32 SLOT>
TV_DEVICE u32 upper_halves(const u32* x) {
    float number[2] = {};
    if constexpr (S::KIND == Kind::INTEGER && S::BITS == 8) {
        constexpr u32 selector = 0x7540u + SLOT % 4;
        const u32 word = x[SLOT / 4] ^ (S::SIGNED ? 0x80808080u : 0);
        number[0] = sub(as_f32(prmt(word, 0x4B000000u, selector)), S::SIGNED ? 8388736.0f : 8388608.0f);
        number[1] = sub(as_f32(prmt(word, 0x4B000000u, selector + 1)), S::SIGNED ? 8388736.0f : 8388608.0f);
    } else {
        constexpr u32 mask = (1u << S::BITS) - 1;
        number[0] = decode_f32<S>(window<WORDS, SLOT * s32(S::BITS)>(x) & mask);
        number[1] = decode_f32<S>(window<WORDS, (SLOT + 1) * s32(S::BITS)>(x) & mask);
    }
    return prmt(as_u32(number[0]), as_u32(number[1]), 0x7632u);
}

template <class S, class T, s32 SLOTS, s32 WORD>
TV_DEVICE void widen_from(u32* z, const u32* x) {
    if constexpr (2 * WORD < SLOTS) {
        constexpr s32 WORDS = (SLOTS * s32(S::BITS) + 31) / 32;
        if constexpr (IS_BF16<T> && (!PAIRS<T> || (S::KIND == Kind::INTEGER && S::BITS == 8)))
            z[WORD] = upper_halves<S, WORDS, 2 * WORD>(x);
        else if constexpr (S::KIND == Kind::INTEGER) z[WORD] = integers_widened<S, T, WORDS, 2 * WORD>(x);
        else z[WORD] = floats_widened<S, T, WORDS, 2 * WORD>(x);
        widen_from<S, T, SLOTS, WORD + 1>(z, x);
    }
}

// Every element of a tile of S as one of T, f16 or bf16.
template <class S, class T, s32 SLOTS>
TV_DEVICE void cast_pairs(u32* z, const u32* x) {
    // Words repeat their pattern after as many as there are bits in a code, so that the steps of a part serve all.
    constexpr s32 PART = 32, PARTS = SLOTS / PART, REST = SLOTS % PART;
    TV_UNROLL for (s32 i = 0; i < PARTS; i++) widen_from<S, T, PART, 0>(z + i * (PART / 2), x + i * s32(S::BITS));
    if constexpr (REST > 0) widen_from<S, T, REST, 0>(z + PARTS * (PART / 2), x + PARTS * s32(S::BITS));
}
template <class S, class T, s32 SLOTS>
TV_DEVICE void cast_pairs(u32* z, const float* x) {
    TV_UNROLL for (s32 i = 0; i < (SLOTS + 1) / 2; i++) {
        const float low = x[2 * i], high = 2 * i + 1 < SLOTS ? x[2 * i + 1] : 0.0f;
        z[i] = IS_F16<T> ? f32_to_f16x2(low, high) : f32_to_bf16x2(low, high);
    }
}

}  // namespace tv
