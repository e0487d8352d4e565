// Fibers: a stack each, and a switch between them that saves what the calling convention keeps over a call.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <vector>

#if !defined(TV_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define TV_UCONTEXT
#endif

#ifdef TV_UCONTEXT
#include <ucontext.h>
#else
extern "C" __attribute__((visibility("hidden"))) void tv_switch(void** saved, void* next) asm("tv_switch");
#if defined(__x86_64__)
asm(R"(
.text
.p2align 4
tv_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
#else
asm(R"(
.text
.p2align 4
tv_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
#endif
#endif

namespace tv::host {

inline constexpr std::size_t PAGE = 4096, STACK = 32 * PAGE;

// The stacks of a block. One page below each is kept unmapped, so that an overflow stops there; and the tops are
// spread over the lines of the cache, where stacks at equal distances would all fall on the same few.
class Stacks {
public:
    explicit Stacks(u32 count) : count(count) {
        base = static_cast<u8*>(mmap(nullptr, count * (STACK + PAGE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (base == MAP_FAILED) std::abort();
        for (u32 i = 0; i < count; i++) mprotect(bottom(i), STACK, PROT_READ | PROT_WRITE);
    }
    Stacks(const Stacks&) = delete;
    Stacks& operator=(const Stacks&) = delete;
    ~Stacks() { munmap(base, count * (STACK + PAGE)); }
    u8* bottom(u32 i) const { return base + i * (STACK + PAGE) + PAGE; }
    u8* top(u32 i) const { return bottom(i) + STACK - i * 5 % 16 * 256; }

private:
    u32 count;
    u8* base;
};

#ifdef TV_UCONTEXT
struct Context {
    ucontext_t state;
    void start(const Stacks& stacks, u32 i, void (*entry)()) {
        getcontext(&state);
        state.uc_stack.ss_sp = stacks.bottom(i);
        state.uc_stack.ss_size = std::size_t(stacks.top(i) - stacks.bottom(i));
        state.uc_link = nullptr;
        makecontext(&state, entry, 0);
    }
};
static inline void change(Context& from, Context& to) { swapcontext(&from.state, &to.state); }
#else
struct Context {
    void* stack;
    void start(const Stacks& stacks, u32 i, void (*entry)()) {
        void** top = reinterpret_cast<void**>(stacks.top(i));
#if defined(__x86_64__)
        stack = top - 8;                               // six registers, the entry, and a return address of none
        __builtin_memset(stack, 0, 8 * sizeof(void*));
        top[-2] = reinterpret_cast<void*>(entry);
#else
        stack = top - 20;
        __builtin_memset(stack, 0, 20 * sizeof(void*));
        top[-9] = reinterpret_cast<void*>(entry);      // x30
#endif
    }
};
static inline void change(Context& from, Context& to) {
    tv_switch(&from.stack, to.stack);
    asm volatile("" ::: "memory");
}
#endif

}  // namespace tv::host
