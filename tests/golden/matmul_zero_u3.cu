// kernel matmul_zero(
// x: f16[M, K],
// w: u3[K, N],
// scale: f16[cdiv(K, 128), N],
// zero: f16[cdiv(K, 128), N],
// out y: f16[M, N]):
// For sm_80: 128 threads a block, 22528 bytes of shared memory.
TV_KERNEL(matmul_zero_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ w, const tv::u8* __restrict__ scale, const tv::u8* __restrict__ zero, tv::u8* __restrict__ y, tv::s32 M, tv::s32 K, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(22528);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 41: m = block_index(0) * BM
    #line 41 "examples/matmul.tvm"
    TV_LINE(41);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 m = tv::mul(t, 16);
    // 42: n = block_index(1) * BN
    #line 42 "examples/matmul.tvm"
    TV_LINE(42);
    const tv::s32 t_2 = tv::block_index<1>();
    const tv::s32 n = tv::mul(t_2, 128);
    // 43: acc = zeros(f32, [BM, BN])
    #line 43 "examples/matmul.tvm"
    TV_LINE(43);
    float acc[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc[i_] = 0;
    // 45: a = load(x[m :+ BM, k :+ BK])
    #line 45 "examples/matmul.tvm"
    TV_LINE(45);
    const tv::u32 a = shared + 12288u;
    // 47: codes = load(w[k :+ BK, n :+ BN])
    #line 47 "examples/matmul.tvm"
    TV_LINE(47);
    const tv::u32 codes = shared;
    // 48: b = dequantize(codes, load(scale[g :+ 1, n :+ BN]), load(zero[g :+ 1, n :+ BN]))
    #line 48 "examples/matmul.tvm"
    TV_LINE(48);
    const tv::u32 scale_2 = shared + 20480u;
    const tv::u32 zero_2 = shared + 21504u;
    // 45: a = load(x[m :+ BM, k :+ BK])
    #line 45 "examples/matmul.tvm"
    TV_LINE(45);
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
    // 47: codes = load(w[k :+ BK, n :+ BN])
    #line 47 "examples/matmul.tvm"
    TV_LINE(47);
    {
        const tv::u32 index0_ = tv::u32(0) + thread % 64;
        auto* const source_at_ = w + ((tv::s64(n) * 3) / 8 + tv::s64(thread % 64) * ((tv::s64(N) * 3) / 8));
        const tv::u32 target_at_ = codes + thread % 64 * 48;
        if (thread / 64 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
            tv::cp_async<16>(target_at_ + 16, source_at_ + 16, bytes_);
            tv::cp_async<16>(target_at_ + 32, source_at_ + 32, bytes_);
        }
    }
    // 48: b = dequantize(codes, load(scale[g :+ 1, n :+ BN]), load(zero[g :+ 1, n :+ BN]))
    #line 48 "examples/matmul.tvm"
    TV_LINE(48);
    {
        const tv::u32 index0_ = tv::u32(0);
        auto* const source_at_ = scale + (tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = scale_2 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    {
        const tv::u32 index0_ = tv::u32(0);
        auto* const source_at_ = zero + (tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = zero_2 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    // 44: for k in range(0, K, BK, stages=STAGES):
    #line 44 "examples/matmul.tvm"
    TV_LINE(44);
    tv::cp_async_commit();
    // 45: a = load(x[m :+ BM, k :+ BK])
    #line 45 "examples/matmul.tvm"
    TV_LINE(45);
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
    // 47: codes = load(w[k :+ BK, n :+ BN])
    #line 47 "examples/matmul.tvm"
    TV_LINE(47);
    {
        const tv::u32 index0_ = tv::u32(64) + thread % 64;
        auto* const source_at_ = w + ((tv::s64(64) * (tv::s64(N) * 3) + tv::s64(n) * 3) / 8 + tv::s64(thread % 64) * ((tv::s64(N) * 3) / 8));
        const tv::u32 target_at_ = codes + tv::s32(1) * 3072 + thread % 64 * 48;
        if (thread / 64 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
            tv::cp_async<16>(target_at_ + 16, source_at_ + 16, bytes_);
            tv::cp_async<16>(target_at_ + 32, source_at_ + 32, bytes_);
        }
    }
    // 48: b = dequantize(codes, load(scale[g :+ 1, n :+ BN]), load(zero[g :+ 1, n :+ BN]))
    #line 48 "examples/matmul.tvm"
    TV_LINE(48);
    {
        const tv::u32 index0_ = tv::u32(0);
        auto* const source_at_ = scale + (tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = scale_2 + tv::s32(1) * 256 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    {
        const tv::u32 index0_ = tv::u32(0);
        auto* const source_at_ = zero + (tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = zero_2 + tv::s32(1) * 256 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    // 44: for k in range(0, K, BK, stages=STAGES):
    #line 44 "examples/matmul.tvm"
    TV_LINE(44);
    tv::cp_async_commit();
    // 45: a = load(x[m :+ BM, k :+ BK])
    #line 45 "examples/matmul.tvm"
    TV_LINE(45);
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
    // 47: codes = load(w[k :+ BK, n :+ BN])
    #line 47 "examples/matmul.tvm"
    TV_LINE(47);
    {
        const tv::u32 index0_ = tv::u32(128) + thread % 64;
        auto* const source_at_ = w + ((tv::s64(128) * (tv::s64(N) * 3) + tv::s64(n) * 3) / 8 + tv::s64(thread % 64) * ((tv::s64(N) * 3) / 8));
        const tv::u32 target_at_ = codes + tv::s32(2) * 3072 + thread % 64 * 48;
        if (thread / 64 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
            tv::cp_async<16>(target_at_ + 16, source_at_ + 16, bytes_);
            tv::cp_async<16>(target_at_ + 32, source_at_ + 32, bytes_);
        }
    }
    // 48: b = dequantize(codes, load(scale[g :+ 1, n :+ BN]), load(zero[g :+ 1, n :+ BN]))
    #line 48 "examples/matmul.tvm"
    TV_LINE(48);
    {
        const tv::u32 index0_ = tv::u32(1);
        auto* const source_at_ = scale + (tv::s64(1) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = scale_2 + tv::s32(2) * 256 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    {
        const tv::u32 index0_ = tv::u32(1);
        auto* const source_at_ = zero + (tv::s64(1) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = zero_2 + tv::s32(2) * 256 + thread % 16 * 16;
        if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
            tv::cp_async<16>(target_at_, source_at_, bytes_);
        }
    }
    // 44: for k in range(0, K, BK, stages=STAGES):
    #line 44 "examples/matmul.tvm"
    TV_LINE(44);
    tv::cp_async_commit();
    // 44: for k in range(0, K, BK, stages=STAGES):
    #line 44 "examples/matmul.tvm"
    TV_LINE(44);
    float acc_2[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc[i_];
    tv::s32 iteration;
    iteration = 0;
    for (tv::s32 k = 0; k < K; k += 64) {
        // 44: for k in range(0, K, BK, stages=STAGES):
        #line 44 "examples/matmul.tvm"
        TV_LINE(44);
        const tv::s32 k_2 = tv::add(k, 192);
        const tv::s32 t_3 = tv::add(iteration, 3);
        const tv::s32 t_4 = tv::rem(t_3, 4);
        const tv::s32 t_5 = tv::rem(iteration, 4);
        const tv::s32 iteration_2 = tv::add(iteration, 1);
        // 46: g = k // GROUP
        #line 46 "examples/matmul.tvm"
        TV_LINE(46);
        const tv::s32 g = tv::floor_div(k_2, 128);
        // 44: for k in range(0, K, BK, stages=STAGES):
        #line 44 "examples/matmul.tvm"
        TV_LINE(44);
        tv::cp_async_wait<2>();
        tv::sync();
        // 45: a = load(x[m :+ BM, k :+ BK])
        #line 45 "examples/matmul.tvm"
        TV_LINE(45);
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
        // 47: codes = load(w[k :+ BK, n :+ BN])
        #line 47 "examples/matmul.tvm"
        TV_LINE(47);
        {
            const tv::u32 index0_ = tv::u32(k_2) + thread % 64;
            auto* const source_at_ = w + ((tv::s64(k_2) * (tv::s64(N) * 3) + tv::s64(n) * 3) / 8 + tv::s64(thread % 64) * ((tv::s64(N) * 3) / 8));
            const tv::u32 target_at_ = codes + tv::s32(t_4) * 3072 + thread % 64 * 48;
            if (thread / 64 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index0_ < tv::u32(K) ? 16 : 0;
                tv::cp_async<16>(target_at_, source_at_, bytes_);
                tv::cp_async<16>(target_at_ + 16, source_at_ + 16, bytes_);
                tv::cp_async<16>(target_at_ + 32, source_at_ + 32, bytes_);
            }
        }
        // 48: b = dequantize(codes, load(scale[g :+ 1, n :+ BN]), load(zero[g :+ 1, n :+ BN]))
        #line 48 "examples/matmul.tvm"
        TV_LINE(48);
        {
            const tv::u32 index0_ = tv::u32(g);
            auto* const source_at_ = scale + (tv::s64(g) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
            const tv::u32 target_at_ = scale_2 + tv::s32(t_4) * 256 + thread % 16 * 16;
            if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
                tv::cp_async<16>(target_at_, source_at_, bytes_);
            }
        }
        {
            const tv::u32 index0_ = tv::u32(g);
            auto* const source_at_ = zero + (tv::s64(g) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread % 16) * 16);
            const tv::u32 target_at_ = zero_2 + tv::s32(t_4) * 256 + thread % 16 * 16;
            if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) ? 16 : 0;
                tv::cp_async<16>(target_at_, source_at_, bytes_);
            }
        }
        // 44: for k in range(0, K, BK, stages=STAGES):
        #line 44 "examples/matmul.tvm"
        TV_LINE(44);
        tv::cp_async_commit();
        // 45: a = load(x[m :+ BM, k :+ BK])
        #line 45 "examples/matmul.tvm"
        TV_LINE(45);
        tv::u32 a_2[16] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 * 4;
            const tv::u32 matrix_ = lane / 8 % 4;
            const tv::u32 at_ = a + tv::s32(t_5) * 2048;
            const tv::u32 from_ = tv::flipped<896, 3>(tv::u32(row_ / 4 % 8 * 128 + row_ % 4 * 4 + matrix_ % 2 * 1024 + matrix_ / 2 * 16));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++)
                tv::ldmatrix_x4(a_2 + i_ * 4, at_ + (from_ ^ (i_ * 32)));
        }
        // 46: g = k // GROUP
        #line 46 "examples/matmul.tvm"
        TV_LINE(46);
        const tv::s32 g_2 = tv::floor_div(k, 128);
        // 47: codes = load(w[k :+ BK, n :+ BN])
        #line 47 "examples/matmul.tvm"
        TV_LINE(47);
        tv::u32 codes_2[6] = {};
        {
            const tv::u32 from_ = tv::s32(t_5) * 24576 + thread % 4 * 768 + thread / 32 * 96 + thread / 4 % 8 * 3;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 64; i_++) {
                tv::u32 words_[1] = {};
                words_[0] = tv::u32(tv::load_bits_shared<3>(codes, from_ + i_ % 2 * 384 + i_ / 2 % 8 * 3072 + i_ / 16 * 24));
                tv::put<3>(codes_2, i_, tv::get<3>(words_, 0));
            }
        }
        // 48: b = dequantize(codes, load(scale[g :+ 1, n :+ BN]), load(zero[g :+ 1, n :+ BN]))
        #line 48 "examples/matmul.tvm"
        TV_LINE(48);
        tv::u32 t_6[2] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 / 2;
            const tv::u32 matrix_ = lane / 8 % 2;
            const tv::u32 at_ = scale_2 + tv::s32(t_5) * 256 + row_ / 32 * 64 + row_ / 4 % 8 * 2 + matrix_ % 2 * 32 + lane % 2 * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++)
                tv::ldmatrix_x2_trans(t_6 + i_ * 2, at_);
        }
        tv::u32 t_7[2] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 / 2;
            const tv::u32 matrix_ = lane / 8 % 2;
            const tv::u32 at_ = zero_2 + tv::s32(t_5) * 256 + row_ / 32 * 64 + row_ / 4 % 8 * 2 + matrix_ % 2 * 32 + lane % 2 * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++)
                tv::ldmatrix_x2_trans(t_7 + i_ * 2, at_);
        }
        tv::u32 b[32] = {};
        TV_UNROLL for (int part_ = 0; part_ < 2; part_++) {
            const tv::u32 step0_ = tv::prmt(codes_2[part_ * 3], codes_2[part_ * 3], 0x0u);
            const tv::u32 step1_ = tv::prmt(codes_2[part_ * 3], codes_2[part_ * 3], 0x1110u);
            const tv::u32 step2_ = tv::prmt(codes_2[part_ * 3], codes_2[part_ * 3], 0x2111u);
            const tv::u32 step3_ = tv::prmt(codes_2[part_ * 3], codes_2[part_ * 3], 0x2222u);
            const tv::u32 step4_ = tv::prmt(codes_2[part_ * 3], codes_2[part_ * 3], 0x3333u);
            const tv::u32 step5_ = tv::prmt(codes_2[part_ * 3 + 1], codes_2[part_ * 3 + 1], 0x1000u);
            const tv::u32 step6_ = tv::prmt(codes_2[part_ * 3 + 1], codes_2[part_ * 3 + 1], 0x1111u);
            const tv::u32 step7_ = tv::prmt(codes_2[part_ * 3 + 1], codes_2[part_ * 3 + 1], 0x2222u);
            const tv::u32 step8_ = tv::prmt(codes_2[part_ * 3 + 1], codes_2[part_ * 3 + 1], 0x3332u);
            const tv::u32 step9_ = tv::prmt(codes_2[part_ * 3 + 2], codes_2[part_ * 3 + 2], 0x0u);
            const tv::u32 step10_ = tv::prmt(codes_2[part_ * 3 + 2], codes_2[part_ * 3 + 2], 0x1111u);
            const tv::u32 step11_ = tv::prmt(codes_2[part_ * 3 + 2], codes_2[part_ * 3 + 2], 0x2221u);
            const tv::u32 step12_ = tv::prmt(codes_2[part_ * 3 + 2], codes_2[part_ * 3 + 2], 0x3222u);
            const tv::u32 step13_ = tv::prmt(codes_2[part_ * 3 + 2], codes_2[part_ * 3 + 2], 0x3333u);
            const tv::u32 step14_ = tv::funnel_right(codes_2[part_ * 3], codes_2[part_ * 3 + 1], 0x1u);
            const tv::u32 step15_ = tv::prmt(step14_, codes_2[part_ * 3 + 1], 0x4433u);
            const tv::u32 step16_ = tv::funnel_right(codes_2[part_ * 3 + 1], codes_2[part_ * 3 + 2], 0x2u);
            const tv::u32 step17_ = tv::prmt(codes_2[part_ * 3 + 1], step16_, 0x7733u);
            const tv::u32 step18_ = tv::lop3<0x6A>(step0_, 0x380007u, 0x64006400u);
            const tv::u32 step19_ = tv::fma_f16x2(step18_, 0x30003c00u, 0xd800e400u);
            const tv::u32 step20_ = tv::lop3<0x6A>(step1_, 0xe01c0u, 0x64006400u);
            const tv::u32 step21_ = tv::fma_f16x2(step20_, 0x38002400u, 0xe000cc00u);
            const tv::u32 step22_ = tv::lop3<0x6A>(step2_, 0x3800070u, 0x64006400u);
            const tv::u32 step23_ = tv::fma_f16x2(step22_, 0x20002c00u, 0xc800d400u);
            const tv::u32 step24_ = tv::lop3<0x6A>(step3_, 0xe0001cu, 0x64006400u);
            const tv::u32 step25_ = tv::fma_f16x2(step24_, 0x28003400u, 0xd000dc00u);
            const tv::u32 step26_ = tv::lop3<0x6A>(step4_, 0x380007u, 0x64006400u);
            const tv::u32 step27_ = tv::fma_f16x2(step26_, 0x30003c00u, 0xd800e400u);
            const tv::u32 step28_ = tv::lop3<0x6A>(step15_, 0xe00e0u, 0x64006400u);
            const tv::u32 step29_ = tv::fma_f16x2(step28_, 0x38002800u, 0xe000d000u);
            const tv::u32 step30_ = tv::lop3<0x6A>(step5_, 0x3800070u, 0x64006400u);
            const tv::u32 step31_ = tv::fma_f16x2(step30_, 0x20002c00u, 0xc800d400u);
            const tv::u32 step32_ = tv::lop3<0x6A>(step6_, 0xe0001cu, 0x64006400u);
            const tv::u32 step33_ = tv::fma_f16x2(step32_, 0x28003400u, 0xd000dc00u);
            const tv::u32 step34_ = tv::lop3<0x6A>(step7_, 0x380007u, 0x64006400u);
            const tv::u32 step35_ = tv::fma_f16x2(step34_, 0x30003c00u, 0xd800e400u);
            const tv::u32 step36_ = tv::lop3<0x6A>(step8_, 0xe01c0u, 0x64006400u);
            const tv::u32 step37_ = tv::fma_f16x2(step36_, 0x38002400u, 0xe000cc00u);
            const tv::u32 step38_ = tv::lop3<0x6A>(step17_, 0xe00070u, 0x64006400u);
            const tv::u32 step39_ = tv::fma_f16x2(step38_, 0x28002c00u, 0xd000d400u);
            const tv::u32 step40_ = tv::lop3<0x6A>(step9_, 0xe0001cu, 0x64006400u);
            const tv::u32 step41_ = tv::fma_f16x2(step40_, 0x28003400u, 0xd000dc00u);
            const tv::u32 step42_ = tv::lop3<0x6A>(step10_, 0x380007u, 0x64006400u);
            const tv::u32 step43_ = tv::fma_f16x2(step42_, 0x30003c00u, 0xd800e400u);
            const tv::u32 step44_ = tv::lop3<0x6A>(step11_, 0xe01c0u, 0x64006400u);
            const tv::u32 step45_ = tv::fma_f16x2(step44_, 0x38002400u, 0xe000cc00u);
            const tv::u32 step46_ = tv::lop3<0x6A>(step12_, 0x3800070u, 0x64006400u);
            const tv::u32 step47_ = tv::fma_f16x2(step46_, 0x20002c00u, 0xc800d400u);
            const tv::u32 step48_ = tv::lop3<0x6A>(step13_, 0xe0001cu, 0x64006400u);
            const tv::u32 step49_ = tv::fma_f16x2(step48_, 0x28003400u, 0xd000dc00u);
            b[part_ * 16] = step19_;
            b[part_ * 16 + 1] = step21_;
            b[part_ * 16 + 2] = step23_;
            b[part_ * 16 + 3] = step25_;
            b[part_ * 16 + 4] = step27_;
            b[part_ * 16 + 5] = step29_;
            b[part_ * 16 + 6] = step31_;
            b[part_ * 16 + 7] = step33_;
            b[part_ * 16 + 8] = step35_;
            b[part_ * 16 + 9] = step37_;
            b[part_ * 16 + 10] = step39_;
            b[part_ * 16 + 11] = step41_;
            b[part_ * 16 + 12] = step43_;
            b[part_ * 16 + 13] = step45_;
            b[part_ * 16 + 14] = step47_;
            b[part_ * 16 + 15] = step49_;
        }
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) b[i_] = tv::sub_f16x2(b[i_], tv::pair(tv::get<16>(t_7, i_ / 8), tv::get<16>(t_7, i_ / 8)));
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) b[i_] = tv::mul_f16x2(b[i_], tv::pair(tv::get<16>(t_6, i_ / 8), tv::get<16>(t_6, i_ / 8)));
        // 49: acc = dot(a, b, acc)
        #line 49 "examples/matmul.tvm"
        TV_LINE(49);
        float acc_3[16];
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_3[i_] = acc_2[i_];
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) {
            tv::u32 left_[] = {a_2[i_ / 4 * 4], a_2[1 + i_ / 4 * 4], a_2[2 + i_ / 4 * 4], a_2[3 + i_ / 4 * 4]};
            tv::u32 right_[] = {b[i_ % 4 * 8 + i_ / 4 * 2], b[1 + i_ % 4 * 8 + i_ / 4 * 2]};
            float* sums_ = acc_3 + (i_ % 4 * 4);
            tv::mma_m16n8k16_f16(sums_, left_, right_);
        }
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc_3[i_];
        iteration = iteration_2;
    }
    // 44: for k in range(0, K, BK, stages=STAGES):
    #line 44 "examples/matmul.tvm"
    TV_LINE(44);
    tv::cp_async_wait<0>();
    // 50: store(y[m :+ BM, n :+ BN], cast(acc, A))
    #line 50 "examples/matmul.tvm"
    TV_LINE(50);
    tv::u32 t_8[8] = {};
    tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 16>(t_8, acc_2);
    {
        auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread / 4 % 8) * (tv::s64(N) * 2) + tv::s64(thread / 32) * 64 + tv::s64(thread % 4) * 4);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
            tv::store_global_u32(at_ + tv::s64(i_ % 2 * 8) * (tv::s64(N) * 2) + i_ / 2 * 16, (t_8 + i_)[0]);
        }
    }
}
// line 45: `a` is staged in 4 stages by copies of 16 bytes
// line 45: `a` in shared memory is swizzled: 7^10 8^11 9^12; wavefronts 2.4 -> 1 times the ideal
// line 45: cp.async of 16 bytes
// line 45: ldmatrix, 4 matrices at once
// line 47: `codes` is staged in 4 stages by copies of 16 bytes
// line 47: `codes` in shared memory lies row by row
// line 47: cp.async of 16 bytes
// line 47: loads of single elements out of shared bytes, because elements that lie in one byte are held by different threads or end inside of it
// line 48: `scale` is staged in 4 stages by copies of 16 bytes
// line 48: `zero` is staged in 4 stages by copies of 16 bytes
// line 48: `scale` in shared memory lies row by row
// line 48: `zero` in shared memory lies row by row
// line 48: cp.async of 16 bytes
// line 48: cp.async of 16 bytes
// line 48: ldmatrix, 2 matrices at once, transposed
// line 48: ldmatrix, 2 matrices at once, transposed
// line 49: `acc` lies as the matrix instructions of sm_80 want it: [16,128]{2:R2 8:T4 | 4:T32 4:R4 4:T1 2:R1}
// line 49: 16 x m16n8k16 a warp
// line 50: 4-byte stores, because of the register layout [16,128]{2:R2 8:T4 | 4:T32 4:R4 4:T1 2:R1} over y[M, N]
