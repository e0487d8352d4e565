// Atomics on numbers of 8 and 16 bits, given and returned as codes: add, min, max, exchange and cas of f16, bf16, s16,
// u16, s8 and u8, on global memory (`atomic_add_f16(p, code)`) and on shared (`atomic_shared_add_f16(address, code)`).
// They are templates of nothing, so that those that a kernel does not use cost no time when it is compiled.

namespace tv {

#define TV_ATOMICS(prefix, Place, type, BITS, number, code)                                                        \
    template <int = 0> TV_DEVICE u32 prefix##add_##type(Place p, u32 v) {                                          \
        return prefix##change<BITS>(p, [=](u32 old) { return u32(code(add(number(old), number(v)))); });           \
    }                                                                                                              \
    template <int = 0> TV_DEVICE u32 prefix##min_##type(Place p, u32 v) {                                          \
        return prefix##change<BITS>(p, [=](u32 old) { return u32(code(min(number(old), number(v)))); });           \
    }                                                                                                              \
    template <int = 0> TV_DEVICE u32 prefix##max_##type(Place p, u32 v) {                                          \
        return prefix##change<BITS>(p, [=](u32 old) { return u32(code(max(number(old), number(v)))); });           \
    }                                                                                                              \
    template <int = 0> TV_DEVICE u32 prefix##exchange_##type(Place p, u32 v) {                                     \
        return prefix##change<BITS>(p, [=](u32) { return v; });                                                    \
    }                                                                                                              \
    template <int = 0> TV_DEVICE u32 prefix##cas_##type(Place p, u32 expected, u32 v) {                            \
        return prefix##change<BITS>(p, [=](u32 old) { return old == low_bits<BITS>(expected) ? v : old; });        \
    }
#define TV_BOTH(type, BITS, number, code)                                                                          \
    TV_ATOMICS(atomic_, void*, type, BITS, number, code)                                                           \
    TV_ATOMICS(atomic_shared_, u32, type, BITS, number, code)
TV_BOTH(f16, 16, f16_to_f32, f32_to_f16)
TV_BOTH(bf16, 16, bf16_to_f32, f32_to_bf16)
TV_BOTH(s16, 16, sign_extend<16>, u32)
TV_BOTH(u16, 16, low_bits<16>, u32)
TV_BOTH(s8, 8, sign_extend<8>, u32)
TV_BOTH(u8, 8, low_bits<8>, u32)
#undef TV_BOTH
#undef TV_ATOMICS

}  // namespace tv
