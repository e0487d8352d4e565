// Atomics of every type on global memory and on shared: each thread applies one operation to the element i % n, and the
// block gives the elements, what each thread got, and when its turn was. In shared memory the elements are brought from `values` and back.

TV_DEVICE void from_code(tv::u32& x, tv::u64 code) { x = tv::u32(code); }
TV_DEVICE void from_code(tv::s32& x, tv::u64 code) { x = tv::s32(code); }
TV_DEVICE void from_code(tv::u64& x, tv::u64 code) { x = code; }
TV_DEVICE void from_code(tv::s64& x, tv::u64 code) { x = tv::s64(code); }
TV_DEVICE void from_code(float& x, tv::u64 code) { x = tv::as_f32(tv::u32(code)); }
TV_DEVICE void from_code(double& x, tv::u64 code) { x = tv::as_f64(code); }
TV_DEVICE tv::u64 to_code(tv::u32 x) { return x; }
TV_DEVICE tv::u64 to_code(tv::s32 x) { return tv::u32(x); }
TV_DEVICE tv::u64 to_code(tv::u64 x) { return x; }
TV_DEVICE tv::u64 to_code(tv::s64 x) { return tv::u64(x); }
TV_DEVICE tv::u64 to_code(float x) { return tv::as_u32(x); }
TV_DEVICE tv::u64 to_code(double x) { return tv::as_u64(x); }

TV_DEVICE tv::u64 load_code(const tv::u64* p) {
    tv::u32 v[2];
    tv::load_global_u32x2(v, p);
    return tv::u64(v[1]) << 32 | v[0];
}
TV_DEVICE void store_code(tv::u64* p, tv::u64 code) {
    const tv::u32 v[2] = {tv::u32(code), tv::u32(code >> 32)};
    tv::store_global_u32x2(p, v);
}

#define OPERATIONS(prefix, type, p)                                                                             \
    switch (which) {                                                                                            \
        case 0: r = to_code(tv::prefix##add_##type(p, v)); break;                                               \
        case 1: r = to_code(tv::prefix##min_##type(p, v)); break;                                               \
        case 2: r = to_code(tv::prefix##max_##type(p, v)); break;                                               \
        case 3: r = to_code(tv::prefix##exchange_##type(p, v)); break;                                          \
        case 4: r = to_code(tv::prefix##cas_##type(p, wanted, v)); break;                                       \
    }
// `bytes` of elements in shared memory, moved by 4.
#define ATOMIC(type, T, BYTES)                                                                                  \
    TV_KERNEL(atomic_##type, 64, tv::u8* data, const tv::u64* values, const tv::u64* expected, tv::u64* old,    \
              tv::u32* turns, int n, int which, int shared) {                                                   \
        const tv::u32 t = tv::thread_index(), s = TV_SHARED(256), place = t % tv::u32(n) * BYTES;               \
        T v, wanted;                                                                                            \
        from_code(v, load_code(values + t));                                                                    \
        from_code(wanted, load_code(expected + t));                                                             \
        tv::u64 r = 0;                                                                                          \
        if (shared) {                                                                                           \
            tv::store_shared_u32(s + 4 * t, tv::load_global_u32(data + 4 * t));                                 \
            tv::sync();                                                                                         \
            tv::store_global_u32(turns + 1 + t, tv::atomic_add_u32(turns, 1));                                  \
            OPERATIONS(atomic_shared_, type, s + place)                                                         \
            tv::sync();                                                                                         \
            tv::store_global_u32(data + 4 * t, tv::load_shared_u32(s + 4 * t));                                 \
        } else {                                                                                                \
            tv::store_global_u32(turns + 1 + t, tv::atomic_add_u32(turns, 1));                                  \
            OPERATIONS(atomic_, type, data + place)                                                             \
        }                                                                                                       \
        store_code(old + t, r);                                                                                 \
    }
ATOMIC(u32, tv::u32, 4)
ATOMIC(s32, tv::s32, 4)
ATOMIC(u64, tv::u64, 8)
ATOMIC(s64, tv::s64, 8)
ATOMIC(f32, float, 4)
ATOMIC(f64, double, 8)
ATOMIC(f16, tv::u32, 2)
ATOMIC(bf16, tv::u32, 2)
ATOMIC(u16, tv::u32, 2)
ATOMIC(s16, tv::u32, 2)
ATOMIC(u8, tv::u32, 1)
ATOMIC(s8, tv::u32, 1)

// Each thread enters alone what a flag in shared memory guards, and leaves it by writing the flag.
TV_KERNEL(lock, 64, tv::u32* y) {
    const tv::u32 t = tv::thread_index(), s = TV_SHARED(8);
    if (t < 2) tv::store_shared_u32(s + 4 * t, 0);
    tv::sync();
    for (int done = 0; !done;) {
        if (tv::atomic_shared_cas_u32(s, 0, t + 1) == 0) {
            tv::store_global_u32(y + tv::atomic_shared_add_u32(s + 4, 1), t);
            tv::atomic_shared_exchange_u32(s, 0);
            done = 1;
        }
    }
}
