// What a kernel says, and where it stops; see device/messages.cuh.
#pragma once

namespace tv {
namespace host {

template <class T>
static inline void print_number(u32 line, u32 value, u32 kind, u32 place, T number) {
    u64 bits = 0;
    __builtin_memcpy(&bits, &number, sizeof number);
    print(line, value, kind, place, bits);
}

}  // namespace host

[[noreturn]] static inline void trap_with(const char* message) { host::fail(host::TRAP, message); }
[[noreturn]] static inline void trap() { trap_with(""); }
static inline void assertion(bool ok, const char* message) {
    if (!ok) host::fail(host::ASSERTION, message);
}

struct Line {
    u32 number;

    Line(u32 rank, const char* text) : number(host::self->lines++) {
        if (host::self->number == 0) host::print(number, 0, host::TEXT, rank, reinterpret_cast<u64>(text));
    }
    template <class T>
    void scalar(u32 value, T x) const { if (host::self->number == 0) say(value, host::SCALAR, 0, x); }
    template <class... Extent>
    void tile(u32 value, Extent... extents) const {
        if (host::self->number != 0) return;
        u32 axis = 0;
        (host::print(number, value, host::EXTENT, axis++, u64(extents)), ...);
    }
    template <class T>
    void element(u32 value, u32 place, T x) const { say(value, host::ELEMENT, place, x); }

private:
#define TV_SAY(T, kind)                                                      \
    void say(u32 value, u32 form, u32 place, T x) const {                    \
        host::print_number(number, value, form | host::kind, place, x);     \
    }
    TV_SAY(bool, BOOL)
    TV_SAY(s32, S32)
    TV_SAY(u32, U32)
    TV_SAY(s64, S64)
    TV_SAY(u64, U64)
    TV_SAY(float, F32)
    TV_SAY(double, F64)
#undef TV_SAY
};

}  // namespace tv
