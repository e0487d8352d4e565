// kernel quantize(
// x: f16[M, K],
// signs: f32[1],
// out codes: i8[M, K],
// out scales: f32[cdiv(M, 1), cdiv(K, 4096)],
// seed: u64):
// For sm_80: 128 threads a block, 16 bytes of shared memory.
TV_KERNEL(quantize_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ signs, tv::u8* __restrict__ codes, tv::u8* __restrict__ scales, tv::u64 seed, tv::s32 M, tv::s32 K) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(16);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 115: m = block_index(0) * ROWS
    #line 115 "tilevm/ops/quantization.tvm"
    TV_LINE(115);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 m = tv::mul(t, 1);
    // 116: k = block_index(1) * BLOCK
    #line 116 "tilevm/ops/quantization.tvm"
    TV_LINE(116);
    const tv::s32 t_2 = tv::block_index<1>();
    const tv::s32 k = tv::mul(t_2, 4096);
    // 73: tile = reshape(cast(load(x[m :+ rows, k :+ columns]), f32), [rows * columns]) @ runs(rows * columns, warps, run)
    #line 73 "tilevm/ops/quantization.tvm"
    TV_LINE(73);
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
    // 118: blocks = reshape(tile, [ROWS // GROUP_ROWS, GROUP_ROWS, BLOCK // GROUP, GROUP])
    #line 118 "tilevm/ops/quantization.tvm"
    TV_LINE(118);
    float blocks[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) blocks[i_] = tile[i_];
    // 119: s = scale_for(max(max(abs(blocks), axis=3), axis=1), reach(Q), S)
    #line 119 "tilevm/ops/quantization.tvm"
    TV_LINE(119);
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
    float top[1];
    {
        float parts_2[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
            const float next_2 = t_6[0];
            parts_2[i_ / 1] = i_ % 1 == 0 ? next_2 : tv::max(parts_2[i_ / 1], next_2);
        }
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) top[i_] = parts_2[i_];
    }
    // 80: exact = top / largest
    #line 80 "tilevm/ops/quantization.tvm"
    TV_LINE(80);
    float exact[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) exact[i_] = tv::div(top[0], 127.0f);
    // 81: return cast(where(exact > 0.0, exact, 1.0), S, rounding=up, saturate=True)
    #line 81 "tilevm/ops/quantization.tvm"
    TV_LINE(81);
    bool t_7[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_7[i_] = exact[0] > 0.0f;
    float t_8[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_8[i_] = t_7[0] ? exact[0] : 1.0f;
    float s[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) s[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::UP, true>(t_8[0]);
    // 120: store(scales[m // GROUP_ROWS :+ ROWS // GROUP_ROWS, k // GROUP :+ BLOCK // GROUP], s)
    #line 120 "tilevm/ops/quantization.tvm"
    TV_LINE(120);
    const tv::s32 t_9 = tv::floor_div(m, 1);
    const tv::s32 t_10 = tv::floor_div(k, 4096);
    {
        auto* const at_ = scales + (tv::s64(t_9) * (tv::s64(tv::cdiv(K, 4096)) * 4) + tv::s64(t_10) * 4);
        const bool mine_ = thread == 0;
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            tv::u32 words_[1] = {};
            words_[0] = tv::as_u32(s[0]);
            tv::store_global_u32(at_, (words_)[0], mine_);
        }
    }
    // 121: y = quotient(blocks, cast(s, f32)[:, None, :, None], Q, S) + 0.0       # -0.0 becomes 0, as on the host
    #line 121 "tilevm/ops/quantization.tvm"
    TV_LINE(121);
    float t_11[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_11[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(s[0]);
    float t_12[1];
    t_12[0] = t_11[0];
    float s_2[1];
    s_2[0] = t_12[0];
    // 23: p = where(s > 2.0 ** 40, 2.0 ** -64, where(s > 2.0 ** -40, 1.0, where(s > 2.0 ** -94, 2.0 ** 60, 2.0 ** 120)))
    #line 23 "tilevm/ops/quantization.tvm"
    TV_LINE(23);
    bool t_13[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_13[i_] = s_2[0] > 1.0995116e+12f;
    bool t_14[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_14[i_] = s_2[0] > 9.094947e-13f;
    bool t_15[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_15[i_] = s_2[0] > 5.04871e-29f;
    float t_16[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_16[i_] = t_15[0] ? 1.1529215e+18f : 1.329228e+36f;
    float t_17[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_17[i_] = t_14[0] ? 1.0f : t_16[0];
    float p[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) p[i_] = t_13[0] ? 5.421011e-20f : t_17[0];
    // 24: x = x * p
    #line 24 "tilevm/ops/quantization.tvm"
    TV_LINE(24);
    float x_2[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) x_2[i_] = tv::mul(blocks[i_], p[0]);
    // 25: s = s * p
    #line 25 "tilevm/ops/quantization.tvm"
    TV_LINE(25);
    float s_3[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) s_3[i_] = tv::mul(s_2[0], p[0]);
    // 26: r = 1.0 / s
    #line 26 "tilevm/ops/quantization.tvm"
    TV_LINE(26);
    float r[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) r[i_] = tv::div(1.0f, s_3[0]);
    // 27: near = x * r
    #line 27 "tilevm/ops/quantization.tvm"
    TV_LINE(27);
    float near[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) near[i_] = tv::mul(x_2[i_], r[0]);
    // 28: y = fma(-fma(near, s, -x), r, near)
    #line 28 "tilevm/ops/quantization.tvm"
    TV_LINE(28);
    float t_18[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_18[i_] = tv::neg(x_2[i_]);
    float t_19[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_19[i_] = tv::fma(near[i_], s_3[0], t_18[i_]);
    float t_20[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_20[i_] = tv::neg(t_19[i_]);
    float y[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y[i_] = tv::fma(t_20[i_], r[0], near[i_]);
    // 121: y = quotient(blocks, cast(s, f32)[:, None, :, None], Q, S) + 0.0       # -0.0 becomes 0, as on the host
    #line 121 "tilevm/ops/quantization.tvm"
    TV_LINE(121);
    float y_2[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_2[i_] = tv::add(y[i_], 0.0f);
    // 123: store(codes[m :+ ROWS, k :+ BLOCK], encoded(reshape(y, [ROWS, BLOCK]), Q, seed, place, STOCHASTIC))
    #line 123 "tilevm/ops/quantization.tvm"
    TV_LINE(123);
    float y_3[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) y_3[i_] = y_2[i_];
    // 88: codes = cast(y, Q, saturate=True)
    #line 88 "tilevm/ops/quantization.tvm"
    TV_LINE(88);
    tv::u32 codes_2[8] = {};
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) tv::put<8>(codes_2, i_, tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Integer<8, true>, tv::Round::NEAREST_EVEN, true>(y_3[i_]));
    // 123: store(codes[m :+ ROWS, k :+ BLOCK], encoded(reshape(y, [ROWS, BLOCK]), Q, seed, place, STOCHASTIC))
    #line 123 "tilevm/ops/quantization.tvm"
    TV_LINE(123);
    {
        const tv::u32 index1_ = tv::u32(k) + thread * 16;
        auto* const at_ = codes + (tv::s64(m) * tv::s64(K) + tv::s64(k) + tv::s64(thread) * 16);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
            const bool inside_ = index1_ + i_ * 2048 < tv::u32(K);
            tv::store_global_u32x4(at_ + i_ * 2048, codes_2 + i_ * 4, inside_);
        }
    }
}
// line 73: 16-byte loads
// line 119: 4 parts of each line meet in 16 bytes of shared memory
// line 120: 4-byte stores
// line 123: 16-byte stores
