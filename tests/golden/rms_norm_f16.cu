// kernel rms_norm(x: f16[M, N], weight: f16[N], out y: f16[M, N], epsilon: f32):
// For sm_80: 128 threads a block, 16 bytes of shared memory.
TV_KERNEL(rms_norm_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ weight, tv::u8* __restrict__ y, float epsilon, tv::s32 M, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(16);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 29: m = block_index(0)
    #line 29 "examples/normalize.tvm"
    TV_LINE(29);
    const tv::s32 m = tv::block_index<0>();
    // 31: for n in range(0, N, BLOCK):
    #line 31 "examples/normalize.tvm"
    TV_LINE(31);
    float squares;
    squares = 0.0f;
    for (tv::s32 n = 0; n < N; n += 512) {
        // 32: tile = cast(load(x[m, n :+ BLOCK]), f32)
        #line 32 "examples/normalize.tvm"
        TV_LINE(32);
        tv::u32 t[2] = {};
        {
            const tv::u32 index1_ = tv::u32(n) + thread * 4;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread) * 8);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::load_global_u32x2<tv::READ_ONLY>(t, at_, inside_);
            }
        }
        float tile[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) tile[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t, i_));
        // 33: squares = squares + sum(tile * tile)
        #line 33 "examples/normalize.tvm"
        TV_LINE(33);
        float t_2[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_2[i_] = tv::mul(tile[i_], tile[i_]);
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
        const float squares_2 = tv::add(squares, t_3);
        squares = squares_2;
    }
    // 34: scale = rsqrt(squares / cast(N, f32) + epsilon)
    #line 34 "examples/normalize.tvm"
    TV_LINE(34);
    const float t_4 = tv::cast<tv::Integer<32, true>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(N);
    const float t_5 = tv::div(squares, t_4);
    const float t_6 = tv::add(t_5, epsilon);
    const float scale = tv::rsqrt(t_6);
    // 35: for n in range(0, N, BLOCK):
    #line 35 "examples/normalize.tvm"
    TV_LINE(35);
    for (tv::s32 n_2 = 0; n_2 < N; n_2 += 512) {
        // 36: tile = cast(load(x[m, n :+ BLOCK]), f32) * scale * cast(load(weight[n :+ BLOCK]), f32)
        #line 36 "examples/normalize.tvm"
        TV_LINE(36);
        tv::u32 t_7[2] = {};
        {
            const tv::u32 index1_ = tv::u32(n_2) + thread * 4;
            auto* const at_ = x + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n_2) * 2 + tv::s64(thread) * 8);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::load_global_u32x2<tv::READ_ONLY>(t_7, at_, inside_);
            }
        }
        float t_8[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_8[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_7, i_));
        float t_9[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_9[i_] = tv::mul(t_8[i_], scale);
        tv::u32 t_10[2] = {};
        {
            const tv::u32 index0_ = tv::u32(n_2) + thread * 4;
            auto* const at_ = weight + (tv::s64(n_2) * 2 + tv::s64(thread) * 8);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index0_ < tv::u32(N);
                tv::load_global_u32x2<tv::READ_ONLY>(t_10, at_, inside_);
            }
        }
        float t_11[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) t_11[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_10, i_));
        float tile_2[4];
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) tile_2[i_] = tv::mul(t_9[i_], t_11[i_]);
        // 37: store(y[m, n :+ BLOCK], cast(tile, A))
        #line 37 "examples/normalize.tvm"
        TV_LINE(37);
        tv::u32 t_12[2] = {};
        tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 4>(t_12, tile_2);
        {
            const tv::u32 index1_ = tv::u32(n_2) + thread * 4;
            auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n_2) * 2 + tv::s64(thread) * 8);
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                const bool inside_ = index1_ < tv::u32(N);
                tv::store_global_u32x2(at_, t_12, inside_);
            }
        }
    }
}
// line 32: 8-byte loads
// line 33: 4 parts of each line meet in 16 bytes of shared memory
// line 33: a barrier before it: it uses the scratch memory that was used in line 33
// line 36: 8-byte loads
// line 36: 8-byte loads
// line 37: 8-byte stores
