// kernel matmul(x: bf16[M, K], w: f6e3m2[K, N], scale: bf16[cdiv(K, 128), N], out y: bf16[M, N]):
// For sm_90a: 128 threads a block, 37888 bytes of shared memory.
TV_KERNEL(matmul_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ w, const tv::u8* __restrict__ scale, tv::u8* __restrict__ y, tv::s32 M, tv::s32 K, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(37888);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 26: m = block_index(0) * BM
    #line 26 "examples/matmul.tvm"
    TV_LINE(26);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 m = tv::mul(t, 16);
    // 27: n = block_index(1) * BN
    #line 27 "examples/matmul.tvm"
    TV_LINE(27);
    const tv::s32 t_2 = tv::block_index<1>();
    const tv::s32 n = tv::mul(t_2, 128);
    // 28: acc = zeros(f32, [BM, BN])
    #line 28 "examples/matmul.tvm"
    TV_LINE(28);
    float acc[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc[i_] = 0;
    // 30: a = load(x[m :+ BM, k :+ BK])
    #line 30 "examples/matmul.tvm"
    TV_LINE(30);
    const tv::u32 a = shared + 28672u;
    // 31: b = cast(load(w[k :+ BK, n :+ BN]), A) * load(scale[k // GROUP :+ 1, n :+ BN])
    #line 31 "examples/matmul.tvm"
    TV_LINE(31);
    const tv::u32 w_2 = shared;
    const tv::u32 scale_2 = shared + 36864u;
    // 30: a = load(x[m :+ BM, k :+ BK])
    #line 30 "examples/matmul.tvm"
    TV_LINE(30);
    {
        const tv::u32 index1_ = tv::u32(0) + thread % 8 * 8;
        auto* const source_at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(thread / 8) * (tv::s64(K) * 2) + tv::s64(thread % 8) * 16);
        const tv::u32 target_at_ = a;
        const tv::u32 target_from_ = tv::flipped<896, 3>(tv::u32(thread / 8 * 128 + thread % 8 * 16));
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index1_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_ + target_from_, source_at_, bytes_);
        }
    }
    // 31: b = cast(load(w[k :+ BK, n :+ BN]), A) * load(scale[k // GROUP :+ 1, n :+ BN])
    #line 31 "examples/matmul.tvm"
    TV_LINE(31);
    {
        const tv::u32 index0_ = tv::u32(0) + thread / 2;
        auto* const source_at_ = w + ((tv::s64(n) * 6) / 8 + tv::s64(thread / 2) * ((tv::s64(N) * 3) / 4) + tv::s64(thread % 2) * 48);
        const tv::u32 target_at_ = w_2 + thread / 2 * 112 + thread % 2 * 48;
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
            tv::cp_async<16>(target_at_ + 16, source_at_ + 16, bytes_);
            tv::cp_async<16>(target_at_ + 32, source_at_ + 32, bytes_);
        }
    }
    {
        const tv::u32 index0_ = tv::u32(0);
        auto* const source_at_ = scale + (tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = scale_2 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    // 29: for k in range(0, K, BK, stages=STAGES):
    #line 29 "examples/matmul.tvm"
    TV_LINE(29);
    tv::cp_async_commit();
    // 30: a = load(x[m :+ BM, k :+ BK])
    #line 30 "examples/matmul.tvm"
    TV_LINE(30);
    {
        const tv::u32 index1_ = tv::u32(64) + thread % 8 * 8;
        auto* const source_at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(64) * 2 + tv::s64(thread / 8) * (tv::s64(K) * 2) + tv::s64(thread % 8) * 16);
        const tv::u32 target_at_ = a + tv::s32(1) * 2048;
        const tv::u32 target_from_ = tv::flipped<896, 3>(tv::u32(thread / 8 * 128 + thread % 8 * 16));
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index1_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_ + target_from_, source_at_, bytes_);
        }
    }
    // 31: b = cast(load(w[k :+ BK, n :+ BN]), A) * load(scale[k // GROUP :+ 1, n :+ BN])
    #line 31 "examples/matmul.tvm"
    TV_LINE(31);
    {
        const tv::u32 index0_ = tv::u32(64) + thread / 2;
        auto* const source_at_ = w + ((tv::s64(64) * (tv::s64(N) * 6) + tv::s64(n) * 6) / 8 + tv::s64(thread / 2) * ((tv::s64(N) * 3) / 4) + tv::s64(thread % 2) * 48);
        const tv::u32 target_at_ = w_2 + tv::s32(1) * 7168 + thread / 2 * 112 + thread % 2 * 48;
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
            tv::cp_async<16>(target_at_ + 16, source_at_ + 16, bytes_);
            tv::cp_async<16>(target_at_ + 32, source_at_ + 32, bytes_);
        }
    }
    {
        const tv::u32 index0_ = tv::u32(0);
        auto* const source_at_ = scale + (tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = scale_2 + tv::s32(1) * 256 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    // 29: for k in range(0, K, BK, stages=STAGES):
    #line 29 "examples/matmul.tvm"
    TV_LINE(29);
    tv::cp_async_commit();
    // 30: a = load(x[m :+ BM, k :+ BK])
    #line 30 "examples/matmul.tvm"
    TV_LINE(30);
    {
        const tv::u32 index1_ = tv::u32(128) + thread % 8 * 8;
        auto* const source_at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(128) * 2 + tv::s64(thread / 8) * (tv::s64(K) * 2) + tv::s64(thread % 8) * 16);
        const tv::u32 target_at_ = a + tv::s32(2) * 2048;
        const tv::u32 target_from_ = tv::flipped<896, 3>(tv::u32(thread / 8 * 128 + thread % 8 * 16));
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index1_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_ + target_from_, source_at_, bytes_);
        }
    }
    // 31: b = cast(load(w[k :+ BK, n :+ BN]), A) * load(scale[k // GROUP :+ 1, n :+ BN])
    #line 31 "examples/matmul.tvm"
    TV_LINE(31);
    {
        const tv::u32 index0_ = tv::u32(128) + thread / 2;
        auto* const source_at_ = w + ((tv::s64(128) * (tv::s64(N) * 6) + tv::s64(n) * 6) / 8 + tv::s64(thread / 2) * ((tv::s64(N) * 3) / 4) + tv::s64(thread % 2) * 48);
        const tv::u32 target_at_ = w_2 + tv::s32(2) * 7168 + thread / 2 * 112 + thread % 2 * 48;
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
            tv::cp_async<16>(target_at_ + 16, source_at_ + 16, bytes_);
            tv::cp_async<16>(target_at_ + 32, source_at_ + 32, bytes_);
        }
    }
    {
        const tv::u32 index0_ = tv::u32(1);
        auto* const source_at_ = scale + (tv::s64(1) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = scale_2 + tv::s32(2) * 256 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    // 29: for k in range(0, K, BK, stages=STAGES):
    #line 29 "examples/matmul.tvm"
    TV_LINE(29);
    tv::cp_async_commit();
    // 29: for k in range(0, K, BK, stages=STAGES):
    #line 29 "examples/matmul.tvm"
    TV_LINE(29);
    float acc_2[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc[i_];
    tv::s32 iteration;
    iteration = 0;
    for (tv::s32 k = 0; k < K; k += 64) {
        // 29: for k in range(0, K, BK, stages=STAGES):
        #line 29 "examples/matmul.tvm"
        TV_LINE(29);
        const tv::s32 k_2 = tv::add(k, 192);
        const tv::s32 t_3 = tv::add(iteration, 3);
        const tv::s32 t_4 = tv::rem(t_3, 4);
        const tv::s32 t_5 = tv::rem(iteration, 4);
        const tv::s32 iteration_2 = tv::add(iteration, 1);
        // 31: b = cast(load(w[k :+ BK, n :+ BN]), A) * load(scale[k // GROUP :+ 1, n :+ BN])
        #line 31 "examples/matmul.tvm"
        TV_LINE(31);
        const tv::s32 t_6 = tv::floor_div(k_2, 128);
        // 29: for k in range(0, K, BK, stages=STAGES):
        #line 29 "examples/matmul.tvm"
        TV_LINE(29);
        tv::cp_async_wait<2>();
        tv::sync();
        // 30: a = load(x[m :+ BM, k :+ BK])
        #line 30 "examples/matmul.tvm"
        TV_LINE(30);
        {
            const tv::u32 index1_ = tv::u32(k_2) + thread % 8 * 8;
            auto* const source_at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(k_2) * 2 + tv::s64(thread / 8) * (tv::s64(K) * 2) + tv::s64(thread % 8) * 16);
            const tv::u32 target_at_ = a + tv::s32(t_4) * 2048;
            const tv::u32 target_from_ = tv::flipped<896, 3>(tv::u32(thread / 8 * 128 + thread % 8 * 16));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index1_ < tv::u32(K) ? 16 : 0;
                tv::cp_async<16>(target_at_ + target_from_, source_at_, bytes_);
            }
        }
        // 31: b = cast(load(w[k :+ BK, n :+ BN]), A) * load(scale[k // GROUP :+ 1, n :+ BN])
        #line 31 "examples/matmul.tvm"
        TV_LINE(31);
        {
            const tv::u32 index0_ = tv::u32(k_2) + thread / 2;
            auto* const source_at_ = w + ((tv::s64(k_2) * (tv::s64(N) * 6) + tv::s64(n) * 6) / 8 + tv::s64(thread / 2) * ((tv::s64(N) * 3) / 4) + tv::s64(thread % 2) * 48);
            const tv::u32 target_at_ = w_2 + tv::s32(t_4) * 7168 + thread / 2 * 112 + thread % 2 * 48;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index0_ < tv::u32(K) ? 16 : 0;
                tv::cp_async<16>(target_at_, source_at_, bytes_);
                tv::cp_async<16>(target_at_ + 16, source_at_ + 16, bytes_);
                tv::cp_async<16>(target_at_ + 32, source_at_ + 32, bytes_);
            }
        }
        {
            const tv::u32 index0_ = tv::u32(t_6);
            auto* const source_at_ = scale + (tv::s64(t_6) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
            const tv::u32 target_at_ = scale_2 + tv::s32(t_4) * 256 + thread % 16 * 16;
            if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
                tv::cp_async<16>(target_at_, source_at_, bytes_);
            }
        }
        // 29: for k in range(0, K, BK, stages=STAGES):
        #line 29 "examples/matmul.tvm"
        TV_LINE(29);
        tv::cp_async_commit();
        // 30: a = load(x[m :+ BM, k :+ BK])
        #line 30 "examples/matmul.tvm"
        TV_LINE(30);
        tv::u32 a_2[16] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 * 4;
            const tv::u32 matrix_ = lane / 8 % 4;
            const tv::u32 at_ = a + tv::s32(t_5) * 2048;
            const tv::u32 from_ = tv::flipped<896, 3>(tv::u32(row_ / 4 % 8 * 128 + row_ % 4 * 4 + matrix_ % 2 * 1024 + matrix_ / 2 * 16));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++)
                tv::ldmatrix_x4(a_2 + i_ * 4, at_ + (from_ ^ (i_ * 32)));
        }
        // 31: b = cast(load(w[k :+ BK, n :+ BN]), A) * load(scale[k // GROUP :+ 1, n :+ BN])
        #line 31 "examples/matmul.tvm"
        TV_LINE(31);
        tv::u32 t_7[12] = {};
        {
            const tv::u32 from_ = tv::s32(t_5) * 57344 + thread % 4 * 1792 + thread / 32 * 192 + thread / 4 % 8 * 6;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 64; i_++) {
                tv::u32 words_[1] = {};
                words_[0] = tv::u32(tv::load_bits_shared<6>(w_2, from_ + i_ % 2 * 896 + i_ / 2 % 8 * 7168 + i_ / 16 * 48));
                tv::put<6>(t_7, i_, tv::get<6>(words_, 0));
            }
        }
        tv::u32 t_8[32] = {};
        TV_UNROLL for (int part_ = 0; part_ < 4; part_++) {
            const tv::u32 step0_ = t_7[part_ * 3] << 2;
            const tv::u32 step1_ = tv::funnel_right(t_7[part_ * 3], t_7[part_ * 3 + 1], 0x4u);
            const tv::u32 step2_ = tv::prmt(step0_, step1_, 0x4400u);
            const tv::u32 step3_ = tv::prmt(step0_, step1_, 0x7733u);
            const tv::u32 step4_ = tv::funnel_right(t_7[part_ * 3], t_7[part_ * 3 + 1], 0xau);
            const tv::u32 step5_ = tv::prmt(step4_, t_7[part_ * 3], 0x6600u);
            const tv::u32 step6_ = tv::prmt(step4_, t_7[part_ * 3 + 1], 0x5533u);
            const tv::u32 step7_ = tv::funnel_right(t_7[part_ * 3 + 1], t_7[part_ * 3 + 2], 0xeu);
            const tv::u32 step8_ = tv::funnel_right(t_7[part_ * 3 + 1], t_7[part_ * 3 + 2], 0x14u);
            const tv::u32 step9_ = tv::prmt(step7_, step8_, 0x4400u);
            const tv::u32 step10_ = tv::prmt(step7_, step8_, 0x7733u);
            const tv::u32 step11_ = tv::funnel_right(t_7[part_ * 3 + 1], t_7[part_ * 3 + 2], 0x1au);
            const tv::u32 step12_ = tv::prmt(step11_, t_7[part_ * 3 + 2], 0x4400u);
            const tv::u32 step13_ = tv::prmt(step11_, t_7[part_ * 3 + 2], 0x7733u);
            const tv::u32 step14_ = step2_ >> 5;
            const tv::u32 step15_ = step5_ >> 5;
            const tv::u32 step16_ = step3_ >> 5;
            const tv::u32 step17_ = step6_ >> 5;
            const tv::u32 step18_ = step9_ >> 5;
            const tv::u32 step19_ = step12_ >> 5;
            const tv::u32 step20_ = step10_ >> 5;
            const tv::u32 step21_ = step13_ >> 5;
            const tv::u32 step22_ = tv::lop3<0xC0>(step14_, 0x3e003e0u, 0x0u);
            const tv::u32 step23_ = tv::lop3<0xEA>(step2_, 0x80008000u, step22_);
            const tv::u32 step24_ = tv::mul_bf16x2(step23_, 0x7d807d80u);
            const tv::u32 step25_ = tv::lop3<0xC0>(step15_, 0x3e003e0u, 0x0u);
            const tv::u32 step26_ = tv::lop3<0xEA>(step5_, 0x80008000u, step25_);
            const tv::u32 step27_ = tv::mul_bf16x2(step26_, 0x7d807d80u);
            const tv::u32 step28_ = tv::lop3<0xC0>(step16_, 0x3e003e0u, 0x0u);
            const tv::u32 step29_ = tv::lop3<0xEA>(step3_, 0x80008000u, step28_);
            const tv::u32 step30_ = tv::mul_bf16x2(step29_, 0x7d807d80u);
            const tv::u32 step31_ = tv::lop3<0xC0>(step17_, 0x3e003e0u, 0x0u);
            const tv::u32 step32_ = tv::lop3<0xEA>(step6_, 0x80008000u, step31_);
            const tv::u32 step33_ = tv::mul_bf16x2(step32_, 0x7d807d80u);
            const tv::u32 step34_ = tv::lop3<0xC0>(step18_, 0x3e003e0u, 0x0u);
            const tv::u32 step35_ = tv::lop3<0xEA>(step9_, 0x80008000u, step34_);
            const tv::u32 step36_ = tv::mul_bf16x2(step35_, 0x7d807d80u);
            const tv::u32 step37_ = tv::lop3<0xC0>(step19_, 0x3e003e0u, 0x0u);
            const tv::u32 step38_ = tv::lop3<0xEA>(step12_, 0x80008000u, step37_);
            const tv::u32 step39_ = tv::mul_bf16x2(step38_, 0x7d807d80u);
            const tv::u32 step40_ = tv::lop3<0xC0>(step20_, 0x3e003e0u, 0x0u);
            const tv::u32 step41_ = tv::lop3<0xEA>(step10_, 0x80008000u, step40_);
            const tv::u32 step42_ = tv::mul_bf16x2(step41_, 0x7d807d80u);
            const tv::u32 step43_ = tv::lop3<0xC0>(step21_, 0x3e003e0u, 0x0u);
            const tv::u32 step44_ = tv::lop3<0xEA>(step13_, 0x80008000u, step43_);
            const tv::u32 step45_ = tv::mul_bf16x2(step44_, 0x7d807d80u);
            t_8[part_ * 8] = step24_;
            t_8[part_ * 8 + 1] = step27_;
            t_8[part_ * 8 + 2] = step30_;
            t_8[part_ * 8 + 3] = step33_;
            t_8[part_ * 8 + 4] = step36_;
            t_8[part_ * 8 + 5] = step39_;
            t_8[part_ * 8 + 6] = step42_;
            t_8[part_ * 8 + 7] = step45_;
        }
        const tv::s32 t_9 = tv::floor_div(k, 128);
        tv::u32 t_10[2] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 / 2;
            const tv::u32 matrix_ = lane / 8 % 2;
            const tv::u32 at_ = scale_2 + tv::s32(t_5) * 256 + row_ / 32 * 64 + row_ / 4 % 8 * 2 + matrix_ % 2 * 32 + lane % 2 * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++)
                tv::ldmatrix_x2_trans(t_10 + i_ * 2, at_);
        }
        tv::u32 b[32] = {};
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) b[i_] = tv::mul_bf16x2(t_8[i_], tv::pair(tv::get<16>(t_10, i_ / 8), tv::get<16>(t_10, i_ / 8)));
        // 32: acc = dot(a, b, acc)
        #line 32 "examples/matmul.tvm"
        TV_LINE(32);
        float acc_3[16];
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_3[i_] = acc_2[i_];
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) {
            tv::u32 left_[] = {a_2[i_ / 4 * 4], a_2[1 + i_ / 4 * 4], a_2[2 + i_ / 4 * 4], a_2[3 + i_ / 4 * 4]};
            tv::u32 right_[] = {b[i_ % 4 * 8 + i_ / 4 * 2], b[1 + i_ % 4 * 8 + i_ / 4 * 2]};
            float* sums_ = acc_3 + (i_ % 4 * 4);
            tv::mma_m16n8k16_bf16(sums_, left_, right_);
        }
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc_3[i_];
        iteration = iteration_2;
    }
    // 29: for k in range(0, K, BK, stages=STAGES):
    #line 29 "examples/matmul.tvm"
    TV_LINE(29);
    tv::cp_async_wait<0>();
    // 33: store(y[m :+ BM, n :+ BN], cast(acc, A))
    #line 33 "examples/matmul.tvm"
    TV_LINE(33);
    tv::u32 t_11[8] = {};
    tv::cast_pairs<tv::Float<16, 8, 7, 127, true, tv::Specials::IEEE>, 16>(t_11, acc_2);
    {
        auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread / 4 % 8) * (tv::s64(N) * 2) + tv::s64(thread / 32) * 64 + tv::s64(thread % 4) * 4);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
            tv::store_global_u32(at_ + tv::s64(i_ % 2 * 8) * (tv::s64(N) * 2) + i_ / 2 * 16, (t_11 + i_)[0]);
        }
    }
}
// line 30: `a` is staged in 4 stages by copies of 16 bytes
// line 30: `a` in shared memory is swizzled: 7^10 8^11 9^12; wavefronts 2.4 -> 1 times the ideal
// line 30: cp.async of 16 bytes
// line 30: ldmatrix, 4 matrices at once
// line 31: `w` is staged in 4 stages by copies of 16 bytes
// line 31: `scale` is staged in 4 stages by copies of 16 bytes
// line 31: `w` in shared memory is padded: rows of 96 bytes lie 112 bytes apart; wavefronts 2 -> 1 times the ideal
// line 31: `scale` in shared memory lies row by row
// line 31: cp.async of 16 bytes
// line 31: cp.async of 16 bytes
// line 31: loads of single elements out of shared bytes, because elements that lie in one byte are held by different threads or end inside of it
// line 31: ldmatrix, 2 matrices at once, transposed
// line 32: `acc` lies as the matrix instructions of sm_90a want it: [16,128]{2:R2 8:T4 | 4:T32 4:R4 4:T1 2:R1}
// line 32: 16 x m16n8k16 a warp
// line 33: 4-byte stores, because of the register layout [16,128]{2:R2 8:T4 | 4:T32 4:R4 4:T1 2:R1} over y[M, N]
