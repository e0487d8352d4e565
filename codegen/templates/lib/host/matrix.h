// mma.sync: the fragments of a warp are put together to matrices, multiplied, and handed out again.
//
// A register of all lanes is, element by element, an 8 x n block of a matrix: lane l holds row l / 4, and in it elements
// from l % 4 on. Products are exact; sums are in f32 in order of k (the device sums in an order that is not specified).
#pragma once

namespace tv {
namespace host {

typedef float FloatRow __attribute__((vector_size(32)));        // eight columns of c
typedef u32 WordRow __attribute__((vector_size(32)));

struct F16 {
    using Sum = float;
    using Row = FloatRow;
    static constexpr u32 BITS = 16;
    static float value(u32 code) { return f16_to_f32(code); }
};
struct BF16 {
    using Sum = float;
    using Row = FloatRow;
    static constexpr u32 BITS = 16;
    static float value(u32 code) { return bf16_to_f32(code); }
};
struct TF32 {
    using Sum = float;
    using Row = FloatRow;
    static constexpr u32 BITS = 32;
    static float value(u32 code) { return as_f32(code & 0xFFFFE000); }
};
struct U8 {
    using Sum = u32;
    using Row = WordRow;
    static constexpr u32 BITS = 8;
    static u32 value(u32 code) { return code; }
};
struct S8 {
    using Sum = u32;                     // modulo 2^32, where the signs make no difference
    using Row = WordRow;
    static constexpr u32 BITS = 8;
    static u32 value(u32 code) { return u32(s32(code << 24) >> 24); }
};
template <int MANTISSA, int BIAS, bool INFINITE>
struct Small {
    using Sum = float;
    using Row = FloatRow;
    static constexpr u32 BITS = 8;
    static float value(u32 code) {
        static const auto table = [] {
            std::vector<float> values(256);
            for (u32 c = 0; c < 256; c++) {
                const u32 exponent = (c & 0x7F) >> MANTISSA, fraction = c & ((1 << MANTISSA) - 1);
                float x = exponent ? std::ldexp(float(fraction + (1 << MANTISSA)), int(exponent) - BIAS - MANTISSA)
                                   : std::ldexp(float(fraction), 1 - BIAS - MANTISSA);
                if (INFINITE && (c & 0x7C) == 0x7C) x = c & 3 ? NAN : INFINITY;
                if (!INFINITE && (c & 0x7F) == 0x7F) x = NAN;
                values[c] = c & 0x80 ? -x : x;
            }
            return values;
        }();
        return table[code];
    }
};
using E4M3 = Small<3, 7, false>;
using E5M2 = Small<2, 15, true>;

// Register r of all lanes as 8 rows of PER = 128 / BITS elements.
template <class Format>
static inline void unpack(const u32* lanes, typename Format::Sum (*rows)[128 / Format::BITS]) {
    constexpr u32 PER = 128 / Format::BITS;
    if constexpr (Format::BITS == 16) {
        u16 codes[64];
        std::memcpy(codes, lanes, sizeof codes);
        for (u32 i = 0; i < 64; i++) rows[i / PER][i % PER] = Format::value(codes[i]);
    } else if constexpr (Format::BITS == 8) {
        u8 codes[128];
        std::memcpy(codes, lanes, sizeof codes);
        for (u32 i = 0; i < 128; i++) rows[i / PER][i % PER] = Format::value(codes[i]);
    } else {
        for (u32 i = 0; i < 32; i++) rows[i / PER][i % PER] = Format::value(lanes[i]);
    }
}

template <class A, class B>
static __attribute__((noinline)) void multiply(Warp& warp) {
    using Sum = typename A::Sum;
    using Row = typename A::Row;
    constexpr u32 PER = 128 / A::BITS;
    Sum a[4][8][PER], b[2][8][PER];
    for (u32 r = 0; r < 4; r++) unpack<A>(warp.in[r], a[r]);
    for (u32 r = 0; r < 2; r++) unpack<B>(warp.in[4 + r], b[r]);
    Row columns[2 * PER];
    for (u32 r = 0; r < 2; r++)
        for (u32 k = 0; k < PER; k++)
            for (u32 n = 0; n < 8; n++) columns[r * PER + k][n] = b[r][n][k];
    for (u32 half = 0; half < 2; half++) {
        Row sums[8];
        for (u32 m = 0; m < 8; m++)
            for (u32 n = 0; n < 8; n++) {
                Sum sum;
                std::memcpy(&sum, &warp.in[6 + 2 * half + n % 2][4 * m + n / 2], 4);
                sums[m][n] = sum;
            }
        for (u32 m = 0; m < 8; m++)
            for (u32 k = 0; k < 2 * PER; k++) sums[m] += columns[k] * a[half + k / PER * 2][m][k % PER];
        for (u32 m = 0; m < 8; m++)
            for (u32 n = 0; n < 8; n++) {
                const Sum sum = sums[m][n];
                std::memcpy(&warp.out[2 * half + n % 2][4 * m + n / 2], &sum, 4);
            }
    }
}

template <class A, class B, class C>
static __attribute__((noinline)) void mma(C* c, const u32* a, const u32* b, u32 number) {
    Warp& warp = *self->warp;
    const u32 lane = self->lane;
    for (u32 r = 0; r < 4; r++) warp.in[r][lane] = a[r];
    for (u32 r = 0; r < 2; r++) warp.in[4 + r][lane] = b[r];
    for (u32 r = 0; r < 4; r++) std::memcpy(&warp.in[6 + r][lane], &c[r], 4);
    if (meet(MULTIPLY | number << 8)) {
        multiply<A, B>(warp);
        leave();
    }
    for (u32 r = 0; r < 4; r++) std::memcpy(&c[r], &warp.out[r][lane], 4);
}

}  // namespace host

#define TV_MMA(name, A, B, C, number) \
    static inline void mma_##name(C* c, const u32* a, const u32* b) { host::mma<host::A, host::B>(c, a, b, number); }
TV_MMA(m16n8k16_f16, F16, F16, float, 0)
TV_MMA(m16n8k16_bf16, BF16, BF16, float, 1)
TV_MMA(m16n8k8_tf32, TF32, TF32, float, 2)
TV_MMA(m16n8k32_s8_s8, S8, S8, s32, 3)
TV_MMA(m16n8k32_u8_u8, U8, U8, s32, 4)
TV_MMA(m16n8k32_s8_u8, S8, U8, s32, 5)
TV_MMA(m16n8k32_u8_s8, U8, S8, s32, 6)
TV_MMA(m16n8k32_e4m3_e4m3, E4M3, E4M3, float, 7)
TV_MMA(m16n8k32_e5m2_e5m2, E5M2, E5M2, float, 8)
TV_MMA(m16n8k32_e4m3_e5m2, E4M3, E5M2, float, 9)
TV_MMA(m16n8k32_e5m2_e4m3, E5M2, E4M3, float, 10)
#undef TV_MMA

}  // namespace tv
