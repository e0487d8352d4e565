// What templates use of C++ that is the same on both sides: elements of packed tiles, integers without undefined
// behaviour, random bits.

namespace tv {

// Packed tiles: element i is at bits [i * BITS, (i + 1) * BITS) of a dense little-endian stream of words, so it may lie
// in two of them. Where i is constant once loops are unrolled, so is everything but the words.

template <u32 BITS>
TV_DEVICE u32 get(const u32* words, u32 i) {
    static_assert(1 <= BITS && BITS < 32);
    const u32 word = i * BITS / 32, first = i * BITS % 32;
    u32 code = words[word] >> first;
    if (32 % BITS != 0 && first + BITS > 32) code |= words[word + 1] << (32 - first);
    return code & (0xFFFFFFFFu >> (32 - BITS));
}
template <u32 BITS>
TV_DEVICE void put(u32* words, u32 i, u32 code) {
    static_assert(1 <= BITS && BITS < 32);
    constexpr u32 MASK = 0xFFFFFFFFu >> (32 - BITS);
    const u32 word = i * BITS / 32, first = i * BITS % 32;
    words[word] = (words[word] & ~(MASK << first)) | (code & MASK) << first;
    if (32 % BITS != 0 && first + BITS > 32)
        words[word + 1] = (words[word + 1] & ~(MASK >> (32 - first))) | (code & MASK) >> (32 - first);
}

// Integers. They wrap; what C++ leaves undefined is as the machine has it: a division by zero gives 0, the least integer
// divided by -1 is itself, and a shift by the width or more, the count taken as unsigned, moves every bit out.

#define TV_INTEGER(S, U)                                                                  \
    TV_DEVICE S add(S a, S b) { return S(U(a) + U(b)); }                                  \
    TV_DEVICE S sub(S a, S b) { return S(U(a) - U(b)); }                                  \
    TV_DEVICE S mul(S a, S b) { return S(U(a) * U(b)); }                                  \
    TV_DEVICE S neg(S x) { return S(U(0) - U(x)); }                                       \
    TV_DEVICE S min(S a, S b) { return b < a ? b : a; }                                   \
    TV_DEVICE S max(S a, S b) { return b > a ? b : a; }                                   \
    TV_DEVICE S shl(S a, S b) { return U(b) < 8 * sizeof(S) ? S(U(a) << U(b)) : S(0); }
#define TV_SIGNED(S, U)                                                                   \
    TV_INTEGER(S, U)                                                                      \
    TV_DEVICE S abs(S x) { return x < 0 ? neg(x) : x; }                                   \
    TV_DEVICE S shr(S a, S b) { return a >> (U(b) < 8 * sizeof(S) ? U(b) : U(8 * sizeof(S) - 1)); } \
    TV_DEVICE S floor_div(S a, S b) {                                                     \
        if (b == 0 || b == -1) return b == 0 ? S(0) : neg(a);                             \
        const S quotient = a / b, rest = a - quotient * b;                                \
        return quotient - S(rest != 0 && (rest ^ b) < 0);                                 \
    }                                                                                     \
    TV_DEVICE S cdiv(S a, S b) {                                                          \
        if (b == 0 || b == -1) return b == 0 ? S(0) : neg(a);                             \
        const S quotient = a / b, rest = a - quotient * b;                                \
        return quotient + S(rest != 0 && (rest ^ b) >= 0);                                \
    }                                                                                     \
    TV_DEVICE S rem(S a, S b) {                                                           \
        if (b == 0 || b == -1) return 0;                                                  \
        const S rest = a % b;                                                             \
        return rest != 0 && (rest ^ b) < 0 ? rest + b : rest;                             \
    }
#define TV_UNSIGNED(U)                                                                    \
    TV_INTEGER(U, U)                                                                      \
    TV_DEVICE U abs(U x) { return x; }                                                    \
    TV_DEVICE U shr(U a, U b) { return b < 8 * sizeof(U) ? a >> b : U(0); }               \
    TV_DEVICE U floor_div(U a, U b) { return b == 0 ? U(0) : a / b; }                     \
    TV_DEVICE U cdiv(U a, U b) { return b == 0 ? U(0) : a / b + U(a % b != 0); }          \
    TV_DEVICE U rem(U a, U b) { return b == 0 ? U(0) : a % b; }
TV_SIGNED(s32, u32)
TV_SIGNED(s64, u64)
TV_UNSIGNED(u32)
TV_UNSIGNED(u64)
#undef TV_INTEGER
#undef TV_SIGNED
#undef TV_UNSIGNED

// The first word of Philox4x32-10 for the counter (low, high, 0, 0) of a place and the key (low, high) of a seed. Salmon
// et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
TV_DEVICE u32 philox(u64 place, u64 seed) {
    u32 a = u32(place), b = u32(place >> 32), c = 0, d = 0, low = u32(seed), high = u32(seed >> 32);
    TV_UNROLL for (u32 step = 0; step < 10; step++) {
        const u64 first = mul_wide_u32(a, 0xD2511F53u), second = mul_wide_u32(c, 0xCD9E8D57u);
        a = u32(second >> 32) ^ b ^ low;
        c = u32(first >> 32) ^ d ^ high;
        b = u32(second);
        d = u32(first);
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    return a;
}

}  // namespace tv
