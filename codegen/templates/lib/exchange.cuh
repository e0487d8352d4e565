// What templates use to bring numbers of any width from thread to thread. Plain C++17 over the intrinsics, the same on
// both sides.

namespace tv {

// A number of 32 or 64 bits as words, and back.

TV_DEVICE void to_words(u32* words, u32 x) { words[0] = x; }
TV_DEVICE void to_words(u32* words, s32 x) { words[0] = u32(x); }
TV_DEVICE void to_words(u32* words, float x) { words[0] = as_u32(x); }
TV_DEVICE void to_words(u32* words, u64 x) { words[0] = u32(x), words[1] = u32(x >> 32); }
TV_DEVICE void to_words(u32* words, s64 x) { to_words(words, u64(x)); }
TV_DEVICE void to_words(u32* words, double x) { to_words(words, as_u64(x)); }
TV_DEVICE void from_words(const u32* words, u32& x) { x = words[0]; }
TV_DEVICE void from_words(const u32* words, s32& x) { x = s32(words[0]); }
TV_DEVICE void from_words(const u32* words, float& x) { x = as_f32(words[0]); }
TV_DEVICE void from_words(const u32* words, u64& x) { x = u64(words[1]) << 32 | words[0]; }
TV_DEVICE void from_words(const u32* words, s64& x) { x = s64(u64(words[1]) << 32 | words[0]); }
TV_DEVICE void from_words(const u32* words, double& x) { x = as_f64(u64(words[1]) << 32 | words[0]); }

// What the lane has that differs from the own one in the bits `by`.
template <class T>
TV_DEVICE T swap_lanes(T x, u32 by) {
    u32 words[sizeof(T) / 4];
    to_words(words, x);
    TV_UNROLL for (u32 i = 0; i < sizeof(T) / 4; i++) words[i] = shuffle_xor(words[i], by);
    T result;
    from_words(words, result);
    return result;
}

// Words of a thread in shared memory: of 1 or 2 bytes, of one word, or of 2 or 4 words in one access.

template <u32 BYTES>
TV_DEVICE void store_cell(u32 address, const u32* words) {
    static_assert(BYTES == 1 || BYTES == 2 || BYTES == 4 || BYTES == 8 || BYTES == 16);
    if (BYTES == 1) store_shared_u8(address, words[0]);
    else if (BYTES == 2) store_shared_u16(address, words[0]);
    else if (BYTES == 4) store_shared_u32(address, words[0]);
    else if (BYTES == 8) store_shared_u32x2(address, words);
    else store_shared_u32x4(address, words);
}
template <u32 BYTES>
TV_DEVICE void load_cell(u32* words, u32 address) {
    static_assert(BYTES == 1 || BYTES == 2 || BYTES == 4 || BYTES == 8 || BYTES == 16);
    if (BYTES == 1) words[0] = load_shared_u8(address);
    else if (BYTES == 2) words[0] = load_shared_u16(address);
    else if (BYTES == 4) words[0] = load_shared_u32(address);
    else if (BYTES == 8) load_shared_u32x2(words, address);
    else load_shared_u32x4(words, address);
}
template <class T>
TV_DEVICE void store_number(u32 address, T x) {
    u32 words[sizeof(T) / 4];
    to_words(words, x);
    store_cell<sizeof(T)>(address, words);
}
template <class T>
TV_DEVICE T load_number(u32 address) {
    u32 words[sizeof(T) / 4];
    load_cell<sizeof(T)>(words, address);
    T result;
    from_words(words, result);
    return result;
}

// Of the type of the argument: the number that changes no sum, the least and the greatest, and the numbers that change
// no maximum and no minimum, as NaN is one.

#define TV_RANGE(T, zero, low, high, below, above)      \
    TV_DEVICE T nothing(T) { return zero; }             \
    TV_DEVICE T lowest(T) { return low; }               \
    TV_DEVICE T highest(T) { return high; }             \
    TV_DEVICE T below_all(T) { return below; }          \
    TV_DEVICE T above_all(T) { return above; }
#define TV_INTEGER_RANGE(T, low, high) TV_RANGE(T, 0, low, high, low, high)
TV_INTEGER_RANGE(u32, 0, 0xFFFFFFFFu)
TV_INTEGER_RANGE(s32, s32(0x80000000u), 0x7FFFFFFF)
TV_INTEGER_RANGE(u64, 0, 0xFFFFFFFFFFFFFFFFull)
TV_INTEGER_RANGE(s64, s64(0x8000000000000000ull), 0x7FFFFFFFFFFFFFFFll)
TV_RANGE(float, as_f32(0x80000000u), as_f32(0xFF800000u), as_f32(0x7F800000u), as_f32(0x7FC00000u), as_f32(0x7FC00000u))
TV_RANGE(double, as_f64(0x8000000000000000ull), as_f64(0xFFF0000000000000ull), as_f64(0x7FF0000000000000ull),
         as_f64(0x7FF8000000000000ull), as_f64(0x7FF8000000000000ull))
#undef TV_INTEGER_RANGE
#undef TV_RANGE
enum : s32 { NOWHERE = 0x7FFFFFFF };

// The best number so far and its place: of equal ones the first, and never NaN.
template <class T>
TV_DEVICE void keep_largest(T& best, s32& place, T x, s32 where) {
    const bool better = x > best || (x == best && where < place);
    best = better ? x : best;
    place = better ? where : place;
}
template <class T>
TV_DEVICE void keep_smallest(T& best, s32& place, T x, s32 where) {
    const bool better = x < best || (x == best && where < place);
    best = better ? x : best;
    place = better ? where : place;
}

}  // namespace tv
