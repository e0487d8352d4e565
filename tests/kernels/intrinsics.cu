// Each intrinsic alone, in kernels of one warp; `which` chooses among those of one form.

TV_KERNEL(unary, 32, const tv::u32* x, tv::u32* y, int n, int which) {
    for (int i = int(tv::block_index<0>() * 1024 + tv::thread_index()), end = i + 1024; i < end; i += 32) {
        const bool active = i < n;
        const tv::u32 v = tv::load_global_u32(x + i, active);
        const float f = tv::as_f32(v);
        tv::u32 r = 0;
        switch (which) {
            case 0: r = tv::as_u32(tv::f16_to_f32(v)); break;
            case 1: r = tv::f32_to_f16(f); break;
            case 2: r = tv::f32_to_f16<tv::TOWARD_ZERO>(f); break;
            case 3: r = tv::f32_to_f16<tv::DOWN>(f); break;
            case 4: r = tv::f32_to_f16<tv::UP>(f); break;
            case 5: r = tv::as_u32(tv::bf16_to_f32(v)); break;
#if TV_ARCHITECTURE >= 800
            case 6: r = tv::f32_to_bf16(f); break;
            case 7: r = tv::f32_to_bf16<tv::TOWARD_ZERO>(f); break;
            case 8: r = tv::f32_to_tf32(f); break;
            case 25: r = tv::f32_to_bf16x2(f, -f); break;
#endif
            case 9: r = tv::f32_to_s32(f); break;
            case 10: r = tv::f32_to_s32<tv::TOWARD_ZERO>(f); break;
            case 11: r = tv::f32_to_s32<tv::DOWN>(f); break;
            case 12: r = tv::f32_to_s32<tv::UP>(f); break;
            case 13: r = tv::f32_to_u32(f); break;
            case 14: r = tv::as_u32(tv::s32_to_f32(tv::s32(v))); break;
            case 15: r = tv::as_u32(tv::u32_to_f32(v)); break;
            case 16: r = tv::as_u32(tv::exp2_approx(f)); break;
            case 17: r = tv::as_u32(tv::log2_approx(f)); break;
            case 18: r = tv::as_u32(tv::rcp_approx(f)); break;
            case 19: r = tv::as_u32(tv::rsqrt_approx(f)); break;
            case 20: r = tv::as_u32(tv::sqrt(f)); break;
            case 21: r = tv::as_u32(tv::sin_approx(f)); break;
            case 22: r = tv::as_u32(tv::cos_approx(f)); break;
            case 23: r = tv::as_u32(tv::tanh_approx(f)); break;
            case 24: r = tv::f32_to_f16x2(f, -f); break;
            case 26: r = tv::as_u32(tv::sqrt_approx(f)); break;
        }
        tv::store_global_u32(y + i, r, active);
    }
}

TV_KERNEL(ternary, 32, const tv::u32* x, tv::u32* y, int n, int which) {
    for (int i = int(tv::thread_index()); i < n; i += 32) {
        const tv::u32 a = tv::load_global_u32(x + i), b = tv::load_global_u32(x + n + i);
        const tv::u32 c = tv::load_global_u32(x + 2 * n + i);
        const float p = tv::as_f32(a), q = tv::as_f32(b), s = tv::as_f32(c);
        tv::u32 r = 0;
        switch (which) {
            case 0: r = tv::lop3<0xEA>(a, b, c); break;
            case 1: r = tv::lop3<0x1D>(a, b, c); break;
            case 2: r = tv::prmt(a, b, c); break;
            case 3: r = tv::funnel_right(a, b, c); break;
            case 4: r = tv::add_f16x2(a, b); break;
            case 5: r = tv::sub_f16x2(a, b); break;
            case 6: r = tv::mul_f16x2(a, b); break;
            case 7: r = tv::fma_f16x2(a, b, c); break;
#if TV_ARCHITECTURE >= 800
            case 8: r = tv::add_bf16x2(a, b); break;
            case 9: r = tv::sub_bf16x2(a, b); break;
            case 10: r = tv::mul_bf16x2(a, b); break;
            case 11: r = tv::fma_bf16x2(a, b, c); break;
#endif
            case 12: r = tv::as_u32(tv::add(p, q)); break;
            case 13: r = tv::as_u32(tv::sub(p, q)); break;
            case 14: r = tv::as_u32(tv::mul(p, q)); break;
            case 15: r = tv::as_u32(tv::div(p, q)); break;
            case 16: r = tv::as_u32(tv::fma(p, q, s)); break;
            case 17: r = tv::as_u32(tv::min(p, q)); break;
            case 18: r = tv::as_u32(tv::max(p, q)); break;
        }
        tv::store_global_u32(y + i, r);
    }
}

TV_DEVICE void from_bits(float& sum, tv::u32 v) { sum = tv::as_f32(v); }
TV_DEVICE void from_bits(tv::s32& sum, tv::u32 v) { sum = tv::s32(v); }
TV_DEVICE tv::u32 to_bits(float v) { return tv::as_u32(v); }
TV_DEVICE tv::u32 to_bits(tv::s32 v) { return tv::u32(v); }

#define SUM(name, C) { \
    C sums[4]; \
    TV_UNROLL for (int r = 0; r < 4; r++) from_bits(sums[r], c[r]); \
    tv::mma_##name(sums, a, b); \
    TV_UNROLL for (int r = 0; r < 4; r++) c[r] = to_bits(sums[r]); }

TV_KERNEL(matrices, 32, const tv::u32* x, tv::u32* y, int which) {
    const tv::u32 lane = tv::lane_index();
    tv::u32 a[4], b[2], c[4];
    tv::load_global_u32x4(a, x + 4 * lane);
    tv::load_global_u32x2<tv::READ_ONLY>(b, x + 128 + 2 * lane);
    tv::load_global_u32x4<tv::READ_ONLY, tv::NO_ALLOCATE>(c, x + 192 + 4 * lane);
#if TV_ARCHITECTURE >= 800
    if (which == 0) SUM(m16n8k16_f16, float)
    if (which == 1) SUM(m16n8k16_bf16, float)
    if (which == 2) SUM(m16n8k8_tf32, float)
    if (which == 3) SUM(m16n8k32_s8_s8, tv::s32)
    if (which == 4) SUM(m16n8k32_u8_u8, tv::s32)
    if (which == 5) SUM(m16n8k32_s8_u8, tv::s32)
    if (which == 6) SUM(m16n8k32_u8_s8, tv::s32)
#endif
#if TV_ARCHITECTURE >= 890
    if (which == 7) SUM(m16n8k32_e4m3_e4m3, float)
    if (which == 8) SUM(m16n8k32_e5m2_e5m2, float)
    if (which == 9) SUM(m16n8k32_e4m3_e5m2, float)
    if (which == 10) SUM(m16n8k32_e5m2_e4m3, float)
#endif
    if (which == 11) SUM(m16n8k8_f16, float)
    if (which == 12) SUM(m8n8k16_s8_s8, tv::s32)
    if (which == 13) SUM(m8n8k16_u8_u8, tv::s32)
    if (which == 14) SUM(m8n8k16_s8_u8, tv::s32)
    if (which == 15) SUM(m8n8k16_u8_s8, tv::s32)
    tv::store_global_u32x4(y + 4 * lane, c);
}

#if TV_ARCHITECTURE >= 800
TV_DEVICE double load_double(const double* p) {
    tv::u32 v[2];
    tv::load_global_u32x2(v, p);
    return tv::as_f64(tv::u64(v[1]) << 32 | v[0]);
}
TV_KERNEL(matrices_f64, 32, const double* x, double* y) {
    const tv::u32 lane = tv::lane_index();
    const double a = load_double(x + lane), b = load_double(x + 32 + lane);
    double c[2] = {load_double(x + 64 + 2 * lane), load_double(x + 65 + 2 * lane)};
    tv::mma_m8n8k4_f64(c, &a, &b);
    TV_UNROLL for (int r = 0; r < 2; r++) {
        const tv::u64 bits = tv::as_u64(c[r]);
        const tv::u32 words[2] = {tv::u32(bits), tv::u32(bits >> 32)};
        tv::store_global_u32x2(y + 2 * lane + r, words);
    }
}
#endif

TV_KERNEL(shuffles, 32, const tv::u32* x, tv::u32* y, int by) {
    const tv::u32 lane = tv::lane_index(), v = tv::load_global_u32(x + lane);
    tv::store_global_u32(y + lane, tv::shuffle(v, lane + tv::u32(by)));
    tv::store_global_u32(y + 32 + lane, tv::shuffle_xor(v, tv::u32(by)));
    tv::store_global_u32(y + 64 + lane, tv::shuffle_up(v, tv::u32(by)));
    tv::store_global_u32(y + 96 + lane, tv::shuffle_down(v, tv::u32(by)));
    tv::store_global_u32(y + 128 + lane, tv::ballot(v & 1));
}

// 2048 bytes of x are brought to shared memory, and from there by ldmatrix, rows at the given offsets.
TV_KERNEL(load_matrices, 32, const tv::u8* x, const tv::u32* offsets, tv::u32* y, int which) {
    const tv::u32 s = TV_SHARED(2048), lane = tv::lane_index();
    TV_UNROLL for (int i = 0; i < 4; i++) {
        tv::u32 v[4];
        tv::load_global_u32x4(v, x + 16 * lane + 512 * i);
        tv::store_shared_u32x4(s + 16 * lane + 512 * i, v);
    }
    tv::sync();
    TV_LINE(7);
    const tv::u32 at = s + tv::load_global_u32(offsets + lane);
    tv::u32 r[4] = {0, 0, 0, 0};
    switch (which) {
        case 0: tv::ldmatrix_x1(r, at); break;
        case 1: tv::ldmatrix_x2(r, at); break;
        case 2: tv::ldmatrix_x4(r, at); break;
        case 3: tv::ldmatrix_x1_trans(r, at); break;
        case 4: tv::ldmatrix_x2_trans(r, at); break;
        case 5: tv::ldmatrix_x4_trans(r, at); break;
    }
    tv::store_global_u32x4(y + 4 * lane, r);
}

TV_KERNEL(store_matrices, 32, const tv::u32* x, const tv::u32* offsets, tv::u32* y, int which) {
    const tv::u32 s = TV_SHARED(512), lane = tv::lane_index();
    tv::u32 r[4];
    tv::load_global_u32x4(r, x + 4 * lane);
    const tv::u32 at = s + tv::load_global_u32(offsets + lane);
#if TV_ARCHITECTURE >= 900
    if (which == 0) tv::stmatrix_x4(at, r);
    if (which == 1) tv::stmatrix_x4_trans(at, r);
#endif
    tv::sync();
    tv::load_shared_u32x4(r, s + 16 * lane);
    tv::store_global_u32x4(y + 4 * lane, r);
}

// One word a lane, at any stride, of 1 to 16 bytes; line 3 stores, line 4 loads.
TV_KERNEL(strided, 32, const tv::u32* x, tv::u32* y, int stride, int bytes) {
    const tv::u32 s = TV_SHARED(32 * 256), lane = tv::lane_index(), at = s + lane * tv::u32(stride);
    tv::u32 v[4];
    tv::load_global_u32x4(v, x + 4 * lane);
    TV_LINE(3);
    if (bytes == 1) tv::store_shared_u8(at, v[0]);
    if (bytes == 2) tv::store_shared_u16(at, v[0]);
    if (bytes == 4) tv::store_shared_u32(at, v[0]);
    if (bytes == 8) tv::store_shared_u32x2(at, v);
    if (bytes == 16) tv::store_shared_u32x4(at, v);
    TV_LINE(4);
    if (bytes == 1) v[0] = tv::load_shared_u8(at);
    if (bytes == 2) v[0] = tv::load_shared_u16(at);
    if (bytes == 4) v[0] = tv::load_shared_u32(at);
    if (bytes == 8) tv::load_shared_u32x2(v, at);
    if (bytes == 16) tv::load_shared_u32x4(v, at);
    TV_LINE(5);
    tv::store_global_u32x4(y + 4 * lane, v);
}

TV_KERNEL(atomics, 64, tv::u32* words, tv::s32* numbers, float* floats, tv::u32* halves) {
    const tv::u32 i = tv::block_index<0>() * 64 + tv::thread_index();
    tv::atomic_add_u32(words, i);
    tv::atomic_min_u32(words + 1, i + 7);
    tv::atomic_max_u32(words + 2, i);
    if (tv::atomic_cas_u32(words + 3, 0, i + 1) == 0) tv::atomic_exchange_u32(words + 4, i);
    tv::atomic_add_s32(numbers, -tv::s32(i));
    tv::atomic_min_s32(numbers + 1, 5 - tv::s32(i));
    tv::atomic_max_s32(numbers + 2, 5 - tv::s32(i));
    const float f = (float(i) - 100.0f) * 0.5f;
    tv::atomic_add_f32(floats, f);
    tv::atomic_min_f32(floats + 1, f);
    tv::atomic_max_f32(floats + 2, f);
    tv::atomic_add_f16x2(halves, 0x3C004000);
}

// Each block waits for the next one, so that they end in the reverse order.
TV_KERNEL(chain, 32, tv::u32* flags, tv::u32* order, int broken) {
    const tv::u32 b = tv::block_index<0>();
    TV_LINE(2);
    if (tv::thread_index() == 0 && b + 1 < tv::grid_size<0>())
        while (tv::load_acquire_u32(flags + b + 1) != 1) {}
    TV_LINE(3);
    tv::sync();
    if (tv::thread_index() == 0) {
        tv::store_global_u32(order + b, tv::atomic_add_u32(flags + tv::grid_size<0>(), 1));
        if (!broken) tv::store_release_u32(flags + b, 1);
    }
}
