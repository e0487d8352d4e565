// The functions that CUDA's library computes with a table in local memory for large angles.

TV_KERNEL(trigonometry, 32, const float* x, float* y, const double* p, double* q, int n) {
    for (int i = int(tv::thread_index()); i < n; i += 32) {
        const float a = tv::as_f32(tv::load_global_u32(x + i));
        tv::store_global_u32(y + i, tv::as_u32(tv::sin(a)));
        tv::store_global_u32(y + n + i, tv::as_u32(tv::cos(a)));
        tv::u32 v[2];
        tv::load_global_u32x2(v, p + i);
        const double b = tv::as_f64(tv::u64(v[1]) << 32 | v[0]);
        const tv::u64 sine = tv::as_u64(tv::sin(b)), cosine = tv::as_u64(tv::cos(b));
        const tv::u32 first[2] = {tv::u32(sine), tv::u32(sine >> 32)}, second[2] = {tv::u32(cosine), tv::u32(cosine >> 32)};
        tv::store_global_u32x2(q + i, first);
        tv::store_global_u32x2(q + n + i, second);
    }
}
