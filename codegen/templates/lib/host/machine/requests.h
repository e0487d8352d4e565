// What the lanes of a warp do in one instruction, put together again: each lane runs on its own to the next meeting, and
// the accesses of one line are matched in order. Then banks and sectors are counted.
#pragma once
#include <algorithm>

namespace tv::host {

enum Access : u32 { SHARED = 0x100, GLOBAL = 0x200, WRITE = 0x400, MATRIX = 0x800 };   // added to the bytes of a lane
inline constexpr u32 LONGEST_QUEUE = 2048;

static __attribute__((noinline)) void request(u32 kind, u64 address, bool active) {
    Fiber& fiber = me();
    Warp& warp = *fiber.warp;
    const u32 lane = fiber.lane;
    for (;;) {
        const u32 size = u32(warp.requests.size());
        for (u32 i = fiber.cursor; i < size; i++) {
            Request& known = warp.requests[i];
            if (known.kind == kind && known.line == fiber.line) {
                known.lanes |= 1u << lane;
                known.active |= u32(active) << lane;
                known.address[lane] = address;
                fiber.cursor = i + 1;
                return;
            }
        }
        if (size < LONGEST_QUEUE) {
            warp.requests.emplace_back();
            Request& made = warp.requests.back();
            made.line = fiber.line;
            made.kind = kind;
            made.lanes = 1u << lane;
            made.active = u32(active) << lane;
            made.address[lane] = address;
            fiber.cursor = size + 1;
            return;
        }
        warp.full |= 1u << lane;         // the others are let go on first, so that theirs can be matched
        warp.ready &= ~(1u << lane);
        pause_thread();
    }
}

// Passes through the 32 banks, each 4 bytes wide, and the least that the words touched could take. A request of 4 bytes
// a lane is served 32 lanes at a time, of 8 bytes 16, of 16 bytes 8.
static void count_banks(const Request& request, u32 bytes, Counts& counts) {
    const u32 words = bytes < 4 ? 1 : bytes / 4, together = LANES / words;
    for (u32 first = 0; first < LANES; first += together) {
        u32 touched[LANES], found = 0, per_bank[LANES] = {}, most = 0;
        for (u32 lane = first; lane < first + together; lane++) {
            if (!(request.active >> lane & 1)) continue;
            for (u32 w = 0; w < words; w++) touched[found++] = u32(request.address[lane] / 4) + w;
        }
        std::sort(touched, touched + found);
        found = u32(std::unique(touched, touched + found) - touched);
        for (u32 i = 0; i < found; i++) most = std::max(most, ++per_bank[touched[i] % LANES]);
        counts.wavefronts += most;
        counts.ideal_wavefronts += (found + LANES - 1) / LANES;
    }
}

// Sectors of 32 bytes that are touched, and the bytes that were asked for.
static void count_sectors(const Request& request, u32 bytes, Counts& counts) {
    u64 starts[LANES];
    u32 found = 0;
    for (u32 lane = 0; lane < LANES; lane++)
        if (request.active >> lane & 1) starts[found++] = request.address[lane];
    std::sort(starts, starts + found);
    u64 reached = 0, sector = 0;
    for (u32 i = 0; i < found; i++) {
        const u64 begin = std::max(starts[i], reached), end = starts[i] + bytes;
        if (end <= begin) continue;
        counts.useful_bytes += end - begin;
        const u64 first = std::max(begin / 32 + 1, sector), last = (end - 1) / 32 + 1;
        if (last >= first) counts.sectors += last - first + (first == sector ? 0 : 1);
        sector = last;
        reached = end;
    }
}

static void flush(Warp& warp) {
    for (const Request& request : warp.requests) {
        if (!request.active) continue;
        Counts& counts = launch->counts[std::min(request.line, launch->line_count - 1)];
        const u32 bytes = request.kind & 0xFF;
        if (request.kind & SHARED) {
            counts.shared_requests++;
            count_banks(request, bytes, counts);
        } else {
            counts.global_requests++;
            count_sectors(request, bytes, counts);
        }
    }
    warp.requests.clear();
    for (u32 lane = 0; lane < LANES; lane++) warp.threads[lane].cursor = 0;
}

}  // namespace tv::host
