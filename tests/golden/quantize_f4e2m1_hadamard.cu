// kernel quantize(
// x: bf16[M, K],
// signs: f32[32],
// tensor_scale: f32[1],
// out codes: f4e2m1[M, K],
// out scales: e8m0[cdiv(M, 1), cdiv(K, 32)],
// seed: u64):
// For sm_90a: 128 threads a block, 0 bytes of shared memory.
TV_KERNEL(quantize_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ signs, const tv::u8* __restrict__ tensor_scale, tv::u8* __restrict__ codes, tv::u8* __restrict__ scales, tv::u64 seed, tv::s32 M, tv::s32 K) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(0);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 175: m = block_index(0) * ROWS
    #line 175 "tilevm/ops/quantization.tvm"
    TV_LINE(175);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 m = tv::mul(t, 1);
    // 176: k = block_index(1) * BLOCK
    #line 176 "tilevm/ops/quantization.tvm"
    TV_LINE(176);
    const tv::s32 t_2 = tv::block_index<1>();
    const tv::s32 k = tv::mul(t_2, 4096);
    // 81: tile = reshape(cast(load(x[m :+ rows, k :+ columns]), f32), [rows * columns]) @ runs(rows * columns, warps, run)
    #line 81 "tilevm/ops/quantization.tvm"
    TV_LINE(81);
    tv::u32 t_3[16] = {};
    {
        const tv::u32 index1_ = tv::u32(k) + thread * 32;
        auto* const at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(k) * 2 + tv::s64(thread) * 64);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++) {
            const bool inside_ = index1_ + i_ * 8 < tv::u32(K);
            tv::load_global_u32x4<tv::READ_ONLY>(t_3 + i_ * 4, at_ + i_ * 16, inside_);
        }
    }
    float t_4[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_4[i_] = tv::cast<tv::Float<16, 8, 7, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_3, i_));
    float tile[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) tile[i_] = t_4[i_];
    // 76: x = reshape(reshape(x, [count // order, order]) * load(signs[:])[None, :], [count])
    #line 76 "tilevm/ops/quantization.tvm"
    TV_LINE(76);
    float t_5[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_5[i_] = tile[i_];
    float t_6[32];
    {
        auto* const at_ = signs + (0);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
            tv::u32 words_[4] = {};
            tv::load_global_u32x4<tv::READ_ONLY>(words_, at_ + i_ * 16);
            TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_6[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
        }
    }
    float t_7[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_7[i_] = t_6[i_];
    float t_8[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_8[i_] = tv::mul(t_5[i_], t_7[i_]);
    float x_2[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) x_2[i_] = t_8[i_];
    // 52: pairs = reshape(x, [count // (2 * step), 2, step])
    #line 52 "tilevm/ops/quantization.tvm"
    TV_LINE(52);
    float pairs[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) pairs[i_] = x_2[i_];
    // 53: a, b = slice(pairs, 1, 0, 1), slice(pairs, 1, 1, 1)
    #line 53 "tilevm/ops/quantization.tvm"
    TV_LINE(53);
    float a[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) a[i_] = pairs[i_ * 2];
    float b[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) b[i_] = pairs[1 + i_ * 2];
    // 54: y = reshape(concat(a + b, a - b, axis=1), [count]) @ held
    #line 54 "tilevm/ops/quantization.tvm"
    TV_LINE(54);
    float t_9[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_9[i_] = tv::add(a[i_], b[i_]);
    float t_10[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_10[i_] = tv::sub(a[i_], b[i_]);
    float t_11[32];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_11[i_ * 2] = t_9[i_];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_11[1 + i_ * 2] = t_10[i_];
    float y[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y[i_] = t_11[i_];
    // 52: pairs = reshape(x, [count // (2 * step), 2, step])
    #line 52 "tilevm/ops/quantization.tvm"
    TV_LINE(52);
    float pairs_2[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) pairs_2[i_] = y[i_];
    // 53: a, b = slice(pairs, 1, 0, 1), slice(pairs, 1, 1, 1)
    #line 53 "tilevm/ops/quantization.tvm"
    TV_LINE(53);
    float a_2[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) a_2[i_] = pairs_2[i_ % 2 + i_ / 2 * 4];
    float b_2[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) b_2[i_] = pairs_2[2 + i_ % 2 + i_ / 2 * 4];
    // 54: y = reshape(concat(a + b, a - b, axis=1), [count]) @ held
    #line 54 "tilevm/ops/quantization.tvm"
    TV_LINE(54);
    float t_12[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_12[i_] = tv::add(a_2[i_], b_2[i_]);
    float t_13[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_13[i_] = tv::sub(a_2[i_], b_2[i_]);
    float t_14[32];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_14[i_ % 2 + i_ / 2 * 4] = t_12[i_];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_14[2 + i_ % 2 + i_ / 2 * 4] = t_13[i_];
    float y_2[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_2[i_] = t_14[i_];
    // 52: pairs = reshape(x, [count // (2 * step), 2, step])
    #line 52 "tilevm/ops/quantization.tvm"
    TV_LINE(52);
    float pairs_3[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) pairs_3[i_] = y_2[i_];
    // 53: a, b = slice(pairs, 1, 0, 1), slice(pairs, 1, 1, 1)
    #line 53 "tilevm/ops/quantization.tvm"
    TV_LINE(53);
    float a_3[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) a_3[i_] = pairs_3[i_ % 4 + i_ / 4 * 8];
    float b_3[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) b_3[i_] = pairs_3[4 + i_ % 4 + i_ / 4 * 8];
    // 54: y = reshape(concat(a + b, a - b, axis=1), [count]) @ held
    #line 54 "tilevm/ops/quantization.tvm"
    TV_LINE(54);
    float t_15[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_15[i_] = tv::add(a_3[i_], b_3[i_]);
    float t_16[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_16[i_] = tv::sub(a_3[i_], b_3[i_]);
    float t_17[32];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_17[i_ % 4 + i_ / 4 * 8] = t_15[i_];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_17[4 + i_ % 4 + i_ / 4 * 8] = t_16[i_];
    float y_3[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_3[i_] = t_17[i_];
    // 52: pairs = reshape(x, [count // (2 * step), 2, step])
    #line 52 "tilevm/ops/quantization.tvm"
    TV_LINE(52);
    float pairs_4[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) pairs_4[i_] = y_3[i_];
    // 53: a, b = slice(pairs, 1, 0, 1), slice(pairs, 1, 1, 1)
    #line 53 "tilevm/ops/quantization.tvm"
    TV_LINE(53);
    float a_4[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) a_4[i_] = pairs_4[i_ % 8 + i_ / 8 * 16];
    float b_4[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) b_4[i_] = pairs_4[8 + i_ % 8 + i_ / 8 * 16];
    // 54: y = reshape(concat(a + b, a - b, axis=1), [count]) @ held
    #line 54 "tilevm/ops/quantization.tvm"
    TV_LINE(54);
    float t_18[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_18[i_] = tv::add(a_4[i_], b_4[i_]);
    float t_19[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_19[i_] = tv::sub(a_4[i_], b_4[i_]);
    float t_20[32];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_20[i_ % 8 + i_ / 8 * 16] = t_18[i_];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_20[8 + i_ % 8 + i_ / 8 * 16] = t_19[i_];
    float y_4[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_4[i_] = t_20[i_];
    // 52: pairs = reshape(x, [count // (2 * step), 2, step])
    #line 52 "tilevm/ops/quantization.tvm"
    TV_LINE(52);
    float pairs_5[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) pairs_5[i_] = y_4[i_];
    // 53: a, b = slice(pairs, 1, 0, 1), slice(pairs, 1, 1, 1)
    #line 53 "tilevm/ops/quantization.tvm"
    TV_LINE(53);
    float a_5[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) a_5[i_] = pairs_5[i_];
    float b_5[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) b_5[i_] = pairs_5[16 + i_];
    // 54: y = reshape(concat(a + b, a - b, axis=1), [count]) @ held
    #line 54 "tilevm/ops/quantization.tvm"
    TV_LINE(54);
    float t_21[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_21[i_] = tv::add(a_5[i_], b_5[i_]);
    float t_22[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_22[i_] = tv::sub(a_5[i_], b_5[i_]);
    float t_23[32];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_23[i_] = t_21[i_];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_23[16 + i_] = t_22[i_];
    float y_5[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_5[i_] = t_23[i_];
    // 70: x = x * (1.0 / sqrt(order))
    #line 70 "tilevm/ops/quantization.tvm"
    TV_LINE(70);
    float x_3[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) x_3[i_] = tv::mul(y_5[i_], 0.17677669f);
    // 144: return reshape(tile, [ROWS // GROUP_ROWS, GROUP_ROWS, BLOCK // GROUP, GROUP])
    #line 144 "tilevm/ops/quantization.tvm"
    TV_LINE(144);
    float blocks[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) blocks[i_] = x_3[i_];
    // 148: return max(max(abs(blocks), axis=3), axis=1)
    #line 148 "tilevm/ops/quantization.tvm"
    TV_LINE(148);
    float t_24[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_24[i_] = tv::abs(blocks[i_]);
    float t_25[1];
    {
        float parts[1];
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) {
            const float next = t_24[i_];
            parts[i_ / 32] = i_ % 32 == 0 ? next : tv::max(parts[i_ / 32], next);
        }
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_25[i_] = parts[i_];
    }
    float range[1];
    {
        float parts_2[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
            const float next_2 = t_25[0];
            parts_2[i_ / 1] = i_ % 1 == 0 ? next_2 : tv::max(parts_2[i_ / 1], next_2);
        }
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) range[i_] = parts_2[i_];
    }
    // 91: exact = range / largest
    #line 91 "tilevm/ops/quantization.tvm"
    TV_LINE(91);
    float exact[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) exact[i_] = tv::div(range[0], 6.0f);
    // 102: below = cast(cast(where(exact > 0.0, range, 2.0 ** EMAX), e8m0, rounding=toward_zero), f32)
    #line 102 "tilevm/ops/quantization.tvm"
    TV_LINE(102);
    bool t_26[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_26[i_] = exact[0] > 0.0f;
    float t_27[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_27[i_] = t_26[0] ? range[0] : 4.0f;
    tv::u32 t_28[1] = {};
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) tv::put<8>(t_28, i_, tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<8, 8, 0, 127, false, tv::Specials::SCALE>, tv::Round::TOWARD_ZERO, true>(t_27[0]));
    float below[1];
    {
        const tv::u32 step0_ = tv::prmt(t_28[0], 0x0u, 0x404u);
        const tv::u32 step1_ = step0_ >> 1;
        const tv::u32 step2_ = tv::max_bf16x2(step1_, 0x400040u);
        const tv::u32 step3_ = tv::fma_bf16x2(step2_, 0x0u, step2_);
        const tv::u32 step4_ = step3_ << 16;
        below[0] = tv::as_f32(step4_);
    }
    // 103: s = cast(below * 2.0 ** -EMAX, S, saturate=True)
    #line 103 "tilevm/ops/quantization.tvm"
    TV_LINE(103);
    float t_29[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_29[i_] = tv::mul(below[0], 0.25f);
    tv::u32 s[1] = {};
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) tv::put<8>(s, i_, tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<8, 8, 0, 127, false, tv::Specials::SCALE>, tv::Round::NEAREST_EVEN, true>(t_29[0]));
    // 159: store(scales[m // GROUP_ROWS :+ ROWS // GROUP_ROWS, k // GROUP :+ BLOCK // GROUP], s)
    #line 159 "tilevm/ops/quantization.tvm"
    TV_LINE(159);
    const tv::s32 t_30 = tv::floor_div(m, 1);
    const tv::s32 t_31 = tv::floor_div(k, 32);
    {
        const tv::u32 index1_ = tv::u32(t_31) + thread;
        auto* const at_ = scales + (tv::s64(t_30) * tv::s64(tv::cdiv(K, 32)) + tv::s64(t_31) + thread);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const bool inside_ = index1_ < tv::u32(tv::cdiv(K, 32));
            tv::u32 words_[1] = {};
            tv::put<8>(words_, 0, tv::u32(tv::get<8>(s, 0)));
            tv::store_global_u8(at_, tv::get<8>(words_, 0), inside_);
        }
    }
    // 111: step = cast(s, f32)
    #line 111 "tilevm/ops/quantization.tvm"
    TV_LINE(111);
    float step[1];
    {
        const tv::u32 step0_ = tv::prmt(s[0], 0x0u, 0x404u);
        const tv::u32 step1_ = step0_ >> 1;
        const tv::u32 step2_ = tv::max_bf16x2(step1_, 0x400040u);
        const tv::u32 step3_ = tv::fma_bf16x2(step2_, 0x0u, step2_);
        const tv::u32 step4_ = step3_ << 16;
        step[0] = tv::as_f32(step4_);
    }
    // 161: y = quotient(blocks, step[:, None, :, None], Q, S, TWO_LEVELS) + 0.0        # -0.0 is 0, as on the host
    #line 161 "tilevm/ops/quantization.tvm"
    TV_LINE(161);
    float t_32[1];
    t_32[0] = step[0];
    float s_2[1];
    s_2[0] = t_32[0];
    // 33: y = x * (1.0 / s)           # the reciprocal of a power of two is exact
    #line 33 "tilevm/ops/quantization.tvm"
    TV_LINE(33);
    float t_33[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_33[i_] = tv::div(1.0f, s_2[0]);
    float y_6[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_6[i_] = tv::mul(blocks[i_], t_33[0]);
    // 161: y = quotient(blocks, step[:, None, :, None], Q, S, TWO_LEVELS) + 0.0        # -0.0 is 0, as on the host
    #line 161 "tilevm/ops/quantization.tvm"
    TV_LINE(161);
    float y_7[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_7[i_] = tv::add(y_6[i_], 0.0f);
    // 162: q = encoded(reshape(y, [ROWS, BLOCK]), Q, m, k, columns, seed, SYMMETRIC, STOCHASTIC)
    #line 162 "tilevm/ops/quantization.tvm"
    TV_LINE(162);
    float y_8[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_8[i_] = y_7[i_];
    // 132: q = cast(y, Q, saturate=True)
    #line 132 "tilevm/ops/quantization.tvm"
    TV_LINE(132);
    tv::u32 q[4] = {};
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) tv::put<4>(q, i_, tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<4, 2, 1, 1, true, tv::Specials::FINITE>, tv::Round::NEAREST_EVEN, true>(y_8[i_]));
    // 163: store(codes[m :+ ROWS, k :+ BLOCK], in_runs(q, HADAMARD, WARPS, RUN))
    #line 163 "tilevm/ops/quantization.tvm"
    TV_LINE(163);
    {
        const tv::u32 index1_ = tv::u32(k) + thread * 32;
        auto* const at_ = codes + ((tv::s64(m) * (tv::s64(K) * 4) + tv::s64(k) * 4) / 8 + tv::s64(thread) * 16);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            const bool inside_ = index1_ < tv::u32(K);
            tv::store_global_u32x4(at_, q, inside_);
        }
    }
}
// line 76: 16-byte loads
// line 81: 16-byte loads
// line 159: 1-byte stores
// line 163: 16-byte stores
