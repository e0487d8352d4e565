// Fibers, warps and blocks, who runs next, and how findings are noted.
//
// Time is counted in ticks of the block: each barrier, of the block or of a warp, is one. Two accesses are ordered where
// a barrier that both threads take part in lies between their ticks.
#pragma once
#include <deque>
#include <memory>
#include <vector>

namespace tv::host {

inline constexpr u32 LANES = 32, LONGEST_REST = 32;

struct Block;
struct Warp;

struct Copy {                     // a cp.async that has not landed
    u32 target, bytes, source_bytes, line;
    const u8* source;
};

struct Fiber : Thread {
    Context context;
    Block* block;
    Warp* warp;
    u32 cursor;                   // behind the request of the warp that this lane matched last
    std::vector<Copy> copies;
    std::deque<u32> groups;       // how many copies each committed group has
    u32 uncommitted;
    u64 polled_address, polled_value, polled_at;
};

struct Request {                  // one instruction of a warp that touches memory
    u32 line, kind;
    u32 lanes;                    // that have passed it
    u32 active;                   // whose predicate was true
    u64 address[LANES];
};

struct Warp {
    u32 number, ready, living, waiting, full, polling;   // masks of lanes
    u32 operation, line;          // of the collective that the waiting lanes are in
    u32 ordered;                  // tick of the last barrier
    alignas(8) u32 in[12][LANES];
    u32 out[4][LANES];
    std::vector<Request> requests;
    Fiber* threads;
};

struct Record {                   // the last access of one kind to a byte of shared memory
    u32 tick;
    u16 thread, line;
};

struct Block {
    u32 index[3];
    u32 thread_count, living, arrived, barrier_line, barrier_thread;
    u32 tick, ordered;
    u32 rest;                     // turns that it leaves out
    std::vector<Fiber> threads;
    std::vector<Warp> warps;
    std::vector<u8> shared;
    std::vector<Record> wrote, read;
    Stacks stacks;

    explicit Block(u32 count) : thread_count(count), threads(count), warps(count / LANES), stacks(count) {}
};

Launch* launch;
Thread* self;
u64 changes;                      // writes to memory, which another thread may wait for
static Context scheduler;
static bool stopped;              // by a finding after which nothing can go on
static u64 drawn;                 // the state of the random numbers that shuffle blocks: xorshift64*, Vigna, 2016

static inline Fiber& me() { return *static_cast<Fiber*>(self); }

static void note(Kind kind, u64 address, u32 bytes, bool writes = false, u32 other_line = 0, u32 other_thread = 0,
                 bool other_writes = false, const char* text = nullptr) {
    for (u32 i = 0; i < launch->finding_count; i++) {
        Finding& known = launch->findings[i];
        if (known.kind == kind && known.line == self->line && known.other_line == other_line &&
            known.writes == writes && known.other_writes == other_writes && known.text == text) {
            known.count++;
            return;
        }
    }
    if (launch->finding_count == launch->finding_capacity) {
        launch->dropped++;
        return;
    }
    const u32* index = me().block->index;
    launch->findings[launch->finding_count++] = {kind, self->line, other_line, self->number, other_thread,
        {index[0], index[1], index[2]}, address, bytes, 1, writes, other_writes, text};
}

static void flush(Warp& warp);

// A number below `limit`; the same in every launch of the same seed.
static u32 draw(u32 limit) {
    drawn ^= drawn >> 12;
    drawn ^= drawn << 25;
    drawn ^= drawn >> 27;
    return u32((drawn * 0x2545F4914F6CDD1D >> 32) * limit >> 32);
}

// The next thread of a block that can run, those of the same warp first.
static Fiber* next_of(Block& block, Warp& first) {
    for (u32 i = 0, w = first.number; i < block.warps.size(); i++, w = w + 1 == block.warps.size() ? 0 : w + 1) {
        Warp& warp = block.warps[w];
        if (!warp.ready && warp.full) {
            flush(warp);
            warp.ready = warp.full;
            warp.full = 0;
        }
        if (warp.ready) return &warp.threads[__builtin_ctz(warp.ready)];
    }
    return nullptr;
}

// Gives the processor away; the thread is not ready unless someone made it so.
static void pause_thread() {
    Fiber& from = me();
    Fiber* next = stopped ? nullptr : next_of(*from.block, *from.warp);
    if (next == &from) return;
    if (next) {
        self = next;
        change(from.context, next->context);
    } else {
        change(from.context, scheduler);
    }
}

[[noreturn]] static void stop() {
    stopped = true;
    change(me().context, scheduler);
    __builtin_unreachable();
}

// The thread stays ready, and goes on when its block is next: at once, or when others have had some turns, in which they
// get ahead of it as far as real blocks do.
void give_way() {
    if (__builtin_expect(!launch->shuffle || draw(4) != 0, 1)) return;
    me().block->rest = draw(LONGEST_REST);
    change(me().context, scheduler);
}

static void open_barrier(Block& block) {
    for (Warp& warp : block.warps) {
        flush(warp);
        warp.ready = warp.living & ~warp.polling;
    }
    block.arrived = 0;
    block.ordered = ++block.tick;
}

// All threads of the block that have not ended meet.
void barrier() {
    Block& block = *me().block;
    if (block.arrived && block.barrier_line != self->line)
        note(DIVERGED, 0, 0, false, block.barrier_line, block.barrier_thread);
    block.barrier_line = self->line;
    block.barrier_thread = self->number;
    me().warp->ready &= ~(1u << self->lane);
    if (++block.arrived == block.living) {
        open_barrier(block);
        give_way();
    } else pause_thread();
}

// All lanes of the warp meet in one operation; true for the last, which does it for all and then calls `leave`.
static inline bool meet(u32 operation) {
    Warp& warp = *me().warp;
    const u32 lane = 1u << self->lane;
    if (!warp.waiting) {
        warp.operation = operation;
        warp.line = self->line;
    } else if (warp.operation != operation || warp.line != self->line) {
        note(DIVERGED, 0, 0, false, warp.line, warp.number * LANES + u32(__builtin_ctz(warp.waiting)));
        stop();
    }
    warp.waiting |= lane;
    if (warp.waiting == ~0u) return true;
    warp.ready &= ~lane;
    pause_thread();
    return false;
}

static inline void leave() {
    Warp& warp = *me().warp;
    warp.waiting = 0;
    warp.ready = ~0u;
    if (!warp.requests.empty()) flush(warp);
}

}  // namespace tv::host
