// Shared and global memory: loads and stores of 1 to 16 bytes, in global memory with a predicate; hints to the cache change
// nothing here.
#pragma once

namespace tv {

enum Hint { PLAIN, READ_ONLY };
enum Cache { DEFAULT, NO_ALLOCATE, EVICT_FIRST, EVICT_LAST };

template <Cache>
static inline u64 cache_policy() { return 0; }

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

template <Hint = PLAIN, Cache = DEFAULT>
static inline u32 load_global_u8(const void* p, bool active = true, u64 = 0) {
    u8 r;
    host::load_global<1>(&r, p, active);
    return r;
}
template <Hint = PLAIN, Cache = DEFAULT>
static inline u32 load_global_u16(const void* p, bool active = true, u64 = 0) {
    u16 r;
    host::load_global<2>(&r, p, active);
    return r;
}
template <Hint = PLAIN, Cache = DEFAULT>
static inline u32 load_global_u32(const void* p, bool active = true, u64 = 0) {
    u32 r;
    host::load_global<4>(&r, p, active);
    return r;
}
template <Hint = PLAIN, Cache = DEFAULT>
static inline void load_global_u32x2(u32* r, const void* p, bool active = true, u64 = 0) {
    host::load_global<8>(r, p, active);
}
template <Hint = PLAIN, Cache = DEFAULT>
static inline void load_global_u32x4(u32* r, const void* p, bool active = true, u64 = 0) {
    host::load_global<16>(r, p, active);
}
template <Cache = DEFAULT>
static inline void store_global_u8(void* p, u32 value, bool active = true, u64 = 0) {
    const u8 v = u8(value);
    host::store_global<1>(p, &v, active);
}
template <Cache = DEFAULT>
static inline void store_global_u16(void* p, u32 value, bool active = true, u64 = 0) {
    const u16 v = u16(value);
    host::store_global<2>(p, &v, active);
}
template <Cache = DEFAULT>
static inline void store_global_u32(void* p, u32 value, bool active = true, u64 = 0) {
    host::store_global<4>(p, &value, active);
}
template <Cache = DEFAULT>
static inline void store_global_u32x2(void* p, const u32* v, bool active = true, u64 = 0) {
    host::store_global<8>(p, v, active);
}
template <Cache = DEFAULT>
static inline void store_global_u32x4(void* p, const u32* v, bool active = true, u64 = 0) {
    host::store_global<16>(p, v, active);
}

static inline void prefetch_global(const void*) {}

}  // namespace tv
