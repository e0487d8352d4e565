// What the lanes of a warp, or the threads of a block, do together; copies that land later; matrices.
#pragma once

namespace tv {

static inline void sync_warp() { host::sync_lanes(); }
static inline void sync() { host::barrier(); }
static inline void fence_block() {}
static inline void fence_device() {}
static inline void fence_system() {}
// One launch at a time: those before have ended.
static inline void wait_for_launches() {}
static inline void launch_dependents() {}

static inline u32 ballot(bool vote) { return host::votes(vote); }
// Past the ends of the warp a lane keeps its own value.
static inline u32 shuffle(u32 value, u32 source) { return host::exchange(value, source & 31); }
static inline u32 shuffle_xor(u32 value, u32 mask) { return host::exchange(value, host::self->lane ^ (mask & 31)); }
static inline u32 shuffle_up(u32 value, u32 distance) {
    const u32 lane = host::self->lane;
    return host::exchange(value, lane < distance ? lane : lane - distance);
}
static inline u32 shuffle_down(u32 value, u32 distance) {
    const u32 lane = host::self->lane;
    return host::exchange(value, lane + distance > 31 ? lane : lane + distance);
}

template <u32 BYTES, Cache = DEFAULT>
static inline void cp_async(u32 target, const void* source, u32 source_bytes = BYTES, u64 = 0) {
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
    host::copy_async<BYTES>(target, source, source_bytes);
}
static inline void cp_async_commit() { host::commit_copies(); }
template <u32 N>
static inline void cp_async_wait() { host::wait_for_copies(N); }
static inline void cp_async_wait_all() {
    host::commit_copies();
    host::wait_for_copies(0);
}

#define TV_MATRICES(count)                                                                                            \
    static inline void ldmatrix_x##count(u32* r, u32 address) { host::move_matrices(r, address, count, false, false); } \
    static inline void ldmatrix_x##count##_trans(u32* r, u32 address) {                                               \
        host::move_matrices(r, address, count, true, false);                                                          \
    }                                                                                                                 \
    static inline void stmatrix_x##count(u32 address, const u32* r) {                                                 \
        host::move_matrices(const_cast<u32*>(r), address, count, false, true);                                        \
    }                                                                                                                 \
    static inline void stmatrix_x##count##_trans(u32 address, const u32* r) {                                         \
        host::move_matrices(const_cast<u32*>(r), address, count, true, true);                                         \
    }
TV_MATRICES(1)
TV_MATRICES(2)
TV_MATRICES(4)
#undef TV_MATRICES

#define TV_MMA(name, C) \
    static inline void mma_##name(C* c, const u32* a, const u32* b) { host::multiply(host::name, c, a, b); }
TV_MMA(m16n8k16_f16, float)
TV_MMA(m16n8k16_bf16, float)
TV_MMA(m16n8k8_tf32, float)
TV_MMA(m16n8k32_s8_s8, s32)
TV_MMA(m16n8k32_u8_u8, s32)
TV_MMA(m16n8k32_s8_u8, s32)
TV_MMA(m16n8k32_u8_s8, s32)
TV_MMA(m16n8k32_e4m3_e4m3, float)
TV_MMA(m16n8k32_e5m2_e5m2, float)
TV_MMA(m16n8k32_e4m3_e5m2, float)
TV_MMA(m16n8k32_e5m2_e4m3, float)
TV_MMA(m16n8k8_f16, float)
TV_MMA(m8n8k16_s8_s8, s32)
TV_MMA(m8n8k16_u8_u8, s32)
TV_MMA(m8n8k16_s8_u8, s32)
TV_MMA(m8n8k16_u8_s8, s32)
#undef TV_MMA
static inline void mma_m8n8k4_f64(double* c, const double* a, const double* b) { host::multiply_f64(c, a, b); }

}  // namespace tv
