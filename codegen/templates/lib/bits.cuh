// Elements that share their bytes with others, and swizzled addresses.

// Loops over accesses to memory: unrolled on a device, where registers are indexed by constants; the simulator checks each
// access, so that unrolling it would make nothing faster but compilation slower.
#ifdef __CUDA_ARCH__
#define TV_UNROLL_ACCESSES TV_UNROLL
#else
#define TV_UNROLL_ACCESSES
#endif

namespace tv {

// The BITS bits from bit `first` (0 to 7) of a place on; `load(k, active)` gives byte k of the place, and is only asked
// actively for bytes that hold some of the bits.
template <u32 BITS, class Load>
TV_DEVICE u64 load_bits(u32 first, Load load) {
    constexpr u32 BYTES = (BITS + 14) / 8, LOW = BYTES < 8 ? BYTES : 8;
    u64 held = 0;
    TV_UNROLL for (u32 k = 0; k < LOW; k++) held |= u64(load(k, 8 * k < first + BITS)) << 8 * k;
    held >>= first;
    if (BYTES > 8) held |= u64(load(8u, 64 < first + BITS)) << 1 << (63 - first);
    return held & (0xFFFFFFFFFFFFFFFFull >> (64 - BITS));
}

// Puts BITS bits at bit `first` (0 to 7) of a place; `change(k, mask, code)` replaces the masked bits of byte k.
template <u32 BITS, class Change>
TV_DEVICE void store_bits(u32 first, u64 code, Change change) {
    constexpr u32 BYTES = (BITS + 14) / 8;
    constexpr u64 ALL = 0xFFFFFFFFFFFFFFFFull >> (64 - BITS);
    TV_UNROLL for (u32 k = 0; k < BYTES; k++) {
        if (8 * k >= first + BITS) break;
        const u32 mask = k ? u32(ALL >> (8 * k - first)) & 0xFF : u32(ALL << first) & 0xFF;
        change(k, mask, (k ? u32(code >> (8 * k - first)) : u32(code << first)) & mask);
    }
}
template <u32 BITS>
TV_DEVICE u64 load_bits_global(const u8* p, u64 bit, bool active) {
    return load_bits<BITS>(u32(bit & 7), [=](u32 k, bool held) { return load_global_u8(p + (bit >> 3) + k, active && held); });
}
template <u32 BITS>
TV_DEVICE u64 load_bits_shared(u32 address, u32 bit) {
    return load_bits<BITS>(bit & 7, [=](u32 k, bool held) { return held ? load_shared_u8(address + (bit >> 3) + k) : 0u; });
}
// Other threads may write the other bits of a byte at the same time, so each byte is changed indivisibly.
template <u32 BITS>
TV_DEVICE void store_bits_global(u8* p, u64 bit, u64 code, bool active) {
    if (active)
        store_bits<BITS>(u32(bit & 7), code, [=](u32 k, u32 mask, u32 part) {
            atomic_change<8>(p + (bit >> 3) + k, [=](u32 old) { return (old & ~mask) | part; });
        });
}
template <u32 BITS>
TV_DEVICE void store_bits_shared(u32 address, u32 bit, u64 code, bool active) {
    if (active)
        store_bits<BITS>(bit & 7, code, [=](u32 k, u32 mask, u32 part) {
            atomic_shared_change<8>(address + (bit >> 3) + k, [=](u32 old) { return (old & ~mask) | part; });
        });
}

// A hint that a line will be read.
TV_DEVICE void prefetch_l2(const void* p) {
#ifdef __CUDA_ARCH__
    asm volatile("prefetch.global.L2 [%0];" ::"l"(p));
#else
    (void)p;
#endif
}

// An offset with the masked bits flipped onto those that lie DISTANCE below them.
template <u64 MASK, int DISTANCE, class T>
TV_DEVICE T flipped(T offset) {
    if constexpr (DISTANCE >= 0) return offset ^ (offset & T(MASK)) >> DISTANCE;
    else return offset ^ (offset & T(MASK)) << -DISTANCE;
}

}  // namespace tv
