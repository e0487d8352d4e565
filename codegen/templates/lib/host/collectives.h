// What the lanes of a warp do together: barriers, votes, shuffles, matrices between shared memory and registers.
#pragma once

namespace tv {
namespace host {

enum Operation : u32 { SYNC = 1, BALLOT, SHUFFLE, LOAD_MATRIX, STORE_MATRIX, MULTIPLY };

static __attribute__((noinline)) void sync_lanes() {
    if (meet(SYNC)) {
        self->warp->ordered = ++self->block->tick;
        leave();
    }
}

static __attribute__((noinline)) u32 exchange(u32 value, u32 source) {
    Warp& warp = *self->warp;
    const u32 lane = self->lane;
    warp.in[0][lane] = value;
    if (meet(SHUFFLE)) {
        std::memcpy(warp.out[0], warp.in[0], sizeof warp.in[0]);
        leave();
    }
    return warp.out[0][source];
}

// Matrices of 8 rows of 16 bytes; lane 8 i + j has the address of row j of matrix i. Lane l gets word l % 4 of row l / 4.
template <u32 COUNT, bool TRANSPOSED, bool STORE>
static __attribute__((noinline)) void move_matrices(u32* r, u32 address) {
    Warp& warp = *self->warp;
    Block& block = *self->block;
    const u32 lane = self->lane;
    warp.in[4][lane] = address;
    if (STORE) for (u32 i = 0; i < COUNT; i++) warp.in[i][lane] = r[i];
    request(SHARED | (STORE ? u32(WRITE) : 0) | MATRIX | 16, address, lane < 8 * COUNT);
    if (meet((STORE ? STORE_MATRIX : LOAD_MATRIX) | COUNT << 8 | u32(TRANSPOSED) << 16)) {
        const u16 me = u16(WARP | warp.number);
        for (u32 i = 0; i < COUNT; i++) {
            u16 rows[8][8], turned[8][8];
            const u32* from = warp.in[4] + 8 * i;
            if (STORE) std::memcpy(rows, warp.in[i], sizeof rows);
            if (STORE && TRANSPOSED) {
                for (u32 j = 0; j < 64; j++) turned[j % 8][j / 8] = rows[j / 8][j % 8];
                std::memcpy(rows, turned, sizeof rows);
            }
            for (u32 j = 0; j < 8; j++) {
                const u32 at = from[j] - SHARED_BASE;
                if (!inside_shared(from[j], 16, STORE)) {
                    std::memset(rows[j], 0xFF, 16);
                } else if (STORE) {
                    check_write<16>(at, me, reinterpret_cast<const u8*>(rows[j]));
                    std::memcpy(&block.shared[at], rows[j], 16);
                } else {
                    check_read<16>(at, me);
                    std::memcpy(rows[j], &block.shared[at], 16);
                }
            }
            if (!STORE && TRANSPOSED) {
                for (u32 j = 0; j < 64; j++) turned[j % 8][j / 8] = rows[j / 8][j % 8];
                std::memcpy(rows, turned, sizeof rows);
            }
            if (!STORE) std::memcpy(warp.out[i], rows, sizeof rows);
        }
        leave();
    }
    if (!STORE) for (u32 i = 0; i < COUNT; i++) r[i] = warp.out[i][lane];
}

}  // namespace host

static inline void sync_warp() { host::sync_lanes(); }
static inline void sync() { host::barrier(); }
static inline void fence_block() {}
static inline void fence_device() {}
static inline void fence_system() {}

static __attribute__((noinline)) u32 ballot(bool vote) {
    host::Warp& warp = *host::self->warp;
    warp.in[0][host::self->lane] = vote;
    if (host::meet(host::BALLOT)) {
        u32 votes = 0;
        for (u32 lane = 0; lane < host::LANES; lane++) votes |= warp.in[0][lane] << lane;
        warp.out[0][0] = votes;
        host::leave();
    }
    return warp.out[0][0];
}
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

#define TV_MATRICES(count)                                                                                      \
    static inline void ldmatrix_x##count(u32* r, u32 address) { host::move_matrices<count, false, false>(r, address); } \
    static inline void ldmatrix_x##count##_trans(u32* r, u32 address) {                                         \
        host::move_matrices<count, true, false>(r, address);                                                    \
    }                                                                                                           \
    static inline void stmatrix_x##count(u32 address, const u32* r) {                                           \
        host::move_matrices<count, false, true>(const_cast<u32*>(r), address);                                  \
    }                                                                                                           \
    static inline void stmatrix_x##count##_trans(u32 address, const u32* r) {                                   \
        host::move_matrices<count, true, true>(const_cast<u32*>(r), address);                                   \
    }
TV_MATRICES(1)
TV_MATRICES(2)
TV_MATRICES(4)
#undef TV_MATRICES

}  // namespace tv
