// Matrices: between shared memory and registers, and products on tensor cores.

namespace tv {

// Matrices of 8 rows of 16 bytes between shared memory and registers

#define TV_LDMATRIX(name, modifier)                                                                        \
    TV_DEVICE void ldmatrix_x1##name(u32* r, u32 address) {                                                \
        asm volatile("ldmatrix.sync.aligned.m8n8.x1" modifier ".shared.b16 {%0}, [%1];"                    \
                     : "=r"(r[0]) : "r"(address) : "memory");                                              \
    }                                                                                                      \
    TV_DEVICE void ldmatrix_x2##name(u32* r, u32 address) {                                                \
        asm volatile("ldmatrix.sync.aligned.m8n8.x2" modifier ".shared.b16 {%0, %1}, [%2];"                \
                     : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");                                  \
    }                                                                                                      \
    TV_DEVICE void ldmatrix_x4##name(u32* r, u32 address) {                                                \
        asm volatile("ldmatrix.sync.aligned.m8n8.x4" modifier ".shared.b16 {%0, %1, %2, %3}, [%4];"        \
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");          \
    }
TV_LDMATRIX(, "")
TV_LDMATRIX(_trans, ".trans")
#undef TV_LDMATRIX

#if __CUDA_ARCH__ >= 900
#define TV_STMATRIX(name, modifier)                                                                        \
    TV_DEVICE void stmatrix_x1##name(u32 address, const u32* r) {                                          \
        asm volatile("stmatrix.sync.aligned.m8n8.x1" modifier ".shared.b16 [%0], {%1};"                    \
                     ::"r"(address), "r"(r[0]) : "memory");                                                \
    }                                                                                                      \
    TV_DEVICE void stmatrix_x2##name(u32 address, const u32* r) {                                          \
        asm volatile("stmatrix.sync.aligned.m8n8.x2" modifier ".shared.b16 [%0], {%1, %2};"                \
                     ::"r"(address), "r"(r[0]), "r"(r[1]) : "memory");                                     \
    }                                                                                                      \
    TV_DEVICE void stmatrix_x4##name(u32 address, const u32* r) {                                          \
        asm volatile("stmatrix.sync.aligned.m8n8.x4" modifier ".shared.b16 [%0], {%1, %2, %3, %4};"        \
                     ::"r"(address), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]) : "memory");               \
    }
TV_STMATRIX(, "")
TV_STMATRIX(_trans, ".trans")
#undef TV_STMATRIX
#endif

// c += a * b for the fragments of a warp, in registers of 32 bits: m16n8k16, m16n8k32 and m16n8k8_tf32 have 4, 2 and 4 of
// a, b and c; m16n8k8_f16 has 2, 1 and 4, m8n8k16 1, 1 and 2; m8n8k4_f64 one double of a and b and two of c

#define TV_MMA(name, instruction, C, constraint)                                                                     \
    TV_DEVICE void mma_##name(C* c, const u32* a, const u32* b) {                                                    \
        asm volatile("mma.sync.aligned." instruction " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
                     : "+" constraint(c[0]), "+" constraint(c[1]), "+" constraint(c[2]), "+" constraint(c[3])        \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                            \
    }
#define TV_MMA_8(name, instruction)                                                                                  \
    TV_DEVICE void mma_##name(s32* c, const u32* a, const u32* b) {                                                  \
        asm volatile("mma.sync.aligned." instruction " {%0, %1}, {%2}, {%3}, {%0, %1};"                              \
                     : "+r"(c[0]), "+r"(c[1]) : "r"(a[0]), "r"(b[0]));                                               \
    }
TV_DEVICE void mma_m16n8k8_f16(float* c, const u32* a, const u32* b) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(b[0]));
}
TV_MMA_8(m8n8k16_s8_s8, "m8n8k16.row.col.s32.s8.s8.s32")
TV_MMA_8(m8n8k16_u8_u8, "m8n8k16.row.col.s32.u8.u8.s32")
TV_MMA_8(m8n8k16_s8_u8, "m8n8k16.row.col.s32.s8.u8.s32")
TV_MMA_8(m8n8k16_u8_s8, "m8n8k16.row.col.s32.u8.s8.s32")
#if __CUDA_ARCH__ >= 800
TV_MMA(m16n8k16_f16, "m16n8k16.row.col.f32.f16.f16.f32", float, "f")
TV_MMA(m16n8k16_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32", float, "f")
TV_MMA(m16n8k8_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32", float, "f")
TV_MMA(m16n8k32_s8_s8, "m16n8k32.row.col.s32.s8.s8.s32", s32, "r")
TV_MMA(m16n8k32_u8_u8, "m16n8k32.row.col.s32.u8.u8.s32", s32, "r")
TV_MMA(m16n8k32_s8_u8, "m16n8k32.row.col.s32.s8.u8.s32", s32, "r")
TV_MMA(m16n8k32_u8_s8, "m16n8k32.row.col.s32.u8.s8.s32", s32, "r")
TV_DEVICE void mma_m8n8k4_f64(double* c, const double* a, const double* b) {
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                 : "+d"(c[0]), "+d"(c[1]) : "d"(a[0]), "d"(b[0]));
}
#endif
#if __CUDA_ARCH__ >= 890
TV_MMA(m16n8k32_e4m3_e4m3, "m16n8k32.row.col.f32.e4m3.e4m3.f32", float, "f")
TV_MMA(m16n8k32_e5m2_e5m2, "m16n8k32.row.col.f32.e5m2.e5m2.f32", float, "f")
TV_MMA(m16n8k32_e4m3_e5m2, "m16n8k32.row.col.f32.e4m3.e5m2.f32", float, "f")
TV_MMA(m16n8k32_e5m2_e4m3, "m16n8k32.row.col.f32.e5m2.e4m3.f32", float, "f")
#endif
#undef TV_MMA
#undef TV_MMA_8

}  // namespace tv
