// kernel matmul_stream(
// x: f16[M, K],
// w: u4[K, N] @ fragments([64,64]{8:R16 4:T1 2:R4 | 2:R8 4:R1 8:T4}),
// scale: f16[cdiv(K, 128), N] @ fragments(local(1, 8) * spatial(1, 8)),
// zero: f16[cdiv(K, 128), N] @ fragments(local(1, 8) * spatial(1, 8)),
// bias: f16[B0, B1],
// residual: f16[RM, RN],
// inout shares: f32[G, 2, 128, 8],
// inout arrived: i32[cdiv(M, 8) * cdiv(N, 128)],
// out y: f16[M, N],
// tensor_scale: f32):
// For sm_90a: 64 threads a block, 41988 bytes of shared memory.
TV_KERNEL(matmul_stream_kernel, 64, const tv::u8* __restrict__ x, const tv::u8* __restrict__ w, const tv::u8* __restrict__ scale, const tv::u8* __restrict__ zero, const tv::u8* __restrict__ bias, const tv::u8* __restrict__ residual, tv::u8* __restrict__ shares, tv::u8* __restrict__ arrived, tv::u8* __restrict__ y, float tensor_scale, tv::s32 M, tv::s32 K, tv::s32 N, tv::s32 B0, tv::s32 B1, tv::s32 RM, tv::s32 RN, tv::s32 G) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(41988);
    (void)thread, (void)lane, (void)warp, (void)shared;
    const tv::u64 evict_first = tv::cache_policy<tv::EVICT_FIRST>();
    // 332: rows = cdiv(M, BM)
    #line 332 "tilevm/ops/matmul.tvm"
    TV_LINE(332);
    const tv::s32 rows = tv::cdiv(M, 8);
    // 333: steps = cdiv(K, 64 * KU)
    #line 333 "tilevm/ops/matmul.tvm"
    TV_LINE(333);
    const tv::s32 steps = tv::cdiv(K, 128);
    // 334: work = rows * cdiv(N, BN) * steps
    #line 334 "tilevm/ops/matmul.tvm"
    TV_LINE(334);
    const tv::s32 t = tv::cdiv(N, 128);
    const tv::s32 t_2 = tv::mul(rows, t);
    const tv::s32 work = tv::mul(t_2, steps);
    // 335: units = memory_view(w, u8, [cdiv(K, 64), cdiv(N, 64), W.bits, 32, 16])
    #line 335 "tilevm/ops/matmul.tvm"
    TV_LINE(335);
    const tv::u8* const units = w;
    // 336: scales = memory_view(scale, S, [cdiv(K, GROUP), cdiv(N, 64), 8, 8])
    #line 336 "tilevm/ops/matmul.tvm"
    TV_LINE(336);
    const tv::u8* const scales = scale;
    // 337: points = memory_view(zero, Z, [cdiv(K, GROUP), cdiv(N, 64), 8, 8])
    #line 337 "tilevm/ops/matmul.tvm"
    TV_LINE(337);
    const tv::u8* const points = zero;
    // 338: depend()
    #line 338 "tilevm/ops/matmul.tvm"
    TV_LINE(338);
    tv::wait_for_launches();
    // 339: block = block_index(0)
    #line 339 "tilevm/ops/matmul.tvm"
    TV_LINE(339);
    const tv::s32 block = tv::block_index<0>();
    // 340: here = block * work // G
    #line 340 "tilevm/ops/matmul.tvm"
    TV_LINE(340);
    const tv::s32 t_3 = tv::mul(block, work);
    const tv::s32 here = tv::floor_div(t_3, G);
    // 341: end = (block + 1) * work // G
    #line 341 "tilevm/ops/matmul.tvm"
    TV_LINE(341);
    const tv::s32 t_4 = tv::add(block, 1);
    const tv::s32 t_5 = tv::mul(t_4, work);
    const tv::s32 end = tv::floor_div(t_5, G);
    // 127: acc = zeros(f32, [BN, BM]) @ sums(WM, WN, 4, MT)
    #line 127 "tilevm/ops/matmul.tvm"
    TV_LINE(127);
    float acc[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc[i_] = 0;
    // 129: none = zeros(f32, [16 * WN, BM]) @ sums(WM, WN, 1, MT)
    #line 129 "tilevm/ops/matmul.tvm"
    TV_LINE(129);
    float none[4];
    TV_UNROLL for (int i_ = 0; i_ < 4; i_++) none[i_] = 0;
    // 131: ones = full(A, [16 * WN, 64 * KU], 2.0 ** -24 if RAW else 1.0) @ rep(WM) * warps(WN, 1) * local(1, 4 * KU) * mma.m16n8k16.a
    #line 131 "tilevm/ops/matmul.tvm"
    TV_LINE(131);
    tv::u32 ones[32] = {};
    TV_UNROLL for (int i_ = 0; i_ < 64; i_++) tv::put<16>(ones, i_, 0x1u);
    // 95: place = iota(64 * WN) // 8 % (8 // bits) * bits
    #line 95 "tilevm/ops/matmul.tvm"
    TV_LINE(95);
    tv::s32 t_6[8];
    const tv::s32 t_6_first = tv::s32(thread / 4 % 8 + thread / 32 * 64);
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_6[i_] = tv::s32(t_6_first + i_ * 8);
    tv::s32 t_7[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_7[i_] = tv::floor_div(t_6[i_], 8);
    tv::s32 t_8[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_8[i_] = tv::rem(t_7[i_], 2);
    tv::s32 place[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) place[i_] = tv::mul(t_8[i_], 4);
    // 96: return unsqueeze(cast(1 << place, f32), 1)
    #line 96 "tilevm/ops/matmul.tvm"
    TV_LINE(96);
    tv::s32 t_9[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_9[i_] = tv::shl(1, place[i_]);
    float t_10[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_10[i_] = tv::cast<tv::Integer<32, true>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(t_9[i_]);
    float places[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) places[i_] = t_10[i_];
    // 162: part = dot(slice(left, 1, g * GROUP, GROUP), some, zeros(f32, [BN, BM]))
    #line 162 "tilevm/ops/matmul.tvm"
    TV_LINE(162);
    float t_11[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_11[i_] = 0;
    // 165: inputs = dot(slice(ones, 1, g * GROUP, GROUP), some, none)
    #line 165 "tilevm/ops/matmul.tvm"
    TV_LINE(165);
    tv::u32 t_12[32] = {};
    TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_12[i_] = ones[i_];
    // 107: part = part - each * ((1.0 * MIDDLE) * places)
    #line 107 "tilevm/ops/matmul.tvm"
    TV_LINE(107);
    float t_13[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_13[i_] = tv::mul(8.0f, places[i_]);
    // 172: acc = acc * (2.0 ** 24 / places)
    #line 172 "tilevm/ops/matmul.tvm"
    TV_LINE(172);
    float t_14[8];
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_14[i_] = tv::div(1.6777216e+07f, places[i_]);
    // 342: while here < end:
    #line 342 "tilevm/ops/matmul.tvm"
    TV_LINE(342);
    tv::s32 here_2;
    here_2 = here;
    while (true) {
        // 342: while here < end:
        #line 342 "tilevm/ops/matmul.tvm"
        TV_LINE(342);
        const bool t_15 = here_2 < end;
        if (!t_15) break;
        // 343: tile = here // steps
        #line 343 "tilevm/ops/matmul.tvm"
        TV_LINE(343);
        const tv::s32 tile = tv::floor_div(here_2, steps);
        // 344: start = tile * steps
        #line 344 "tilevm/ops/matmul.tvm"
        TV_LINE(344);
        const tv::s32 start = tv::mul(tile, steps);
        // 345: first = here - start
        #line 345 "tilevm/ops/matmul.tvm"
        TV_LINE(345);
        const tv::s32 first = tv::sub(here_2, start);
        // 346: last = minimum(steps, end - start)
        #line 346 "tilevm/ops/matmul.tvm"
        TV_LINE(346);
        const tv::s32 t_16 = tv::sub(end, start);
        const tv::s32 last = tv::min(steps, t_16);
        // 347: m = tile % rows * BM
        #line 347 "tilevm/ops/matmul.tvm"
        TV_LINE(347);
        const tv::s32 t_17 = tv::rem(tile, rows);
        const tv::s32 m = tv::mul(t_17, 8);
        // 348: j = tile // rows * WN
        #line 348 "tilevm/ops/matmul.tvm"
        TV_LINE(348);
        const tv::s32 t_18 = tv::floor_div(tile, rows);
        const tv::s32 j = tv::mul(t_18, 2);
        // 121: xs = shared(A, [STAGES, BM, 64 * KU])
        #line 121 "tilevm/ops/matmul.tvm"
        TV_LINE(121);
        const tv::u32 xs = shared + 32768u;
        // 122: ws = shared(u8, [STAGES, KU, WN, W.bits, 32, 16])
        #line 122 "tilevm/ops/matmul.tvm"
        TV_LINE(122);
        const tv::u32 ws = shared;
        // 123: ss = shared(S, [STAGES, ROWS, WN, 8, 8])
        #line 123 "tilevm/ops/matmul.tvm"
        TV_LINE(123);
        const tv::u32 ss = shared + 40960u;
        // 125: for s in range(STAGES - 1):
        #line 125 "tilevm/ops/matmul.tvm"
        TV_LINE(125);
        for (tv::s32 s = 0; s < 3; s += 1) {
            // 126: fetch(s, first + s, last, x, units, scales, points, xs, ws, ss, zs, ZERO, ROWS, PER, KU, BM, WN, m, j)
            #line 126 "tilevm/ops/matmul.tvm"
            TV_LINE(126);
            const tv::s32 step = tv::add(first, s);
            // 42: if step < last:
            #line 42 "tilevm/ops/matmul.tvm"
            TV_LINE(42);
            const bool t_19 = step < last;
            // 42: if step < last:
            #line 42 "tilevm/ops/matmul.tvm"
            TV_LINE(42);
            if (t_19) {
                // 43: copy_async(xs[stage], x[m :+ BM, step * (64 * KU) :+ 64 * KU])
                #line 43 "tilevm/ops/matmul.tvm"
                TV_LINE(43);
                const tv::s32 t_20 = tv::mul(step, 128);
                {
                    const tv::u32 index0_ = tv::u32(m) + thread / 16;
                    const tv::u32 index1_ = tv::u32(t_20) + thread % 16 * 8;
                    auto* const source_at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(t_20) * 2 + tv::s64(thread / 16) * (tv::s64(K) * 2) + tv::s64(thread % 16) * 16);
                    const tv::u32 target_at_ = xs + tv::s32(s) * 2048;
                    const tv::u32 target_from_ = tv::flipped<1792, 4>(tv::u32(thread / 16 * 256 + thread % 16 * 16));
                    TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                        const tv::u32 bytes_ = index0_ + i_ * 4 < tv::u32(M) && index1_ < tv::u32(K) ? 16 : 0;
                        tv::cp_async<16>(target_at_ + (target_from_ ^ (i_ * 1088)), source_at_ + tv::s64(i_ * 4) * (tv::s64(K) * 2), bytes_);
                    }
                }
                // 45: copy_async(ws[stage], units[step * KU :+ KU, j :+ WN], cache=evict_first)
                #line 45 "tilevm/ops/matmul.tvm"
                TV_LINE(45);
                const tv::s32 t_21 = tv::mul(step, 2);
                {
                    const tv::u32 index0_ = tv::u32(t_21);
                    const tv::u32 index1_ = tv::u32(j);
                    auto* const source_at_ = units + (tv::s64(t_21) * (tv::s64(tv::cdiv(N, 64)) * 2048) + tv::s64(j) * 2048 + tv::s64(thread / 32) * 512 + tv::s64(thread % 32) * 16);
                    const tv::u32 target_at_ = ws + tv::s32(s) * 8192 + thread / 32 * 512 + thread % 32 * 16;
                    TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
                        const tv::u32 bytes_ = index0_ + i_ / 4 < tv::u32(tv::cdiv(K, 64)) && index1_ + i_ / 2 % 2 < tv::u32(tv::cdiv(N, 64)) ? 16 : 0;
                        tv::cp_async<16, tv::EVICT_FIRST>(target_at_ + i_ * 1024, source_at_ + tv::s64(i_ / 4) * (tv::s64(tv::cdiv(N, 64)) * 2048) + i_ % 4 * 1024, bytes_, evict_first);
                    }
                }
                // 48: copy_async(ss[stage], scales[step // PER * ROWS :+ ROWS, j :+ WN])
                #line 48 "tilevm/ops/matmul.tvm"
                TV_LINE(48);
                const tv::s32 t_22 = tv::floor_div(step, 1);
                const tv::s32 t_23 = tv::mul(t_22, 1);
                {
                    const tv::u32 index0_ = tv::u32(t_23);
                    const tv::u32 index1_ = tv::u32(j) + thread / 8 % 2;
                    auto* const source_at_ = scales + (tv::s64(t_23) * (tv::s64(tv::cdiv(N, 64)) * 128) + tv::s64(j) * 128 + tv::s64(thread / 8 % 2) * 128 + tv::s64(thread % 8) * 16);
                    const tv::u32 target_at_ = ss + tv::s32(s) * 256 + thread / 8 % 2 * 128 + thread % 8 * 16;
                    if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                        const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) && index1_ < tv::u32(tv::cdiv(N, 64)) ? 16 : 0;
                        tv::cp_async<16>(target_at_, source_at_, bytes_);
                    }
                }
            }
            // 51: commit()
            #line 51 "tilevm/ops/matmul.tvm"
            TV_LINE(51);
            tv::cp_async_commit();
        }
        // 133: for step in range(first, last):
        #line 133 "tilevm/ops/matmul.tvm"
        TV_LINE(133);
        float acc_2[16];
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc[i_];
        for (tv::s32 step_2 = first; step_2 < last; step_2 += 1) {
            // 134: wait(STAGES - 2)
            #line 134 "tilevm/ops/matmul.tvm"
            TV_LINE(134);
            tv::cp_async_wait<2>();
            // 135: sync()                                  # this stage has landed, and all are done with the one before
            #line 135 "tilevm/ops/matmul.tvm"
            TV_LINE(135);
            tv::sync();
            // 136: ahead = step + STAGES - 1
            #line 136 "tilevm/ops/matmul.tvm"
            TV_LINE(136);
            const tv::s32 t_24 = tv::add(step_2, 4);
            const tv::s32 ahead = tv::sub(t_24, 1);
            // 137: fetch((ahead - first) % STAGES, ahead, last, x, units, scales, points, xs, ws, ss, zs, ZERO, ROWS, PER, KU, BM, WN, m, j)
            #line 137 "tilevm/ops/matmul.tvm"
            TV_LINE(137);
            const tv::s32 t_25 = tv::sub(ahead, first);
            const tv::s32 stage = tv::rem(t_25, 4);
            // 42: if step < last:
            #line 42 "tilevm/ops/matmul.tvm"
            TV_LINE(42);
            const bool t_26 = ahead < last;
            // 42: if step < last:
            #line 42 "tilevm/ops/matmul.tvm"
            TV_LINE(42);
            if (t_26) {
                // 43: copy_async(xs[stage], x[m :+ BM, step * (64 * KU) :+ 64 * KU])
                #line 43 "tilevm/ops/matmul.tvm"
                TV_LINE(43);
                const tv::s32 t_27 = tv::mul(ahead, 128);
                {
                    const tv::u32 index0_ = tv::u32(m) + thread / 16;
                    const tv::u32 index1_ = tv::u32(t_27) + thread % 16 * 8;
                    auto* const source_at_ = x + (tv::s64(m) * (tv::s64(K) * 2) + tv::s64(t_27) * 2 + tv::s64(thread / 16) * (tv::s64(K) * 2) + tv::s64(thread % 16) * 16);
                    const tv::u32 target_at_ = xs + tv::s32(stage) * 2048;
                    const tv::u32 target_from_ = tv::flipped<1792, 4>(tv::u32(thread / 16 * 256 + thread % 16 * 16));
                    TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 2; i_++) {
                        const tv::u32 bytes_ = index0_ + i_ * 4 < tv::u32(M) && index1_ < tv::u32(K) ? 16 : 0;
                        tv::cp_async<16>(target_at_ + (target_from_ ^ (i_ * 1088)), source_at_ + tv::s64(i_ * 4) * (tv::s64(K) * 2), bytes_);
                    }
                }
                // 45: copy_async(ws[stage], units[step * KU :+ KU, j :+ WN], cache=evict_first)
                #line 45 "tilevm/ops/matmul.tvm"
                TV_LINE(45);
                const tv::s32 t_28 = tv::mul(ahead, 2);
                {
                    const tv::u32 index0_ = tv::u32(t_28);
                    const tv::u32 index1_ = tv::u32(j);
                    auto* const source_at_ = units + (tv::s64(t_28) * (tv::s64(tv::cdiv(N, 64)) * 2048) + tv::s64(j) * 2048 + tv::s64(thread / 32) * 512 + tv::s64(thread % 32) * 16);
                    const tv::u32 target_at_ = ws + tv::s32(stage) * 8192 + thread / 32 * 512 + thread % 32 * 16;
                    TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
                        const tv::u32 bytes_ = index0_ + i_ / 4 < tv::u32(tv::cdiv(K, 64)) && index1_ + i_ / 2 % 2 < tv::u32(tv::cdiv(N, 64)) ? 16 : 0;
                        tv::cp_async<16, tv::EVICT_FIRST>(target_at_ + i_ * 1024, source_at_ + tv::s64(i_ / 4) * (tv::s64(tv::cdiv(N, 64)) * 2048) + i_ % 4 * 1024, bytes_, evict_first);
                    }
                }
                // 48: copy_async(ss[stage], scales[step // PER * ROWS :+ ROWS, j :+ WN])
                #line 48 "tilevm/ops/matmul.tvm"
                TV_LINE(48);
                const tv::s32 t_29 = tv::floor_div(ahead, 1);
                const tv::s32 t_30 = tv::mul(t_29, 1);
                {
                    const tv::u32 index0_ = tv::u32(t_30);
                    const tv::u32 index1_ = tv::u32(j) + thread / 8 % 2;
                    auto* const source_at_ = scales + (tv::s64(t_30) * (tv::s64(tv::cdiv(N, 64)) * 128) + tv::s64(j) * 128 + tv::s64(thread / 8 % 2) * 128 + tv::s64(thread % 8) * 16);
                    const tv::u32 target_at_ = ss + tv::s32(stage) * 256 + thread / 8 % 2 * 128 + thread % 8 * 16;
                    if (thread / 16 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                        const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 128)) && index1_ < tv::u32(tv::cdiv(N, 64)) ? 16 : 0;
                        tv::cp_async<16>(target_at_, source_at_, bytes_);
                    }
                }
            }
            // 51: commit()
            #line 51 "tilevm/ops/matmul.tvm"
            TV_LINE(51);
            tv::cp_async_commit();
            // 138: at = (step - first) % STAGES
            #line 138 "tilevm/ops/matmul.tvm"
            TV_LINE(138);
            const tv::s32 t_31 = tv::sub(step_2, first);
            const tv::s32 at = tv::rem(t_31, 4);
            // 139: right = permute(load(xs[at]) @ inputs_of(WM, WN, 4 * KU, MT, mma.m16n8k16.b).permute(1, 0), 1, 0)
            #line 139 "tilevm/ops/matmul.tvm"
            TV_LINE(139);
            tv::u32 t_32[16] = {};
            {
                const tv::u32 row_ = thread / 32 * 32 + lane % 8 * 4;
                const tv::u32 matrix_ = lane / 8 % 4;
                const tv::u32 at_ = xs + tv::s32(at) * 2048;
                const tv::u32 from_ = tv::flipped<1792, 4>(tv::u32(row_ / 4 % 8 * 256 + row_ % 4 * 4 + matrix_ % 2 * 16 + matrix_ / 2 * 32));
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++)
                    tv::ldmatrix_x4(t_32 + i_ * 4, at_ + (from_ ^ (i_ * 64)));
            }
            tv::u32 right[16] = {};
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) right[i_] = t_32[i_];
            // 140: bytes = load(ws[at]) @ bytes_of(WM, WN, KU, W.bits)
            #line 140 "tilevm/ops/matmul.tvm"
            TV_LINE(140);
            tv::u32 bytes[32] = {};
            {
                const tv::u32 at_ = ws + tv::s32(at) * 8192 + thread / 32 * 2048 + thread % 32 * 16;
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
                    tv::load_shared_u32x4(bytes + i_ * 4, at_ + i_ % 4 * 512 + i_ / 4 * 4096);
                }
            }
            // 74: words = view(bytes, u32, words_of(WM, WN, COUNT))
            #line 74 "tilevm/ops/matmul.tvm"
            TV_LINE(74);
            tv::u32 words[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) words[i_] = tv::u32(bytes[i_]);
            // 75: high = words >> 8
            #line 75 "tilevm/ops/matmul.tvm"
            TV_LINE(75);
            tv::u32 high[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) high[i_] = tv::shr(words[i_], 8u);
            // 57: return unsqueeze(words & mask, 2) @ at
            #line 57 "tilevm/ops/matmul.tvm"
            TV_LINE(57);
            tv::u32 t_33[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_33[i_] = words[i_] & 983055u;
            tv::u32 t_34[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_34[i_] = t_33[i_];
            tv::u32 t_35[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_35[i_] = words[i_] & 15728880u;
            tv::u32 t_36[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_36[i_] = t_35[i_];
            // 69: return concat(piece(words, 0x000f000f, at), piece(words, 0x00f000f0, at), axis=2) @ whole
            #line 69 "tilevm/ops/matmul.tvm"
            TV_LINE(69);
            tv::u32 first_2[64];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) first_2[i_] = t_34[i_];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) first_2[32 + i_] = t_36[i_];
            // 57: return unsqueeze(words & mask, 2) @ at
            #line 57 "tilevm/ops/matmul.tvm"
            TV_LINE(57);
            tv::u32 t_37[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_37[i_] = high[i_] & 983055u;
            tv::u32 t_38[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_38[i_] = t_37[i_];
            tv::u32 t_39[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_39[i_] = high[i_] & 15728880u;
            tv::u32 t_40[32];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) t_40[i_] = t_39[i_];
            // 69: return concat(piece(words, 0x000f000f, at), piece(words, 0x00f000f0, at), axis=2) @ whole
            #line 69 "tilevm/ops/matmul.tvm"
            TV_LINE(69);
            tv::u32 second[64];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) second[i_] = t_38[i_];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) second[32 + i_] = t_40[i_];
            // 90: all = concat(first, second, axis=2) @ side_by_side(WM, WN, COUNT, 2 * HALF)
            #line 90 "tilevm/ops/matmul.tvm"
            TV_LINE(90);
            tv::u32 all[128];
            TV_UNROLL for (int i_ = 0; i_ < 64; i_++) all[i_] = first_2[i_];
            TV_UNROLL for (int i_ = 0; i_ < 64; i_++) all[64 + i_] = second[i_];
            // 91: return view(convert_layout(all, in_turn(WM, WN, COUNT, 2 * HALF)), A, weights(WM, WN, KU, unit))
            #line 91 "tilevm/ops/matmul.tvm"
            TV_LINE(91);
            tv::u32 t_41[128];
            TV_UNROLL for (int i_ = 0; i_ < 128; i_++) t_41[i_] = all[i_ % 4 * 32 + i_ / 4];
            tv::u32 t_42[128] = {};
            tv::u32 t_42_bits[128] = {};
            TV_UNROLL for (int i_ = 0; i_ < 128; i_++) t_42_bits[i_] = tv::u32(t_41[i_]);
            TV_UNROLL for (int i_ = 0; i_ < 128; i_++) t_42[i_] = t_42_bits[i_];
            // 142: left = permute(raw(bytes, A, W.bits, WM, WN, KU), 1, 0)
            #line 142 "tilevm/ops/matmul.tvm"
            TV_LINE(142);
            tv::u32 left[128] = {};
            TV_UNROLL for (int i_ = 0; i_ < 128; i_++) left[i_] = t_42[i_];
            // 161: some = slice(right, 0, g * GROUP, GROUP)
            #line 161 "tilevm/ops/matmul.tvm"
            TV_LINE(161);
            tv::u32 some[16] = {};
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) some[i_] = right[i_];
            // 162: part = dot(slice(left, 1, g * GROUP, GROUP), some, zeros(f32, [BN, BM]))
            #line 162 "tilevm/ops/matmul.tvm"
            TV_LINE(162);
            tv::u32 t_43[128] = {};
            TV_UNROLL for (int i_ = 0; i_ < 128; i_++) t_43[i_] = left[i_];
            float part[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) part[i_] = t_11[i_];
            TV_UNROLL for (int i_ = 0; i_ < 32; i_++) {
                tv::u32 left_[] = {t_43[i_ % 4 * 2 + i_ / 4 * 16], t_43[1 + i_ % 4 * 2 + i_ / 4 * 16], t_43[8 + i_ % 4 * 2 + i_ / 4 * 16], t_43[9 + i_ % 4 * 2 + i_ / 4 * 16]};
                tv::u32 right_[] = {some[i_ / 4 * 2], some[1 + i_ / 4 * 2]};
                float* sums_ = part + (i_ % 4 * 4);
                tv::mma_m16n8k16_f16(sums_, left_, right_);
            }
            // 165: inputs = dot(slice(ones, 1, g * GROUP, GROUP), some, none)
            #line 165 "tilevm/ops/matmul.tvm"
            TV_LINE(165);
            float inputs[4];
            TV_UNROLL for (int i_ = 0; i_ < 4; i_++) inputs[i_] = none[i_];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) {
                tv::u32 left_[] = {t_12[i_ * 4], t_12[1 + i_ * 4], t_12[2 + i_ * 4], t_12[3 + i_ * 4]};
                tv::u32 right_[] = {some[i_ * 2], some[1 + i_ * 2]};
                float* sums_ = inputs + (0);
                tv::mma_m16n8k16_f16(sums_, left_, right_);
            }
            // 166: scale = load(ss[at, g :+ 1]) @ beside(WM, WN, 1)
            #line 166 "tilevm/ops/matmul.tvm"
            TV_LINE(166);
            tv::u32 scale_2[4] = {};
            {
                const tv::u32 at_ = ss + tv::s32(at) * 256 + thread / 32 * 128 + thread / 4 % 8 * 16;
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    tv::load_shared_u32x4(scale_2, at_);
                }
            }
            // 102: one = reshape(inputs, [WN, 1, 16, 8 * MT * WM])
            #line 102 "tilevm/ops/matmul.tvm"
            TV_LINE(102);
            float one[4];
            TV_UNROLL for (int i_ = 0; i_ < 4; i_++) one[i_] = inputs[i_];
            // 103: each = reshape(concat(one, one, one, one, axis=1), [64 * WN, 8 * MT * WM])
            #line 103 "tilevm/ops/matmul.tvm"
            TV_LINE(103);
            float t_44[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_44[i_] = one[i_ % 4];
            float each[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) each[i_] = t_44[i_];
            // 107: part = part - each * ((1.0 * MIDDLE) * places)
            #line 107 "tilevm/ops/matmul.tvm"
            TV_LINE(107);
            float t_45[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_45[i_] = tv::mul(each[i_], t_13[i_ / 2]);
            float part_2[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) part_2[i_] = tv::sub(part[i_], t_45[i_]);
            // 108: return fma(part, upright(cast(scale, f32), WN), acc)
            #line 108 "tilevm/ops/matmul.tvm"
            TV_LINE(108);
            float tile_2[8];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) tile_2[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(scale_2, i_));
            // 38: return reshape(permute(tile, 0, 1, 3, 2), [64 * WN, 1])
            #line 38 "tilevm/ops/matmul.tvm"
            TV_LINE(38);
            float t_46[8];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_46[i_] = tile_2[i_];
            float t_47[8];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_47[i_] = t_46[i_];
            // 108: return fma(part, upright(cast(scale, f32), WN), acc)
            #line 108 "tilevm/ops/matmul.tvm"
            TV_LINE(108);
            float acc_3[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_3[i_] = tv::fma(part_2[i_], t_47[i_ / 2], acc_2[i_]);
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc_3[i_];
        }
        // 172: acc = acc * (2.0 ** 24 / places)
        #line 172 "tilevm/ops/matmul.tvm"
        TV_LINE(172);
        float acc_4[16];
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_4[i_] = tv::mul(acc_2[i_], t_14[i_ / 2]);
        // 350: wait(0)
        #line 350 "tilevm/ops/matmul.tvm"
        TV_LINE(350);
        tv::cp_async_wait<0>();
        // 351: sync()                                  # the stages of shared memory are free for the next tile
        #line 351 "tilevm/ops/matmul.tvm"
        TV_LINE(351);
        tv::sync();
        // 352: if first == 0 and last == steps:
        #line 352 "tilevm/ops/matmul.tvm"
        TV_LINE(352);
        const bool t_48 = first == 0;
        const bool t_49 = last == steps;
        const bool t_50 = t_48 & t_49;
        // 352: if first == 0 and last == steps:
        #line 352 "tilevm/ops/matmul.tvm"
        TV_LINE(352);
        if (t_50) {
            // 264: n = j * (32 if GATED else 64)
            #line 264 "tilevm/ops/matmul.tvm"
            TV_LINE(264);
            const tv::s32 n = tv::mul(j, 64);
            // 265: total = permute(acc * tensor_scale, 1, 0)
            #line 265 "tilevm/ops/matmul.tvm"
            TV_LINE(265);
            float t_51[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_51[i_] = tv::mul(acc_4[i_], tensor_scale);
            float total[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) total[i_] = t_51[i_];
            // 266: result = cast(ending(total, bias, residual, BIAS, ACTIVATION, GATED, RESIDUAL, BM, WN, m, j), A)
            #line 266 "tilevm/ops/matmul.tvm"
            TV_LINE(266);
            tv::u32 result[8] = {};
            tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 16>(result, total);
            // 274: store(y[m :+ BM, n :+ COLUMNS], result)
            #line 274 "tilevm/ops/matmul.tvm"
            TV_LINE(274);
            {
                const tv::u32 index0_ = tv::u32(m) + thread % 4 * 2;
                const tv::u32 index1_ = tv::u32(n) + thread / 4 % 8 + thread / 32 * 64;
                auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n) * 2 + tv::s64(thread % 4) * (tv::s64(N) * 4) + tv::s64(thread / 32) * 128 + tv::s64(thread / 4 % 8) * 2);
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 16; i_++) {
                    const bool inside_ = index0_ + i_ % 2 < tv::u32(M) && index1_ + i_ / 2 * 8 < tv::u32(N);
                    tv::u32 words_[1] = {};
                    tv::put<16>(words_, 0, tv::u32(tv::get<16>(result, i_)));
                    tv::store_global_u16(at_ + tv::s64(i_ % 2) * (tv::s64(N) * 2) + i_ / 2 * 16, tv::get<16>(words_, 0), inside_);
                }
            }
        } else {
            // 355: store(shares[block, 0 if first > 0 else 1, :, :], acc)
            #line 355 "tilevm/ops/matmul.tvm"
            TV_LINE(355);
            const bool t_52 = first > 0;
            const tv::s32 t_53 = t_52 ? 0 : 1;
            {
                auto* const at_ = shares + (tv::s64(block) * 8192 + tv::s64(t_53) * 4096 + tv::s64(thread / 32) * 2048 + tv::s64(thread / 4 % 8) * 32 + tv::s64(thread % 4) * 8);
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
                    tv::u32 words_[2] = {};
                    TV_UNROLL for (int j_ = 0; j_ < 2; j_++) words_[j_] = tv::as_u32(acc_4[(i_ * 2 + j_)]);
                    tv::store_global_u32x2(at_ + i_ * 256, words_);
                }
            }
            // 356: fence(scope=device)                 # all of the block have stored
            #line 356 "tilevm/ops/matmul.tvm"
            TV_LINE(356);
            tv::sync();
            tv::fence_device();
            tv::sync();
            // 357: earliest = ((start + 1) * G - 1) // work
            #line 357 "tilevm/ops/matmul.tvm"
            TV_LINE(357);
            const tv::s32 t_54 = tv::add(start, 1);
            const tv::s32 t_55 = tv::mul(t_54, G);
            const tv::s32 t_56 = tv::sub(t_55, 1);
            const tv::s32 earliest = tv::floor_div(t_56, work);
            // 358: latest = ((start + steps) * G - 1) // work
            #line 358 "tilevm/ops/matmul.tvm"
            TV_LINE(358);
            const tv::s32 t_57 = tv::add(start, steps);
            const tv::s32 t_58 = tv::mul(t_57, G);
            const tv::s32 t_59 = tv::sub(t_58, 1);
            const tv::s32 latest = tv::floor_div(t_59, work);
            // 359: if atomic_add(arrived[tile], 1) == latest - earliest:
            #line 359 "tilevm/ops/matmul.tvm"
            TV_LINE(359);
            tv::s32 t_60;
            {
                const tv::u32 index0_ = tv::u32(tile);
                auto* const at_ = arrived + (tv::s64(tile) * 4);
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    tv::s32 old_ = 0;
                    if (thread == 0 && index0_ < tv::u32(tv::cdiv(M, 8) * tv::cdiv(N, 128))) old_ = tv::atomic_add_s32(at_, 1);
                    if (thread == 0) tv::store_shared_u32((shared + 41984u) + (tv::u32(0)) * 4, tv::u32(old_));
                }
                tv::sync();
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    t_60 = tv::s32(tv::load_shared_u32((shared + 41984u) + (tv::u32(0)) * 4));
                }
            }
            const tv::s32 t_61 = tv::sub(latest, earliest);
            const bool t_62 = t_60 == t_61;
            // 359: if atomic_add(arrived[tile], 1) == latest - earliest:
            #line 359 "tilevm/ops/matmul.tvm"
            TV_LINE(359);
            if (t_62) {
                // 360: fence(scope=device)
                #line 360 "tilevm/ops/matmul.tvm"
                TV_LINE(360);
                tv::sync();
                tv::fence_device();
                tv::sync();
                // 361: total = zeros(f32, [BN, BM]) @ sums(WM, WN, 4, MT)
                #line 361 "tilevm/ops/matmul.tvm"
                TV_LINE(361);
                float total_2[16];
                TV_UNROLL for (int i_ = 0; i_ < 16; i_++) total_2[i_] = 0;
                // 362: for each in range(earliest, latest + 1):
                #line 362 "tilevm/ops/matmul.tvm"
                TV_LINE(362);
                const tv::s32 t_63 = tv::add(latest, 1);
                // 362: for each in range(earliest, latest + 1):
                #line 362 "tilevm/ops/matmul.tvm"
                TV_LINE(362);
                float total_3[16];
                TV_UNROLL for (int i_ = 0; i_ < 16; i_++) total_3[i_] = total_2[i_];
                for (tv::s32 each_2 = earliest; each_2 < t_63; each_2 += 1) {
                    // 363: total = total + load(shares[each, 0 if each * work // G > start else 1, :, :])
                    #line 363 "tilevm/ops/matmul.tvm"
                    TV_LINE(363);
                    const tv::s32 t_64 = tv::mul(each_2, work);
                    const tv::s32 t_65 = tv::floor_div(t_64, G);
                    const bool t_66 = t_65 > start;
                    const tv::s32 t_67 = t_66 ? 0 : 1;
                    float t_68[16];
                    {
                        const tv::u32 index0_ = tv::u32(each_2);
                        auto* const at_ = shares + (tv::s64(each_2) * 8192 + tv::s64(t_67) * 4096 + tv::s64(thread / 32) * 2048 + tv::s64(thread / 4 % 8) * 32 + tv::s64(thread % 4) * 8);
                        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 8; i_++) {
                            const bool inside_ = index0_ < tv::u32(G);
                            tv::u32 words_[2] = {};
                            tv::load_global_u32x2(words_, at_ + i_ * 256, inside_);
                            TV_UNROLL for (int j_ = 0; j_ < 2; j_++) t_68[(i_ * 2 + j_)] = tv::as_f32(words_[j_]);
                        }
                    }
                    float total_4[16];
                    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) total_4[i_] = tv::add(total_3[i_], t_68[i_]);
                    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) total_3[i_] = total_4[i_];
                }
                // 364: store(arrived[tile], 0)         # for the next launch
                #line 364 "tilevm/ops/matmul.tvm"
                TV_LINE(364);
                {
                    const tv::u32 index0_ = tv::u32(tile);
                    auto* const at_ = arrived + (tv::s64(tile) * 4);
                    const bool mine_ = thread == 0;
                    TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                        const bool inside_ = mine_ && index0_ < tv::u32(tv::cdiv(M, 8) * tv::cdiv(N, 128));
                        tv::u32 words_[1] = {};
                        words_[0] = tv::u32(0);
                        tv::store_global_u32(at_, (words_)[0], inside_);
                    }
                }
                // 264: n = j * (32 if GATED else 64)
                #line 264 "tilevm/ops/matmul.tvm"
                TV_LINE(264);
                const tv::s32 n_2 = tv::mul(j, 64);
                // 265: total = permute(acc * tensor_scale, 1, 0)
                #line 265 "tilevm/ops/matmul.tvm"
                TV_LINE(265);
                float t_69[16];
                TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_69[i_] = tv::mul(total_3[i_], tensor_scale);
                float total_5[16];
                TV_UNROLL for (int i_ = 0; i_ < 16; i_++) total_5[i_] = t_69[i_];
                // 266: result = cast(ending(total, bias, residual, BIAS, ACTIVATION, GATED, RESIDUAL, BM, WN, m, j), A)
                #line 266 "tilevm/ops/matmul.tvm"
                TV_LINE(266);
                tv::u32 result_2[8] = {};
                tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 16>(result_2, total_5);
                // 274: store(y[m :+ BM, n :+ COLUMNS], result)
                #line 274 "tilevm/ops/matmul.tvm"
                TV_LINE(274);
                {
                    const tv::u32 index0_ = tv::u32(m) + thread % 4 * 2;
                    const tv::u32 index1_ = tv::u32(n_2) + thread / 4 % 8 + thread / 32 * 64;
                    auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(n_2) * 2 + tv::s64(thread % 4) * (tv::s64(N) * 4) + tv::s64(thread / 32) * 128 + tv::s64(thread / 4 % 8) * 2);
                    TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 16; i_++) {
                        const bool inside_ = index0_ + i_ % 2 < tv::u32(M) && index1_ + i_ / 2 * 8 < tv::u32(N);
                        tv::u32 words_[1] = {};
                        tv::put<16>(words_, 0, tv::u32(tv::get<16>(result_2, i_)));
                        tv::store_global_u16(at_ + tv::s64(i_ % 2) * (tv::s64(N) * 2) + i_ / 2 * 16, tv::get<16>(words_, 0), inside_);
                    }
                }
            }
        }
        // 366: here = start + last
        #line 366 "tilevm/ops/matmul.tvm"
        TV_LINE(366);
        const tv::s32 here_3 = tv::add(start, last);
        here_2 = here_3;
    }
    // 367: launch_dependents()
    #line 367 "tilevm/ops/matmul.tvm"
    TV_LINE(367);
    tv::launch_dependents();
}
// line 43: cp.async of 16 bytes
// line 45: cp.async of 16 bytes
// line 48: cp.async of 16 bytes
// line 121: `xs` in shared memory is swizzled: 7^11 8^12 9^13; wavefronts 3.33 -> 1 times the ideal
// line 122: `ws` in shared memory lies row by row
// line 123: `ss` in shared memory lies row by row
// line 139: ldmatrix, 4 matrices at once
// line 140: 16-byte loads
// line 162: `part` lies as the matrix instructions of sm_90a want it: [128,8]{2:T32 8:R2 8:T4 | 4:T1 2:R1}
// line 162: 32 x m16n8k16 a warp
// line 165: 8 x m16n8k16 a warp
// line 166: 16-byte loads
// line 274: 2-byte stores, because of the register layout [8,128]{4:T1 2:R1 | 2:T32 8:R2 8:T4} over y[M, N]
// line 355: 8-byte stores, because of the register layout [128,8]{2:T32 8:R2 8:T4 | 4:T1 2:R1} over shares[G, 2, 128, 8]
// line 363: 8-byte loads, because of the register layout [128,8]{2:T32 8:R2 8:T4 | 4:T1 2:R1} over shares[G, 2, 128, 8]
