// Arithmetic, mathematics and conversions of f32 and f64, integers of 32 and 64 bits, packed tiles, random bits; `which`
// chooses among those of one form. Operands lie one after another in x, n of each.

TV_DEVICE tv::u64 load_u64(const void* p) {
    tv::u32 v[2];
    tv::load_global_u32x2(v, p);
    return tv::u64(v[1]) << 32 | v[0];
}
TV_DEVICE void store_u64(void* p, tv::u64 v) {
    const tv::u32 words[2] = {tv::u32(v), tv::u32(v >> 32)};
    tv::store_global_u32x2(p, words);
}
TV_DEVICE void read(tv::u32& r, const tv::u32* p) { r = tv::load_global_u32(p); }
TV_DEVICE void read(tv::s32& r, const tv::s32* p) { r = tv::s32(tv::load_global_u32(p)); }
TV_DEVICE void read(float& r, const float* p) { r = tv::as_f32(tv::load_global_u32(p)); }
TV_DEVICE void read(tv::u64& r, const tv::u64* p) { r = load_u64(p); }
TV_DEVICE void read(tv::s64& r, const tv::s64* p) { r = tv::s64(load_u64(p)); }
TV_DEVICE void read(double& r, const double* p) { r = tv::as_f64(load_u64(p)); }
TV_DEVICE void write(tv::u32* p, tv::u32 v) { tv::store_global_u32(p, v); }
TV_DEVICE void write(tv::s32* p, tv::s32 v) { tv::store_global_u32(p, tv::u32(v)); }
TV_DEVICE void write(float* p, float v) { tv::store_global_u32(p, tv::as_u32(v)); }
TV_DEVICE void write(tv::u64* p, tv::u64 v) { store_u64(p, v); }
TV_DEVICE void write(tv::s64* p, tv::s64 v) { store_u64(p, tv::u64(v)); }
TV_DEVICE void write(double* p, double v) { store_u64(p, tv::as_u64(v)); }

#define EACH(T, R, name, CASES)                                                      \
    TV_KERNEL(name, 32, const T* x, R* y, int n, int which) {                        \
        for (int i = int(tv::thread_index()); i < n; i += 32) {                      \
            T a, b, c;                                                               \
            read(a, x + i);                                                          \
            read(b, x + n + i);                                                      \
            read(c, x + 2 * n + i);                                                  \
            R r = R();                                                               \
            switch (which) { CASES }                                                 \
            write(y + i, r);                                                         \
        }                                                                            \
    }

#define FLOATS                                    \
    case 0: r = tv::add(a, b); break;             \
    case 1: r = tv::sub(a, b); break;             \
    case 2: r = tv::mul(a, b); break;             \
    case 3: r = tv::div(a, b); break;             \
    case 4: r = tv::min(a, b); break;             \
    case 5: r = tv::max(a, b); break;             \
    case 6: r = tv::fma(a, b, c); break;          \
    case 7: r = tv::sqrt(a); break;               \
    case 8: r = tv::floor(a); break;              \
    case 9: r = tv::ceil(a); break;               \
    case 10: r = tv::round_even(a); break;        \
    case 11: r = tv::fmod(a, b); break;
EACH(float, float, floats, FLOATS)
EACH(double, double, doubles, FLOATS)

#define FUNCTIONS                                 \
    case 0: r = tv::exp(a); break;                \
    case 1: r = tv::exp2(a); break;               \
    case 2: r = tv::log(a); break;                \
    case 3: r = tv::log2(a); break;               \
    case 4: r = tv::tanh(a); break;               \
    case 5: r = tv::erf(a); break;                \
    case 6: r = tv::rsqrt(a); break;              \
    case 7: r = tv::pow(a, b); break;
EACH(float, float, functions_f32, FUNCTIONS)
EACH(double, double, functions_f64, FUNCTIONS)

#define INTEGERS                                  \
    case 0: r = tv::add(a, b); break;             \
    case 1: r = tv::sub(a, b); break;             \
    case 2: r = tv::mul(a, b); break;             \
    case 3: r = tv::floor_div(a, b); break;       \
    case 4: r = tv::rem(a, b); break;             \
    case 5: r = tv::cdiv(a, b); break;            \
    case 6: r = tv::min(a, b); break;             \
    case 7: r = tv::max(a, b); break;             \
    case 8: r = tv::shl(a, b); break;             \
    case 9: r = tv::shr(a, b); break;             \
    case 10: r = tv::neg(a); break;               \
    case 11: r = tv::abs(a); break;
EACH(tv::s32, tv::s32, integers_s32, INTEGERS)
EACH(tv::u32, tv::u32, integers_u32, INTEGERS)
EACH(tv::s64, tv::s64, integers_s64, INTEGERS)
EACH(tv::u64, tv::u64, integers_u64, INTEGERS)
EACH(tv::u32, tv::u64, products, case 0: r = tv::mul_wide_u32(a, b); break; case 1: r = tv::mul_hi_u32(a, b); break;)
EACH(tv::u64, tv::u32, random_words, case 0: r = tv::philox(a, b); break;)

#define ROUNDINGS(name)                                       \
    case 0: r = tv::name(a); break;                           \
    case 1: r = tv::name<tv::TOWARD_ZERO>(a); break;          \
    case 2: r = tv::name<tv::DOWN>(a); break;                 \
    case 3: r = tv::name<tv::UP>(a); break;
#define CONVERSION(T, R, name) EACH(T, R, name, ROUNDINGS(name))
CONVERSION(float, tv::s32, f32_to_s32)
CONVERSION(float, tv::u32, f32_to_u32)
CONVERSION(float, tv::s64, f32_to_s64)
CONVERSION(float, tv::u64, f32_to_u64)
CONVERSION(double, tv::s32, f64_to_s32)
CONVERSION(double, tv::u32, f64_to_u32)
CONVERSION(double, tv::s64, f64_to_s64)
CONVERSION(double, tv::u64, f64_to_u64)
CONVERSION(tv::s32, float, s32_to_f32)
CONVERSION(tv::u32, float, u32_to_f32)
CONVERSION(tv::s64, float, s64_to_f32)
CONVERSION(tv::u64, float, u64_to_f32)
CONVERSION(tv::s64, double, s64_to_f64)
CONVERSION(tv::u64, double, u64_to_f64)
CONVERSION(double, float, f64_to_f32)
EACH(float, double, f32_to_f64, case 0: r = tv::f32_to_f64(a); break;)
EACH(tv::s32, double, s32_to_f64, case 0: r = tv::s32_to_f64(a); break;)
EACH(tv::u32, double, u32_to_f64, case 0: r = tv::u32_to_f64(a); break;)

// 13 codes are put in words that are not empty, in an order in which neighbours are there already, and read again.
template <tv::u32 BITS>
TV_DEVICE void pack_and_unpack(const tv::u32* x, tv::u32* y) {
    constexpr int WORDS = (13 * BITS + 31) / 32;
    tv::u32 words[WORDS];
    TV_UNROLL for (int i = 0; i < WORDS; i++) words[i] = 0x5A5A5A5A;
    TV_UNROLL for (int i = 0; i < 13; i++) tv::put<BITS>(words, i * 5 % 13, tv::load_global_u32(x + i * 5 % 13));
    TV_UNROLL for (int i = 0; i < WORDS; i++) tv::store_global_u32(y + i, words[i]);
    TV_UNROLL for (int i = 0; i < 13; i++) tv::store_global_u32(y + 13 + i, tv::get<BITS>(words, i));
}
#define PACKED(bits) case bits: pack_and_unpack<bits>(x, y); break;
TV_KERNEL(packed, 32, const tv::u32* x, tv::u32* y, int bits) {
    if (tv::thread_index() == 0)
        switch (bits) {
            PACKED(1) PACKED(2) PACKED(3) PACKED(4) PACKED(5) PACKED(6) PACKED(7) PACKED(8) PACKED(9) PACKED(11)
            PACKED(12) PACKED(16) PACKED(19) PACKED(24) PACKED(31)
        }
}
