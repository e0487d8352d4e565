// kernel matmul_explicit(
// x: f16[M, K],
// w: u4[K, N] @ blocks(64, 64) * spatial(1, 4) * local(4, 2) * local(2, 1) * column_spatial(4, 8) * local(2, 1),
// scale: f16[K // 128, N],
// out y: f16[M, N]):
// For sm_80: 128 threads a block, 12288 bytes of shared memory.
TV_KERNEL(matmul_explicit_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ w, const tv::u8* __restrict__ scale, tv::u8* __restrict__ y, tv::s32 M, tv::s32 K, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(12288);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 18: m = block_index(0) * 16
    #line 18 "examples/matmul_explicit.tvm"
    TV_LINE(18);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 m = tv::mul(t, 16);
    // 19: j = block_index(1)
    #line 19 "examples/matmul_explicit.tvm"
    TV_LINE(19);
    const tv::s32 j = tv::block_index<1>();
    // 20: packed = memory_view(w, u8, [K // 64, N // 64, 64 * 64 * W.bits // 8])
    #line 20 "examples/matmul_explicit.tvm"
    TV_LINE(20);
    const tv::u8* const packed = w;
    // 21: xs = shared(A, [STAGES, 16, 64]) @ swizzle(3, 4, 3)
    #line 21 "examples/matmul_explicit.tvm"
    TV_LINE(21);
    const tv::u32 xs = shared;
    // 22: ws = shared(u8, [STAGES, 64 * 64 * W.bits // 8])
    #line 22 "examples/matmul_explicit.tvm"
    TV_LINE(22);
    const tv::u32 ws = shared + 6144u;
    // 23: for s in range(STAGES - 1):
    #line 23 "examples/matmul_explicit.tvm"
    TV_LINE(23);
    for (tv::s32 s = 0; s < 2; s += 1) {
        // 24: copy_async(xs[s], x[m :+ 16, s * 64 :+ 64])
        #line 24 "examples/matmul_explicit.tvm"
        TV_LINE(24);
        const tv::s32 t_2 = tv::mul(s, 64);
        {
            const tv::u32 index1_ = tv::u32(t_2) + thread % 8 * 8;
            auto* const source_at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(t_2) * 2 + tv::s64(thread / 8) * (tv::s64(K) * 2) + tv::s64(thread % 8) * 16);
            const tv::u32 target_at_ = xs + tv::s32(s) * 2048;
            const tv::u32 target_from_ = tv::flipped<896, 3>(tv::u32(thread / 8 * 128 + thread % 8 * 16));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index1_ < tv::u32(K) ? 16 : 0;
                tv::cp_async<16>(target_at_ + target_from_, source_at_, bytes_);
            }
        }
        // 25: copy_async(ws[s], packed[s, j])
        #line 25 "examples/matmul_explicit.tvm"
        TV_LINE(25);
        {
            const tv::u32 index0_ = tv::u32(s);
            auto* const source_at_ = packed + (tv::s64(s) * ((tv::s64(N) / 64) * 2048) + tv::s64(j) * 2048 + tv::s64(thread) * 16);
            const tv::u32 target_at_ = ws + tv::s32(s) * 2048 + thread * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index0_ < tv::u32(tv::floor_div(K, 64)) ? 16 : 0;
                tv::cp_async<16>(target_at_, source_at_, bytes_);
            }
        }
        // 26: commit()
        #line 26 "examples/matmul_explicit.tvm"
        TV_LINE(26);
        tv::cp_async_commit();
    }
    // 27: acc = zeros(f32, [16, 64]) @ sums
    #line 27 "examples/matmul_explicit.tvm"
    TV_LINE(27);
    float acc[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) acc[i_] = 0;
    // 28: for step in range(K // 64):
    #line 28 "examples/matmul_explicit.tvm"
    TV_LINE(28);
    const tv::s32 t_3 = tv::floor_div(K, 64);
    // 37: b = cast(view(bytes, W, weights), A) * load(scale[step * 64 // GROUP :+ 1, j * 64 :+ 64])
    #line 37 "examples/matmul_explicit.tvm"
    TV_LINE(37);
    const tv::s32 t_4 = tv::mul(j, 64);
    // 28: for step in range(K // 64):
    #line 28 "examples/matmul_explicit.tvm"
    TV_LINE(28);
    float acc_2[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) acc_2[i_] = acc[i_];
    for (tv::s32 step = 0; step < t_3; step += 1) {
        // 29: wait(STAGES - 2)
        #line 29 "examples/matmul_explicit.tvm"
        TV_LINE(29);
        tv::cp_async_wait<1>();
        // 30: sync()                                  # tile `step` has landed, and all are done with the one before
        #line 30 "examples/matmul_explicit.tvm"
        TV_LINE(30);
        tv::sync();
        // 31: a = load(xs[step % STAGES]) @ activations
        #line 31 "examples/matmul_explicit.tvm"
        TV_LINE(31);
        const tv::s32 t_5 = tv::rem(step, 3);
        tv::u32 a[16] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 * 4;
            const tv::u32 matrix_ = lane / 8 % 4;
            const tv::u32 at_ = xs + tv::s32(t_5) * 2048;
            const tv::u32 from_ = tv::flipped<896, 3>(tv::u32(row_ / 4 % 8 * 128 + row_ % 4 * 4 + matrix_ % 2 * 1024 + matrix_ / 2 * 16));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++)
                tv::ldmatrix_x4(a + i_ * 4, at_ + (from_ ^ (i_ * 32)));
        }
        // 32: bytes = load(ws[step % STAGES]) @ spatial(128) * local(4 * W.bits)
        #line 32 "examples/matmul_explicit.tvm"
        TV_LINE(32);
        tv::u32 bytes[4] = {};
        {
            const tv::u32 at_ = ws + tv::s32(t_5) * 2048 + thread * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                tv::load_shared_u32x4(bytes, at_);
            }
        }
        // 33: ahead = step + STAGES - 1               # past the end the copies bring zeros, which nobody reads
        #line 33 "examples/matmul_explicit.tvm"
        TV_LINE(33);
        const tv::s32 t_6 = tv::add(step, 3);
        const tv::s32 ahead = tv::sub(t_6, 1);
        // 34: copy_async(xs[ahead % STAGES], x[m :+ 16, ahead * 64 :+ 64])
        #line 34 "examples/matmul_explicit.tvm"
        TV_LINE(34);
        const tv::s32 t_7 = tv::rem(ahead, 3);
        const tv::s32 t_8 = tv::mul(ahead, 64);
        {
            const tv::u32 index1_ = tv::u32(t_8) + thread % 8 * 8;
            auto* const source_at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(t_8) * 2 + tv::s64(thread / 8) * (tv::s64(K) * 2) + tv::s64(thread % 8) * 16);
            const tv::u32 target_at_ = xs + tv::s32(t_7) * 2048;
            const tv::u32 target_from_ = tv::flipped<896, 3>(tv::u32(thread / 8 * 128 + thread % 8 * 16));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index1_ < tv::u32(K) ? 16 : 0;
                tv::cp_async<16>(target_at_ + target_from_, source_at_, bytes_);
            }
        }
        // 35: copy_async(ws[ahead % STAGES], packed[ahead, j])
        #line 35 "examples/matmul_explicit.tvm"
        TV_LINE(35);
        {
            const tv::u32 index0_ = tv::u32(ahead);
            auto* const source_at_ = packed + (tv::s64(ahead) * ((tv::s64(N) / 64) * 2048) + tv::s64(j) * 2048 + tv::s64(thread) * 16);
            const tv::u32 target_at_ = ws + tv::s32(t_7) * 2048 + thread * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const tv::u32 bytes_ = index0_ < tv::u32(tv::floor_div(K, 64)) ? 16 : 0;
                tv::cp_async<16>(target_at_, source_at_, bytes_);
            }
        }
        // 36: commit()
        #line 36 "examples/matmul_explicit.tvm"
        TV_LINE(36);
        tv::cp_async_commit();
        // 37: b = cast(view(bytes, W, weights), A) * load(scale[step * 64 // GROUP :+ 1, j * 64 :+ 64])
        #line 37 "examples/matmul_explicit.tvm"
        TV_LINE(37);
        tv::u32 t_9[4] = {};
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_9[i_] = bytes[i_];
        tv::u32 t_10[16] = {};
        TV_UNROLL for (int part_ = 0; part_ < 4; part_++) {
            const tv::u32 step0_ = tv::prmt(t_9[part_], t_9[part_], 0x0u);
            const tv::u32 step1_ = tv::prmt(t_9[part_], t_9[part_], 0x1111u);
            const tv::u32 step2_ = tv::prmt(t_9[part_], t_9[part_], 0x2222u);
            const tv::u32 step3_ = tv::prmt(t_9[part_], t_9[part_], 0x3333u);
            const tv::u32 step4_ = tv::lop3<0x6A>(step0_, 0xf0000fu, 0x64006400u);
            const tv::u32 step5_ = tv::fma_f16x2(step4_, 0x2c003c00u, 0xd400e400u);
            const tv::u32 step6_ = tv::lop3<0x6A>(step1_, 0xf0000fu, 0x64006400u);
            const tv::u32 step7_ = tv::fma_f16x2(step6_, 0x2c003c00u, 0xd400e400u);
            const tv::u32 step8_ = tv::lop3<0x6A>(step2_, 0xf0000fu, 0x64006400u);
            const tv::u32 step9_ = tv::fma_f16x2(step8_, 0x2c003c00u, 0xd400e400u);
            const tv::u32 step10_ = tv::lop3<0x6A>(step3_, 0xf0000fu, 0x64006400u);
            const tv::u32 step11_ = tv::fma_f16x2(step10_, 0x2c003c00u, 0xd400e400u);
            t_10[part_ * 4] = step5_;
            t_10[part_ * 4 + 1] = step7_;
            t_10[part_ * 4 + 2] = step9_;
            t_10[part_ * 4 + 3] = step11_;
        }
        const tv::s32 t_11 = tv::mul(step, 64);
        const tv::s32 t_12 = tv::floor_div(t_11, 128);
        tv::u32 t_13[1] = {};
        {
            auto* const at_ = scale + (tv::s64(t_12) * (tv::s64(N) * 2) + tv::s64(t_4) * 2 + tv::s64(thread / 32) * 32 + tv::s64(thread / 4 % 8) * 2);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                tv::u32 words_[1] = {};
                tv::put<16>(words_, 0, tv::load_global_u16<tv::READ_ONLY>(at_ + i_ * 16));
                tv::put<16>(t_13, i_, tv::get<16>(words_, 0));
            }
        }
        tv::u32 b[16] = {};
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) b[i_] = tv::mul_f16x2(t_10[i_], tv::pair(tv::get<16>(t_13, i_ / 2 % 2), tv::get<16>(t_13, i_ / 2 % 2)));
        // 38: acc = dot(a, b, acc)
        #line 38 "examples/matmul_explicit.tvm"
        TV_LINE(38);
        float acc_3[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) acc_3[i_] = acc_2[i_];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) {
            tv::u32 left_[] = {a[i_ / 2 * 4], a[1 + i_ / 2 * 4], a[2 + i_ / 2 * 4], a[3 + i_ / 2 * 4]};
            tv::u32 right_[] = {b[i_ * 2], b[1 + i_ * 2]};
            float* sums_ = acc_3 + (i_ % 2 * 4);
            tv::mma_m16n8k16_f16(sums_, left_, right_);
        }
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) acc_2[i_] = acc_3[i_];
    }
    // 39: store(y[m :+ 16, j * 64 :+ 64], cast(acc, A))
    #line 39 "examples/matmul_explicit.tvm"
    TV_LINE(39);
    tv::u32 t_14[4] = {};
    tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 8>(t_14, acc_2);
    {
        auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(t_4) * 2 + tv::s64(thread / 4 % 8) * (tv::s64(N) * 2) + tv::s64(thread / 32) * 32 + tv::s64(thread % 4) * 4);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++) {
            tv::store_global_u32(at_ + tv::s64(i_ % 2 * 8) * (tv::s64(N) * 2) + i_ / 2 * 16, (t_14 + i_)[0]);
        }
    }
}
// line 22: `ws` in shared memory lies row by row
// line 24: cp.async of 16 bytes
// line 25: cp.async of 16 bytes
// line 31: ldmatrix, 4 matrices at once
// line 32: 16-byte loads
// line 34: cp.async of 16 bytes
// line 35: cp.async of 16 bytes
// line 37: 2-byte loads, because of the register layout [1,64]{1 | 4:T32 2:R1 8:T4; rep 4:T1} over scale[K // 128, N]
// line 38: 8 x m16n8k16 a warp
// line 39: 4-byte stores, because of the register layout [16,64]{2:R2 8:T4 | 4:T32 2:R4 4:T1 2:R1} over y[M, N]
