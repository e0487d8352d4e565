// Products of matrices and nothing else: four accumulators, so that each depends on the one four before.
TV_KERNEL(products, 128, const tv::u32* x, tv::u32* y, int steps) {
    const tv::u32 t = tv::thread_index();
    tv::u32 a[4], b[4];
    float c[4][4] = {};
    tv::load_global_u32x4(a, x + 4 * t);
    tv::load_global_u32x4(b, x + 512 + 4 * t);
    for (int i = 0; i < steps; i++) {
        TV_UNROLL for (int j = 0; j < 4; j++) tv::mma_m16n8k16_f16(c[j], a, b + j % 2 * 2);
    }
    TV_UNROLL for (int j = 0; j < 4; j++) {
        tv::u32 bits[4];
        TV_UNROLL for (int r = 0; r < 4; r++) bits[r] = tv::as_u32(c[j][r]);
        tv::store_global_u32x4(y + (t * 4 + j) * 4, bits);
    }
}
