// kernel vector_add(x: f32[N], y: f32[N], out z: f32[N]):
// For sm_80: 128 threads a block, 0 bytes of shared memory.
TV_KERNEL(vector_add_kernel, 128, const tv::u8* __restrict__ x, const tv::u8* __restrict__ y, tv::u8* __restrict__ z, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(0);
    (void)thread, (void)lane, (void)warp, (void)shared;
    // 5: i = block_index(0) * BLOCK
    #line 5 "examples/vector_add.tvm"
    TV_LINE(5);
    const tv::s32 t = tv::block_index<0>();
    const tv::s32 i = tv::mul(t, 1024);
    // 6: store(z[i :+ BLOCK], load(x[i :+ BLOCK]) + load(y[i :+ BLOCK]))
    #line 6 "examples/vector_add.tvm"
    TV_LINE(6);
    float t_2[8];
    {
        const tv::u32 index0_ = tv::u32(i) + thread * 4;
        auto* const at_ = x + (tv::s64(i) * 4 + tv::s64(thread) * 16);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
            const bool inside_ = index0_ + i_ * 512 < tv::u32(N);
            tv::u32 words_[4] = {};
            tv::load_global_u32x4<tv::READ_ONLY>(words_, at_ + i_ * 2048, inside_);
            TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_2[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
        }
    }
    float t_3[8];
    {
        const tv::u32 index0_ = tv::u32(i) + thread * 4;
        auto* const at_ = y + (tv::s64(i) * 4 + tv::s64(thread) * 16);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
            const bool inside_ = index0_ + i_ * 512 < tv::u32(N);
            tv::u32 words_[4] = {};
            tv::load_global_u32x4<tv::READ_ONLY>(words_, at_ + i_ * 2048, inside_);
            TV_UNROLL for (int j_ = 0; j_ < 4; j_++) t_3[(i_ * 4 + j_)] = tv::as_f32(words_[j_]);
        }
    }
    float t_4[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_4[i_] = tv::add(t_2[i_], t_3[i_]);
    {
        const tv::u32 index0_ = tv::u32(i) + thread * 4;
        auto* const at_ = z + (tv::s64(i) * 4 + tv::s64(thread) * 16);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
            const bool inside_ = index0_ + i_ * 512 < tv::u32(N);
            tv::u32 words_[4] = {};
            TV_UNROLL for (int j_ = 0; j_ < 4; j_++) words_[j_] = tv::as_u32(t_4[(i_ * 4 + j_)]);
            tv::store_global_u32x4(at_ + i_ * 2048, words_, inside_);
        }
    }
}
// line 6: 16-byte loads
// line 6: 16-byte loads
// line 6: 16-byte stores
