// mma.sync: the fragments of a warp are put together to matrices, multiplied, and handed out again.
//
// A register of all lanes is, element by element, an 8 x n block of a matrix: lane l holds row l / 4, and in it elements
// from l % 4 on. Products are exact; sums are in f32 in order of k (the device sums in an order that is not specified).
#pragma once
#include <cmath>

namespace tv::host {

struct F16 {
    using Sum = float;
    using Code = u16;
    static float value(u32 code) { return f16_to_f32(code); }
};
struct BF16 {
    using Sum = float;
    using Code = u16;
    static float value(u32 code) { return bf16_to_f32(code); }
};
struct TF32 {
    using Sum = float;
    using Code = u32;
    static float value(u32 code) { return as_f32(code & 0xFFFFE000); }
};
struct U8 {
    using Sum = u32;
    using Code = u8;
    static u32 value(u32 code) { return code; }
};
struct S8 {
    using Sum = u32;                     // modulo 2^32, where the signs make no difference
    using Code = u8;
    static u32 value(u32 code) { return u32(s32(code << 24) >> 24); }
};
template <int MANTISSA, int BIAS, bool INFINITE>
struct Small {
    using Sum = float;
    using Code = u8;
    struct Table {
        float values[256];
        Table() {
            for (u32 c = 0; c < 256; c++) {
                const u32 exponent = (c & 0x7F) >> MANTISSA, fraction = c & ((1 << MANTISSA) - 1);
                const int whole = int(exponent ? fraction + (1 << MANTISSA) : fraction);
                float x = float(std::ldexp(double(whole), int(exponent ? exponent : 1) - BIAS - MANTISSA));
                if (INFINITE && (c & 0x7C) == 0x7C) x = c & 3 ? NAN : INFINITY;
                if (!INFINITE && (c & 0x7F) == 0x7F) x = NAN;
                values[c] = c & 0x80 ? -x : x;
            }
        }
    };
    static float value(u32 code) {
        static const Table table;
        return table.values[code];
    }
};
using E4M3 = Small<3, 7, false>;
using E5M2 = Small<2, 15, true>;

inline constexpr u32 MOST_K = 32;

// Register r of all lanes as 8 rows; element (i, j) goes to to[i * down + j * right].
template <class Format>
static void unpack(const u32* lanes, void* matrix, u32 down, u32 right) {
    using Code = typename Format::Code;
    constexpr u32 COLUMNS = 16 / sizeof(Code);
    auto* to = static_cast<typename Format::Sum*>(matrix);
    Code codes[8 * COLUMNS];
    typename Format::Sum values[8 * COLUMNS];
    __builtin_memcpy(codes, lanes, sizeof codes);
    for (u32 i = 0; i < 8 * COLUMNS; i++) values[i] = Format::value(codes[i]);
    for (u32 i = 0; i < 8; i++)
        for (u32 j = 0; j < COLUMNS; j++) to[i * down + j * right] = values[i * COLUMNS + j];
}
using Unpack = void (*)(const u32*, void*, u32, u32);

// Shape and formats of a product: registers of a and b are 8 rows each, `high` of them one below the other in a, `wide`
// side by side in both, each of `columns`.
struct ProductOf {
    Unpack a, b;
    u32 high, wide, columns;
    bool integers;
};
#define TV_PRODUCT(A, B, high, wide) \
    {unpack<A>, unpack<B>, high, wide, 16 / sizeof(A::Code), sizeof(A::Code) == 1 && A::Sum(0.5f) == 0}
static const ProductOf PRODUCTS[] = {                 // in order of `Product`
    TV_PRODUCT(F16, F16, 2, 2), TV_PRODUCT(BF16, BF16, 2, 2), TV_PRODUCT(TF32, TF32, 2, 2),
    TV_PRODUCT(S8, S8, 2, 2), TV_PRODUCT(U8, U8, 2, 2), TV_PRODUCT(S8, U8, 2, 2), TV_PRODUCT(U8, S8, 2, 2),
    TV_PRODUCT(E4M3, E4M3, 2, 2), TV_PRODUCT(E5M2, E5M2, 2, 2), TV_PRODUCT(E4M3, E5M2, 2, 2),
    TV_PRODUCT(E5M2, E4M3, 2, 2), TV_PRODUCT(F16, F16, 2, 1), TV_PRODUCT(S8, S8, 1, 1), TV_PRODUCT(U8, U8, 1, 1),
    TV_PRODUCT(S8, U8, 1, 1), TV_PRODUCT(U8, S8, 1, 1),
};
#undef TV_PRODUCT

template <class Sum>
static void multiply_fragments(Warp& warp, const ProductOf& product) {
    typedef Sum Row __attribute__((vector_size(32)));           // eight columns of c
    const u32 k = product.wide * product.columns;
    Sum a[16][MOST_K];
    Row b[MOST_K];
    for (u32 r = 0; r < product.high * product.wide; r++)
        product.a(warp.in[r], &a[r % product.high * 8][r / product.high * product.columns], MOST_K, 1);
    for (u32 r = 0; r < product.wide; r++) product.b(warp.in[4 + r], &b[r * product.columns], 1, 8);
    for (u32 half = 0; half < product.high; half++) {
        Row sums[8];
        u32 (*in)[LANES] = &warp.in[6 + 2 * half], (*out)[LANES] = &warp.out[2 * half];
        Sum* c = reinterpret_cast<Sum*>(sums);
        for (u32 i = 0; i < 64; i++) __builtin_memcpy(&c[i], &in[i % 2][i / 2], 4);
        for (u32 i = 0; i < k; i++)
            for (u32 m = 0; m < 8; m++) sums[m] += b[i] * a[8 * half + m][i];
        for (u32 i = 0; i < 64; i++) __builtin_memcpy(&out[i % 2][i / 2], &c[i], 4);
    }
}

void multiply(Product number, void* sums, const u32* a, const u32* b) {
    const ProductOf& product = PRODUCTS[number];
    Warp& warp = *me().warp;
    const u32 lane = self->lane;
    u32* c = static_cast<u32*>(sums);
    for (u32 r = 0; r < product.high * product.wide; r++) warp.in[r][lane] = a[r];
    for (u32 r = 0; r < product.wide; r++) warp.in[4 + r][lane] = b[r];
    for (u32 r = 0; r < 2 * product.high; r++) warp.in[6 + r][lane] = c[r];
    if (meet(MULTIPLY | u32(number) << 8)) {
        if (product.integers) multiply_fragments<u32>(warp, product);
        else multiply_fragments<float>(warp, product);
        leave();
    }
    for (u32 r = 0; r < 2 * product.high; r++) c[r] = warp.out[r][lane];
}

// A lane has a[lane / 4][lane % 4], b[lane % 4][lane / 4] and two neighbours of row lane / 4 of c.
void multiply_f64(double* c, const double* a, const double* b) {
    struct Operands { double a[LANES], b[LANES], c[2 * LANES]; };
    static_assert(sizeof(Operands) <= sizeof(Warp::in));
    Warp& warp = *me().warp;
    Operands& all = *reinterpret_cast<Operands*>(warp.in);
    const u32 lane = self->lane;
    all.a[lane] = *a;
    all.b[lane] = *b;
    all.c[2 * lane] = c[0];
    all.c[2 * lane + 1] = c[1];
    if (meet(MULTIPLY | 0xFF00)) {
        for (u32 i = 0; i < 2 * LANES; i++)
            for (u32 k = 0; k < 4; k++) all.c[i] = libm::fma(all.a[i / 8 * 4 + k], all.b[i % 8 * 4 + k], all.c[i]);
        leave();
    }
    c[0] = all.c[2 * lane];
    c[1] = all.c[2 * lane + 1];
}

}  // namespace tv::host
