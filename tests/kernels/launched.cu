// What the programs of test_simulated.py would be emitted as, in their lines; `invert` and `scalars` look at bytes.

TV_KERNEL(scale, 32, const float* x, float factor, float* y, int N) {
    const tv::u32 i = 32 * tv::block_index<0>() + tv::thread_index();
    TV_LINE(6);
    const tv::u32 v = tv::load_global_u32(x + i, i < tv::u32(N));
    tv::store_global_u32(y + i, tv::as_u32(tv::mul(tv::as_f32(v), factor)), i < tv::u32(N));
}

// Without the bounds check.
TV_KERNEL(beyond, 32, const float* x, float factor, float* y, int N) {
    const tv::u32 i = 32 * tv::block_index<0>() + tv::thread_index();
    TV_LINE(6);
    tv::store_global_u32(y + i, tv::load_global_u32(x + i));
}

// Writes what is only to be read.
TV_KERNEL(backwards, 32, const float* x, float factor, float* y, int N) {
    const tv::u32 i = 32 * tv::block_index<0>() + tv::thread_index();
    TV_LINE(6);
    tv::store_global_u32(const_cast<float*>(x) + i, 0, i < tv::u32(N));
}

// Copies the bytes of w to y, and inverts those of z, one for each thread.
TV_KERNEL(invert, 32, const tv::u8* w, tv::u8* z, tv::u8* y) {
    const tv::u32 t = tv::thread_index();
    TV_LINE(6);
    tv::store_global_u8(y + t, tv::load_global_u8(w + t));
    tv::store_global_u8(z + t, 255 - tv::load_global_u8(z + t, t < 24), t < 24);
}

TV_KERNEL(scalars, 32, tv::u32 h, tv::u32 s, bool b, double d, tv::s64 n, tv::u32* y) {
    TV_LINE(4);
    const tv::u32 words[] = {h, s, b, d > 1e300, tv::u32(n), tv::u32(tv::u64(n) >> 32)};
    for (int i = 0; i < 6; i++) tv::store_global_u32(y + i, words[i], tv::thread_index() == 0);
}
