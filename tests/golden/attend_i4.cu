// kernel attend(
// q: f16[H, 128],
// k: i4[T, HK, 128],
// k_scale: f16[T, HK],
// v: i4[T, HK, 128],
// v_scale: f16[T, HK],
// out o: f16[H, 128],
// scale: f32):
// For sm_80: 128 threads a block, 18432 bytes of shared memory.
TV_KERNEL(attend_kernel, 128, const tv::u8* __restrict__ q, const tv::u8* __restrict__ k, const tv::u8* __restrict__ k_scale, const tv::u8* __restrict__ v, const tv::u8* __restrict__ v_scale, tv::u8* __restrict__ o, float scale, tv::s32 H, tv::s32 T, tv::s32 HK) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(18432);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 9: h = block_index(0)
    #line 9 "examples/attention.tvm"
    TV_LINE(9);
    const tv::s32 h = tv::block_index<0>();
    // 10: g = h // (H // HK)
    #line 10 "examples/attention.tvm"
    TV_LINE(10);
    const tv::s32 t = tv::floor_div(H, HK);
    const tv::s32 g = tv::floor_div(h, t);
    // 11: query = cast(load(q[h, 0 :+ D]), f32)
    #line 11 "examples/attention.tvm"
    TV_LINE(11);
    tv::u32 t_2[16] = {};
    {
        auto* const at_ = q + (tv::s64(h) * 256 + tv::s64(thread % 4) * 64);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++) {
            tv::load_global_u32x4<tv::READ_ONLY>(t_2 + i_ * 4, at_ + i_ * 16);
        }
    }
    float query[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) query[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_2, i_));
    // 12: top = full(f32, [1], -inf)
    #line 12 "examples/attention.tvm"
    TV_LINE(12);
    float top[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) top[i_] = tv::as_f32(0xff800000u);
    // 13: total = zeros(f32, [1])
    #line 13 "examples/attention.tvm"
    TV_LINE(13);
    float total[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) total[i_] = 0;
    // 14: acc = zeros(f32, [D])
    #line 14 "examples/attention.tvm"
    TV_LINE(14);
    float acc[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) acc[i_] = 0;
    // 17: logits = where(t + iota(BT) < T, sum(keys * query[None, :], axis=1) * scale, -inf)
    #line 17 "examples/attention.tvm"
    TV_LINE(17);
    tv::s32 t_3[2];
    const tv::s32 t_3_first = tv::s32(thread / 4);
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_3[i_] = tv::s32(t_3_first + i_ * 32);
    float t_4[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_4[i_] = query[i_];
    // 16: keys = cast(load(k[t :+ BT, g, 0 :+ D]), f32) * cast(load(k_scale[t :+ BT, g]), f32)[:, None]
    #line 16 "examples/attention.tvm"
    TV_LINE(16);
    const tv::u32 k_2 = shared;
    // 21: values = cast(load(v[t :+ BT, g, 0 :+ D]), f32) * cast(load(v_scale[t :+ BT, g]), f32)[:, None]
    #line 21 "examples/attention.tvm"
    TV_LINE(21);
    const tv::u32 v_2 = shared + 8192u;
    // 16: keys = cast(load(k[t :+ BT, g, 0 :+ D]), f32) * cast(load(k_scale[t :+ BT, g]), f32)[:, None]
    #line 16 "examples/attention.tvm"
    TV_LINE(16);
    {
        const tv::u32 index0_ = tv::u32(0) + thread / 4;
        const tv::u32 index1_ = tv::u32(g);
        auto* const source_at_ = k + (tv::s64(g) * 64 + tv::s64(thread / 4) * (tv::s64(HK) * 64) + tv::s64(thread % 4) * 16);
        const tv::u32 target_at_ = k_2 + thread / 4 * 64 + thread % 4 * 16;
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
            const tv::u32 bytes_ = index0_ + i_ * 32 < tv::u32(T) && index1_ < tv::u32(HK) ? 16 : 0;
            tv::cp_async<16>(target_at_ + i_ * 2048, source_at_ + tv::s64(i_ * 32) * (tv::s64(HK) * 64), bytes_);
        }
    }
    // 21: values = cast(load(v[t :+ BT, g, 0 :+ D]), f32) * cast(load(v_scale[t :+ BT, g]), f32)[:, None]
    #line 21 "examples/attention.tvm"
    TV_LINE(21);
    {
        const tv::u32 index0_ = tv::u32(0) + thread / 4;
        const tv::u32 index1_ = tv::u32(g);
        auto* const source_at_ = v + (tv::s64(g) * 64 + tv::s64(thread / 4) * (tv::s64(HK) * 64) + tv::s64(thread % 4) * 16);
        const tv::u32 target_at_ = v_2 + thread / 4 * 64 + thread % 4 * 16;
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
            const tv::u32 bytes_ = index0_ + i_ * 32 < tv::u32(T) && index1_ < tv::u32(HK) ? 16 : 0;
            tv::cp_async<16>(target_at_ + i_ * 2048, source_at_ + tv::s64(i_ * 32) * (tv::s64(HK) * 64), bytes_);
        }
    }
    // 15: for t in range(0, T, BT, stages=2):
    #line 15 "examples/attention.tvm"
    TV_LINE(15);
    tv::cp_async_commit();
    // 15: for t in range(0, T, BT, stages=2):
    #line 15 "examples/attention.tvm"
    TV_LINE(15);
    float total_2[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) total_2[i_] = total[i_];
    float acc_2[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) acc_2[i_] = acc[i_];
    float top_2[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) top_2[i_] = top[i_];
    tv::s32 iteration;
    iteration = 0;
    for (tv::s32 t_5 = 0; t_5 < T; t_5 += 64) {
        // 15: for t in range(0, T, BT, stages=2):
        #line 15 "examples/attention.tvm"
        TV_LINE(15);
        const tv::s32 t_6 = tv::add(t_5, 64);
        const tv::s32 t_7 = tv::add(iteration, 1);
        const tv::s32 t_8 = tv::rem(t_7, 2);
        const tv::s32 t_9 = tv::rem(iteration, 2);
        tv::cp_async_wait<0>();
        tv::sync();
        // 16: keys = cast(load(k[t :+ BT, g, 0 :+ D]), f32) * cast(load(k_scale[t :+ BT, g]), f32)[:, None]
        #line 16 "examples/attention.tvm"
        TV_LINE(16);
        {
            const tv::u32 index0_ = tv::u32(t_6) + thread / 4;
            const tv::u32 index1_ = tv::u32(g);
            auto* const source_at_ = k + (tv::s64(t_6) * (tv::s64(HK) * 64) + tv::s64(g) * 64 + tv::s64(thread / 4) * (tv::s64(HK) * 64) + tv::s64(thread % 4) * 16);
            const tv::u32 target_at_ = k_2 + tv::s32(t_8) * 4096 + thread / 4 * 64 + thread % 4 * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                const tv::u32 bytes_ = index0_ + i_ * 32 < tv::u32(T) && index1_ < tv::u32(HK) ? 16 : 0;
                tv::cp_async<16>(target_at_ + i_ * 2048, source_at_ + tv::s64(i_ * 32) * (tv::s64(HK) * 64), bytes_);
            }
        }
        // 21: values = cast(load(v[t :+ BT, g, 0 :+ D]), f32) * cast(load(v_scale[t :+ BT, g]), f32)[:, None]
        #line 21 "examples/attention.tvm"
        TV_LINE(21);
        {
            const tv::u32 index0_ = tv::u32(t_6) + thread / 4;
            const tv::u32 index1_ = tv::u32(g);
            auto* const source_at_ = v + (tv::s64(t_6) * (tv::s64(HK) * 64) + tv::s64(g) * 64 + tv::s64(thread / 4) * (tv::s64(HK) * 64) + tv::s64(thread % 4) * 16);
            const tv::u32 target_at_ = v_2 + tv::s32(t_8) * 4096 + thread / 4 * 64 + thread % 4 * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                const tv::u32 bytes_ = index0_ + i_ * 32 < tv::u32(T) && index1_ < tv::u32(HK) ? 16 : 0;
                tv::cp_async<16>(target_at_ + i_ * 2048, source_at_ + tv::s64(i_ * 32) * (tv::s64(HK) * 64), bytes_);
            }
        }
        // 15: for t in range(0, T, BT, stages=2):
        #line 15 "examples/attention.tvm"
        TV_LINE(15);
        tv::cp_async_commit();
        // 16: keys = cast(load(k[t :+ BT, g, 0 :+ D]), f32) * cast(load(k_scale[t :+ BT, g]), f32)[:, None]
        #line 16 "examples/attention.tvm"
        TV_LINE(16);
        tv::u32 t_10[8] = {};
        {
            const tv::u32 at_ = k_2 + tv::s32(t_9) * 4096 + thread / 4 * 64 + thread % 4 * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                tv::load_shared_u32x4(t_10 + i_ * 4, at_ + i_ * 2048);
            }
        }
        float t_11[64];
        TV_UNROLL for (int part_ = 0; part_ < 8; part_++) {
            const tv::u32 step0_ = t_10[part_] >> 20;
            const tv::u32 step1_ = tv::lop3<0x6A>(t_10[part_], 0xfu, 0x4b000008u);
            const tv::u32 step2_ = tv::as_u32(tv::sub(tv::as_f32(step1_), tv::as_f32(0x4b000008u)));
            const tv::u32 step3_ = tv::lop3<0x6A>(t_10[part_], 0xf0u, 0x4b000080u);
            const tv::u32 step4_ = tv::as_u32(tv::fma(tv::as_f32(step3_), tv::as_f32(0x3d800000u), tv::as_f32(0xc9000080u)));
            const tv::u32 step5_ = tv::lop3<0x6A>(t_10[part_], 0xf00u, 0x4b000800u);
            const tv::u32 step6_ = tv::as_u32(tv::fma(tv::as_f32(step5_), tv::as_f32(0x3b800000u), tv::as_f32(0xc7000800u)));
            const tv::u32 step7_ = tv::lop3<0x6A>(t_10[part_], 0xf000u, 0x4b008000u);
            const tv::u32 step8_ = tv::as_u32(tv::fma(tv::as_f32(step7_), tv::as_f32(0x39800000u), tv::as_f32(0xc5008000u)));
            const tv::u32 step9_ = tv::lop3<0x6A>(t_10[part_], 0xf0000u, 0x4b080000u);
            const tv::u32 step10_ = tv::as_u32(tv::fma(tv::as_f32(step9_), tv::as_f32(0x37800000u), tv::as_f32(0xc3080000u)));
            const tv::u32 step11_ = tv::lop3<0x6A>(step0_, 0xfu, 0x4b000008u);
            const tv::u32 step12_ = tv::as_u32(tv::sub(tv::as_f32(step11_), tv::as_f32(0x4b000008u)));
            const tv::u32 step13_ = tv::lop3<0x6A>(step0_, 0xf0u, 0x4b000080u);
            const tv::u32 step14_ = tv::as_u32(tv::fma(tv::as_f32(step13_), tv::as_f32(0x3d800000u), tv::as_f32(0xc9000080u)));
            const tv::u32 step15_ = tv::lop3<0x6A>(step0_, 0xf00u, 0x4b000800u);
            const tv::u32 step16_ = tv::as_u32(tv::fma(tv::as_f32(step15_), tv::as_f32(0x3b800000u), tv::as_f32(0xc7000800u)));
            t_11[part_ * 8] = tv::as_f32(step2_);
            t_11[part_ * 8 + 1] = tv::as_f32(step4_);
            t_11[part_ * 8 + 2] = tv::as_f32(step6_);
            t_11[part_ * 8 + 3] = tv::as_f32(step8_);
            t_11[part_ * 8 + 4] = tv::as_f32(step10_);
            t_11[part_ * 8 + 5] = tv::as_f32(step12_);
            t_11[part_ * 8 + 6] = tv::as_f32(step14_);
            t_11[part_ * 8 + 7] = tv::as_f32(step16_);
        }
        tv::u32 t_12[1] = {};
        {
            const tv::u32 index1_ = tv::u32(g);
            auto* const at_ = k_scale + (tv::s64(t_5) * (tv::s64(HK) * 2) + tv::s64(g) * 2 + tv::s64(thread / 4) * (tv::s64(HK) * 2));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                const bool inside_ = index1_ < tv::u32(HK);
                tv::u32 words_[1] = {};
                tv::put<16>(words_, 0, tv::load_global_u16<tv::READ_ONLY>(at_ + tv::s64(i_ * 32) * (tv::s64(HK) * 2), inside_));
                tv::put<16>(t_12, i_, tv::get<16>(words_, 0));
            }
        }
        float t_13[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_13[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_12, i_));
        float t_14[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_14[i_] = t_13[i_];
        float keys[64];
        TV_UNROLL for (int i_ = 0; i_ < 64; i_++) keys[i_] = tv::mul(t_11[i_], t_14[i_ / 32]);
        // 17: logits = where(t + iota(BT) < T, sum(keys * query[None, :], axis=1) * scale, -inf)
        #line 17 "examples/attention.tvm"
        TV_LINE(17);
        tv::s32 t_15[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_15[i_] = tv::add(t_5, t_3[i_]);
        bool t_16[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_16[i_] = t_15[i_] < T;
        float t_17[64];
        TV_UNROLL for (int i_ = 0; i_ < 64; i_++) t_17[i_] = tv::mul(keys[i_], t_4[i_ % 32]);
        float t_18[2];
        {
            float parts[2];
            TV_UNROLL for (int i_ = 0; i_ < 64; i_++) {
                const float next = t_17[i_];
                parts[i_ / 32] = i_ % 32 == 0 ? next : tv::add(parts[i_ / 32], next);
            }
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts[i_] = tv::add(parts[i_], tv::swap_lanes(parts[i_], 1));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts[i_] = tv::add(parts[i_], tv::swap_lanes(parts[i_], 2));
                TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_18[i_] = parts[i_];
        }
        float t_19[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_19[i_] = tv::mul(t_18[i_], scale);
        float logits[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) logits[i_] = t_16[i_] ? t_19[i_] : tv::as_f32(0xff800000u);
        // 18: new = maximum(top, max(logits))
        #line 18 "examples/attention.tvm"
        TV_LINE(18);
        float t_20;
        {
            float parts_2[1];
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) {
                const float next_2 = logits[i_];
                parts_2[i_ / 2] = i_ % 2 == 0 ? next_2 : tv::max(parts_2[i_ / 2], next_2);
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::max(parts_2[i_], tv::swap_lanes(parts_2[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::max(parts_2[i_], tv::swap_lanes(parts_2[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::max(parts_2[i_], tv::swap_lanes(parts_2[i_], 16));
            const tv::u32 cells = (shared + 16384u);
            if (thread % 32 == 0)
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                    tv::store_number(cells + ((thread / 32)) * 4, parts_2[i_]);
                }
            tv::sync();
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                TV_UNROLL for (int part_ = 0; part_ < 4; part_++) {
                    const float other_ = tv::load_number<float>(cells + (part_) * 4);
                    parts_2[i_] = part_ == 0 ? other_ : tv::max(parts_2[i_], other_);
                }
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_20 = parts_2[i_];
        }
        float t_new[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_new[i_] = tv::max(top_2[0], t_20);
        // 19: decay = exp(top - new)
        #line 19 "examples/attention.tvm"
        TV_LINE(19);
        float t_21[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_21[i_] = tv::sub(top_2[0], t_new[0]);
        float decay[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) decay[i_] = tv::exp(t_21[0]);
        // 20: weights = exp(logits - new)
        #line 20 "examples/attention.tvm"
        TV_LINE(20);
        float t_22[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_22[i_] = tv::sub(logits[i_], t_new[0]);
        float weights[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) weights[i_] = tv::exp(t_22[i_]);
        // 21: values = cast(load(v[t :+ BT, g, 0 :+ D]), f32) * cast(load(v_scale[t :+ BT, g]), f32)[:, None]
        #line 21 "examples/attention.tvm"
        TV_LINE(21);
        tv::u32 t_23[8] = {};
        {
            const tv::u32 at_ = v_2 + tv::s32(t_9) * 4096 + thread / 4 * 64 + thread % 4 * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                tv::load_shared_u32x4(t_23 + i_ * 4, at_ + i_ * 2048);
            }
        }
        float t_24[64];
        TV_UNROLL for (int part_ = 0; part_ < 8; part_++) {
            const tv::u32 step0_ = t_23[part_] >> 20;
            const tv::u32 step1_ = tv::lop3<0x6A>(t_23[part_], 0xfu, 0x4b000008u);
            const tv::u32 step2_ = tv::as_u32(tv::sub(tv::as_f32(step1_), tv::as_f32(0x4b000008u)));
            const tv::u32 step3_ = tv::lop3<0x6A>(t_23[part_], 0xf0u, 0x4b000080u);
            const tv::u32 step4_ = tv::as_u32(tv::fma(tv::as_f32(step3_), tv::as_f32(0x3d800000u), tv::as_f32(0xc9000080u)));
            const tv::u32 step5_ = tv::lop3<0x6A>(t_23[part_], 0xf00u, 0x4b000800u);
            const tv::u32 step6_ = tv::as_u32(tv::fma(tv::as_f32(step5_), tv::as_f32(0x3b800000u), tv::as_f32(0xc7000800u)));
            const tv::u32 step7_ = tv::lop3<0x6A>(t_23[part_], 0xf000u, 0x4b008000u);
            const tv::u32 step8_ = tv::as_u32(tv::fma(tv::as_f32(step7_), tv::as_f32(0x39800000u), tv::as_f32(0xc5008000u)));
            const tv::u32 step9_ = tv::lop3<0x6A>(t_23[part_], 0xf0000u, 0x4b080000u);
            const tv::u32 step10_ = tv::as_u32(tv::fma(tv::as_f32(step9_), tv::as_f32(0x37800000u), tv::as_f32(0xc3080000u)));
            const tv::u32 step11_ = tv::lop3<0x6A>(step0_, 0xfu, 0x4b000008u);
            const tv::u32 step12_ = tv::as_u32(tv::sub(tv::as_f32(step11_), tv::as_f32(0x4b000008u)));
            const tv::u32 step13_ = tv::lop3<0x6A>(step0_, 0xf0u, 0x4b000080u);
            const tv::u32 step14_ = tv::as_u32(tv::fma(tv::as_f32(step13_), tv::as_f32(0x3d800000u), tv::as_f32(0xc9000080u)));
            const tv::u32 step15_ = tv::lop3<0x6A>(step0_, 0xf00u, 0x4b000800u);
            const tv::u32 step16_ = tv::as_u32(tv::fma(tv::as_f32(step15_), tv::as_f32(0x3b800000u), tv::as_f32(0xc7000800u)));
            t_24[part_ * 8] = tv::as_f32(step2_);
            t_24[part_ * 8 + 1] = tv::as_f32(step4_);
            t_24[part_ * 8 + 2] = tv::as_f32(step6_);
            t_24[part_ * 8 + 3] = tv::as_f32(step8_);
            t_24[part_ * 8 + 4] = tv::as_f32(step10_);
            t_24[part_ * 8 + 5] = tv::as_f32(step12_);
            t_24[part_ * 8 + 6] = tv::as_f32(step14_);
            t_24[part_ * 8 + 7] = tv::as_f32(step16_);
        }
        tv::u32 t_25[1] = {};
        {
            const tv::u32 index1_ = tv::u32(g);
            auto* const at_ = v_scale + (tv::s64(t_5) * (tv::s64(HK) * 2) + tv::s64(g) * 2 + tv::s64(thread / 4) * (tv::s64(HK) * 2));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                const bool inside_ = index1_ < tv::u32(HK);
                tv::u32 words_[1] = {};
                tv::put<16>(words_, 0, tv::load_global_u16<tv::READ_ONLY>(at_ + tv::s64(i_ * 32) * (tv::s64(HK) * 2), inside_));
                tv::put<16>(t_25, i_, tv::get<16>(words_, 0));
            }
        }
        float t_26[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_26[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_25, i_));
        float t_27[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_27[i_] = t_26[i_];
        float values[64];
        TV_UNROLL for (int i_ = 0; i_ < 64; i_++) values[i_] = tv::mul(t_24[i_], t_27[i_ / 32]);
        // 22: total = total * decay + sum(weights)
        #line 22 "examples/attention.tvm"
        TV_LINE(22);
        float t_28[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_28[i_] = tv::mul(total_2[0], decay[0]);
        tv::sync();
        float t_29;
        {
            float parts_3[1];
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) {
                const float next_3 = weights[i_];
                parts_3[i_ / 2] = i_ % 2 == 0 ? next_3 : tv::add(parts_3[i_ / 2], next_3);
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_3[i_] = tv::add(parts_3[i_], tv::swap_lanes(parts_3[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_3[i_] = tv::add(parts_3[i_], tv::swap_lanes(parts_3[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_3[i_] = tv::add(parts_3[i_], tv::swap_lanes(parts_3[i_], 16));
            const tv::u32 cells_2 = (shared + 16384u);
            if (thread % 32 == 0)
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                    tv::store_number(cells_2 + ((thread / 32)) * 4, parts_3[i_]);
                }
            tv::sync();
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                TV_UNROLL for (int part_ = 0; part_ < 4; part_++) {
                    const float other_ = tv::load_number<float>(cells_2 + (part_) * 4);
                    parts_3[i_] = part_ == 0 ? other_ : tv::add(parts_3[i_], other_);
                }
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_29 = parts_3[i_];
        }
        float total_3[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) total_3[i_] = tv::add(t_28[0], t_29);
        // 23: acc = acc * decay + sum(weights[:, None] * values, axis=0)
        #line 23 "examples/attention.tvm"
        TV_LINE(23);
        float t_30[32];
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_30[i_] = tv::mul(acc_2[i_], decay[0]);
        float t_31[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_31[i_] = weights[i_];
        float t_32[64];
        TV_UNROLL for (int i_ = 0; i_ < 64; i_++) t_32[i_] = tv::mul(t_31[i_ / 32], values[i_]);
        tv::sync();
        float t_33[32];
        {
            float parts_4[32];
            TV_UNROLL for (int i_ = 0; i_ < 64; i_++) {
                const float next_4 = t_32[i_ % 2 * 32 + i_ / 2];
                parts_4[i_ / 2] = i_ % 2 == 0 ? next_4 : tv::add(parts_4[i_ / 2], next_4);
            }
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) parts_4[i_] = tv::add(parts_4[i_], tv::swap_lanes(parts_4[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) parts_4[i_] = tv::add(parts_4[i_], tv::swap_lanes(parts_4[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) parts_4[i_] = tv::add(parts_4[i_], tv::swap_lanes(parts_4[i_], 16));
            const tv::u32 cells_3 = (shared + 16384u) + (thread % 4) * 4;
            if (thread / 4 % 8 == 0)
                TV_UNROLL for (int i_ = 0; i_ < 32; i_++) {
                    tv::store_number(cells_3 + ((thread / 32) * 32 + i_) * 16, parts_4[i_]);
                }
            tv::sync();
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) {
                TV_UNROLL for (int part_ = 0; part_ < 4; part_++) {
                    const float other_ = tv::load_number<float>(cells_3 + (part_ * 32 + i_) * 16);
                    parts_4[i_] = part_ == 0 ? other_ : tv::add(parts_4[i_], other_);
                }
            }
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_33[i_] = parts_4[i_];
        }
        float acc_3[32];
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) acc_3[i_] = tv::add(t_30[i_], t_33[i_]);
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) total_2[i_] = total_3[i_];
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) acc_2[i_] = acc_3[i_];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) top_2[i_] = t_new[i_];
        iteration = t_7;
    }
    // 15: for t in range(0, T, BT, stages=2):
    #line 15 "examples/attention.tvm"
    TV_LINE(15);
    tv::cp_async_wait<0>();
    // 25: store(o[h, 0 :+ D], cast(acc / total, f16))
    #line 25 "examples/attention.tvm"
    TV_LINE(25);
    float t_34[32];
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_34[i_] = tv::div(acc_2[i_], total_2[0]);
    tv::u32 t_35[16] = {};
    tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 32>(t_35, t_34);
    {
        auto* const at_ = o + (tv::s64(h) * 256 + tv::s64(thread % 4) * 64);
        const bool mine_ = thread / 4 == 0;
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++) {
            tv::store_global_u32x4(at_ + i_ * 16, t_35 + i_ * 4, mine_);
        }
    }
}
// line 11: 16-byte loads
// line 16: `k` is staged in 2 stages by copies of 16 bytes
// line 16: `k_scale` is not staged: no 4 bytes of it can be copied at once, because its rows have 1 element, 2 bytes
// line 16: `k` in shared memory lies row by row
// line 16: cp.async of 16 bytes
// line 16: 16-byte loads
// line 16: 2-byte loads, because of the register layout [64]{2:R1 32:T4; rep 4:T1} over k_scale[T, HK]
// line 18: 4 parts of each line meet in 16 bytes of shared memory
// line 21: `v` is staged in 2 stages by copies of 16 bytes
// line 21: `v_scale` is not staged: no 4 bytes of it can be copied at once, because its rows have 1 element, 2 bytes
// line 21: `v` in shared memory lies row by row
// line 21: cp.async of 16 bytes
// line 21: 16-byte loads
// line 21: 2-byte loads, because of the register layout [64]{2:R1 32:T4; rep 4:T1} over v_scale[T, HK]
// line 22: 4 parts of each line meet in 16 bytes of shared memory
// line 22: a barrier before it: it uses the scratch memory that was used in line 18
// line 23: 4 parts of each line meet in 2048 bytes of shared memory
// line 23: a barrier before it: it uses the scratch memory that was used in line 22
// line 25: 16-byte stores
