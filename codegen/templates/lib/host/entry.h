// Where a thread is, and how a launch calls a kernel with its arguments.
#pragma once

namespace tv {
namespace host {

template <u32... I>
struct Numbers {};
template <u32 N, u32... I>
struct Below : Below<N - 1, N - 1, I...> {};
template <u32... I>
struct Below<0, I...> {
    using Type = Numbers<I...>;
};

template <class T>
static inline T argument(u32 number) {
    static_assert(sizeof(T) <= 8);
    T value;
    __builtin_memcpy(&value, &launch->arguments[number], sizeof(T));
    return value;
}

template <auto kernel>
struct Call;
template <class... T, void (*kernel)(T...)>
struct Call<kernel> {
    static constexpr u32 count = sizeof...(T);
    template <u32... I>
    static void with(Numbers<I...>) { kernel(argument<T>(I)...); }
    static void now() { with(typename Below<count>::Type{}); }
};

}  // namespace host

static inline u32 thread_index() { return host::self->number; }
static inline u32 lane_index() { return host::self->lane; }
static inline u32 warp_index() { return host::self->number / 32; }
template <u32 AXIS>
static inline u32 block_index() { return host::self->block_index[AXIS]; }
template <u32 AXIS>
static inline u32 grid_size() { return host::launch->grid[AXIS]; }

}  // namespace tv

#define TV_DEVICE static inline __attribute__((always_inline))
#define TV_ARCHITECTURE 0x7FFFFFFF
#define TV_UNROLL _Pragma("GCC unroll 64")
#define TV_LINE(n) (::tv::host::self->line = (n))
#define TV_SHARED(bytes) (::tv::host::open_shared(bytes))
#define TV_KERNEL(name, threads, ...)                                                                   \
    static void name(__VA_ARGS__);                                                                      \
    extern "C" __attribute__((visibility("default"))) int tv_launch_##name(::tv::host::Launch* given) { \
        using Call = ::tv::host::Call<name>;                                                            \
        if (given->argument_count != Call::count) return Call::count + 1;                               \
        ::tv::host::run(given, threads, Call::now);                                                     \
        return 0;                                                                                       \
    }                                                                                                   \
    static void name(__VA_ARGS__)
