// The intrinsics of emitted CUDA, as inline PTX. Nothing is included, so that compiling takes no time for headers; the
// parts follow one another as text: this one, device/, and what both sides share.
//
// The same interface stands in C++ in host/, for the simulator. Addresses in shared memory are 32-bit numbers, registers
// are u32 with whatever lies in them; arrays of registers are indexed by constants only. What an architecture lacks is
// left out for it. Instructions and their rules: PTX ISA, "Instruction Set".

#define TV_DEVICE static __device__ __forceinline__
#define TV_DEVICE_MEMBER __device__ __forceinline__
#define TV_ARCHITECTURE __CUDA_ARCH__
#define TV_UNROLL _Pragma("unroll")
#define TV_LINE(n) ((void)0)
// One block at least: without the 1 the assembler keeps registers free for more blocks, and would rather spill.
#define TV_KERNEL(name, threads, ...) extern "C" __global__ void __launch_bounds__(threads, 1) name(__VA_ARGS__)
#define TV_SHARED(bytes) (::tv::shared_base())

extern __shared__ __align__(1024) unsigned char tv_shared[];

namespace tv {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using s32 = int;
using s64 = long long;

enum Hint { PLAIN, READ_ONLY };
enum Cache { DEFAULT, NO_ALLOCATE, EVICT_FIRST, EVICT_LAST };
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
#if __CUDA_ARCH__ >= 900
// Launches that overlap: the first waits until those before have ended, the second lets those after begin.
TV_DEVICE void wait_for_launches() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
TV_DEVICE void launch_dependents() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
#endif

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

// Caches. A policy says how long the second-level cache keeps what is moved with it; it is made once for a kernel, and
// the assembler folds it to a constant. What is read once does not stay in the first-level cache at all.

#if __CUDA_ARCH__ >= 800
template <Cache cache>
TV_DEVICE u64 cache_policy() {
    static_assert(cache == EVICT_FIRST || cache == EVICT_LAST);
    u64 r;
    if (cache == EVICT_FIRST) asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(r));
    else asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(r));
    return r;
}
#endif

// Global memory: where the predicate is false, a load gives 0 and a store does nothing. `policy` is that of the hint, and
// nothing where there is none.

#define TV_CACHED(kind, before, after, last, ...)                                                             \
    if (cache == NO_ALLOCATE) asm volatile(before kind ".L1::no_allocate" after "; }" __VA_ARGS__ : "memory"); \
    else if (cache == EVICT_FIRST)                                                                            \
        asm volatile(before kind ".L1::no_allocate.L2::cache_hint" after ", " last "; }"                      \
                     __VA_ARGS__, "l"(policy) : "memory");                                                    \
    else if (cache == EVICT_LAST)                                                                             \
        asm volatile(before kind ".L1::evict_last.L2::cache_hint" after ", " last "; }"                       \
                     __VA_ARGS__, "l"(policy) : "memory");                                                    \
    else asm volatile(before kind after "; }" __VA_ARGS__ : "memory");
#define TV_LOAD(before, after, last, ...)                                                                   \
    if (hint == READ_ONLY) { TV_CACHED("ld.global.nc", before, after, last, __VA_ARGS__) }                  \
    else { TV_CACHED("ld.global", before, after, last, __VA_ARGS__) }
#define TV_STORE(before, after, last, ...) TV_CACHED("st.global", before, after, last, __VA_ARGS__)

template <Hint hint = PLAIN, Cache cache = DEFAULT>
TV_DEVICE u32 load_global_u8(const void* p, bool active = true, u64 policy = 0) {
    u32 r;
    TV_LOAD("{ .reg .pred p; setp.ne.u32 p, %2, 0; mov.u32 %0, 0; @p ", ".u8 %0, [%1]", "%3",
            : "=r"(r) : "l"(p), "r"(u32(active)))
    return r;
}
template <Hint hint = PLAIN, Cache cache = DEFAULT>
TV_DEVICE u32 load_global_u16(const void* p, bool active = true, u64 policy = 0) {
    u16 r;
    TV_LOAD("{ .reg .pred p; setp.ne.u32 p, %2, 0; mov.u16 %0, 0; @p ", ".u16 %0, [%1]", "%3",
            : "=h"(r) : "l"(p), "r"(u32(active)))
    return r;
}
template <Hint hint = PLAIN, Cache cache = DEFAULT>
TV_DEVICE u32 load_global_u32(const void* p, bool active = true, u64 policy = 0) {
    u32 r;
    TV_LOAD("{ .reg .pred p; setp.ne.u32 p, %2, 0; mov.u32 %0, 0; @p ", ".u32 %0, [%1]", "%3",
            : "=r"(r) : "l"(p), "r"(u32(active)))
    return r;
}
template <Hint hint = PLAIN, Cache cache = DEFAULT>
TV_DEVICE void load_global_u32x2(u32* r, const void* p, bool active = true, u64 policy = 0) {
    TV_LOAD("{ .reg .pred p; setp.ne.u32 p, %3, 0; mov.u32 %0, 0; mov.u32 %1, 0; @p ", ".v2.u32 {%0, %1}, [%2]", "%4",
            : "=r"(r[0]), "=r"(r[1]) : "l"(p), "r"(u32(active)))
}
template <Hint hint = PLAIN, Cache cache = DEFAULT>
TV_DEVICE void load_global_u32x4(u32* r, const void* p, bool active = true, u64 policy = 0) {
    TV_LOAD("{ .reg .pred p; setp.ne.u32 p, %5, 0; mov.u32 %0, 0; mov.u32 %1, 0; mov.u32 %2, 0; mov.u32 %3, 0; @p ",
            ".v4.u32 {%0, %1, %2, %3}, [%4]", "%6",
            : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "l"(p), "r"(u32(active)))
}
template <Cache cache = DEFAULT>
TV_DEVICE void store_global_u8(void* p, u32 value, bool active = true, u64 policy = 0) {
    TV_STORE("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p ", ".u8 [%0], %1", "%3",
             ::"l"(p), "r"(value), "r"(u32(active)))
}
template <Cache cache = DEFAULT>
TV_DEVICE void store_global_u16(void* p, u32 value, bool active = true, u64 policy = 0) {
    TV_STORE("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p ", ".u16 [%0], %1", "%3",
             ::"l"(p), "h"(u16(value)), "r"(u32(active)))
}
template <Cache cache = DEFAULT>
TV_DEVICE void store_global_u32(void* p, u32 value, bool active = true, u64 policy = 0) {
    TV_STORE("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p ", ".u32 [%0], %1", "%3",
             ::"l"(p), "r"(value), "r"(u32(active)))
}
template <Cache cache = DEFAULT>
TV_DEVICE void store_global_u32x2(void* p, const u32* v, bool active = true, u64 policy = 0) {
    TV_STORE("{ .reg .pred p; setp.ne.u32 p, %3, 0; @p ", ".v2.u32 [%0], {%1, %2}", "%4",
             ::"l"(p), "r"(v[0]), "r"(v[1]), "r"(u32(active)))
}
template <Cache cache = DEFAULT>
TV_DEVICE void store_global_u32x4(void* p, const u32* v, bool active = true, u64 policy = 0) {
    TV_STORE("{ .reg .pred p; setp.ne.u32 p, %5, 0; @p ", ".v4.u32 [%0], {%1, %2, %3, %4}", "%6",
             ::"l"(p), "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]), "r"(u32(active)))
}
TV_DEVICE void prefetch_global(const void* p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }
#undef TV_LOAD
#undef TV_STORE
#undef TV_CACHED

// Asynchronous copies: what lies past `source_bytes` is filled with zeros

#if __CUDA_ARCH__ >= 800
template <u32 BYTES, Cache cache = DEFAULT>
TV_DEVICE void cp_async(u32 target, const void* source, u32 source_bytes = BYTES, u64 policy = 0) {
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
    constexpr bool HINTED = cache == EVICT_FIRST || cache == EVICT_LAST;
#define TV_COPY(kind, hint, last, ...)                                                                           \
    asm volatile("{ .reg .u64 g; cvta.to.global.u64 g, %1; cp.async." kind ".shared.global" hint                 \
                 " [%0], [g], %3, %2" last "; }"                                                                 \
                 ::"r"(target), "l"(source), "r"(source_bytes), "n"(BYTES) __VA_ARGS__ : "memory")
    if (BYTES == 16 && HINTED) TV_COPY("cg", ".L2::cache_hint", ", %4", , "l"(policy));
    else if (BYTES == 16) TV_COPY("cg", "", "");
    else if (HINTED) TV_COPY("ca", ".L2::cache_hint", ", %4", , "l"(policy));
    else TV_COPY("ca", "", "");
#undef TV_COPY
}
TV_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <u32 N>
TV_DEVICE void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }
TV_DEVICE void cp_async_wait_all() { asm volatile("cp.async.wait_all;" ::: "memory"); }
#endif

}  // namespace tv
