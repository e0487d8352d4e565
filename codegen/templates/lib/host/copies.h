// cp.async: the target is poison from the issue on, and the bytes are there after the wait that covers their group.
#pragma once

namespace tv {
namespace host {

static void land(u32 count) {
    Block& block = *self->block;
    for (u32 i = 0; i < count; i++) {
        const Copy& copy = self->copies[i];
        const u32 at = copy.target - SHARED_BASE;
        if (copy.source) std::memcpy(&block.shared[at], copy.source, copy.source_bytes);
        std::memset(&block.shared[at + copy.source_bytes], 0, copy.bytes - copy.source_bytes);
        for (u32 b = 0; b < copy.bytes; b++) block.wrote[at + b] = {block.tick, u16(self->number), u16(copy.line)};
    }
    self->copies.erase(self->copies.begin(), self->copies.begin() + count);
}

}  // namespace host

template <u32 BYTES>
static inline void cp_async(u32 target, const void* source, u32 source_bytes = BYTES) {
    using namespace host;
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
    request(SHARED | WRITE | BYTES, target, true);
    request(GLOBAL | BYTES, reinterpret_cast<u64>(source), source_bytes != 0);
    const u8* from = source_bytes ? place(source, source_bytes, false, BYTES) : nullptr;
    if (!inside_shared(target, BYTES, true)) return;
    const u32 at = target - SHARED_BASE;
    check_write<BYTES>(at, u16(self->number), nullptr);
    std::memset(&self->block->shared[at], 0xFF, BYTES);
    for (u32 b = 0; b < BYTES; b++) self->block->wrote[at + b] = {NEVER, COPY_UNDER_WAY, u16(self->line)};
    self->copies.push_back({target, BYTES, from ? source_bytes : 0, self->line, from});
    self->uncommitted++;
}

static inline void cp_async_commit() {
    host::self->groups.push_back(host::self->uncommitted);
    host::self->uncommitted = 0;
}

// All groups but the last N have landed.
template <u32 N>
static inline void cp_async_wait() {
    host::Thread& me = *host::self;
    u32 landing = 0;
    while (me.groups.size() > N) {
        landing += me.groups.front();
        me.groups.pop_front();
    }
    if (landing) host::land(landing);
}

static inline void cp_async_wait_all() {
    cp_async_commit();
    cp_async_wait<0>();
}

}  // namespace tv
