// kernel softmax(x: f32[M, N], out y: f32[M, N]):
// For sm_80: 128 threads a block, 32 bytes of shared memory.
TV_KERNEL(softmax_kernel, 128, const tv::u8* __restrict__ x, tv::u8* __restrict__ y, tv::s32 M, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(32);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 6: m = block_index(0) * ROWS
    #line 6 "examples/softmax.tvm"
    TV_LINE(6);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 m = tv::mul(t, 4);
    // 7: top = full(f32, [ROWS], -inf)
    #line 7 "examples/softmax.tvm"
    TV_LINE(7);
    float top[2];
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) top[i_] = tv::as_f32(0xff800000u);
    // 8: total = zeros(f32, [ROWS])
    #line 8 "examples/softmax.tvm"
    TV_LINE(8);
    float total[2];
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) total[i_] = 0;
    // 9: for n in range(0, N, BLOCK):
    #line 9 "examples/softmax.tvm"
    TV_LINE(9);
    float total_2[2];
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) total_2[i_] = total[i_];
    float top_2[2];
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) top_2[i_] = top[i_];
    for (tv::s32 n = 0; n < N; n += 256) {
        // 10: tile = cast(load(x[m :+ ROWS, n :+ BLOCK], fill=-inf), f32)
        #line 10 "examples/softmax.tvm"
        TV_LINE(10);
        float t_2[8];
        {
            const tv::u32 index1_ = tv::u32(n) + thread % 64 * 4;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 4) + tv::s64(n) * 4 + tv::s64(thread / 64) * (tv::s64(N) * 4) + tv::s64(thread % 64) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::u32 words_[4] = {};
                tv::load_global_u32x4<tv::READ_ONLY>(words_, at_ + tv::s64(i_ * 2) * (tv::s64(N) * 4), inside_);
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_2[(i_ * 4 + j_)] = inside_ ? float(tv::as_f32(words_[j_])) : tv::as_f32(0xff800000u);
            }
        }
        float tile[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) tile[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t_2[i_]);
        // 11: new = maximum(top, max(tile, axis=1))
        #line 11 "examples/softmax.tvm"
        TV_LINE(11);
        tv::sync();
        float t_3[2];
        {
            float parts[2];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) {
                const float next = tile[i_];
                parts[i_ / 4] = i_ % 4 == 0 ? next : tv::max(parts[i_ / 4], next);
            }
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 1));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 2));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts[i_] = tv::max(parts[i_], tv::swap_lanes(parts[i_], 16));
            const tv::u32 cells = (shared + 0u) + (thread / 64) * 4;
            if (thread % 32 == 0)
                TV_UNROLL for (int i_ = 0; i_ < 2; i_++) {
                    tv::store_number(cells + ((thread / 32 % 2) * 2 + i_) * 8, parts[i_]);
                }
            tv::sync();
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) {
                TV_UNROLL for (int part_ = 0; part_ < 2; part_++) {
                    const float other_ = tv::load_number<float>(cells + (part_ * 2 + i_) * 8);
                    parts[i_] = part_ == 0 ? other_ : tv::max(parts[i_], other_);
                }
            }
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_3[i_] = parts[i_];
        }
        float t_new[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_new[i_] = tv::max(top_2[i_], t_3[i_]);
        // 12: total = total * exp(top - new) + sum(exp(tile - new[:, None]), axis=1)
        #line 12 "examples/softmax.tvm"
        TV_LINE(12);
        float t_4[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_4[i_] = tv::sub(top_2[i_], t_new[i_]);
        float t_5[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_5[i_] = tv::exp(t_4[i_]);
        float t_6[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_6[i_] = tv::mul(total_2[i_], t_5[i_]);
        float t_7[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_7[i_] = t_new[i_];
        float t_8[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_8[i_] = tv::sub(tile[i_], t_7[i_ / 4]);
        float t_9[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_9[i_] = tv::exp(t_8[i_]);
        tv::sync();
        float t_10[2];
        {
            float parts_2[2];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) {
                const float next_2 = t_9[i_];
                parts_2[i_ / 4] = i_ % 4 == 0 ? next_2 : tv::add(parts_2[i_ / 4], next_2);
            }
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 1));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 2));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 16));
            const tv::u32 cells_2 = (shared + 0u) + (thread / 64) * 4;
            if (thread % 32 == 0)
                TV_UNROLL for (int i_ = 0; i_ < 2; i_++) {
                    tv::store_number(cells_2 + ((thread / 32 % 2) * 2 + i_) * 8, parts_2[i_]);
                }
            tv::sync();
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) {
                TV_UNROLL for (int part_ = 0; part_ < 2; part_++) {
                    const float other_ = tv::load_number<float>(cells_2 + (part_ * 2 + i_) * 8);
                    parts_2[i_] = part_ == 0 ? other_ : tv::add(parts_2[i_], other_);
                }
            }
            TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_10[i_] = parts_2[i_];
        }
        float total_3[2];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) total_3[i_] = tv::add(t_6[i_], t_10[i_]);
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) total_2[i_] = total_3[i_];
        TV_UNROLL for (int i_ = 0; i_ < 2; i_++) top_2[i_] = t_new[i_];
    }
    // 16: store(y[m :+ ROWS, n :+ BLOCK], cast(exp(tile - top[:, None]) / total[:, None], A))
    #line 16 "examples/softmax.tvm"
    TV_LINE(16);
    float t_11[2];
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_11[i_] = top_2[i_];
    float t_12[2];
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_12[i_] = total_2[i_];
    // 14: for n in range(0, N, BLOCK):
    #line 14 "examples/softmax.tvm"
    TV_LINE(14);
    for (tv::s32 n_2 = 0; n_2 < N; n_2 += 256) {
        // 15: tile = cast(load(x[m :+ ROWS, n :+ BLOCK]), f32)
        #line 15 "examples/softmax.tvm"
        TV_LINE(15);
        float t_13[8];
        {
            const tv::u32 index1_ = tv::u32(n_2) + thread % 64 * 4;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 4) + tv::s64(n_2) * 4 + tv::s64(thread / 64) * (tv::s64(N) * 4) + tv::s64(thread % 64) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::u32 words_[4] = {};
                tv::load_global_u32x4<tv::READ_ONLY>(words_, at_ + tv::s64(i_ * 2) * (tv::s64(N) * 4), inside_);
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_13[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
            }
        }
        float tile_2[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) tile_2[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t_13[i_]);
        // 16: store(y[m :+ ROWS, n :+ BLOCK], cast(exp(tile - top[:, None]) / total[:, None], A))
        #line 16 "examples/softmax.tvm"
        TV_LINE(16);
        float t_14[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_14[i_] = tv::sub(tile_2[i_], t_11[i_ / 4]);
        float t_15[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_15[i_] = tv::exp(t_14[i_]);
        float t_16[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_16[i_] = tv::div(t_15[i_], t_12[i_ / 4]);
        float t_17[8];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_17[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t_16[i_]);
        {
            const tv::u32 index1_ = tv::u32(n_2) + thread % 64 * 4;
            auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 4) + tv::s64(n_2) * 4 + tv::s64(thread / 64) * (tv::s64(N) * 4) + tv::s64(thread % 64) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::u32 words_[4] = {};
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) words_[j_] = tv::as_u32(t_17[(i_ * 4 + j_)]);
                tv::store_global_u32x4(at_ + tv::s64(i_ * 2) * (tv::s64(N) * 4), words_, inside_);
            }
        }
    }
}
// line 10: 16-byte loads
// line 11: 2 parts of each line meet in 32 bytes of shared memory
// line 11: a barrier before it: it uses the scratch memory that was used in line 12
// line 12: 2 parts of each line meet in 32 bytes of shared memory
// line 12: a barrier before it: it uses the scratch memory that was used in line 11
// line 15: 16-byte loads
// line 16: 16-byte stores
