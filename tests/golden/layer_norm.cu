// kernel layer_norm(x: f32[M, N], weight: f32[N], bias: f32[N], out y: f32[M, N], epsilon: f32):
// For sm_80: 128 threads a block, 16 bytes of shared memory.
TV_KERNEL(layer_norm_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ weight, const tv::u8* __restrict__ bias, tv::u8* __restrict__ y, float epsilon, tv::s32 M, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(16);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 10: m = block_index(0)
    #line 10 "examples/normalize.tvm"
    TV_LINE(10);
    const tv::s32 m = tv::block_index<0>();
    // 11: count = cast(N, f32)
    #line 11 "examples/normalize.tvm"
    TV_LINE(11);
    const float count = tv::cast<tv::Integer<32, true>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(N);
    // 13: for n in range(0, N, BLOCK):
    #line 13 "examples/normalize.tvm"
    TV_LINE(13);
    float total;
    total = 0.0f;
    for (tv::s32 n = 0; n < N; n += 512) {
        // 14: total = total + sum(cast(load(x[m, n :+ BLOCK]), f32))
        #line 14 "examples/normalize.tvm"
        TV_LINE(14);
        float t[4];
        {
            const tv::u32 index1_ = tv::u32(n) + thread * 4;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 4) + tv::s64(n) * 4 + tv::s64(thread) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::u32 words_[4] = {};
                tv::load_global_u32x4<tv::READ_ONLY>(words_, at_, inside_);
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
            }
        }
        float t_2[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_2[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t[i_]);
        tv::sync();
        float t_3;
        {
            float parts[1];
            TV_UNROLL for (int i_ = 0; i_ < 4; i_++) {
                const float next = t_2[i_];
                parts[i_ / 4] = i_ % 4 == 0 ? next : tv::add(parts[i_ / 4], next);
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::add(parts[i_], tv::swap_lanes(parts[i_], 1));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::add(parts[i_], tv::swap_lanes(parts[i_], 2));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::add(parts[i_], tv::swap_lanes(parts[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::add(parts[i_], tv::swap_lanes(parts[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts[i_] = tv::add(parts[i_], tv::swap_lanes(parts[i_], 16));
            const tv::u32 cells = (shared + 0u);
            if (thread % 32 == 0)
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                    tv::store_number(cells + ((thread / 32)) * 4, parts[i_]);
                }
            tv::sync();
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                TV_UNROLL for (int part_ = 0; part_ < 4; part_++) {
                    const float other_ = tv::load_number<float>(cells + (part_) * 4);
                    parts[i_] = part_ == 0 ? other_ : tv::add(parts[i_], other_);
                }
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_3 = parts[i_];
        }
        const float total_2 = tv::add(total, t_3);
        total = total_2;
    }
    // 15: mean = total / count
    #line 15 "examples/normalize.tvm"
    TV_LINE(15);
    const float mean = tv::div(total, count);
    // 5: return where(start + iota(BLOCK) < length, tile, 0.0)
    #line 5 "examples/normalize.tvm"
    TV_LINE(5);
    tv::s32 t_4[4];
    const tv::s32 t_4_first = tv::s32(thread * 4);
    TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_4[i_] = tv::s32(t_4_first + i_);
    // 17: for n in range(0, N, BLOCK):
    #line 17 "examples/normalize.tvm"
    TV_LINE(17);
    float squares;
    squares = 0.0f;
    for (tv::s32 n_2 = 0; n_2 < N; n_2 += 512) {
        // 18: centred = masked(cast(load(x[m, n :+ BLOCK]), f32) - mean, n, N, BLOCK)
        #line 18 "examples/normalize.tvm"
        TV_LINE(18);
        float t_5[4];
        {
            const tv::u32 index1_ = tv::u32(n_2) + thread * 4;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 4) + tv::s64(n_2) * 4 + tv::s64(thread) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::u32 words_[4] = {};
                tv::load_global_u32x4<tv::READ_ONLY>(words_, at_, inside_);
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_5[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
            }
        }
        float t_6[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_6[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t_5[i_]);
        float tile[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) tile[i_] = tv::sub(t_6[i_], mean);
        // 5: return where(start + iota(BLOCK) < length, tile, 0.0)
        #line 5 "examples/normalize.tvm"
        TV_LINE(5);
        tv::s32 t_7[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_7[i_] = tv::add(n_2, t_4[i_]);
        bool t_8[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_8[i_] = t_7[i_] < N;
        float centred[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) centred[i_] = t_8[i_] ? tile[i_] : 0.0f;
        // 19: squares = squares + sum(centred * centred)
        #line 19 "examples/normalize.tvm"
        TV_LINE(19);
        float t_9[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_9[i_] = tv::mul(centred[i_], centred[i_]);
        tv::sync();
        float t_10;
        {
            float parts_2[1];
            TV_UNROLL for (int i_ = 0; i_ < 4; i_++) {
                const float next_2 = t_9[i_];
                parts_2[i_ / 4] = i_ % 4 == 0 ? next_2 : tv::add(parts_2[i_ / 4], next_2);
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 1));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 2));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 4));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 8));
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) parts_2[i_] = tv::add(parts_2[i_], tv::swap_lanes(parts_2[i_], 16));
            const tv::u32 cells_2 = (shared + 0u);
            if (thread % 32 == 0)
                TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                    tv::store_number(cells_2 + ((thread / 32)) * 4, parts_2[i_]);
                }
            tv::sync();
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) {
                TV_UNROLL for (int part_ = 0; part_ < 4; part_++) {
                    const float other_ = tv::load_number<float>(cells_2 + (part_) * 4);
                    parts_2[i_] = part_ == 0 ? other_ : tv::add(parts_2[i_], other_);
                }
            }
            TV_UNROLL for (int i_ = 0; i_ < 1; i_++) t_10 = parts_2[i_];
        }
        const float squares_2 = tv::add(squares, t_10);
        squares = squares_2;
    }
    // 20: scale = rsqrt(squares / count + epsilon)
    #line 20 "examples/normalize.tvm"
    TV_LINE(20);
    const float t_11 = tv::div(squares, count);
    const float t_12 = tv::add(t_11, epsilon);
    const float scale = tv::rsqrt(t_12);
    // 21: for n in range(0, N, BLOCK):
    #line 21 "examples/normalize.tvm"
    TV_LINE(21);
    for (tv::s32 n_3 = 0; n_3 < N; n_3 += 512) {
        // 22: tile = (cast(load(x[m, n :+ BLOCK]), f32) - mean) * scale
        #line 22 "examples/normalize.tvm"
        TV_LINE(22);
        float t_13[4];
        {
            const tv::u32 index1_ = tv::u32(n_3) + thread * 4;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 4) + tv::s64(n_3) * 4 + tv::s64(thread) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::u32 words_[4] = {};
                tv::load_global_u32x4<tv::READ_ONLY>(words_, at_, inside_);
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_13[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
            }
        }
        float t_14[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_14[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t_13[i_]);
        float t_15[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_15[i_] = tv::sub(t_14[i_], mean);
        float tile_2[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) tile_2[i_] = tv::mul(t_15[i_], scale);
        // 23: result = tile * cast(load(weight[n :+ BLOCK]), f32) + cast(load(bias[n :+ BLOCK]), f32)
        #line 23 "examples/normalize.tvm"
        TV_LINE(23);
        float t_16[4];
        {
            const tv::u32 index0_ = tv::u32(n_3) + thread * 4;
            auto* const at_ = weight + (tv::s64(n_3) * 4 + tv::s64(thread) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index0_ < tv::u32(N);
                tv::u32 words_[4] = {};
                tv::load_global_u32x4<tv::READ_ONLY>(words_, at_, inside_);
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_16[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
            }
        }
        float t_17[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_17[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t_16[i_]);
        float t_18[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_18[i_] = tv::mul(tile_2[i_], t_17[i_]);
        float t_19[4];
        {
            const tv::u32 index0_ = tv::u32(n_3) + thread * 4;
            auto* const at_ = bias + (tv::s64(n_3) * 4 + tv::s64(thread) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index0_ < tv::u32(N);
                tv::u32 words_[4] = {};
                tv::load_global_u32x4<tv::READ_ONLY>(words_, at_, inside_);
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_19[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
            }
        }
        float t_20[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_20[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t_19[i_]);
        float result[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) result[i_] = tv::add(t_18[i_], t_20[i_]);
        // 24: store(y[m, n :+ BLOCK], cast(result, A))
        #line 24 "examples/normalize.tvm"
        TV_LINE(24);
        float t_21[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_21[i_] = tv::cast<tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(result[i_]);
        {
            const tv::u32 index1_ = tv::u32(n_3) + thread * 4;
            auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 4) + tv::s64(n_3) * 4 + tv::s64(thread) * 16);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::u32 words_[4] = {};
                TV_UNROLL for (int j_ = 0; j_ < 4; j_++) words_[j_] = tv::as_u32(t_21[(i_ * 4 + j_)]);
                tv::store_global_u32x4(at_, words_, inside_);
            }
        }
    }
}
// line 14: 16-byte loads
// line 14: 4 parts of each line meet in 16 bytes of shared memory
// line 14: a barrier before it: it uses the scratch memory that was used in line 14
// line 18: 16-byte loads
// line 19: 4 parts of each line meet in 16 bytes of shared memory
// line 19: a barrier before it: it uses the scratch memory that was used in line 14
// line 22: 16-byte loads
// line 23: 16-byte loads
// line 23: 16-byte loads
// line 24: 16-byte stores
