// Tiles are narrowed: two numbers at once where one instruction rounds, cuts or packs two. `number(i)` gives number i of a
// tile as f32, for an i that is constant once loops are unrolled.

namespace tv {

// Every element of a tile of f32 numbers as one of T, f16 or bf16: one instruction rounds two into the halves of a word.
template <class T, s32 SLOTS>
TV_DEVICE void cast_pairs(u32* z, const float* x) {
    TV_UNROLL for (s32 i = 0; i < (SLOTS + 1) / 2; i++) {
        const float low = x[2 * i], high = 2 * i + 1 < SLOTS ? x[2 * i + 1] : 0.0f;
        z[i] = IS_F16<T> ? f32_to_f16x2(low, high) : f32_to_bf16x2(low, high);
    }
}

// The same of other numbers that are in f32.
template <class T, s32 SLOTS, class Number>
TV_DEVICE void narrow_to_pairs(u32* z, Number number) {
    TV_UNROLL for (s32 i = 0; i < SLOTS; i += 2) {
        const float low = number(i), high = i + 1 < SLOTS ? number(i + 1) : 0.0f;
        z[i / 2] = IS_F16<T> ? f32_to_f16x2(low, high) : f32_to_bf16x2(low, high);
    }
}

// Two integers, cut to the range of T, below others, which move up. PTX ISA, "cvt.pack".
template <class T>
TV_DEVICE u32 pack_two(s32 low, s32 high, u32 others) {
    static_assert(T::BITS == 2 || T::BITS == 4 || T::BITS == 8);
#ifdef __CUDA_ARCH__
#define TV_PACK(type) asm("cvt.pack.sat." type ".s32.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(high), "r"(low), "r"(others))
    u32 r;
    if constexpr (T::BITS == 8 && T::SIGNED) TV_PACK("s8");
    else if constexpr (T::BITS == 8) TV_PACK("u8");
    else if constexpr (T::BITS == 4 && T::SIGNED) TV_PACK("s4");
    else if constexpr (T::BITS == 4) TV_PACK("u4");
    else if constexpr (T::SIGNED) TV_PACK("s2");
    else TV_PACK("u2");
    return r;
#undef TV_PACK
#else
    constexpr s32 MOST = (1 << (T::BITS - T::SIGNED)) - 1, LEAST = T::SIGNED ? -MOST - 1 : 0;
    const u32 a = low_bits<T::BITS>(u32(max(min(low, MOST), LEAST))), b = low_bits<T::BITS>(u32(max(min(high, MOST), LEAST)));
    return others << 2 * T::BITS | b << T::BITS | a;
#endif
}

// A tile of integers of 2, 4 or 8 bits, saturated.
template <class T, Rounding ROUNDING, s32 SLOTS, class Number>
TV_DEVICE void narrow_to_integers(u32* z, Number number) {
    constexpr s32 EACH = 32 / T::BITS;
    TV_UNROLL for (s32 word = 0; word < (SLOTS + EACH - 1) / EACH; word++) {
        u32 held = 0;
        TV_UNROLL for (s32 i = EACH - 2; i >= 0; i -= 2) {
            const s32 at = word * EACH + i;
            const s32 low = at < SLOTS ? f32_to_s32<ROUNDING>(number(at)) : 0;
            const s32 high = at + 1 < SLOTS ? f32_to_s32<ROUNDING>(number(at + 1)) : 0;
            held = pack_two<T>(low, high, held);
        }
        z[word] = held;
    }
}

// A tile of floats that the architecture converts two at once, nearest even and saturated.
template <class T, s32 SLOTS, class Number>
TV_DEVICE void narrow_to_floats(u32* z, Number number) {
    constexpr u32 BITS = T::BITS;
    TV_UNROLL for (s32 i = 0; i + 1 < SLOTS; i += 2) {
        u32 two;
        if constexpr (CONVERTED<T>) {
            two = convert_pair<T>(number(i), number(i + 1));
            if constexpr (BITS == 6) two = (two & 0x3F) | (two >> 2 & 0xFC0);
        } else {
            two = encode_by_a_sum<T, true>(number(i)) | encode_by_a_sum<T, true>(number(i + 1)) << BITS;
        }
        put<2 * BITS>(z, i / 2, two);
    }
    if constexpr (SLOTS % 2) put<BITS>(z, SLOTS - 1, cast<Float<32, 8, 23, 127, true, Specials::IEEE>, T, Round::NEAREST_EVEN, true>(number(SLOTS - 1)));
}

}  // namespace tv
