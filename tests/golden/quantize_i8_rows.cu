// kernel quantize(
// x: f16[M, K],
// signs: f32[1],
// tensor_scale: f32[1],
// out codes: i8[M, K],
// out scales: f32[cdiv(M, 1), cdiv(K, 4096)],
// seed: u64):
// For sm_80: 128 threads a block, 16 bytes of shared memory.
TV_KERNEL(quantize_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ signs, const tv::u8* __restrict__ tensor_scale, tv::u8* __restrict__ codes, tv::u8* __restrict__ scales, tv::u64 seed, tv::s32 M, tv::s32 K) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(16);
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
        const tv::u32 index1_ = tv::u32(k) + thread * 16;
        auto* const at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(k) * 2 + tv::s64(thread) * 32);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++) {
            const bool inside_ = index1_ + i_ % 2 * 8 + i_ / 2 * 2048 < tv::u32(K);
            tv::load_global_u32x4<tv::READ_ONLY>(t_3 + i_ * 4, at_ + i_ % 2 * 16 + i_ / 2 * 4096, inside_);
        }
    }
    float t_4[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_4[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_3, i_));
    float tile[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) tile[i_] = t_4[i_];
    // 144: return reshape(tile, [ROWS // GROUP_ROWS, GROUP_ROWS, BLOCK // GROUP, GROUP])
    #line 144 "tilevm/ops/quantization.tvm"
    TV_LINE(144);
    float blocks[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) blocks[i_] = tile[i_];
    // 148: return max(max(abs(blocks), axis=3), axis=1)
    #line 148 "tilevm/ops/quantization.tvm"
    TV_LINE(148);
    float t_5[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_5[i_] = tv::abs(blocks[i_]);
    float t_6[1];
    {
        float parts[1];
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) {
            const float next = t_5[i_];
            parts[i_ / 32] = i_ % 32 == 0 ? next : tv::max(parts[i_ / 32], next);
        }
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 1));
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 2));
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 4));
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 8));
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 16));
        const tv::u32 cells = (shared + 0u);
        if (thread % 32 == 0)
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                tv::store_number(cells + ((thread / 32)) * 4, parts[i_]);
            }
        tv::sync();
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
            TV_UNROLL for (int part_ = 0; part_ < 4; part_++) {
                const float other_ = tv::load_number<float>(cells + (part_) * 4);
                parts[i_] = part_ == 0 ? other_ : tv::max(parts[i_], other_);
            }
        }
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_6[i_] = parts[i_];
    }
    float range[1];
    {
        float parts_2[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
            const float next_2 = t_6[0];
            parts_2[i_ / 1] = i_ % 1 == 0 ? next_2 : tv::max(parts_2[i_ / 1], next_2);
        }
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) range[i_] = parts_2[i_];
    }
    // 91: exact = range / largest
    #line 91 "tilevm/ops/quantization.tvm"
    TV_LINE(91);
    float exact[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) exact[i_] = tv::div(range[0], 127.0f);
    // 94: fit = where(exact > 0.0, exact, 1.0)
    #line 94 "tilevm/ops/quantization.tvm"
    TV_LINE(94);
    bool t_7[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_7[i_] = exact[0] > 0.0f;
    float fit[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) fit[i_] = t_7[0] ? exact[0] : 1.0f;
    // 96: s = cast(fit, S, rounding=up, saturate=True)
    #line 96 "tilevm/ops/quantization.tvm"
    TV_LINE(96);
    float s[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) s[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::UP, true>(fit[0]);
    // 159: store(scales[m // GROUP_ROWS :+ ROWS // GROUP_ROWS, k // GROUP :+ BLOCK // GROUP], s)
    #line 159 "tilevm/ops/quantization.tvm"
    TV_LINE(159);
    const tv::s32 t_8 = tv::floor_div(m, 1);
    const tv::s32 t_9 = tv::floor_div(k, 4096);
    {
        auto* const at_ = scales + (tv::s64(t_8) * (tv::s64(tv::cdiv(K, 4096)) * 4) + tv::s64(t_9) * 4);
        const bool mine_ = thread == 0;
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            tv::u32 words_[1] = {};
            words_[0] = tv::as_u32(s[0]);
            tv::store_global_u32(at_, (words_)[0], mine_);
        }
    }
    // 111: step = cast(s, f32)
    #line 111 "tilevm/ops/quantization.tvm"
    TV_LINE(111);
    float step[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) step[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(s[0]);
    // 161: y = quotient(blocks, step[:, None, :, None], Q, S, TWO_LEVELS) + 0.0        # -0.0 is 0, as on the host
    #line 161 "tilevm/ops/quantization.tvm"
    TV_LINE(161);
    float t_10[1];
    t_10[0] = step[0];
    float s_2[1];
    s_2[0] = t_10[0];
    // 38: p = where(s > 2.0 ** 40, 2.0 ** -64, where(s > 2.0 ** -40, 1.0, where(s > 2.0 ** -94, 2.0 ** 60, 2.0 ** 120)))
    #line 38 "tilevm/ops/quantization.tvm"
    TV_LINE(38);
    bool t_11[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_11[i_] = s_2[0] > 1.0995116e+12f;
    bool t_12[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_12[i_] = s_2[0] > 9.094947e-13f;
    bool t_13[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_13[i_] = s_2[0] > 5.04871e-29f;
    float t_14[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_14[i_] = t_13[0] ? 1.1529215e+18f : 1.329228e+36f;
    float t_15[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_15[i_] = t_12[0] ? 1.0f : t_14[0];
    float p[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) p[i_] = t_11[0] ? 5.421011e-20f : t_15[0];
    // 39: x = x * p
    #line 39 "tilevm/ops/quantization.tvm"
    TV_LINE(39);
    float x_2[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) x_2[i_] = tv::mul(blocks[i_], p[0]);
    // 40: s = s * p
    #line 40 "tilevm/ops/quantization.tvm"
    TV_LINE(40);
    float s_3[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) s_3[i_] = tv::mul(s_2[0], p[0]);
    // 41: r = 1.0 / s
    #line 41 "tilevm/ops/quantization.tvm"
    TV_LINE(41);
    float r[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) r[i_] = tv::div(1.0f, s_3[0]);
    // 42: near = x * r
    #line 42 "tilevm/ops/quantization.tvm"
    TV_LINE(42);
    float near[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) near[i_] = tv::mul(x_2[i_], r[0]);
    // 43: y = fma(-fma(near, s, -x), r, near)
    #line 43 "tilevm/ops/quantization.tvm"
    TV_LINE(43);
    float t_16[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_16[i_] = tv::neg(x_2[i_]);
    float t_17[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_17[i_] = tv::fma(near[i_], s_3[0], t_16[i_]);
    float t_18[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_18[i_] = tv::neg(t_17[i_]);
    float y[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y[i_] = tv::fma(t_18[i_], r[0], near[i_]);
    // 161: y = quotient(blocks, step[:, None, :, None], Q, S, TWO_LEVELS) + 0.0        # -0.0 is 0, as on the host
    #line 161 "tilevm/ops/quantization.tvm"
    TV_LINE(161);
    float y_2[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_2[i_] = tv::add(y[i_], 0.0f);
    // 162: q = encoded(reshape(y, [ROWS, BLOCK]), Q, m, k, columns, seed, SYMMETRIC, STOCHASTIC)
    #line 162 "tilevm/ops/quantization.tvm"
    TV_LINE(162);
    float y_3[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_3[i_] = y_2[i_];
    // 132: q = cast(y, Q, saturate=True)
    #line 132 "tilevm/ops/quantization.tvm"
    TV_LINE(132);
    tv::u32 q[8] = {};
    tv::narrow_to_integers<tv::Integer<8, true>, tv::NEAREST_EVEN, 32>(q, [&](int i_) { return tv::decode_f32<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>>(y_3[i_]); });
    // 163: store(codes[m :+ ROWS, k :+ BLOCK], in_runs(q, HADAMARD, WARPS, RUN))
    #line 163 "tilevm/ops/quantization.tvm"
    TV_LINE(163);
    {
        const tv::u32 index1_ = tv::u32(k) + thread * 16;
        auto* const at_ = codes + (tv::s64(m) * tv::s64(K) + tv::s64(k) + tv::s64(thread) * 16);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
            const bool inside_ = index1_ + i_ * 2048 < tv::u32(K);
            tv::store_global_u32x4(at_ + i_ * 2048, q + i_ * 4, inside_);
        }
    }
}
// line 81: 16-byte loads
// line 148: 4 parts of each line meet in 16 bytes of shared memory
// line 159: 4-byte stores
// line 163: 16-byte stores
