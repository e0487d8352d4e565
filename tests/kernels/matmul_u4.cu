// y[16, n] = x[16, k] @ w[k, n], f16 activations and 4-bit weights. A block of four warps makes 16 x 64 of y, in slabs of
// 64 of k. For each block and slab the weights are packed so that each thread finds its 32 codes in 16 bytes in a row:
// code 8 f + 2 j + h is row 16 f + 8 (j % 2) + 2 (lane % 4) + h of the slab, column 16 warp + 8 (j / 2) + lane / 4.
// Rows of activations are 128 bytes, their 16-byte chunks swizzled by the row.

#if TV_ARCHITECTURE >= 800
TV_DEVICE void copy_slab(tv::u32 xs, tv::u32 ws, const tv::u16* x, const tv::u8* w, int k, int n, int slab, bool valid) {
    const tv::u32 t = tv::thread_index(), row = t / 8, chunk = t % 8;
    TV_LINE(11);
    tv::cp_async<16>(xs + row * 128 + (chunk ^ (row & 7)) * 16, x + row * k + slab * 64 + chunk * 8, valid ? 16 : 0);
    TV_LINE(12);
    tv::cp_async<16>(ws + 16 * t, w + (size_t(slab) * (n / 64) + tv::block_index<0>()) * 2048 + 16 * t, valid ? 16 : 0);
    tv::cp_async_commit();
}

TV_KERNEL(matmul_u4, 128, const tv::u16* x, const tv::u8* w, tv::u16* y, int k, int n) {
    const tv::u32 s = TV_SHARED(3 * 4096), t = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const int slabs = k / 64;
    float sums[2][4] = {};
    for (int i = 0; i < 2; i++) copy_slab(s + 4096 * i, s + 4096 * i + 2048, x, w, k, n, i, i < slabs);
    for (int i = 0; i < slabs; i++) {
        TV_LINE(20);
        tv::cp_async_wait<1>();
        tv::sync();
        const tv::u32 xs = s + 4096 * (i % 3), ws = xs + 2048, next = s + 4096 * ((i + 2) % 3);
        copy_slab(next, next + 2048, x, w, k, n, i + 2, i + 2 < slabs);
        TV_LINE(21);
        tv::u32 codes[4];
        tv::load_shared_u32x4(codes, ws + 16 * t);
        TV_UNROLL for (int f = 0; f < 4; f++) {
            TV_LINE(22);
            tv::u32 a[4], b[4];
            const tv::u32 row = lane % 16, chunk = 2 * f + lane / 16;
            tv::ldmatrix_x4(a, xs + row * 128 + (chunk ^ (row & 7)) * 16);
            TV_LINE(23);
            TV_UNROLL for (int j = 0; j < 4; j++) {
                // Two codes become 1024 + code, side by side, and lose the 1024.
                const tv::u32 both = codes[f] >> 8 * j;
                const tv::u32 spread = tv::lop3<0xEA>(both & 0xF, 0xF, (both & 0xF0) << 12);
                b[j] = tv::sub_f16x2(spread | 0x64006400, 0x64006400);
            }
            TV_LINE(24);
            tv::mma_m16n8k16_f16(sums[0], a, b);
            tv::mma_m16n8k16_f16(sums[1], a, b + 2);
        }
    }
    TV_LINE(30);
    TV_UNROLL for (int j = 0; j < 2; j++)
        TV_UNROLL for (int h = 0; h < 2; h++) {
            const tv::u32 row = lane / 4 + 8 * h, column = tv::block_index<0>() * 64 + warp * 16 + 8 * j + 2 * (lane % 4);
            tv::store_global_u32(y + row * n + column, tv::f32_to_f16x2(sums[j][2 * h], sums[j][2 * h + 1]));
        }
}
#endif
