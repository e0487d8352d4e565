// What the lanes of a warp do together: barriers, votes, shuffles, matrices between shared memory and registers.
#pragma once
#include <utility>

namespace tv::host {

enum Operation : u32 { SYNC = 1, BALLOT, SHUFFLE, LOAD_MATRIX, STORE_MATRIX, MULTIPLY };

void sync_lanes() {
    if (meet(SYNC)) {
        me().warp->ordered = ++me().block->tick;
        leave();
    }
}

u32 exchange(u32 value, u32 source) {
    Warp& warp = *me().warp;
    const u32 lane = self->lane;
    warp.in[0][lane] = value;
    if (meet(SHUFFLE)) {
        __builtin_memcpy(warp.out[0], warp.in[0], sizeof warp.in[0]);
        leave();
    }
    return warp.out[0][source];
}

u32 votes(bool vote) {
    Warp& warp = *me().warp;
    warp.in[0][self->lane] = vote;
    if (meet(BALLOT)) {
        u32 found = 0;
        for (u32 lane = 0; lane < LANES; lane++) found |= warp.in[0][lane] << lane;
        warp.out[0][0] = found;
        leave();
    }
    return warp.out[0][0];
}

static void take_rows(u16 (*rows)[8], const void* from, bool transposed) {
    __builtin_memcpy(rows, from, 128);
    if (!transposed) return;
    for (u32 i = 0; i < 8; i++)
        for (u32 j = 0; j < i; j++) std::swap(rows[i][j], rows[j][i]);
}

// Matrices of 8 rows of 16 bytes; lane 8 i + j has the address of row j of matrix i. Lane l gets word l % 4 of row l / 4.
void move_matrices(u32* r, u32 address, u32 count, bool transposed, bool store) {
    Warp& warp = *me().warp;
    Block& block = *me().block;
    const u32 lane = self->lane;
    warp.in[4][lane] = address;
    if (store) for (u32 i = 0; i < count; i++) warp.in[i][lane] = r[i];
    request(SHARED | (store ? u32(WRITE) : 0) | MATRIX | 16, address, lane < 8 * count);
    if (meet((store ? STORE_MATRIX : LOAD_MATRIX) | count << 8 | u32(transposed) << 16)) {
        const u16 who = u16(WARP | warp.number);
        for (u32 i = 0; i < count; i++) {
            u16 rows[8][8];
            if (store) take_rows(rows, warp.in[i], transposed);
            for (u32 j = 0; j < 8; j++) {
                const u32 from = warp.in[4][8 * i + j], at = from - SHARED_BASE;
                if (!inside_shared(from, 16, store)) {
                    __builtin_memset(rows[j], 0xFF, 16);
                } else if (store) {
                    check_write<16>(at, who, reinterpret_cast<const u8*>(rows[j]));
                    __builtin_memcpy(&block.shared[at], rows[j], 16);
                } else {
                    check_read<16>(at, who);
                    __builtin_memcpy(rows[j], &block.shared[at], 16);
                }
            }
            if (!store) take_rows(reinterpret_cast<u16(*)[8]>(warp.out[i]), rows, transposed);
        }
        leave();
    }
    if (!store) for (u32 i = 0; i < count; i++) r[i] = warp.out[i][lane];
}

}  // namespace tv::host
