// The intrinsics of emitted CUDA, as inline PTX. Nothing is included, so that compiling takes no time for headers.
//
// The same interface stands in C++ in host/, for the simulator. Addresses in shared memory are 32-bit numbers, registers
// are u32 with whatever lies in them; arrays of registers are indexed by constants only. What an architecture lacks is
// left out for it. Instructions and their rules: PTX ISA, "Instruction Set".

#define TV_DEVICE static __device__ __forceinline__
#define TV_ARCHITECTURE __CUDA_ARCH__
#define TV_UNROLL _Pragma("unroll")
#define TV_LINE(n) ((void)0)
#define TV_KERNEL(name, threads, ...) extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
#define TV_SHARED(bytes) (::tv::shared_base())

extern __shared__ __align__(1024) unsigned char tv_shared[];

namespace tv {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using s32 = int;

enum Hint { PLAIN, READ_ONLY, STREAM, L2_ONLY };
enum Rounding { NEAREST_EVEN, TOWARD_ZERO, DOWN, UP };

// Where a thread is

TV_DEVICE u32 thread_index() { return threadIdx.x; }
TV_DEVICE u32 lane_index() { return threadIdx.x & 31; }
TV_DEVICE u32 warp_index() { return threadIdx.x >> 5; }
template <u32 AXIS>
TV_DEVICE u32 block_index() { return AXIS == 0 ? blockIdx.x : AXIS == 1 ? blockIdx.y : blockIdx.z; }
template <u32 AXIS>
TV_DEVICE u32 grid_size() { return AXIS == 0 ? gridDim.x : AXIS == 1 ? gridDim.y : gridDim.z; }
TV_DEVICE u32 shared_base() {
    u32 r;
    asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(r) : "l"(tv_shared));
    return r;
}

// Order

TV_DEVICE void sync() { asm volatile("barrier.sync 0;" ::: "memory"); }
TV_DEVICE void sync_warp() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
TV_DEVICE void fence_block() { asm volatile("fence.acq_rel.cta;" ::: "memory"); }
TV_DEVICE void fence_device() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }
TV_DEVICE void fence_system() { asm volatile("fence.acq_rel.sys;" ::: "memory"); }
TV_DEVICE void trap() { asm volatile("trap;"); }

// Between the lanes of a warp: all take part; past the ends of the warp a lane keeps its own value

TV_DEVICE u32 ballot(bool vote) {
    u32 r;
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.ballot.b32 %0, p, 0xffffffff; }"
                 : "=r"(r) : "r"(u32(vote)));
    return r;
}
#define TV_SHUFFLE(name, mode, limit)                                                                               \
    TV_DEVICE u32 name(u32 value, u32 by) {                                                                         \
        u32 r;                                                                                                      \
        asm volatile("shfl.sync." mode ".b32 %0, %1, %2, " limit ", 0xffffffff;" : "=r"(r) : "r"(value), "r"(by));  \
        return r;                                                                                                   \
    }
TV_SHUFFLE(shuffle, "idx", "31")
TV_SHUFFLE(shuffle_xor, "bfly", "31")
TV_SHUFFLE(shuffle_up, "up", "0")
TV_SHUFFLE(shuffle_down, "down", "31")
#undef TV_SHUFFLE

// Shared memory

TV_DEVICE u32 load_shared_u8(u32 address) {
    u32 r;
    asm volatile("ld.shared.u8 %0, [%1];" : "=r"(r) : "r"(address) : "memory");
    return r;
}
TV_DEVICE u32 load_shared_u16(u32 address) {
    u16 r;
    asm volatile("ld.shared.u16 %0, [%1];" : "=h"(r) : "r"(address) : "memory");
    return r;
}
TV_DEVICE u32 load_shared_u32(u32 address) {
    u32 r;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(r) : "r"(address) : "memory");
    return r;
}
TV_DEVICE void load_shared_u32x2(u32* r, u32 address) {
    asm volatile("ld.shared.v2.u32 {%0, %1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
}
TV_DEVICE void load_shared_u32x4(u32* r, u32 address) {
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
TV_DEVICE void store_shared_u8(u32 address, u32 value) {
    asm volatile("st.shared.u8 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}
TV_DEVICE void store_shared_u16(u32 address, u32 value) {
    asm volatile("st.shared.u16 [%0], %1;" ::"r"(address), "h"(u16(value)) : "memory");
}
TV_DEVICE void store_shared_u32(u32 address, u32 value) {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
}
TV_DEVICE void store_shared_u32x2(u32 address, const u32* v) {
    asm volatile("st.shared.v2.u32 [%0], {%1, %2};" ::"r"(address), "r"(v[0]), "r"(v[1]) : "memory");
}
TV_DEVICE void store_shared_u32x4(u32 address, const u32* v) {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};"
                 ::"r"(address), "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]) : "memory");
}

// Global memory: where the predicate is false, a load gives 0 and a store does nothing

#define TV_HINTED(nc, stream, l2, before, after, ...)                               \
    if (hint == READ_ONLY) asm volatile(before nc after __VA_ARGS__);               \
    else if (hint == STREAM) asm volatile(before stream after __VA_ARGS__);         \
    else if (hint == L2_ONLY) asm volatile(before l2 after __VA_ARGS__);            \
    else asm volatile(before after __VA_ARGS__);
#define TV_HINTED_LOAD(before, after, ...) TV_HINTED(".nc", ".nc.L1::no_allocate", ".cg", before, after, __VA_ARGS__)
#define TV_HINTED_STORE(before, after, ...) TV_HINTED("", ".cs", ".cg", before, after, __VA_ARGS__)

template <Hint hint = PLAIN>
TV_DEVICE u32 load_global_u8(const void* p, bool active = true) {
    u32 r;
    TV_HINTED_LOAD("{ .reg .pred p; setp.ne.u32 p, %2, 0; mov.u32 %0, 0; @p ld.global", ".u8 %0, [%1]; }",
                   : "=r"(r) : "l"(p), "r"(u32(active)) : "memory")
    return r;
}
template <Hint hint = PLAIN>
TV_DEVICE u32 load_global_u16(const void* p, bool active = true) {
    u16 r;
    TV_HINTED_LOAD("{ .reg .pred p; setp.ne.u32 p, %2, 0; mov.u16 %0, 0; @p ld.global", ".u16 %0, [%1]; }",
                   : "=h"(r) : "l"(p), "r"(u32(active)) : "memory")
    return r;
}
template <Hint hint = PLAIN>
TV_DEVICE u32 load_global_u32(const void* p, bool active = true) {
    u32 r;
    TV_HINTED_LOAD("{ .reg .pred p; setp.ne.u32 p, %2, 0; mov.u32 %0, 0; @p ld.global", ".u32 %0, [%1]; }",
                   : "=r"(r) : "l"(p), "r"(u32(active)) : "memory")
    return r;
}
template <Hint hint = PLAIN>
TV_DEVICE void load_global_u32x2(u32* r, const void* p, bool active = true) {
    TV_HINTED_LOAD("{ .reg .pred p; setp.ne.u32 p, %3, 0; mov.u32 %0, 0; mov.u32 %1, 0; @p ld.global",
                   ".v2.u32 {%0, %1}, [%2]; }",
                   : "=r"(r[0]), "=r"(r[1]) : "l"(p), "r"(u32(active)) : "memory")
}
template <Hint hint = PLAIN>
TV_DEVICE void load_global_u32x4(u32* r, const void* p, bool active = true) {
    TV_HINTED_LOAD("{ .reg .pred p; setp.ne.u32 p, %5, 0; mov.u32 %0, 0; mov.u32 %1, 0; mov.u32 %2, 0; "
                   "mov.u32 %3, 0; @p ld.global", ".v4.u32 {%0, %1, %2, %3}, [%4]; }",
                   : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "l"(p), "r"(u32(active)) : "memory")
}
template <Hint hint = PLAIN>
TV_DEVICE void store_global_u8(void* p, u32 value, bool active = true) {
    TV_HINTED_STORE("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p st.global", ".u8 [%0], %1; }",
                    ::"l"(p), "r"(value), "r"(u32(active)) : "memory")
}
template <Hint hint = PLAIN>
TV_DEVICE void store_global_u16(void* p, u32 value, bool active = true) {
    TV_HINTED_STORE("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p st.global", ".u16 [%0], %1; }",
                    ::"l"(p), "h"(u16(value)), "r"(u32(active)) : "memory")
}
template <Hint hint = PLAIN>
TV_DEVICE void store_global_u32(void* p, u32 value, bool active = true) {
    TV_HINTED_STORE("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p st.global", ".u32 [%0], %1; }",
                    ::"l"(p), "r"(value), "r"(u32(active)) : "memory")
}
template <Hint hint = PLAIN>
TV_DEVICE void store_global_u32x2(void* p, const u32* v, bool active = true) {
    TV_HINTED_STORE("{ .reg .pred p; setp.ne.u32 p, %3, 0; @p st.global", ".v2.u32 [%0], {%1, %2}; }",
                    ::"l"(p), "r"(v[0]), "r"(v[1]), "r"(u32(active)) : "memory")
}
template <Hint hint = PLAIN>
TV_DEVICE void store_global_u32x4(void* p, const u32* v, bool active = true) {
    TV_HINTED_STORE("{ .reg .pred p; setp.ne.u32 p, %5, 0; @p st.global", ".v4.u32 [%0], {%1, %2, %3, %4}; }",
                    ::"l"(p), "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]), "r"(u32(active)) : "memory")
}
#undef TV_HINTED_LOAD
#undef TV_HINTED_STORE
#undef TV_HINTED

// Asynchronous copies: what lies past `source_bytes` is filled with zeros

#if __CUDA_ARCH__ >= 800
template <u32 BYTES>
TV_DEVICE void cp_async(u32 target, const void* source, u32 source_bytes = BYTES) {
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
    if (BYTES == 16)
        asm volatile("{ .reg .u64 g; cvta.to.global.u64 g, %1; cp.async.cg.shared.global [%0], [g], 16, %2; }"
                     ::"r"(target), "l"(source), "r"(source_bytes) : "memory");
    else
        asm volatile("{ .reg .u64 g; cvta.to.global.u64 g, %1; cp.async.ca.shared.global [%0], [g], %3, %2; }"
                     ::"r"(target), "l"(source), "r"(source_bytes), "n"(BYTES) : "memory");
}
TV_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <u32 N>
TV_DEVICE void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }
TV_DEVICE void cp_async_wait_all() { asm volatile("cp.async.wait_all;" ::: "memory"); }
#endif

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

// c += a * b for the fragments of a warp: 4, 2 and 4 registers a lane

#define TV_MMA(name, instruction, C, constraint)                                                                     \
    TV_DEVICE void mma_##name(C* c, const u32* a, const u32* b) {                                                    \
        asm volatile("mma.sync.aligned." instruction " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
                     : "+" constraint(c[0]), "+" constraint(c[1]), "+" constraint(c[2]), "+" constraint(c[3])        \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                            \
    }
#if __CUDA_ARCH__ >= 800
TV_MMA(m16n8k16_f16, "m16n8k16.row.col.f32.f16.f16.f32", float, "f")
TV_MMA(m16n8k16_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32", float, "f")
TV_MMA(m16n8k8_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32", float, "f")
TV_MMA(m16n8k32_s8_s8, "m16n8k32.row.col.s32.s8.s8.s32", s32, "r")
TV_MMA(m16n8k32_u8_u8, "m16n8k32.row.col.s32.u8.u8.s32", s32, "r")
TV_MMA(m16n8k32_s8_u8, "m16n8k32.row.col.s32.s8.u8.s32", s32, "r")
TV_MMA(m16n8k32_u8_s8, "m16n8k32.row.col.s32.u8.s8.s32", s32, "r")
#endif
#if __CUDA_ARCH__ >= 890
TV_MMA(m16n8k32_e4m3_e4m3, "m16n8k32.row.col.f32.e4m3.e4m3.f32", float, "f")
TV_MMA(m16n8k32_e5m2_e5m2, "m16n8k32.row.col.f32.e5m2.e5m2.f32", float, "f")
TV_MMA(m16n8k32_e4m3_e5m2, "m16n8k32.row.col.f32.e4m3.e5m2.f32", float, "f")
TV_MMA(m16n8k32_e5m2_e4m3, "m16n8k32.row.col.f32.e5m2.e4m3.f32", float, "f")
#endif
#undef TV_MMA

// Bits

TV_DEVICE u32 as_u32(float x) { return __float_as_uint(x); }
TV_DEVICE float as_f32(u32 x) { return __uint_as_float(x); }
template <u32 LUT>
TV_DEVICE u32 lop3(u32 a, u32 b, u32 c) {
    u32 r;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(r) : "r"(a), "r"(b), "r"(c), "n"(LUT));
    return r;
}
TV_DEVICE u32 prmt(u32 a, u32 b, u32 selector) {
    u32 r;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(selector));
    return r;
}
TV_DEVICE u32 funnel_right(u32 low, u32 high, u32 count) {
    u32 r;
    asm("shf.r.wrap.b32 %0, %1, %2, %3;" : "=r"(r) : "r"(low), "r"(high), "r"(count));
    return r;
}

// Conversions; a pair has its first number in the low half

#define TV_CONVERT(r, constraint, x, source, rn, rz, rm, rp)                                   \
    if (rounding == TOWARD_ZERO) asm("cvt." rz " %0, %1;" : "=" constraint(r) : source(x));    \
    else if (rounding == DOWN) asm("cvt." rm " %0, %1;" : "=" constraint(r) : source(x));      \
    else if (rounding == UP) asm("cvt." rp " %0, %1;" : "=" constraint(r) : source(x));        \
    else asm("cvt." rn " %0, %1;" : "=" constraint(r) : source(x));

TV_DEVICE float f16_to_f32(u32 h) {
    float r;
    asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(u16(h)));
    return r;
}
template <Rounding rounding = NEAREST_EVEN>
TV_DEVICE u32 f32_to_f16(float x) {
    u16 r;
    TV_CONVERT(r, "h", x, "f", "rn.f16.f32", "rz.f16.f32", "rm.f16.f32", "rp.f16.f32")
    return r;
}
template <Rounding rounding = NEAREST_EVEN>
TV_DEVICE s32 f32_to_s32(float x) {
    s32 r;
    TV_CONVERT(r, "r", x, "f", "rni.s32.f32", "rzi.s32.f32", "rmi.s32.f32", "rpi.s32.f32")
    return r;
}
template <Rounding rounding = NEAREST_EVEN>
TV_DEVICE u32 f32_to_u32(float x) {
    u32 r;
    TV_CONVERT(r, "r", x, "f", "rni.u32.f32", "rzi.u32.f32", "rmi.u32.f32", "rpi.u32.f32")
    return r;
}
#undef TV_CONVERT
TV_DEVICE float s32_to_f32(s32 x) {
    float r;
    asm("cvt.rn.f32.s32 %0, %1;" : "=f"(r) : "r"(x));
    return r;
}
TV_DEVICE float u32_to_f32(u32 x) {
    float r;
    asm("cvt.rn.f32.u32 %0, %1;" : "=f"(r) : "r"(x));
    return r;
}
TV_DEVICE u32 f32_to_f16x2(float low, float high) {
#if __CUDA_ARCH__ >= 800
    u32 r;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
#else
    return f32_to_f16(low) | f32_to_f16(high) << 16;
#endif
}
TV_DEVICE float bf16_to_f32(u32 h) { return as_f32(h << 16); }
#if __CUDA_ARCH__ >= 800
template <Rounding rounding = NEAREST_EVEN>
TV_DEVICE u32 f32_to_bf16(float x) {
    static_assert(rounding == NEAREST_EVEN || rounding == TOWARD_ZERO);
    u16 r;
    if (rounding == TOWARD_ZERO) asm("cvt.rz.bf16.f32 %0, %1;" : "=h"(r) : "f"(x));
    else asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(x));
    return r;
}
TV_DEVICE u32 f32_to_bf16x2(float low, float high) {
    u32 r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
TV_DEVICE u32 f32_to_tf32(float x) {
    u32 r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
    return r;
}
#endif

// Arithmetic. A sum written with these is not contracted with a product.

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
    }
TV_BINARY(add, "add.rn")
TV_BINARY(sub, "sub.rn")
TV_BINARY(mul, "mul.rn")
TV_BINARY(div, "div.rn")
TV_BINARY(min, "min")
TV_BINARY(max, "max")
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
#undef TV_BINARY
TV_DEVICE float fma(float a, float b, float c) {
    float r;
    asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(r) : "f"(a), "f"(b), "f"(c));
    return r;
}

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

// Atomics, at the scope of the device, without order; flags, with it

#define TV_ATOMIC(name, instruction, T, constraint)                                                  \
    TV_DEVICE T name(T* p, T v) {                                                                    \
        T r;                                                                                         \
        asm volatile("atom.relaxed.gpu.global." instruction " %0, [%1], %2;"                         \
                     : "=" constraint(r) : "l"(p), constraint(v) : "memory");                        \
        return r;                                                                                    \
    }
TV_ATOMIC(atomic_add_u32, "add.u32", u32, "r")
TV_ATOMIC(atomic_min_u32, "min.u32", u32, "r")
TV_ATOMIC(atomic_max_u32, "max.u32", u32, "r")
TV_ATOMIC(atomic_exchange_u32, "exch.b32", u32, "r")
TV_ATOMIC(atomic_add_s32, "add.s32", s32, "r")
TV_ATOMIC(atomic_min_s32, "min.s32", s32, "r")
TV_ATOMIC(atomic_max_s32, "max.s32", s32, "r")
TV_ATOMIC(atomic_exchange_s32, "exch.b32", s32, "r")
TV_ATOMIC(atomic_add_f32, "add.f32", float, "f")
#undef TV_ATOMIC
TV_DEVICE u32 atomic_cas_u32(u32* p, u32 expected, u32 v) {
    u32 r;
    asm volatile("atom.relaxed.gpu.global.cas.b32 %0, [%1], %2, %3;"
                 : "=r"(r) : "l"(p), "r"(expected), "r"(v) : "memory");
    return r;
}
TV_DEVICE s32 atomic_cas_s32(s32* p, s32 expected, s32 v) {
    return s32(atomic_cas_u32(reinterpret_cast<u32*>(p), u32(expected), u32(v)));
}
TV_DEVICE float atomic_exchange_f32(float* p, float v) {
    return as_f32(atomic_exchange_u32(reinterpret_cast<u32*>(p), as_u32(v)));
}
TV_DEVICE float atomic_cas_f32(float* p, float expected, float v) {
    return as_f32(atomic_cas_u32(reinterpret_cast<u32*>(p), as_u32(expected), as_u32(v)));
}
// The order of floats is that of integers for positive ones and the opposite for negative ones.
TV_DEVICE float atomic_min_f32(float* p, float v) {
    return as_u32(v) >> 31 ? as_f32(atomic_max_u32(reinterpret_cast<u32*>(p), as_u32(v)))
                           : as_f32(u32(atomic_min_s32(reinterpret_cast<s32*>(p), s32(as_u32(v)))));
}
TV_DEVICE float atomic_max_f32(float* p, float v) {
    return as_u32(v) >> 31 ? as_f32(atomic_min_u32(reinterpret_cast<u32*>(p), as_u32(v)))
                           : as_f32(u32(atomic_max_s32(reinterpret_cast<s32*>(p), s32(as_u32(v)))));
}
TV_DEVICE u32 atomic_add_f16x2(void* p, u32 v) {
    u32 r;
    asm volatile("atom.relaxed.gpu.global.add.noftz.f16x2 %0, [%1], %2;" : "=r"(r) : "l"(p), "r"(v) : "memory");
    return r;
}
TV_DEVICE u32 atomic_shared_add_u32(u32 address, u32 v) {
    u32 r;
    asm volatile("atom.relaxed.cta.shared.add.u32 %0, [%1], %2;" : "=r"(r) : "r"(address), "r"(v) : "memory");
    return r;
}
TV_DEVICE float atomic_shared_add_f32(u32 address, float v) {
    float r;
    asm volatile("atom.relaxed.cta.shared.add.f32 %0, [%1], %2;" : "=f"(r) : "r"(address), "f"(v) : "memory");
    return r;
}
TV_DEVICE u32 load_acquire_u32(const u32* p) {
    u32 r;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(r) : "l"(p) : "memory");
    return r;
}
TV_DEVICE void store_release_u32(u32* p, u32 value) {
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(p), "r"(value) : "memory");
}

}  // namespace tv
