// Global memory: loads and stores of 1 to 16 bytes with a predicate; hints to the cache change nothing here.
#pragma once

namespace tv {

enum Hint { PLAIN, READ_ONLY, STREAM, L2_ONLY };

namespace host {

// Where a pointer leads, or null, and a finding, where it leads out of its buffer.
static inline u8* place(const void* pointer, u32 bytes, bool write, u32 alignment) {
    const u64 address = reinterpret_cast<u64>(pointer), number = (address >> BUFFER_SHIFT) - 1;
    const u64 offset = address & ((u64(1) << BUFFER_SHIFT) - 1);
    if (address & (alignment - 1)) note(MISALIGNED, offset, alignment, write);
    if (__builtin_expect(number >= launch->buffer_count || offset + bytes > launch->buffers[number].bytes, 0)) {
        note(OUT_OF_BOUNDS, offset, bytes, write);
        return nullptr;
    }
    if (__builtin_expect(write && !launch->buffers[number].writable, 0)) {
        note(READ_ONLY, offset, bytes, write);
        return nullptr;
    }
    return launch->buffers[number].data + offset;
}

template <u32 BYTES>
static inline void load_global(void* result, const void* pointer, bool active) {
    request(GLOBAL | BYTES, reinterpret_cast<u64>(pointer), active);
    const u8* from = active ? place(pointer, BYTES, false, BYTES) : nullptr;
    if (from) std::memcpy(result, from, BYTES);
    else std::memset(result, 0, BYTES);
}

template <u32 BYTES>
static inline void store_global(void* pointer, const void* value, bool active) {
    request(GLOBAL | WRITE | BYTES, reinterpret_cast<u64>(pointer), active);
    if (!active) return;
    if (u8* to = place(pointer, BYTES, true, BYTES)) std::memcpy(to, value, BYTES);
    changes++;
}

}  // namespace host

template <Hint hint = PLAIN>
static inline u32 load_global_u8(const void* p, bool active = true) {
    u8 r;
    host::load_global<1>(&r, p, active);
    return r;
}
template <Hint hint = PLAIN>
static inline u32 load_global_u16(const void* p, bool active = true) {
    u16 r;
    host::load_global<2>(&r, p, active);
    return r;
}
template <Hint hint = PLAIN>
static inline u32 load_global_u32(const void* p, bool active = true) {
    u32 r;
    host::load_global<4>(&r, p, active);
    return r;
}
template <Hint hint = PLAIN>
static inline void load_global_u32x2(u32* r, const void* p, bool active = true) {
    host::load_global<8>(r, p, active);
}
template <Hint hint = PLAIN>
static inline void load_global_u32x4(u32* r, const void* p, bool active = true) {
    host::load_global<16>(r, p, active);
}
template <Hint hint = PLAIN>
static inline void store_global_u8(void* p, u32 value, bool active = true) {
    const u8 v = u8(value);
    host::store_global<1>(p, &v, active);
}
template <Hint hint = PLAIN>
static inline void store_global_u16(void* p, u32 value, bool active = true) {
    const u16 v = u16(value);
    host::store_global<2>(p, &v, active);
}
template <Hint hint = PLAIN>
static inline void store_global_u32(void* p, u32 value, bool active = true) {
    host::store_global<4>(p, &value, active);
}
template <Hint hint = PLAIN>
static inline void store_global_u32x2(void* p, const u32* v, bool active = true) {
    host::store_global<8>(p, v, active);
}
template <Hint hint = PLAIN>
static inline void store_global_u32x4(void* p, const u32* v, bool active = true) {
    host::store_global<16>(p, v, active);
}

}  // namespace tv
