// Atomics, without order, on global memory at the scope of the device and on shared memory; flags, with order.
//
// All return the old number. `atomic_add_f32(p, v)` is on global memory, `atomic_shared_add_f32(address, v)` on shared;
// so it is for add, min, max, exchange and cas of u32, s32, u64, s64, f32 and f64. What is narrower stands in atomics.cuh.
// A float sum in global memory takes subnormal numbers as 0 (PTX ISA, "atom").

namespace tv {

#define TV_ATOMIC(name, instruction, T, constraint)                                                                \
    TV_DEVICE T atomic_##name(void* p, T v) {                                                                      \
        T r;                                                                                                       \
        asm volatile("atom.relaxed.gpu.global." instruction " %0, [%1], %2;"                                       \
                     : "=" constraint(r) : "l"(p), constraint(v) : "memory");                                      \
        return r;                                                                                                  \
    }                                                                                                              \
    TV_DEVICE T atomic_shared_##name(u32 address, T v) {                                                           \
        T r;                                                                                                       \
        asm volatile("atom.relaxed.cta.shared." instruction " %0, [%1], %2;"                                       \
                     : "=" constraint(r) : "r"(address), constraint(v) : "memory");                                \
        return r;                                                                                                  \
    }
#define TV_ATOMIC_CAS(name, instruction, T, constraint)                                                            \
    TV_DEVICE T atomic_##name(void* p, T expected, T v) {                                                          \
        T r;                                                                                                       \
        asm volatile("atom.relaxed.gpu.global." instruction " %0, [%1], %2, %3;"                                   \
                     : "=" constraint(r) : "l"(p), constraint(expected), constraint(v) : "memory");                \
        return r;                                                                                                  \
    }                                                                                                              \
    TV_DEVICE T atomic_shared_##name(u32 address, T expected, T v) {                                               \
        T r;                                                                                                       \
        asm volatile("atom.relaxed.cta.shared." instruction " %0, [%1], %2, %3;"                                   \
                     : "=" constraint(r) : "r"(address), constraint(expected), constraint(v) : "memory");          \
        return r;                                                                                                  \
    }
#define TV_ATOMICS(type, T, sum, bits, constraint)                       \
    TV_ATOMIC(add_##type, "add." sum, T, constraint)                     \
    TV_ATOMIC(exchange_##type, "exch." bits, T, constraint)              \
    TV_ATOMIC_CAS(cas_##type, "cas." bits, T, constraint)
TV_ATOMICS(u32, u32, "u32", "b32", "r")
TV_ATOMICS(s32, s32, "s32", "b32", "r")
TV_ATOMICS(u64, u64, "u64", "b64", "l")
TV_ATOMICS(s64, s64, "u64", "b64", "l")
TV_ATOMICS(f32, float, "f32", "b32", "f")
TV_ATOMICS(f64, double, "f64", "b64", "d")
TV_ATOMIC(min_u32, "min.u32", u32, "r")
TV_ATOMIC(max_u32, "max.u32", u32, "r")
TV_ATOMIC(min_s32, "min.s32", s32, "r")
TV_ATOMIC(max_s32, "max.s32", s32, "r")
TV_ATOMIC(min_u64, "min.u64", u64, "l")
TV_ATOMIC(max_u64, "max.u64", u64, "l")
TV_ATOMIC(min_s64, "min.s64", s64, "l")
TV_ATOMIC(max_s64, "max.s64", s64, "l")
#undef TV_ATOMICS
#undef TV_ATOMIC
#undef TV_ATOMIC_CAS

// The order of floats is that of integers for positive ones and the opposite for negative ones, where a negative NaN is
// the least and a positive one the greatest of all: a NaN that stayed because of that is replaced in a second step.
#define TV_ATOMIC_EXTREMES(prefix, Place)                                                                          \
    TV_DEVICE float prefix##min_f32(Place p, float v) {                                                            \
        const u32 code = as_u32(v);                                                                                \
        if (v != v) return as_f32(prefix##cas_u32(p, 0, 0));                                                       \
        for (;;) {                                                                                                 \
            const u32 old = code >> 31 ? prefix##max_u32(p, code) : u32(prefix##min_s32(p, s32(code)));            \
            if (old <= 0xFF800000 || prefix##cas_u32(p, old, code) == old) return as_f32(old);                     \
        }                                                                                                          \
    }                                                                                                              \
    TV_DEVICE float prefix##max_f32(Place p, float v) {                                                            \
        const u32 code = as_u32(v);                                                                                \
        if (v != v) return as_f32(prefix##cas_u32(p, 0, 0));                                                       \
        for (;;) {                                                                                                 \
            const u32 old = code >> 31 ? prefix##min_u32(p, code) : u32(prefix##max_s32(p, s32(code)));            \
            if (old <= 0x7F800000 || old >> 31 || prefix##cas_u32(p, old, code) == old) return as_f32(old);        \
        }                                                                                                          \
    }                                                                                                              \
    TV_DEVICE double prefix##min_f64(Place p, double v) {                                                          \
        const u64 code = as_u64(v);                                                                                \
        if (v != v) return as_f64(prefix##cas_u64(p, 0, 0));                                                       \
        for (;;) {                                                                                                 \
            const u64 old = code >> 63 ? prefix##max_u64(p, code) : u64(prefix##min_s64(p, s64(code)));            \
            if (old <= 0xFFF0000000000000 || prefix##cas_u64(p, old, code) == old) return as_f64(old);             \
        }                                                                                                          \
    }                                                                                                              \
    TV_DEVICE double prefix##max_f64(Place p, double v) {                                                          \
        const u64 code = as_u64(v);                                                                                \
        if (v != v) return as_f64(prefix##cas_u64(p, 0, 0));                                                       \
        for (;;) {                                                                                                 \
            const u64 old = code >> 63 ? prefix##min_u64(p, code) : u64(prefix##max_s64(p, s64(code)));            \
            if (old <= 0x7FF0000000000000 || old >> 63 || prefix##cas_u64(p, old, code) == old) return as_f64(old);\
        }                                                                                                          \
    }
TV_ATOMIC_EXTREMES(atomic_, void*)
TV_ATOMIC_EXTREMES(atomic_shared_, u32)
#undef TV_ATOMIC_EXTREMES

TV_DEVICE u32 atomic_add_f16x2(void* p, u32 v) {
    u32 r;
    asm volatile("atom.relaxed.gpu.global.add.noftz.f16x2 %0, [%1], %2;" : "=r"(r) : "l"(p), "r"(v) : "memory");
    return r;
}

// Changes the BITS bits, 8 or 16, at a place by compare-and-swap of the word that they are in; gives the old ones.
template <u32 BITS, class Word, class Compare, class Change>
TV_DEVICE u32 atomic_part(Word word, u32 first, Compare compare, Change change) {
    constexpr u32 MASK = (1u << BITS) - 1;
    for (u32 seen = compare(word, 0u, 0u);;) {
        const u32 old = seen >> first & MASK;
        const u32 found = compare(word, seen, (seen & ~(MASK << first)) | (change(old) & MASK) << first);
        if (found == seen) return old;
        seen = found;
    }
}
template <u32 BITS, class Change>
TV_DEVICE u32 atomic_change(void* p, Change change) {
    const u64 at = u64(p);
    return atomic_part<BITS>(reinterpret_cast<u32*>(at & ~3ull), u32(at & 3) * 8,
                             [](u32* word, u32 expected, u32 v) { return atomic_cas_u32(word, expected, v); }, change);
}
template <u32 BITS, class Change>
TV_DEVICE u32 atomic_shared_change(u32 address, Change change) {
    return atomic_part<BITS>(address & ~3u, (address & 3) * 8,
                             [](u32 word, u32 expected, u32 v) { return atomic_shared_cas_u32(word, expected, v); },
                             change);
}

TV_DEVICE u32 load_acquire_u32(const void* p) {
    u32 r;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(r) : "l"(p) : "memory");
    return r;
}
TV_DEVICE void store_release_u32(void* p, u32 value) {
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(p), "r"(value) : "memory");
}

}  // namespace tv
