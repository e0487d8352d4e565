// Atomics on global and shared memory, and flags.
#pragma once

namespace tv {
namespace host {

template <class T, class Change>
static inline T changed(u8* at, Change change) {
    if (!at) return T(0);
    T old;
    __builtin_memcpy(&old, at, sizeof old);
    const T made = change(old);
    if (__builtin_memcmp(&made, &old, sizeof old)) changes++;
    __builtin_memcpy(at, &made, sizeof made);
    return old;
}
template <class T, class Change>
static inline T atomic(u32 address, Change change) {
    return changed<T>(atomic_place(address, sizeof(T)), change);
}
template <class T, class Change>
static inline T atomic(void* p, Change change) {
    const T old = changed<T>(atomic_place(p, sizeof(T)), change);
    give_way();
    return old;
}

}  // namespace host

#define TV_ATOMICS(prefix, Place, type, T)                                                                   \
    static inline T prefix##add_##type(Place p, T v) {                                                       \
        return host::atomic<T>(p, [=](T x) { return add(x, v); });                                           \
    }                                                                                                        \
    static inline T prefix##min_##type(Place p, T v) {                                                       \
        return host::atomic<T>(p, [=](T x) { return min(x, v); });                                           \
    }                                                                                                        \
    static inline T prefix##max_##type(Place p, T v) {                                                       \
        return host::atomic<T>(p, [=](T x) { return max(x, v); });                                           \
    }                                                                                                        \
    static inline T prefix##exchange_##type(Place p, T v) {                                                  \
        return host::atomic<T>(p, [=](T) { return v; });                                                     \
    }
#define TV_BOTH(type, T)                                                                                     \
    TV_ATOMICS(atomic_, void*, type, T)                                                                      \
    TV_ATOMICS(atomic_shared_, u32, type, T)
TV_BOTH(u32, u32)
TV_BOTH(s32, s32)
TV_BOTH(u64, u64)
TV_BOTH(s64, s64)
TV_BOTH(f32, float)
TV_BOTH(f64, double)
#undef TV_BOTH
#undef TV_ATOMICS

// Compared by bits. Who is refused may be waiting.
template <class T, class Place>
static inline T compare_and_swap(Place p, T expected, T v) {
    const T old = host::atomic<T>(p, [=](T x) { return x == expected ? v : x; });
    if (old != expected) host::poll(u64(p), old);
    return old;
}
#define TV_CAS(prefix, Place)                                                                                \
    static inline u32 prefix##u32(Place p, u32 expected, u32 v) { return compare_and_swap(p, expected, v); } \
    static inline u64 prefix##u64(Place p, u64 expected, u64 v) { return compare_and_swap(p, expected, v); } \
    static inline s32 prefix##s32(Place p, s32 expected, s32 v) {                                            \
        return s32(prefix##u32(p, u32(expected), u32(v)));                                                   \
    }                                                                                                        \
    static inline s64 prefix##s64(Place p, s64 expected, s64 v) {                                            \
        return s64(prefix##u64(p, u64(expected), u64(v)));                                                   \
    }                                                                                                        \
    static inline float prefix##f32(Place p, float expected, float v) {                                      \
        return as_f32(prefix##u32(p, as_u32(expected), as_u32(v)));                                          \
    }                                                                                                        \
    static inline double prefix##f64(Place p, double expected, double v) {                                   \
        return as_f64(prefix##u64(p, as_u64(expected), as_u64(v)));                                          \
    }
TV_CAS(atomic_cas_, void*)
TV_CAS(atomic_shared_cas_, u32)
#undef TV_CAS

static inline u32 atomic_add_f16x2(void* p, u32 v) {
    return host::atomic<u32>(p, [=](u32 x) { return add_f16x2(x, v); });
}

// Changes some of the BITS bits, 8 or 16, at a place; gives the old ones. Those that stay may never have been written.
template <u32 BITS, class Change>
static inline u32 atomic_change(void* p, Change change) {
    if constexpr (BITS == 8) return host::atomic<u8>(p, change);
    else return host::atomic<u16>(p, change);
}
template <u32 BITS, class Change>
static inline u32 atomic_shared_change(u32 address, Change change) {
    if constexpr (BITS == 8) return host::changed<u8>(host::place_of_bits(address, 1), change);
    else return host::changed<u16>(host::place_of_bits(address, 2), change);
}

static inline u32 load_acquire_u32(const void* p) { return host::read_flag(p); }
static inline void store_release_u32(void* p, u32 value) { host::write_flag(p, value); }

}  // namespace tv
