// Launching: a kernel is run block by block; a block all of whose threads wait for a value is set aside for the next.
// Where blocks are shuffled, they begin in another order, and a few at a time run in turns: after a barrier, an atomic or
// a flag another one may go on, so that what is right in one order of events alone is seen to go wrong in others.
#pragma once
#include <algorithm>
#include <utility>

namespace tv::host {

inline constexpr std::size_t TOGETHER = 6;  // blocks that run in turns
static void (*body)();                     // calls the kernel with the arguments of the launch

static void fiber() {
    body();
    const u32 lane = 1u << self->lane;
    Warp& warp = *me().warp;
    warp.living &= ~lane;
    warp.ready &= ~lane;
    Block& block = *me().block;
    block.living--;
    if (!warp.living) flush(warp);
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
    block.rest = 0;
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
        Fiber& thread = block.threads[t];
        thread.block = &block;
        thread.block_index = block.index;
        thread.warp = &block.warps[t / LANES];
        thread.number = t;
        thread.lane = t % LANES;
        thread.line = thread.cursor = thread.uncommitted = thread.lines = 0;
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
    const u32 warp = launch->shuffle ? draw(u32(block.warps.size())) : 0;
    if (Fiber* first = next_of(block, block.warps[warp])) {
        self = first;
        change(scheduler, first->context);
    }
}

static bool polls(const Block& block) {
    for (const Warp& warp : block.warps)
        if (warp.polling) return true;
    return false;
}

// Whether a block has given way, and goes on by itself.
static bool runs(const Block& block) {
    for (const Warp& warp : block.warps)
        if (warp.ready || warp.full) return true;
    return false;
}

// Threads wait for others that will not come: those who wait, and where one of the others is, or 0 if it has ended.
// `outside` blocks cannot begin before one of those that wait has ended.
static void note_stuck(Block& block, Kind kind, u64 outside = 0) {
    Fiber *waiting = nullptr, *other = nullptr;
    for (Fiber& thread : block.threads) {
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
    if (waiting) note(kind, waiting->polled_address & ((u64(1) << BUFFER_SHIFT) - 1), u32(outside), false,
                      other ? other->line : 0, other ? other->number : 0);
}

using Blocks = std::vector<std::unique_ptr<Block>>;

// Lets every block that has begun run once, in random order where they are shuffled. Those that ended are spare again.
static void advance_all(Blocks& resident, Blocks& spare) {
    if (launch->shuffle)
        for (u32 i = u32(resident.size()); i > 1; i--) std::swap(resident[i - 1], resident[draw(i)]);
    for (std::size_t i = 0; i < resident.size() && !stopped;) {
        if (resident[i]->rest) {
            resident[i++]->rest--;
            continue;
        }
        advance(*resident[i]);
        if (resident[i]->living == 0) {
            spare.push_back(std::move(resident[i]));
            resident.erase(resident.begin() + long(i));
        } else i++;
    }
}

static void begin(Blocks& resident, Blocks& spare, u32 threads, u64 number) {
    if (spare.empty()) spare.push_back(std::make_unique<Block>(threads));
    resident.push_back(std::move(spare.back()));
    spare.pop_back();
    prepare(*resident.back(), number);
}

static void run_blocks(u32 threads) {
    const u64 count = u64(launch->grid[0]) * launch->grid[1] * launch->grid[2];
    Blocks resident, spare;
    stopped = false;
    changes = 1;
    drawn = launch->shuffle;
    u64 next = 0;
    while (next < count || !resident.empty()) {
        const u64 before = changes, begun = next;
        const std::size_t running = std::size_t(std::count_if(resident.begin(), resident.end(),
                                                              [](auto& block) { return runs(*block); }));
        if (next < count && running < TOGETHER && (!launch->resident || resident.size() < launch->resident)) {
            begin(resident, spare, threads, launch->order ? launch->order[next] : next);
            next++;
        }
        advance_all(resident, spare);
        if (stopped) return;
        bool any = false;
        for (auto& block : resident) {
            const bool goes_on = runs(*block);
            if (!goes_on && !polls(*block)) return note_stuck(*block, DIVERGED);
            any |= goes_on;
        }
        if (!any && !resident.empty() && before == changes && begun == next)
            return note_stuck(*resident.front(), DEADLOCK, count - next);
    }
}

void run(Launch* given, u32 threads, void (*kernel)()) {
    launch = given;
    body = kernel;
    printed.clear();
    run_blocks(threads);
    given->printed = printed.data();
    given->printed_count = printed.size();
}

}  // namespace tv::host
