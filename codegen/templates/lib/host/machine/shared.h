// Shared memory: bytes, and for each byte who wrote and who read it last, when and on which line.
#pragma once

namespace tv::host {

// Who accesses: a thread by number, a whole warp (ldmatrix), atomics, several warps, or nobody yet.
inline constexpr u16 WARP = 0x8000, ATOMIC = 0xFFFC, COPY_UNDER_WAY = 0xFFFD, NOBODY = 0xFFFE, SEVERAL = 0xFFFF;
inline constexpr u32 NEVER = 0xFFFFFFFF;

u32 open_shared(u32 bytes) {
    Block& block = *me().block;
    if (block.shared.size() < bytes) {
        block.shared.resize(bytes, 0xFF);               // poison: NaN in every float format
        block.wrote.resize(bytes, {NEVER, NOBODY, 0});
        block.read.resize(bytes, {0, NOBODY, 0});
    }
    return SHARED_BASE;
}

static inline bool inside_shared(u32 address, u32 bytes, bool write) {
    if (address & (bytes - 1)) note(MISALIGNED, address, bytes, write);
    const u64 begin = u64(address) - SHARED_BASE;
    if (address >= SHARED_BASE && begin + bytes <= me().block->shared.size()) return true;
    note(OUT_OF_SHARED, address, bytes, write);
    return false;
}

static inline u32 warp_of(u16 who) { return who & WARP ? who & 0x7FFF : who / LANES; }

// Whether an access comes before what this thread, or its warp as a whole, does now.
static inline bool before(const Record& other, u16 who) {
    if (other.tick < me().block->ordered || other.thread == who) return true;
    return other.thread < ATOMIC && warp_of(other.thread) == me().warp->number &&
           other.tick < me().warp->ordered;
}

static __attribute__((noinline)) void suspicious_read(u32 at, u32 bytes, u16 who) {
    Block& block = *me().block;
    for (u32 i = at; i < at + bytes; i++) {
        const Record& w = block.wrote[i];
        if (w.thread == NOBODY) return note(UNINITIALISED, i + SHARED_BASE, bytes);
        if (w.thread == COPY_UNDER_WAY) return note(UNDER_WAY, i + SHARED_BASE, bytes, false, w.line);
        if (!before(w, who)) return note(RACE, i + SHARED_BASE, bytes, false, w.line, w.thread, true);
    }
}

static __attribute__((noinline)) void suspicious_write(u32 at, u32 bytes, u16 who, const u8* data) {
    Block& block = *me().block;
    for (u32 i = at; i < at + bytes; i++) {
        const Record &w = block.wrote[i], &r = block.read[i];
        if (w.thread == COPY_UNDER_WAY) return note(UNDER_WAY, i + SHARED_BASE, bytes, true, w.line);
        // Threads that hold the same elements may both write them.
        const bool changed = !data || block.shared[i] != data[i - at];
        if (w.thread != NOBODY && !before(w, who) && changed)
            return note(RACE, i + SHARED_BASE, bytes, true, w.line, w.thread, true);
        if (!before(r, who)) return note(RACE, i + SHARED_BASE, bytes, true, r.line, r.thread, false);
    }
}

// Two readers that nothing orders: what comes later must come after both.
static inline u16 joined(const Record& other, u16 who) {
    if (before(other, who)) return who;
    return other.thread < ATOMIC && warp_of(other.thread) == warp_of(who) ? u16(WARP | warp_of(who)) : SEVERAL;
}

template <u32 BYTES>
static __attribute__((noinline)) void check_read(u32 at, u16 who) {
    Block& block = *me().block;
    const u32 ordered = block.ordered;
    const Record* w = &block.wrote[at];
    Record* r = &block.read[at];
    bool wrong = false, shared = false;
    for (u32 i = 0; i < BYTES; i++) {
        wrong |= (w[i].tick >= ordered) & (w[i].thread != who);
        shared |= (r[i].tick >= ordered) & (r[i].thread != who);
    }
    if (__builtin_expect(wrong, 0)) suspicious_read(at, BYTES, who);
    const u16 line = u16(self->line);
    if (shared)
        for (u32 i = 0; i < BYTES; i++) r[i] = {block.tick, joined(r[i], who), line};
    else
        for (u32 i = 0; i < BYTES; i++) r[i] = {block.tick, who, line};
}

template <u32 BYTES>
static __attribute__((noinline)) void check_write(u32 at, u16 who, const u8* data) {
    Block& block = *me().block;
    const u32 ordered = block.ordered;
    Record* w = &block.wrote[at];
    const Record* r = &block.read[at];
    bool wrong = false;
    for (u32 i = 0; i < BYTES; i++)
        wrong |= ((w[i].tick >= ordered) & (w[i].thread != who)) | ((r[i].tick >= ordered) & (r[i].thread != who));
    if (__builtin_expect(wrong, 0)) suspicious_write(at, BYTES, who, data);
    for (u32 i = 0; i < BYTES; i++) w[i] = {block.tick, who, u16(self->line)};
}

template <u32 BYTES>
void read_shared(void* result, u32 address) {
    request(SHARED | BYTES, address, true);
    if (!inside_shared(address, BYTES, false)) {
        __builtin_memset(result, 0xFF, BYTES);
        return;
    }
    check_read<BYTES>(address - SHARED_BASE, u16(self->number));
    __builtin_memcpy(result, &me().block->shared[address - SHARED_BASE], BYTES);
}

template <u32 BYTES>
void write_shared(u32 address, const void* value) {
    request(SHARED | WRITE | BYTES, address, true);
    if (!inside_shared(address, BYTES, true)) return;
    check_write<BYTES>(address - SHARED_BASE, u16(self->number), static_cast<const u8*>(value));
    __builtin_memcpy(&me().block->shared[address - SHARED_BASE], value, BYTES);
    changes++;
}

#define TV_WIDTH(bytes)                                             \
    template void read_shared<bytes>(void* result, u32 address);        \
    template void write_shared<bytes>(u32 address, const void* value);
TV_WIDTH(1) TV_WIDTH(2) TV_WIDTH(4) TV_WIDTH(8) TV_WIDTH(16)
#undef TV_WIDTH

}  // namespace tv::host
