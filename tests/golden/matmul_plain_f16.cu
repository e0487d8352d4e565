// kernel matmul_plain(x: f16[M, K], w: f16[K, N], out y: f16[M, N]):
// For sm_80: 128 threads a block, 73728 bytes of shared memory.
TV_KERNEL(matmul_plain_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ w, tv::u8* __restrict__ y, tv::s32 M, tv::s32 K, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(73728);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 8: m = block_index(0) * BM
    #line 8 "examples/matmul.tvm"
    TV_LINE(8);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 m = tv::mul(t, 16);
    // 9: n = block_index(1) * BN
    #line 9 "examples/matmul.tvm"
    TV_LINE(9);
    const tv::s32 t_2 = tv::block_index<1>();
    const tv::s32 n = tv::mul(t_2, 128);
    // 10: acc = zeros(f32, [BM, BN])
    #line 10 "examples/matmul.tvm"
    TV_LINE(10);
    float acc[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc[i_] = 0;
    // 12: a = load(x[m :+ BM, k :+ BK])
    #line 12 "examples/matmul.tvm"
    TV_LINE(12);
    const tv::u32 a = shared + 65536u;
    // 13: b = cast(load(w[k :+ BK, n :+ BN]), A)
    #line 13 "examples/matmul.tvm"
    TV_LINE(13);
    const tv::u32 w_2 = shared;
    // 12: a = load(x[m :+ BM, k :+ BK])
    #line 12 "examples/matmul.tvm"
    TV_LINE(12);
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
    // 13: b = cast(load(w[k :+ BK, n :+ BN]), A)
    #line 13 "examples/matmul.tvm"
    TV_LINE(13);
    {
        const tv::u32 index0_ = tv::u32(0) + thread / 16;
        auto* const source_at_ = w + (tv::s64(n) * 2 + tv::s64(thread / 16) * (tv::s64(N) * 2) + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = w_2;
        const tv::u32 target_from_ = tv::flipped<1792, 4>(tv::u32(thread / 16 * 256 + thread % 16 * 16));
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
            const tv::u32 bytes_ = index0_ + i_ * 8 < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_ + target_from_ + (i_ * 2048), source_at_ + tv::s64(i_ * 8) * (tv::s64(N) * 2), bytes_);
        }
    }
    // 11: for k in range(0, K, BK, stages=STAGES):
    #line 11 "examples/matmul.tvm"
    TV_LINE(11);
    tv::cp_async_commit();
    // 12: a = load(x[m :+ BM, k :+ BK])
    #line 12 "examples/matmul.tvm"
    TV_LINE(12);
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
    // 13: b = cast(load(w[k :+ BK, n :+ BN]), A)
    #line 13 "examples/matmul.tvm"
    TV_LINE(13);
    {
        const tv::u32 index0_ = tv::u32(64) + thread / 16;
        auto* const source_at_ = w + (tv::s64(64) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread / 16) * (tv::s64(N) * 2) + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = w_2 + tv::s32(1) * 16384;
        const tv::u32 target_from_ = tv::flipped<1792, 4>(tv::u32(thread / 16 * 256 + thread % 16 * 16));
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
            const tv::u32 bytes_ = index0_ + i_ * 8 < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_ + target_from_ + (i_ * 2048), source_at_ + tv::s64(i_ * 8) * (tv::s64(N) * 2), bytes_);
        }
    }
    // 11: for k in range(0, K, BK, stages=STAGES):
    #line 11 "examples/matmul.tvm"
    TV_LINE(11);
    tv::cp_async_commit();
    // 12: a = load(x[m :+ BM, k :+ BK])
    #line 12 "examples/matmul.tvm"
    TV_LINE(12);
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
    // 13: b = cast(load(w[k :+ BK, n :+ BN]), A)
    #line 13 "examples/matmul.tvm"
    TV_LINE(13);
    {
        const tv::u32 index0_ = tv::u32(128) + thread / 16;
        auto* const source_at_ = w + (tv::s64(128) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread / 16) * (tv::s64(N) * 2) + tv::s64(thread % 16) * 16);
        const tv::u32 target_at_ = w_2 + tv::s32(2) * 16384;
        const tv::u32 target_from_ = tv::flipped<1792, 4>(tv::u32(thread / 16 * 256 + thread % 16 * 16));
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
            const tv::u32 bytes_ = index0_ + i_ * 8 < tv::u32(K) ? 16 : 0;
            tv::cp_async<16>(target_at_ + target_from_ + (i_ * 2048), source_at_ + tv::s64(i_ * 8) * (tv::s64(N) * 2), bytes_);
        }
    }
    // 11: for k in range(0, K, BK, stages=STAGES):
    #line 11 "examples/matmul.tvm"
    TV_LINE(11);
    tv::cp_async_commit();
    // 11: for k in range(0, K, BK, stages=STAGES):
    #line 11 "examples/matmul.tvm"
    TV_LINE(11);
    float acc_2[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc[i_];
    tv::s32 iteration;
    iteration = 0;
    for (tv::s32 k = 0; k < K; k += 64) {
        // 11: for k in range(0, K, BK, stages=STAGES):
        #line 11 "examples/matmul.tvm"
        TV_LINE(11);
        const tv::s32 k_2 = tv::add(k, 192);
        const tv::s32 t_3 = tv::add(iteration, 3);
        const tv::s32 t_4 = tv::rem(t_3, 4);
        const tv::s32 t_5 = tv::rem(iteration, 4);
        const tv::s32 iteration_2 = tv::add(iteration, 1);
        tv::cp_async_wait<2>();
        tv::sync();
        // 12: a = load(x[m :+ BM, k :+ BK])
        #line 12 "examples/matmul.tvm"
        TV_LINE(12);
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
        // 13: b = cast(load(w[k :+ BK, n :+ BN]), A)
        #line 13 "examples/matmul.tvm"
        TV_LINE(13);
        {
            const tv::u32 index0_ = tv::u32(k_2) + thread / 16;
            auto* const source_at_ = w + (tv::s64(k_2) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread / 16) * (tv::s64(N) * 2) + tv::s64(thread % 16) * 16);
            const tv::u32 target_at_ = w_2 + tv::s32(t_4) * 16384;
            const tv::u32 target_from_ = tv::flipped<1792, 4>(tv::u32(thread / 16 * 256 + thread % 16 * 16));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
                const tv::u32 bytes_ = index0_ + i_ * 8 < tv::u32(K) ? 16 : 0;
                tv::cp_async<16>(target_at_ + target_from_ + (i_ * 2048), source_at_ + tv::s64(i_ * 8) * (tv::s64(N) * 2), bytes_);
            }
        }
        // 11: for k in range(0, K, BK, stages=STAGES):
        #line 11 "examples/matmul.tvm"
        TV_LINE(11);
        tv::cp_async_commit();
        // 12: a = load(x[m :+ BM, k :+ BK])
        #line 12 "examples/matmul.tvm"
        TV_LINE(12);
        tv::u32 a_2[16] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 * 4;
            const tv::u32 matrix_ = lane / 8 % 4;
            const tv::u32 at_ = a + tv::s32(t_5) * 2048;
            const tv::u32 from_ = tv::flipped<896, 3>(tv::u32(row_ / 4 % 8 * 128 + row_ % 4 * 4 + matrix_ % 2 * 1024 + matrix_ / 2 * 16));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++)
                tv::ldmatrix_x4(a_2 + i_ * 4, at_ + (from_ ^ (i_ * 32)));
        }
        // 13: b = cast(load(w[k :+ BK, n :+ BN]), A)
        #line 13 "examples/matmul.tvm"
        TV_LINE(13);
        tv::u32 t_6[32] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 / 2;
            const tv::u32 matrix_ = lane / 8 % 4;
            const tv::u32 at_ = w_2 + tv::s32(t_5) * 16384;
            const tv::u32 from_ = tv::flipped<1792, 4>(tv::u32(row_ % 4 * 512 + row_ / 32 * 64 + row_ / 4 % 8 * 2 + matrix_ % 2 * 2048 + matrix_ / 2 * 4096 + lane % 2 * 256));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++)
                tv::ldmatrix_x4_trans(t_6 + i_ * 4, at_ + (from_ ^ (i_ / 2 * 16)) + (i_ % 2 * 8192));
        }
        tv::u32 b[32] = {};
        TV_UNROLL for (int i_ = 0; i_ < 64; i_++) tv::put<16>(b, i_, tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_6, i_)));
        // 14: acc = dot(a, b, acc)
        #line 14 "examples/matmul.tvm"
        TV_LINE(14);
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
    // 11: for k in range(0, K, BK, stages=STAGES):
    #line 11 "examples/matmul.tvm"
    TV_LINE(11);
    tv::cp_async_wait<0>();
    // 15: store(y[m :+ BM, n :+ BN], cast(acc, A))
    #line 15 "examples/matmul.tvm"
    TV_LINE(15);
    tv::u32 t_7[8] = {};
    tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 16>(t_7, acc_2);
    {
        auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread / 4 % 8) * (tv::s64(N) * 2) + tv::s64(thread / 32) * 64 + tv::s64(thread % 4) * 4);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
            tv::store_global_u32(at_ + tv::s64(i_ % 2 * 8) * (tv::s64(N) * 2) + i_ / 2 * 16, (t_7 + i_)[0]);
        }
    }
}
// line 12: `a` is staged in 4 stages by copies of 16 bytes
// line 12: `a` in shared memory is swizzled: 7^10 8^11 9^12; wavefronts 2.4 -> 1 times the ideal
// line 12: cp.async of 16 bytes
// line 12: ldmatrix, 4 matrices at once
// line 13: `w` is staged in 4 stages by copies of 16 bytes
// line 13: `w` in shared memory is swizzled: 7^11 8^12 9^13; wavefronts 2.4 -> 1 times the ideal
// line 13: cp.async of 16 bytes
// line 13: ldmatrix, 4 matrices at once, transposed
// line 14: `acc` lies as the matrix instructions of sm_80 want it: [16,128]{2:R2 8:T4 | 4:T32 4:R4 4:T1 2:R1}
// line 14: 16 x m16n8k16 a warp
// line 15: 4-byte stores, because of the register layout [16,128]{2:R2 8:T4 | 4:T32 4:R4 4:T1 2:R1} over y[M, N]
