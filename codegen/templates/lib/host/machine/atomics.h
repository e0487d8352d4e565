// Atomics, flags, and waiting.
#pragma once

namespace tv::host {

void poll(u64 address, u64 value) {
    Fiber& fiber = me();
    const bool again = fiber.polled_address == address && fiber.polled_value == value && fiber.polled_at == changes;
    fiber.polled_address = address;
    fiber.polled_value = value;
    fiber.polled_at = changes;
    if (!again) return;
    fiber.warp->polling |= 1u << fiber.lane;
    fiber.warp->ready &= ~(1u << fiber.lane);
    pause_thread();
}

u8* atomic_place(void* pointer, u32 bytes) {
    request(GLOBAL | WRITE | bytes, reinterpret_cast<u64>(pointer), true);
    return place(pointer, bytes, true, bytes);
}

// Atomics do not race with one another, but with other accesses.
static u8* changed_place(u32 address, u32 bytes, bool reads) {
    request(SHARED | WRITE | bytes, address, true);
    if (!inside_shared(address, bytes, true)) return nullptr;
    Block& block = *me().block;
    const u32 at = address - SHARED_BASE;
    const u16 who = u16(self->number);
    for (u32 i = at; i < at + bytes; i++) {
        Record& w = block.wrote[i];
        if (w.thread != ATOMIC && !before(w, who) && (reads || w.thread != NOBODY)) suspicious_read(i, 1, who);
        if (!before(block.read[i], who)) suspicious_write(i, 1, who, &block.shared[i]);
        w = {block.tick, ATOMIC, u16(self->line)};
    }
    return &block.shared[at];
}
u8* atomic_place(u32 address, u32 bytes) { return changed_place(address, bytes, true); }
// Of some bits of bytes, the others of which stay as they are, whatever that is.
u8* place_of_bits(u32 address, u32 bytes) { return changed_place(address, bytes, false); }

u32 read_flag(const void* pointer) {
    for (;;) {
        const u8* at = place(pointer, 4, false, 4);
        u32 value = 0;
        if (!at) return value;
        __builtin_memcpy(&value, at, 4);
        const u64 seen = changes;
        poll(reinterpret_cast<u64>(pointer), value);
        if (changes == seen) return value;
    }
}

void write_flag(void* pointer, u32 value) {
    if (u8* at = place(pointer, 4, true, 4)) __builtin_memcpy(at, &value, 4);
    changes++;
    give_way();
}

}  // namespace tv::host
