// What passes between Python and a launch: buffers and arguments in, findings and counts out. Layouts are those of the
// ctypes structures in tilevm/runtime/simulator.py.
#pragma once

using size_t = decltype(sizeof 0);           // which NVRTC knows too

namespace tv {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using s32 = int;
using s64 = long long;

namespace host {

enum Kind : u32 {
    OUT_OF_BOUNDS = 1, MISALIGNED, UNINITIALISED, RACE, UNDER_WAY, OUT_OF_SHARED, DIVERGED, DEADLOCK, READ_ONLY, TRAP,
    ASSERTION
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
    const char* text;            // the message of an assertion or a trap
};

// A piece of a line of output; `line` counts the lines of the block.
struct Printed {
    u64 block;
    u32 line, value;
    u32 kind;                    // one of PrintedKind
    u32 place;                   // the rank of a text, the axis of an extent, the place of an element in its tile
    u64 bits;                    // a pointer, an extent, or the bits of a number
};
enum PrintedKind : u32 { TEXT, EXTENT, SCALAR = 0x100, ELEMENT = 0x200 };   // a number: one of these and its NumberKind
enum NumberKind : u32 { BOOL, S32, U32, S64, U64, F32, F64 };

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
    const u64* order;            // in which blocks begin; null for that of their numbers
    u64 shuffle;                 // seeds where blocks give way to one another; 0 for nowhere but where they wait
    u64 resident;                // the most blocks that have begun and not ended; 0 for any number
    const Printed* printed;      // until the next launch
    u64 printed_count;
};

inline constexpr u32 SHARED_BASE = 1024;     // so that address 0 is outside
inline constexpr u32 BUFFER_SHIFT = 40;      // pointer = (buffer number + 1) << 40 | byte

}  // namespace host
}  // namespace tv
