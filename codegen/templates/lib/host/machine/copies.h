// cp.async: the target is poison from the issue on, and the bytes are there after the wait that covers their group.
#pragma once

namespace tv::host {

static void land(u32 count) {
    Block& block = *me().block;
    for (u32 i = 0; i < count; i++) {
        const Copy& copy = me().copies[i];
        const u32 at = copy.target - SHARED_BASE;
        if (copy.source) __builtin_memcpy(&block.shared[at], copy.source, copy.source_bytes);
        __builtin_memset(&block.shared[at + copy.source_bytes], 0, copy.bytes - copy.source_bytes);
        for (u32 b = 0; b < copy.bytes; b++) block.wrote[at + b] = {block.tick, u16(self->number), u16(copy.line)};
    }
    me().copies.erase(me().copies.begin(), me().copies.begin() + count);
}

template <u32 BYTES>
void copy_async(u32 target, const void* source, u32 source_bytes) {
    request(SHARED | WRITE | BYTES, target, true);
    request(GLOBAL | BYTES, reinterpret_cast<u64>(source), source_bytes != 0);
    const u8* from = source_bytes ? place(source, source_bytes, false, BYTES) : nullptr;
    if (!inside_shared(target, BYTES, true)) return;
    Fiber& fiber = me();
    Block& block = *fiber.block;
    const u32 at = target - SHARED_BASE;
    check_write<BYTES>(at, u16(fiber.number), nullptr);
    __builtin_memset(&block.shared[at], 0xFF, BYTES);
    for (u32 b = 0; b < BYTES; b++) block.wrote[at + b] = {NEVER, COPY_UNDER_WAY, u16(fiber.line)};
    fiber.copies.push_back({target, BYTES, from ? source_bytes : 0, fiber.line, from});
    fiber.uncommitted++;
}
template void copy_async<4>(u32 target, const void* source, u32 source_bytes);
template void copy_async<8>(u32 target, const void* source, u32 source_bytes);
template void copy_async<16>(u32 target, const void* source, u32 source_bytes);

void commit_copies() {
    me().groups.push_back(me().uncommitted);
    me().uncommitted = 0;
}

// All groups but the last n have landed.
void wait_for_copies(u32 n) {
    Fiber& fiber = me();
    u32 landing = 0;
    while (fiber.groups.size() > n) {
        landing += fiber.groups.front();
        fiber.groups.pop_front();
    }
    if (landing) land(landing);
}

}  // namespace tv::host
