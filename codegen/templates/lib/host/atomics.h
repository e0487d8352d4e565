// Atomics on global and shared memory, flags, and waiting: a thread that reads the value again that it has just read lets
// the others go on until something has been written.
#pragma once

namespace tv {
namespace host {

static __attribute__((noinline)) void poll(const void* pointer, u32 value) {
    const u64 address = reinterpret_cast<u64>(pointer);
    const bool again = self->polled_address == address && self->polled_value == value && self->polled_at == changes;
    self->polled_address = address;
    self->polled_value = value;
    self->polled_at = changes;
    if (!again) return;
    Warp& warp = *self->warp;
    warp.polling |= 1u << self->lane;
    warp.ready &= ~(1u << self->lane);
    pause_thread();
}

template <class Change>
static inline u32 atomic_global(void* pointer, Change change) {
    u32* at = reinterpret_cast<u32*>(place(pointer, 4, true, 4));
    if (!at) return 0;
    const u32 old = *at, made = change(old);
    *at = made;
    if (made != old) changes++;
    return old;
}

// Atomics do not race with one another, but with other accesses.
template <class Change>
static inline u32 atomic_shared(u32 address, Change change) {
    request(SHARED | WRITE | 4, address, true);
    if (!inside_shared(address, 4, true)) return 0;
    Block& block = *self->block;
    const u32 at = address - SHARED_BASE;
    const u16 me = u16(self->number);
    for (u32 i = at; i < at + 4; i++) {
        Record& w = block.wrote[i];
        if (w.thread != ATOMIC && !before(w, me)) suspicious_read(i, 1, me);
        if (!before(block.read[i], me)) suspicious_write(i, 1, me, &block.shared[i]);
        w = {block.tick, ATOMIC, u16(self->line)};
    }
    u32 old, made;
    std::memcpy(&old, &block.shared[at], 4);
    made = change(old);
    std::memcpy(&block.shared[at], &made, 4);
    return old;
}

}  // namespace host

static inline u32 atomic_add_u32(u32* p, u32 v) {
    return host::atomic_global(p, [=](u32 x) { return x + v; });
}
static inline u32 atomic_min_u32(u32* p, u32 v) {
    return host::atomic_global(p, [=](u32 x) { return x < v ? x : v; });
}
static inline u32 atomic_max_u32(u32* p, u32 v) {
    return host::atomic_global(p, [=](u32 x) { return x > v ? x : v; });
}
static inline u32 atomic_exchange_u32(u32* p, u32 v) {
    return host::atomic_global(p, [=](u32) { return v; });
}
static inline u32 atomic_cas_u32(u32* p, u32 expected, u32 v) {
    const u32 old = host::atomic_global(p, [=](u32 x) { return x == expected ? v : x; });
    if (old != expected) host::poll(p, old);
    return old;
}
static inline s32 atomic_add_s32(s32* p, s32 v) { return s32(atomic_add_u32(reinterpret_cast<u32*>(p), u32(v))); }
static inline s32 atomic_min_s32(s32* p, s32 v) {
    return s32(host::atomic_global(p, [=](u32 x) { return s32(x) < v ? x : u32(v); }));
}
static inline s32 atomic_max_s32(s32* p, s32 v) {
    return s32(host::atomic_global(p, [=](u32 x) { return s32(x) > v ? x : u32(v); }));
}
static inline s32 atomic_exchange_s32(s32* p, s32 v) {
    return s32(atomic_exchange_u32(reinterpret_cast<u32*>(p), u32(v)));
}
static inline s32 atomic_cas_s32(s32* p, s32 expected, s32 v) {
    return s32(atomic_cas_u32(reinterpret_cast<u32*>(p), u32(expected), u32(v)));
}
static inline float atomic_add_f32(float* p, float v) {
    return as_f32(host::atomic_global(p, [=](u32 x) { return as_u32(as_f32(x) + v); }));
}
static inline float atomic_exchange_f32(float* p, float v) {
    return as_f32(host::atomic_global(p, [=](u32) { return as_u32(v); }));
}
static inline float atomic_cas_f32(float* p, float expected, float v) {
    return as_f32(atomic_cas_u32(reinterpret_cast<u32*>(p), as_u32(expected), as_u32(v)));
}
// The order of floats is that of integers for positive ones and the opposite for negative ones.
static inline float atomic_min_f32(float* p, float v) {
    return as_u32(v) >> 31 ? as_f32(atomic_max_u32(reinterpret_cast<u32*>(p), as_u32(v)))
                           : as_f32(u32(atomic_min_s32(reinterpret_cast<s32*>(p), s32(as_u32(v)))));
}
static inline float atomic_max_f32(float* p, float v) {
    return as_u32(v) >> 31 ? as_f32(atomic_min_u32(reinterpret_cast<u32*>(p), as_u32(v)))
                           : as_f32(u32(atomic_max_s32(reinterpret_cast<s32*>(p), s32(as_u32(v)))));
}
static inline u32 atomic_add_f16x2(void* p, u32 v) {
    return host::atomic_global(p, [=](u32 x) { return add_f16x2(x, v); });
}
static inline u32 atomic_shared_add_u32(u32 a, u32 v) {
    return host::atomic_shared(a, [=](u32 x) { return x + v; });
}
static inline float atomic_shared_add_f32(u32 a, float v) {
    return as_f32(host::atomic_shared(a, [=](u32 x) { return as_u32(as_f32(x) + v); }));
}

static inline u32 load_acquire_u32(const u32* p) {
    for (;;) {
        const u8* at = host::place(p, 4, false, 4);
        u32 value = 0;
        if (!at) return value;
        std::memcpy(&value, at, 4);
        const u64 seen = host::changes;
        host::poll(p, value);
        if (host::changes == seen) return value;
    }
}
static inline void store_release_u32(u32* p, u32 value) {
    if (u8* at = host::place(p, 4, true, 4)) std::memcpy(at, &value, 4);
    host::changes++;
}

}  // namespace tv
