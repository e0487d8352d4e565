// Shared memory: bytes, and for each byte who wrote and who read it last, when and on which line.
#pragma once

namespace tv::host {

// Who accesses: a thread by number, a whole warp (ldmatrix), atomics, several warps, or nobody yet.
inline constexpr u16 WARP = 0x8000, ATOMIC = 0xFFFC, COPY_UNDER_WAY = 0xFFFD, NOBODY = 0xFFFE, SEVERAL = 0xFFFF;
inline constexpr u32 NEVER = 0xFFFFFFFF;

static u32 open_shared(u32 bytes) {
    Block& block = *self->block;
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
    if (address >= SHARED_BASE && begin + bytes <= self->block->shared.size()) return true;
    note(OUT_OF_SHARED, address, bytes, write);
    return false;
}

static inline u32 warp_of(u16 who) { return who & WARP ? who & 0x7FFF : who / LANES; }

// Whether an access comes before what this thread, or its warp as a whole, does now.
static inline bool before(const Record& other, u16 me) {
    if (other.tick < self->block->ordered || other.thread == me) return true;
    return other.thread < ATOMIC && warp_of(other.thread) == self->warp->number &&
           other.tick < self->warp->ordered;
}

static __attribute__((noinline)) void suspicious_read(u32 at, u32 bytes, u16 me) {
    Block& block = *self->block;
    for (u32 i = at; i < at + bytes; i++) {
        const Record& w = block.wrote[i];
        if (w.thread == NOBODY) return note(UNINITIALISED, i + SHARED_BASE, bytes);
        if (w.thread == COPY_UNDER_WAY) return note(UNDER_WAY, i + SHARED_BASE, bytes, false, w.line);
        if (!before(w, me)) return note(RACE, i + SHARED_BASE, bytes, false, w.line, w.thread, true);
    }
}

static __attribute__((noinline)) void suspicious_write(u32 at, u32 bytes, u16 me, const u8* data) {
    Block& block = *self->block;
    for (u32 i = at; i < at + bytes; i++) {
        const Record &w = block.wrote[i], &r = block.read[i];
        if (w.thread == COPY_UNDER_WAY) return note(UNDER_WAY, i + SHARED_BASE, bytes, true, w.line);
        // Threads that hold the same elements may both write them.
        const bool changed = !data || block.shared[i] != data[i - at];
        if (w.thread != NOBODY && !before(w, me) && changed)
            return note(RACE, i + SHARED_BASE, bytes, true, w.line, w.thread, true);
        if (!before(r, me)) return note(RACE, i + SHARED_BASE, bytes, true, r.line, r.thread, false);
    }
}

// Two readers that nothing orders: what comes later must come after both.
static inline u16 joined(const Record& other, u16 me) {
    if (before(other, me)) return me;
    return other.thread < ATOMIC && warp_of(other.thread) == warp_of(me) ? u16(WARP | warp_of(me)) : SEVERAL;
}

template <u32 BYTES>
static inline void check_read(u32 at, u16 me) {
    Block& block = *self->block;
    const u32 ordered = block.ordered;
    const Record* w = &block.wrote[at];
    Record* r = &block.read[at];
    bool wrong = false, shared = false;
    for (u32 i = 0; i < BYTES; i++) {
        wrong |= (w[i].tick >= ordered) & (w[i].thread != me);
        shared |= (r[i].tick >= ordered) & (r[i].thread != me);
    }
    if (__builtin_expect(wrong, 0)) suspicious_read(at, BYTES, me);
    const u16 line = u16(self->line);
    if (shared)
        for (u32 i = 0; i < BYTES; i++) r[i] = {block.tick, joined(r[i], me), line};
    else
        for (u32 i = 0; i < BYTES; i++) r[i] = {block.tick, me, line};
}

template <u32 BYTES>
static inline void check_write(u32 at, u16 me, const u8* data) {
    Block& block = *self->block;
    const u32 ordered = block.ordered;
    Record* w = &block.wrote[at];
    const Record* r = &block.read[at];
    bool wrong = false;
    for (u32 i = 0; i < BYTES; i++)
        wrong |= ((w[i].tick >= ordered) & (w[i].thread != me)) | ((r[i].tick >= ordered) & (r[i].thread != me));
    if (__builtin_expect(wrong, 0)) suspicious_write(at, BYTES, me, data);
    for (u32 i = 0; i < BYTES; i++) w[i] = {block.tick, me, u16(self->line)};
}

template <u32 BYTES>
static inline void read_shared(void* result, u32 address) {
    request(SHARED | BYTES, address, true);
    if (!inside_shared(address, BYTES, false)) {
        std::memset(result, 0xFF, BYTES);
        return;
    }
    check_read<BYTES>(address - SHARED_BASE, u16(self->number));
    std::memcpy(result, &self->block->shared[address - SHARED_BASE], BYTES);
}

template <u32 BYTES>
static inline void write_shared(u32 address, const void* value) {
    request(SHARED | WRITE | BYTES, address, true);
    if (!inside_shared(address, BYTES, true)) return;
    check_write<BYTES>(address - SHARED_BASE, u16(self->number), static_cast<const u8*>(value));
    std::memcpy(&self->block->shared[address - SHARED_BASE], value, BYTES);
}

}  // namespace tv::host

#define TV_SHARED(bytes) (::tv::host::open_shared(bytes))

namespace tv {

static inline u32 load_shared_u8(u32 address) {
    u8 r;
    host::read_shared<1>(&r, address);
    return r;
}
static inline u32 load_shared_u16(u32 address) {
    u16 r;
    host::read_shared<2>(&r, address);
    return r;
}
static inline u32 load_shared_u32(u32 address) {
    u32 r;
    host::read_shared<4>(&r, address);
    return r;
}
static inline void load_shared_u32x2(u32* r, u32 address) { host::read_shared<8>(r, address); }
static inline void load_shared_u32x4(u32* r, u32 address) { host::read_shared<16>(r, address); }

static inline void store_shared_u8(u32 address, u32 value) {
    const u8 v = u8(value);
    host::write_shared<1>(address, &v);
}
static inline void store_shared_u16(u32 address, u32 value) {
    const u16 v = u16(value);
    host::write_shared<2>(address, &v);
}
static inline void store_shared_u32(u32 address, u32 value) { host::write_shared<4>(address, &value); }
static inline void store_shared_u32x2(u32 address, const u32* v) { host::write_shared<8>(address, v); }
static inline void store_shared_u32x4(u32 address, const u32* v) { host::write_shared<16>(address, v); }

}  // namespace tv
