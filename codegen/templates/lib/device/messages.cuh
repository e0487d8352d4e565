// What a kernel says, and where it stops.

namespace tv {

TV_DEVICE void trap_with(const char*) { trap(); }
TV_DEVICE void assertion(bool ok, const char*) {
    if (!ok) trap();
}

// A line of output of the block: a text, then its values, counted from 0. Every thread makes one and calls the same
// functions in the same order, but `element`, which is called for each element of a tile by one thread that holds it,
// with the element's place in row-major order. The simulator puts these together to the line that the interpreter
// prints; a GPU prints the text and each number with it on a line of its own, since lines of many threads mix.
struct Line {
    u32 rank;                                  // dimensions of the grid
    const char* text;

    TV_DEVICE_MEMBER Line(u32 rank, const char* text) : rank(rank), text(text) {
        if (threadIdx.x == 0) printf("block (%u, %u, %u): %s\n", blockIdx.x, blockIdx.y, blockIdx.z, text);
    }
    template <class T>
    TV_DEVICE_MEMBER void scalar(u32 value, T number) const {
        if (threadIdx.x == 0) say(value, -1, number);
    }
    template <class... Extent>
    TV_DEVICE_MEMBER void tile(u32, Extent...) const {}
    template <class T>
    TV_DEVICE_MEMBER void element(u32 value, u32 place, T number) const { say(value, s32(place), number); }

private:
#define TV_SAY(T, shown, format)                                                                              \
    TV_DEVICE_MEMBER void say(u32 value, s32 place, T number) const {                                         \
        if (place < 0)                                                                                        \
            printf("block (%u, %u, %u): %s value %u: " format "\n", blockIdx.x, blockIdx.y, blockIdx.z, text, \
                   value, shown(number));                                                                     \
        else                                                                                                  \
            printf("block (%u, %u, %u): %s value %u, element %d: " format "\n", blockIdx.x, blockIdx.y,       \
                   blockIdx.z, text, value, place, shown(number));                                            \
    }
    TV_SAY(bool, int, "%d")
    TV_SAY(s32, s64, "%lld")
    TV_SAY(u32, s64, "%lld")
    TV_SAY(s64, s64, "%lld")
    TV_SAY(u64, u64, "%llu")
    TV_SAY(float, double, "%.9g")
    TV_SAY(double, double, "%.17g")
#undef TV_SAY
};

}  // namespace tv
