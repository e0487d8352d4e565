// Tiles of f32 numbers as f16 and bf16: one instruction rounds two of them into the halves of a word.

namespace tv {

// Every element of a tile as one of T, f16 or bf16.
template <class T, s32 SLOTS>
TV_DEVICE void cast_pairs(u32* z, const float* x) {
    TV_UNROLL for (s32 i = 0; i < (SLOTS + 1) / 2; i++) {
        const float low = x[2 * i], high = 2 * i + 1 < SLOTS ? x[2 * i + 1] : 0.0f;
        z[i] = IS_F16<T> ? f32_to_f16x2(low, high) : f32_to_bf16x2(low, high);
    }
}

}  // namespace tv
