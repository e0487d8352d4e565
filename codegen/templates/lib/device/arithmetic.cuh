// Arithmetic of floats, rounded once. A sum written with these is not contracted with a product.

namespace tv {

#define TV_UNARY(name, instruction)                              \
    TV_DEVICE float name(float x) {                              \
        float r;                                                 \
        asm(instruction ".f32 %0, %1;" : "=f"(r) : "f"(x));      \
        return r;                                                \
    }
#define TV_BINARY(name, instruction)                                         \
    TV_DEVICE float name(float a, float b) {                                 \
        float r;                                                             \
        asm(instruction ".f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));      \
        return r;                                                            \
    }                                                                        \
    TV_DEVICE double name(double a, double b) {                              \
        double r;                                                            \
        asm(instruction ".f64 %0, %1, %2;" : "=d"(r) : "d"(a), "d"(b));      \
        return r;                                                            \
    }
TV_BINARY(add, "add.rn")
TV_BINARY(sub, "sub.rn")
TV_BINARY(mul, "mul.rn")
TV_BINARY(div, "div.rn")
#undef TV_BINARY
TV_UNARY(sqrt, "sqrt.rn")
TV_UNARY(exp2_approx, "ex2.approx")
TV_UNARY(log2_approx, "lg2.approx")
TV_UNARY(rcp_approx, "rcp.approx")
TV_UNARY(rsqrt_approx, "rsqrt.approx")
TV_UNARY(sqrt_approx, "sqrt.approx")
TV_UNARY(sin_approx, "sin.approx")
TV_UNARY(cos_approx, "cos.approx")
TV_UNARY(tanh_approx, "tanh.approx")
#undef TV_UNARY
TV_DEVICE double sqrt(double x) {
    double r;
    asm("sqrt.rn.f64 %0, %1;" : "=d"(r) : "d"(x));
    return r;
}
TV_DEVICE float fma(float a, float b, float c) {
    float r;
    asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(r) : "f"(a), "f"(b), "f"(c));
    return r;
}
TV_DEVICE double fma(double a, double b, double c) {
    double r;
    asm("fma.rn.f64 %0, %1, %2, %3;" : "=d"(r) : "d"(a), "d"(b), "d"(c));
    return r;
}

// The other number where one is NaN; -0.0 is below 0.0.
TV_DEVICE float min(float a, float b) {
    float r;
    asm("min.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
    return r;
}
TV_DEVICE float max(float a, float b) {
    float r;
    asm("max.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
    return r;
}
TV_DEVICE double min(double a, double b) {
    double r;
    asm("min.f64 %0, %1, %2;" : "=d"(r) : "d"(a), "d"(b));
    return r;
}
TV_DEVICE double max(double a, double b) {
    double r;
    asm("max.f64 %0, %1, %2;" : "=d"(r) : "d"(a), "d"(b));
    return r;
}

TV_DEVICE u32 mul_hi_u32(u32 a, u32 b) { return __umulhi(a, b); }
TV_DEVICE u64 mul_wide_u32(u32 a, u32 b) { return u64(a) * b; }

#define TV_PAIR(name, instruction)                                       \
    TV_DEVICE u32 name(u32 a, u32 b) {                                   \
        u32 r;                                                           \
        asm(instruction " %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));      \
        return r;                                                        \
    }
#define TV_PAIR_FMA(name, instruction)                                                   \
    TV_DEVICE u32 name(u32 a, u32 b, u32 c) {                                            \
        u32 r;                                                                           \
        asm(instruction " %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));          \
        return r;                                                                        \
    }
TV_PAIR(add_f16x2, "add.rn.f16x2")
TV_PAIR(sub_f16x2, "sub.rn.f16x2")
TV_PAIR(mul_f16x2, "mul.rn.f16x2")
TV_PAIR_FMA(fma_f16x2, "fma.rn.f16x2")
#if __CUDA_ARCH__ >= 800
TV_PAIR_FMA(fma_bf16x2, "fma.rn.bf16x2")
// Sums and products are an fma with 1 or -0, which rounds the same and is on every architecture that has bf16.
TV_DEVICE u32 add_bf16x2(u32 a, u32 b) { return fma_bf16x2(a, 0x3F803F80, b); }
TV_DEVICE u32 sub_bf16x2(u32 a, u32 b) { return fma_bf16x2(b, 0xBF80BF80, a); }
TV_DEVICE u32 mul_bf16x2(u32 a, u32 b) { return fma_bf16x2(a, b, 0x80008000); }
#endif
#undef TV_PAIR
#undef TV_PAIR_FMA

}  // namespace tv
