// What passes between Python and a launch: buffers and arguments in, findings and counts out. Layouts are those of the
// ctypes structures in tilevm/runtime/simulator.py.
#pragma once
#include <cstdint>
#include <cstring>

namespace tv {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s32 = std::int32_t;

namespace host {

enum Kind : u32 {
    OUT_OF_BOUNDS = 1, MISALIGNED, UNINITIALISED, RACE, UNDER_WAY, OUT_OF_SHARED, DIVERGED, DEADLOCK, READ_ONLY, TRAP
};

struct Buffer {
    u8* data;
    u64 bytes;
    u64 writable;
};

// One mistake. `other_line` is that of the access that it clashes with, 0 where there is none.
struct Finding {
    u32 kind, line, other_line, thread, other_thread, block[3];
    u64 address;
    u32 bytes, count;
    u32 writes, other_writes;
};

// What one line did to memory, summed over the grid.
struct Counts {
    u64 shared_requests, wavefronts, ideal_wavefronts, global_requests, sectors, useful_bytes;
};

struct Launch {
    u32 grid[3];
    u32 buffer_count;
    const Buffer* buffers;
    const u64* arguments;
    u32 argument_count;
    u32 finding_capacity, finding_count, line_count;
    Finding* findings;
    Counts* counts;
    u64 dropped;
};

inline constexpr u32 SHARED_BASE = 1024;     // so that address 0 is outside
inline constexpr u32 BUFFER_SHIFT = 40;      // pointer = (buffer number + 1) << 40 | byte

}  // namespace host
}  // namespace tv
