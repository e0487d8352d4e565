// Pieces of output, and the ends of launches.
#pragma once

namespace tv::host {

static std::vector<Printed> printed;

void print(u32 line, u32 value, u32 kind, u32 place, u64 bits) {
    const u32 *index = self->block_index, *grid = launch->grid;
    printed.push_back({index[0] + grid[0] * (index[1] + u64(grid[1]) * index[2]), line, value, kind, place, bits});
}

[[noreturn]] void fail(Kind kind, const char* message) {
    note(kind, 0, 0, false, 0, 0, false, message);
    stop();
}

}  // namespace tv::host
