// The machine as a kernel sees it: who runs, and what is done for it by machine/, which is compiled apart from the kernel
// and once for all of them.
#pragma once
#pragma GCC visibility push(hidden)

namespace tv::host {

struct Thread {
    u32 number, lane, line;
    u32 lines;                    // of output
    const u32* block_index;
};

extern Launch* launch;
extern Thread* self;              // the thread that runs
extern u64 changes;               // writes to memory, which another thread may wait for

// Runs the blocks of a launch, each thread of which calls the kernel.
void run(Launch* given, u32 threads, void (*kernel)());

u32 open_shared(u32 bytes);
template <u32 BYTES>
void read_shared(void* result, u32 address);
template <u32 BYTES>
void write_shared(u32 address, const void* value);
template <u32 BYTES>
void load_global(void* result, const void* pointer, bool active);
template <u32 BYTES>
void store_global(void* pointer, const void* value, bool active);

// Where 1 to 8 bytes lie that an atomic is about to change, or null, and a finding, where it may not.
u8* atomic_place(void* pointer, u32 bytes);
u8* atomic_place(u32 address, u32 bytes);
u8* place_of_bits(u32 address, u32 bytes);
// Where blocks are shuffled, another one may run from here on.
void give_way();
// Lets others go on if a thread reads a value again that it has just read.
void poll(u64 address, u64 value);
u32 read_flag(const void* pointer);
void write_flag(void* pointer, u32 value);

template <u32 BYTES>
void copy_async(u32 target, const void* source, u32 source_bytes);
void commit_copies();
void wait_for_copies(u32 n);

void barrier();
void sync_lanes();
u32 votes(bool vote);
u32 exchange(u32 value, u32 source);
void move_matrices(u32* r, u32 address, u32 count, bool transposed, bool store);

enum Product : u32 {
    m16n8k16_f16, m16n8k16_bf16, m16n8k8_tf32, m16n8k32_s8_s8, m16n8k32_u8_u8, m16n8k32_s8_u8, m16n8k32_u8_s8,
    m16n8k32_e4m3_e4m3, m16n8k32_e5m2_e5m2, m16n8k32_e4m3_e5m2, m16n8k32_e5m2_e4m3, m16n8k8_f16, m8n8k16_s8_s8,
    m8n8k16_u8_u8, m8n8k16_s8_u8, m8n8k16_u8_s8
};
void multiply(Product product, void* c, const u32* a, const u32* b);
void multiply_f64(double* c, const double* a, const double* b);

void print(u32 line, u32 value, u32 kind, u32 place, u64 bits);
[[noreturn]] void fail(Kind kind, const char* message);

}  // namespace tv::host

#pragma GCC visibility pop
