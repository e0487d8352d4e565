// Launching: a kernel is run block by block; a block all of whose threads wait for a value is set aside for the next.
#pragma once
#include <tuple>
#include <utility>

namespace tv {
namespace host {

static void (*body)();                     // calls the kernel with the arguments of the launch

template <class T>
static inline T argument(u32 number) {
    static_assert(sizeof(T) <= 8);
    T value;
    std::memcpy(&value, &launch->arguments[number], sizeof(T));
    return value;
}

template <auto kernel>
struct Call;
template <class... T, void (*kernel)(T...)>
struct Call<kernel> {
    static constexpr u32 count = sizeof...(T);
    template <std::size_t... I>
    static void with(std::index_sequence<I...>) { kernel(argument<T>(I)...); }
    static void run() { with(std::index_sequence_for<T...>{}); }
};

static void fiber() {
    body();
    Thread& me = *self;
    const u32 lane = 1u << me.lane;
    me.warp->living &= ~lane;
    me.warp->ready &= ~lane;
    Block& block = *me.block;
    block.living--;
    if (!me.warp->living) flush(*me.warp);
    if (block.arrived && block.arrived == block.living) open_barrier(block);
    for (;;) pause_thread();
}

static void prepare(Block& block, u64 number) {
    block.index[0] = u32(number % launch->grid[0]);
    block.index[1] = u32(number / launch->grid[0] % launch->grid[1]);
    block.index[2] = u32(number / launch->grid[0] / launch->grid[1]);
    block.living = block.thread_count;
    block.arrived = 0;
    block.tick = block.ordered = 1;
    block.shared.clear();
    block.wrote.clear();
    block.read.clear();
    for (u32 w = 0; w < block.warps.size(); w++) {
        Warp& warp = block.warps[w];
        warp.number = w;
        warp.ready = warp.living = ~0u;
        warp.waiting = warp.full = warp.polling = 0;
        warp.ordered = 0;
        warp.requests.clear();
        warp.threads = &block.threads[w * LANES];
    }
    for (u32 t = 0; t < block.thread_count; t++) {
        Thread& thread = block.threads[t];
        thread.block = &block;
        thread.warp = &block.warps[t / LANES];
        thread.number = t;
        thread.lane = t % LANES;
        thread.line = thread.cursor = thread.uncommitted = 0;
        thread.polled_address = 0;
        thread.copies.clear();
        thread.groups.clear();
        thread.context.start(block.stacks, t, fiber);
    }
}

// Lets a block run as far as it goes. Threads that wait for a value are woken if anything was written since.
static void advance(Block& block) {
    for (Warp& warp : block.warps) {
        for (u32 lane = 0; lane < LANES; lane++)
            if (warp.polling >> lane & 1 && warp.threads[lane].polled_at != changes) {
                warp.polling &= ~(1u << lane);
                warp.ready |= 1u << lane;
            }
    }
    if (Thread* first = next_of(block, block.warps[0])) {
        self = first;
        change(scheduler, first->context);
    }
}

static bool polls(const Block& block) {
    for (const Warp& warp : block.warps)
        if (warp.polling) return true;
    return false;
}

// Threads wait for others that will not come: those who wait, and where one of the others is, or 0 if it has ended.
static void note_stuck(Block& block, Kind kind) {
    Thread *waiting = nullptr, *other = nullptr;
    for (Thread& thread : block.threads) {
        const u32 lane = 1u << thread.lane;
        const bool collective = thread.warp->waiting & lane, ended = !(thread.warp->living & lane);
        const bool polling = thread.warp->polling & lane;
        if (kind == DEADLOCK ? polling : collective) {
            if (!waiting) waiting = &thread;
        } else if (!other && !ended) {
            other = &thread;
        }
    }
    if (!waiting) std::swap(waiting, other);
    self = waiting;
    if (waiting) note(kind, waiting->polled_address & ((u64(1) << BUFFER_SHIFT) - 1), 0, false,
                      other ? other->line : 0, other ? other->number : 0);
}

static void run(u32 threads) {
    const u64 count = u64(launch->grid[0]) * launch->grid[1] * launch->grid[2];
    std::vector<std::unique_ptr<Block>> resident, spare;
    stopped = false;
    changes = 1;
    u64 next = 0;
    while (!stopped && (next < count || !resident.empty())) {
        const u64 before = changes, ended = next;
        for (std::size_t i = 0; i < resident.size() && !stopped;) {
            advance(*resident[i]);
            if (resident[i]->living == 0) {
                spare.push_back(std::move(resident[i]));
                resident.erase(resident.begin() + long(i));
            } else i++;
        }
        if (stopped) break;
        if (next < count) {
            if (spare.empty()) spare.push_back(std::make_unique<Block>(threads));
            resident.push_back(std::move(spare.back()));
            spare.pop_back();
            prepare(*resident.back(), next++);
            advance(*resident.back());
            if (stopped) break;
            if (resident.back()->living == 0) {
                spare.push_back(std::move(resident.back()));
                resident.pop_back();
                continue;
            }
        }
        for (auto& block : resident)
            if (!polls(*block)) {
                note_stuck(*block, DIVERGED);
                return;
            }
        if (!resident.empty() && before == changes && ended == next) {
            note_stuck(*resident.front(), DEADLOCK);
            return;
        }
    }
}

}  // namespace host

static inline u32 thread_index() { return host::self->number; }
static inline u32 lane_index() { return host::self->lane; }
static inline u32 warp_index() { return host::self->warp->number; }
template <u32 AXIS>
static inline u32 block_index() { return host::self->block->index[AXIS]; }
template <u32 AXIS>
static inline u32 grid_size() { return host::launch->grid[AXIS]; }

[[noreturn]] static inline void trap() {
    host::note(host::TRAP, 0, 0);
    host::stop();
}

}  // namespace tv

#define TV_DEVICE static inline __attribute__((always_inline))
#define TV_ARCHITECTURE 0x7FFFFFFF
#define TV_UNROLL _Pragma("GCC unroll 64")
#define TV_LINE(n) (::tv::host::self->line = (n))
#define TV_KERNEL(name, threads, ...)                                                                  \
    static void name(__VA_ARGS__);                                                                     \
    extern "C" __attribute__((visibility("default"))) int tv_launch_##name(::tv::host::Launch* given) { \
        if (given->argument_count != ::tv::host::Call<name>::count) return ::tv::host::Call<name>::count + 1; \
        ::tv::host::launch = given;                                                                    \
        ::tv::host::body = ::tv::host::Call<name>::run;                                                \
        ::tv::host::run(threads);                                                                      \
        return 0;                                                                                      \
    }                                                                                                  \
    static void name(__VA_ARGS__)
