// kernel softmax(x: f16[M, N], out y: f16[M, N]):
// For sm_90a: 128 threads a block, 0 bytes of shared memory.
TV_KERNEL(softmax_kernel, 128, const tv::u8* __restrict__ x, tv::u8* __restrict__ y, tv::s32 M, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(0);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 6: m = block_index(0) * ROWS
    #line 6 "examples/softmax.tvm"
    TV_LINE(6);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 m = tv::mul(t, 4);
    // 7: top = full(f32, [ROWS], -inf)
    #line 7 "examples/softmax.tvm"
    TV_LINE(7);
    float top[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) top[i_] = tv::as_f32(0xff800000u);
    // 8: total = zeros(f32, [ROWS])
    #line 8 "examples/softmax.tvm"
    TV_LINE(8);
    float total[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) total[i_] = 0;
    // 9: for n in range(0, N, BLOCK):
    #line 9 "examples/softmax.tvm"
    TV_LINE(9);
    float total_2[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) total_2[i_] = total[i_];
    float top_2[1];
    TV_UNROLL for (int i_ = 0; i_ < 1; i_++) top_2[i_] = top[i_];
    for (tv::s32 n = 0; n < N; n += 256) {
        // 10: tile = cast(load(x[m :+ ROWS, n :+ BLOCK], fill=-inf), f32)
        #line 10 "examples/softmax.tvm"
        TV_LINE(10);
        tv::u32 t_2[4] = {};
        {
            const tv::u32 index1_ = tv::u32(n) + thread % 32 * 8;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread / 32) * (tv::s64(N) * 2) + tv::s64(thread % 32) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::u32 words_[4] = {};
                tv::load_global_u32x4<tv::READ_ONLY>(words_, at_, inside_);
                TV_UNROLL for (int j_ = 0; j_ < 8; j_++) tv::put<16>(t_2, (i_ * 8 + j_), inside_ ? tv::u32(tv::get<16>(words_, j_)) : 0xfc00u);
            }
        }
        float tile[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) tile[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_2, i_));
        // 11: new = maximum(top, max(tile, axis=1))
        #line 11 "examples/softmax.tvm"
        TV_LINE(11);
        float t_3[1];
        {
            float parts[1];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) {
                const float next = tile[i_];
                parts[i_ / 8] = i_ % 8 == 0 ? next : tv::max(parts[i_ / 8], next);
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 1));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 2));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 16));
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_3[i_] = parts[i_];
        }
        float t_new[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_new[i_] = tv::max(top_2[0], t_3[0]);
        // 12: total = total * exp(top - new) + sum(exp(tile - new[:, None]), axis=1)
        #line 12 "examples/softmax.tvm"
        TV_LINE(12);
        float t_4[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_4[i_] = tv::sub(top_2[0], t_new[0]);
        float t_5[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_5[i_] = tv::exp(t_4[0]);
        float t_6[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_6[i_] = tv::mul(total_2[0], t_5[0]);
        float t_7[1];
        t_7[0] = t_new[0];
        float t_8[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_8[i_] = tv::sub(tile[i_], t_7[0]);
        float t_9[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_9[i_] = tv::exp(t_8[i_]);
        float t_10[1];
        {
            float parts_2[1];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) {
                const float next_2 = t_9[i_];
                parts_2[i_ / 8] = i_ % 8 == 0 ? next_2 : tv::add(parts_2[i_ / 8], next_2);
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 1));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 2));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 16));
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_10[i_] = parts_2[i_];
        }
        float total_3[1];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) total_3[i_] = tv::add(t_6[0], t_10[0]);
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) total_2[i_] = total_3[i_];
        TV_UNROLL for (int i_ = 0; i_ < 1; i_++) top_2[i_] = t_new[i_];
    }
    // 16: store(y[m :+ ROWS, n :+ BLOCK], cast(exp(tile - top[:, None]) / total[:, None], A))
    #line 16 "examples/softmax.tvm"
    TV_LINE(16);
    float t_11[1];
    t_11[0] = top_2[0];
    float t_12[1];
    t_12[0] = total_2[0];
    // 14: for n in range(0, N, BLOCK):
    #line 14 "examples/softmax.tvm"
    TV_LINE(14);
    for (tv::s32 n_2 = 0; n_2 < N; n_2 += 256) {
        // 15: tile = cast(load(x[m :+ ROWS, n :+ BLOCK]), f32)
        #line 15 "examples/softmax.tvm"
        TV_LINE(15);
        tv::u32 t_13[4] = {};
        {
            const tv::u32 index1_ = tv::u32(n_2) + thread % 32 * 8;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n_2) * 2 + tv::s64(thread / 32) * (tv::s64(N) * 2) + tv::s64(thread % 32) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::load_global_u32x4<tv::READ_ONLY>(t_13, at_, inside_);
            }
        }
        float tile_2[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) tile_2[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_13, i_));
        // 16: store(y[m :+ ROWS, n :+ BLOCK], cast(exp(tile - top[:, None]) / total[:, None], A))
        #line 16 "examples/softmax.tvm"
        TV_LINE(16);
        float t_14[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_14[i_] = tv::sub(tile_2[i_], t_11[0]);
        float t_15[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_15[i_] = tv::exp(t_14[i_]);
        float t_16[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_16[i_] = tv::div(t_15[i_], t_12[0]);
        tv::u32 t_17[4] = {};
        tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 8>(t_17, t_16);
        {
            const tv::u32 index1_ = tv::u32(n_2) + thread % 32 * 8;
            auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n_2) * 2 + tv::s64(thread / 32) * (tv::s64(N) * 2) + tv::s64(thread % 32) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::store_global_u32x4(at_, t_17, inside_);
            }
        }
    }
}
// line 10: 16-byte loads
// line 15: 16-byte loads
// line 16: 16-byte stores
