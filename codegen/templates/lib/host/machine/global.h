// Global memory: pointers are "argument i, byte j", and each access is looked up among the buffers of the launch.
#pragma once

namespace tv::host {

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
void load_global(void* result, const void* pointer, bool active) {
    request(GLOBAL | BYTES, reinterpret_cast<u64>(pointer), active);
    const u8* from = active ? place(pointer, BYTES, false, BYTES) : nullptr;
    if (from) __builtin_memcpy(result, from, BYTES);
    else __builtin_memset(result, 0, BYTES);
}

template <u32 BYTES>
void store_global(void* pointer, const void* value, bool active) {
    request(GLOBAL | WRITE | BYTES, reinterpret_cast<u64>(pointer), active);
    if (!active) return;
    if (u8* to = place(pointer, BYTES, true, BYTES)) __builtin_memcpy(to, value, BYTES);
    changes++;
}

#define TV_WIDTH(bytes)                                                                         \
    template void load_global<bytes>(void* result, const void* pointer, bool active);          \
    template void store_global<bytes>(void* pointer, const void* value, bool active);
TV_WIDTH(1) TV_WIDTH(2) TV_WIDTH(4) TV_WIDTH(8) TV_WIDTH(16)
#undef TV_WIDTH

}  // namespace tv::host
