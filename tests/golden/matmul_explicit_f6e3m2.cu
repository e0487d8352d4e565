// kernel matmul_explicit(
// x: f16[M, K],
// w: f6e3m2[K, N] @ blocks(64, 64) * spatial(1, 4) * local(4, 2) * local(2, 1) * column_spatial(4, 8) * local(2, 1),
// scale: f16[K // 128, N],
// out y: f16[M, N]):
// For sm_75: 128 threads a block, 15360 bytes of shared memory.
TV_KERNEL(matmul_explicit_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ w, const tv::u8* __restrict__ scale, tv::u8* __restrict__ y, tv::s32 M, tv::s32 K, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(15360);
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
    const tv::u32 xs = shared + 9216u;
    // 22: ws = shared(u8, [STAGES, 64 * 64 * W.bits // 8])
    #line 22 "examples/matmul_explicit.tvm"
    TV_LINE(22);
    const tv::u32 ws = shared;
    // 23: for s in range(STAGES - 1):
    #line 23 "examples/matmul_explicit.tvm"
    TV_LINE(23);
    for (tv::s32 s = 0; s < 2; s += 1) {
        // 24: copy_async(xs[s], x[m :+ 16, s * 64 :+ 64])
        #line 24 "examples/matmul_explicit.tvm"
        TV_LINE(24);
        const tv::s32 t_2 = tv::mul(s, 64);
        {
            tv::u32 held_[4] = {};
            {
                const tv::u32 index1_ = tv::u32(t_2) + thread % 8 * 8;
                auto* const at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(t_2) * 2 + tv::s64(thread / 8) * (tv::s64(K) * 2) + tv::s64(thread % 8) * 16);
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    const bool inside_ = index1_ < tv::u32(K);
                    tv::load_global_u32x4<tv::READ_ONLY>(held_, at_, inside_);
                }
            }
            {
                const tv::u32 at_ = xs + tv::s32(s) * 2048;
                const tv::u32 from_ = tv::flipped<896, 3>(tv::u32(thread / 8 * 128 + thread % 8 * 16));
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    tv::store_shared_u32x4(at_ + from_, held_);
                }
            }
        }
        // 25: copy_async(ws[s], packed[s, j])
        #line 25 "examples/matmul_explicit.tvm"
        TV_LINE(25);
        {
            tv::u32 held_[6] = {};
            {
                const tv::u32 index0_ = tv::u32(s);
                auto* const at_ = packed + (tv::s64(s) * ((tv::s64(N) / 64) * 3072) + tv::s64(j) * 3072 + tv::s64(thread) * 24);
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 3; i_++) {
                    const bool inside_ = index0_ < tv::u32(tv::floor_div(K, 64));
                    tv::load_global_u32x2<tv::READ_ONLY>(held_ + i_ * 2, at_ + i_ * 8, inside_);
                }
            }
            {
                const tv::u32 at_ = ws + tv::s32(s) * 3072 + thread * 24;
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 3; i_++) {
                    tv::store_shared_u32x2(at_ + i_ * 8, held_ + i_ * 2);
                }
            }
        }
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
        tv::u32 bytes[6] = {};
        {
            const tv::u32 at_ = ws + tv::s32(t_5) * 3072 + thread * 24;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 3; i_++) {
                tv::load_shared_u32x2(bytes + i_ * 2, at_ + i_ * 8);
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
            tv::u32 held_[4] = {};
            {
                const tv::u32 index1_ = tv::u32(t_8) + thread % 8 * 8;
                auto* const at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(t_8) * 2 + tv::s64(thread / 8) * (tv::s64(K) * 2) + tv::s64(thread % 8) * 16);
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    const bool inside_ = index1_ < tv::u32(K);
                    tv::load_global_u32x4<tv::READ_ONLY>(held_, at_, inside_);
                }
            }
            {
                const tv::u32 at_ = xs + tv::s32(t_7) * 2048;
                const tv::u32 from_ = tv::flipped<896, 3>(tv::u32(thread / 8 * 128 + thread % 8 * 16));
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    tv::store_shared_u32x4(at_ + from_, held_);
                }
            }
        }
        // 35: copy_async(ws[ahead % STAGES], packed[ahead, j])
        #line 35 "examples/matmul_explicit.tvm"
        TV_LINE(35);
        {
            tv::u32 held_[6] = {};
            {
                const tv::u32 index0_ = tv::u32(ahead);
                auto* const at_ = packed + (tv::s64(ahead) * ((tv::s64(N) / 64) * 3072) + tv::s64(j) * 3072 + tv::s64(thread) * 24);
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 3; i_++) {
                    const bool inside_ = index0_ < tv::u32(tv::floor_div(K, 64));
                    tv::load_global_u32x2<tv::READ_ONLY>(held_ + i_ * 2, at_ + i_ * 8, inside_);
                }
            }
            {
                const tv::u32 at_ = ws + tv::s32(t_7) * 3072 + thread * 24;
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 3; i_++) {
                    tv::store_shared_u32x2(at_ + i_ * 8, held_ + i_ * 2);
                }
            }
        }
        // 37: b = cast(view(bytes, W, weights), A) * load(scale[step * 64 // GROUP :+ 1, j * 64 :+ 64])
        #line 37 "examples/matmul_explicit.tvm"
        TV_LINE(37);
        tv::u32 t_9[6] = {};
        TV_UNROLL for (int i_ = 0; i_ < 6; i_++) t_9[i_] = bytes[i_];
        tv::u32 t_10[16] = {};
        TV_UNROLL for (int part_ = 0; part_ < 2; part_++) {
            const tv::u32 step0_ = tv::funnel_right(t_9[part_ * 3], t_9[part_ * 3 + 1], 0x6u);
            const tv::u32 step1_ = tv::prmt(t_9[part_ * 3], step0_, 0x4400u);
            const tv::u32 step2_ = tv::prmt(t_9[part_ * 3], step0_, 0x7733u);
            const tv::u32 step3_ = tv::funnel_right(t_9[part_ * 3], t_9[part_ * 3 + 1], 0xcu);
            const tv::u32 step4_ = tv::funnel_right(t_9[part_ * 3], t_9[part_ * 3 + 1], 0x12u);
            const tv::u32 step5_ = tv::prmt(step3_, step4_, 0x4400u);
            const tv::u32 step6_ = tv::prmt(step3_, step4_, 0x7733u);
            const tv::u32 step7_ = tv::funnel_right(t_9[part_ * 3 + 1], t_9[part_ * 3 + 2], 0x16u);
            const tv::u32 step8_ = tv::prmt(t_9[part_ * 3 + 1], step7_, 0x4422u);
            const tv::u32 step9_ = tv::prmt(t_9[part_ * 3 + 2], step7_, 0x7711u);
            const tv::u32 step10_ = tv::funnel_right(t_9[part_ * 3 + 1], t_9[part_ * 3 + 2], 0x1cu);
            const tv::u32 step11_ = t_9[part_ * 3 + 2] >> 2;
            const tv::u32 step12_ = tv::prmt(step10_, step11_, 0x4400u);
            const tv::u32 step13_ = tv::prmt(step10_, step11_, 0x7733u);
            const tv::u32 step14_ = step1_ << 10;
            const tv::u32 step15_ = step5_ << 10;
            const tv::u32 step16_ = step2_ << 10;
            const tv::u32 step17_ = step6_ << 10;
            const tv::u32 step18_ = step8_ << 10;
            const tv::u32 step19_ = step12_ << 10;
            const tv::u32 step20_ = step9_ << 10;
            const tv::u32 step21_ = step13_ << 10;
            const tv::u32 step22_ = tv::lop3<0xC0>(step1_, 0x1f001f00u, 0x0u);
            const tv::u32 step23_ = tv::lop3<0xEA>(step14_, 0x80008000u, step22_);
            const tv::u32 step24_ = tv::mul_f16x2(step23_, 0x6c006c00u);
            const tv::u32 step25_ = tv::lop3<0xC0>(step5_, 0x1f001f00u, 0x0u);
            const tv::u32 step26_ = tv::lop3<0xEA>(step15_, 0x80008000u, step25_);
            const tv::u32 step27_ = tv::mul_f16x2(step26_, 0x6c006c00u);
            const tv::u32 step28_ = tv::lop3<0xC0>(step2_, 0x1f001f00u, 0x0u);
            const tv::u32 step29_ = tv::lop3<0xEA>(step16_, 0x80008000u, step28_);
            const tv::u32 step30_ = tv::mul_f16x2(step29_, 0x6c006c00u);
            const tv::u32 step31_ = tv::lop3<0xC0>(step6_, 0x1f001f00u, 0x0u);
            const tv::u32 step32_ = tv::lop3<0xEA>(step17_, 0x80008000u, step31_);
            const tv::u32 step33_ = tv::mul_f16x2(step32_, 0x6c006c00u);
            const tv::u32 step34_ = tv::lop3<0xC0>(step8_, 0x1f001f00u, 0x0u);
            const tv::u32 step35_ = tv::lop3<0xEA>(step18_, 0x80008000u, step34_);
            const tv::u32 step36_ = tv::mul_f16x2(step35_, 0x6c006c00u);
            const tv::u32 step37_ = tv::lop3<0xC0>(step12_, 0x1f001f00u, 0x0u);
            const tv::u32 step38_ = tv::lop3<0xEA>(step19_, 0x80008000u, step37_);
            const tv::u32 step39_ = tv::mul_f16x2(step38_, 0x6c006c00u);
            const tv::u32 step40_ = tv::lop3<0xC0>(step9_, 0x1f001f00u, 0x0u);
            const tv::u32 step41_ = tv::lop3<0xEA>(step20_, 0x80008000u, step40_);
            const tv::u32 step42_ = tv::mul_f16x2(step41_, 0x6c006c00u);
            const tv::u32 step43_ = tv::lop3<0xC0>(step13_, 0x1f001f00u, 0x0u);
            const tv::u32 step44_ = tv::lop3<0xEA>(step21_, 0x80008000u, step43_);
            const tv::u32 step45_ = tv::mul_f16x2(step44_, 0x6c006c00u);
            t_10[part_ * 8] = step24_;
            t_10[part_ * 8 + 1] = step27_;
            t_10[part_ * 8 + 2] = step30_;
            t_10[part_ * 8 + 3] = step33_;
            t_10[part_ * 8 + 4] = step36_;
            t_10[part_ * 8 + 5] = step39_;
            t_10[part_ * 8 + 6] = step42_;
            t_10[part_ * 8 + 7] = step45_;
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
            tv::mma_m16n8k8_f16(sums_, left_, right_);
            tv::mma_m16n8k8_f16(sums_, left_ + 2, right_ + 1);
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
// line 24: copied through registers, because sm_75 has no cp.async
// line 25: copied through registers, because sm_75 has no cp.async
// line 31: ldmatrix, 4 matrices at once
// line 32: 8-byte loads, because of the register layout [3072]{128:T1 24:R1} over ws[3, 3072]
// line 34: copied through registers, because sm_75 has no cp.async
// line 35: copied through registers, because sm_75 has no cp.async
// line 37: 2-byte loads, because of the register layout [1,64]{1 | 4:T32 2:R1 8:T4; rep 4:T1} over scale[K // 128, N]
// line 38: 8 x m16n8k16 a warp
// line 39: 4-byte stores, because of the register layout [16,64]{2:R2 8:T4 | 4:T32 2:R4 4:T1 2:R1} over y[M, N]
