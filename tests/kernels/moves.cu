// Loads, stores and copies of every width and every hint, each with a predicate; `which` counts through widths and hints.

#define WIDTHS(HINT, CACHE, policy, first)                                                              \
    case first + 0:                                                                                        \
        tv::store_global_u8<CACHE>(y + t, tv::load_global_u8<HINT, CACHE>(x + t, in, policy), out, policy); \
        break;                                                                                             \
    case first + 1:                                                                                        \
        v[0] = tv::load_global_u16<HINT, CACHE>(x + 2 * t, in, policy);                                    \
        tv::store_global_u16<CACHE>(y + 2 * t, v[0], out, policy);                                         \
        break;                                                                                             \
    case first + 2:                                                                                        \
        v[0] = tv::load_global_u32<HINT, CACHE>(x + 4 * t, in, policy);                                    \
        tv::store_global_u32<CACHE>(y + 4 * t, v[0], out, policy);                                         \
        break;                                                                                             \
    case first + 3:                                                                                        \
        tv::load_global_u32x2<HINT, CACHE>(v, x + 8 * t, in, policy);                                      \
        tv::store_global_u32x2<CACHE>(y + 8 * t, v, out, policy);                                          \
        break;                                                                                             \
    case first + 4:                                                                                        \
        tv::load_global_u32x4<HINT, CACHE>(v, x + 16 * t, in, policy);                                     \
        tv::store_global_u32x4<CACHE>(y + 16 * t, v, out, policy);                                         \
        break;

// Every fifth thread loads zeros, every seventh stores nothing.
TV_KERNEL(global_moves, 64, const tv::u8* x, tv::u8* y, int which) {
    const tv::u32 t = tv::thread_index();
    const bool in = t % 5 != 0, out = t % 7 != 0;
    tv::u32 v[4] = {0, 0, 0, 0};
    switch (which) {
        WIDTHS(tv::PLAIN, tv::DEFAULT, 0, 0)
        WIDTHS(tv::READ_ONLY, tv::DEFAULT, 0, 5)
        WIDTHS(tv::PLAIN, tv::NO_ALLOCATE, 0, 10)
        WIDTHS(tv::READ_ONLY, tv::NO_ALLOCATE, 0, 15)
    }
}

#if TV_ARCHITECTURE >= 800
TV_KERNEL(kept_moves, 64, const tv::u8* x, tv::u8* y, int which) {
    const tv::u32 t = tv::thread_index();
    const bool in = t % 5 != 0, out = t % 7 != 0;
    const tv::u64 first = tv::cache_policy<tv::EVICT_FIRST>(), last = tv::cache_policy<tv::EVICT_LAST>();
    tv::u32 v[4] = {0, 0, 0, 0};
    switch (which) {
        WIDTHS(tv::PLAIN, tv::EVICT_FIRST, first, 0)
        WIDTHS(tv::READ_ONLY, tv::EVICT_FIRST, first, 5)
        WIDTHS(tv::PLAIN, tv::EVICT_LAST, last, 10)
        WIDTHS(tv::READ_ONLY, tv::EVICT_LAST, last, 15)
    }
}
#endif

// Each thread stores the elements of x where their index is permuted, and the block reads them back in their order.
TV_KERNEL(shared_moves, 64, const tv::u8* x, tv::u8* y, int which) {
    const tv::u32 t = tv::thread_index(), to = t * 37 % 64, s = TV_SHARED(1024);
    tv::u32 v[4] = {0, 0, 0, 0};
    switch (which) {
        case 0: tv::store_shared_u8(s + to, tv::load_global_u8(x + t)); break;
        case 1: tv::store_shared_u16(s + 2 * to, tv::load_global_u16(x + 2 * t)); break;
        case 2: tv::store_shared_u32(s + 4 * to, tv::load_global_u32(x + 4 * t)); break;
        case 3: tv::load_global_u32x2(v, x + 8 * t); tv::store_shared_u32x2(s + 8 * to, v); break;
        case 4: tv::load_global_u32x4(v, x + 16 * t); tv::store_shared_u32x4(s + 16 * to, v); break;
    }
    tv::sync();
    switch (which) {
        case 0: tv::store_global_u8(y + t, tv::load_shared_u8(s + t)); break;
        case 1: tv::store_global_u16(y + 2 * t, tv::load_shared_u16(s + 2 * t)); break;
        case 2: tv::store_global_u32(y + 4 * t, tv::load_shared_u32(s + 4 * t)); break;
        case 3: tv::load_shared_u32x2(v, s + 8 * t); tv::store_global_u32x2(y + 8 * t, v); break;
        case 4: tv::load_shared_u32x4(v, s + 16 * t); tv::store_global_u32x4(y + 16 * t, v); break;
    }
}

#if TV_ARCHITECTURE >= 800
template <tv::u32 BYTES, tv::Cache CACHE = tv::DEFAULT>
TV_DEVICE void fill(const tv::u8* x, tv::u8* y, tv::u64 policy = 0) {
    const tv::u32 t = tv::thread_index(), s = TV_SHARED(1024), there = t % (BYTES + 1);
    tv::cp_async<BYTES, CACHE>(s + BYTES * t, x + BYTES * t, there, policy);
    tv::cp_async_commit();
    tv::cp_async_wait_all();
    tv::sync();
    TV_UNROLL for (tv::u32 i = 0; i < BYTES; i++) {
        tv::store_global_u8(y + i * 64 + t, tv::load_shared_u8(s + i * 64 + t));
    }
}

// Copies of which 0 to all bytes are there, and zeros come for the rest.
TV_KERNEL(filled_copies, 64, const tv::u8* x, tv::u8* y, int bytes) {
    if (bytes == 4) fill<4>(x, y);
    if (bytes == 8) fill<8>(x, y);
    if (bytes == 16) fill<16>(x, y);
    const tv::u64 first = tv::cache_policy<tv::EVICT_FIRST>(), last = tv::cache_policy<tv::EVICT_LAST>();
    if (bytes == -4) fill<4, tv::EVICT_FIRST>(x, y, first);
    if (bytes == -8) fill<8, tv::EVICT_LAST>(x, y, last);
    if (bytes == -16) fill<16, tv::EVICT_FIRST>(x, y, first);
}

template <tv::u32 LATE>
TV_DEVICE void take(tv::u32 s, tv::u32* y) {
    tv::cp_async_wait<LATE>();
    tv::sync();
    const tv::u32 slot = 3 - LATE, t = tv::thread_index();
    tv::store_global_u32(y + 64 * slot + t, tv::load_shared_u32(s + 256 * slot + 4 * (63 - t)));
}

// Four groups of copies, each taken as soon as it has landed, while those after it are under way.
TV_KERNEL(copy_groups, 64, const tv::u32* x, tv::u32* y) {
    const tv::u32 t = tv::thread_index(), s = TV_SHARED(1024);
    TV_UNROLL for (tv::u32 i = 0; i < 4; i++) {
        tv::cp_async<4>(s + 256 * i + 4 * t, x + 64 * i + t);
        tv::cp_async_commit();
    }
    take<3>(s, y);
    take<2>(s, y);
    take<1>(s, y);
    take<0>(s, y);
}
#endif

#if TV_ARCHITECTURE >= 900
TV_KERNEL(matrix_stores, 32, const tv::u32* x, const tv::u32* offsets, tv::u32* y, int which) {
    const tv::u32 s = TV_SHARED(512), lane = tv::lane_index();
    tv::u32 r[4];
    tv::load_global_u32x4(r, x + 4 * lane);
    const tv::u32 at = s + tv::load_global_u32(offsets + lane), zeros[4] = {0, 0, 0, 0};
    tv::store_shared_u32x4(s + 16 * lane, zeros);
    tv::sync();
    switch (which) {
        case 0: tv::stmatrix_x1(at, r); break;
        case 1: tv::stmatrix_x2(at, r); break;
        case 2: tv::stmatrix_x4(at, r); break;
        case 3: tv::stmatrix_x1_trans(at, r); break;
        case 4: tv::stmatrix_x2_trans(at, r); break;
        case 5: tv::stmatrix_x4_trans(at, r); break;
    }
    tv::sync();
    tv::load_shared_u32x4(r, s + 16 * lane);
    tv::store_global_u32x4(y + 4 * lane, r);
}
#endif
