// kernel matmul_8(
// x: i8[M, K],
// x_scale: f32[M],
// w: i4[K, N] @ fragments([64,64]{4:R32 4:T1 4:R2 | 4:R8 2:R1 8:T4}),
// scale: f16[cdiv(K, 128), N] @ fragments(local(1, 8) * spatial(1, 8)),
// out y: f16[M, N],
// tensor_scale: f32):
// For sm_80: 64 threads a block, 19456 bytes of shared memory.
TV_KERNEL(matmul_8_kernel, 64, const tv::u8* __restrict__ x, const tv::u8* __restrict__ x_scale, const tv::u8* __restrict__ w, const tv::u8* __restrict__ scale, tv::u8* __restrict__ y, float tensor_scale, tv::s32 M, tv::s32 K, tv::s32 N) {
    const tv::u32 thread = tv::thread_index(), lane = tv::lane_index(), warp = tv::warp_index();
    const tv::u32 shared = TV_SHARED(19456);
    (void)thread, (void)lane, (void)warp, (void)shared;
    const tv::u64 evict_first = tv::cache_policy<tv::EVICT_FIRST>();
    // 426: m = block_index(1) * (8 * WM * MT)
    #line 426 "tilevm/ops/matmul.tvm"
    TV_LINE(426);
    const tv::s32 t = tv::block_index<1>();
    const tv::s32 m = tv::mul(t, 8);
    // 427: j = block_index(0) * WN
    #line 427 "tilevm/ops/matmul.tvm"
    TV_LINE(427);
    const tv::s32 t_2 = tv::block_index<0>();
    const tv::s32 j = tv::mul(t_2, 2);
    // 428: units = memory_view(w, u8, [cdiv(K, 64), cdiv(N, 64), W.bits, 32, 16])
    #line 428 "tilevm/ops/matmul.tvm"
    TV_LINE(428);
    const tv::u8* const units = w;
    // 429: scales = memory_view(scale, S, [cdiv(K, GROUP), cdiv(N, 64), 8, 8])
    #line 429 "tilevm/ops/matmul.tvm"
    TV_LINE(429);
    const tv::u8* const scales = scale;
    // 430: acc = product8(x, units, scales, W, S, A, GROUP, WM, WN, MT, STAGES, m, j, 0, cdiv(K, 64))
    #line 430 "tilevm/ops/matmul.tvm"
    TV_LINE(430);
    const tv::s32 last = tv::cdiv(K, 64);
    // 215: xs = shared(A, [STAGES, BM, 64])
    #line 215 "tilevm/ops/matmul.tvm"
    TV_LINE(215);
    const tv::u32 xs = shared + 16384u;
    // 216: ws = shared(u8, [STAGES, 1, WN, W.bits, 32, 16])
    #line 216 "tilevm/ops/matmul.tvm"
    TV_LINE(216);
    const tv::u32 ws = shared;
    // 217: ss = shared(S, [STAGES, ROWS, WN, 8, 8])
    #line 217 "tilevm/ops/matmul.tvm"
    TV_LINE(217);
    const tv::u32 ss = shared + 18432u;
    // 218: for s in range(STAGES - 1):
    #line 218 "tilevm/ops/matmul.tvm"
    TV_LINE(218);
    for (tv::s32 s = 0; s < 3; s += 1) {
        // 219: fetch(s, first + s, last, x, units, scales, scales, xs, ws, ss, ss, False, ROWS, PER, 1, BM, WN, m, j)
        #line 219 "tilevm/ops/matmul.tvm"
        TV_LINE(219);
        const tv::s32 step = tv::add(0, s);
        // 42: if step < last:
        #line 42 "tilevm/ops/matmul.tvm"
        TV_LINE(42);
        const bool t_3 = step < last;
        // 42: if step < last:
        #line 42 "tilevm/ops/matmul.tvm"
        TV_LINE(42);
        if (t_3) {
            // 43: copy_async(xs[stage], x[m :+ BM, step * (64 * KU) :+ 64 * KU])
            #line 43 "tilevm/ops/matmul.tvm"
            TV_LINE(43);
            const tv::s32 t_4 = tv::mul(step, 64);
            {
                const tv::u32 index1_ = tv::u32(t_4) + thread % 4 * 16;
                auto* const source_at_ = x + (tv::s64(m) * tv::s64(K) + tv::s64(t_4) + tv::s64(thread / 4 % 8) * tv::s64(K) + tv::s64(thread % 4) * 16);
                const tv::u32 target_at_ = xs + tv::s32(s) * 512;
                const tv::u32 target_from_ = tv::flipped<384, 3>(tv::u32(thread / 4 % 8 * 64 + thread % 4 * 16));
                if (thread / 32 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    const tv::u32 bytes_ = index1_ < tv::u32(K) ? 16 : 0;
                    tv::cp_async<16>(target_at_ + target_from_, source_at_, bytes_);
                }
            }
            // 45: copy_async(ws[stage], units[step * KU :+ KU, j :+ WN], cache=evict_first)
            #line 45 "tilevm/ops/matmul.tvm"
            TV_LINE(45);
            const tv::s32 t_5 = tv::mul(step, 1);
            {
                const tv::u32 index0_ = tv::u32(t_5);
                const tv::u32 index1_ = tv::u32(j);
                auto* const source_at_ = units + (tv::s64(t_5) * (tv::s64(tv::cdiv(N, 64)) * 2048) + tv::s64(j) * 2048 + tv::s64(thread / 32) * 512 + tv::s64(thread % 32) * 16);
                const tv::u32 target_at_ = ws + tv::s32(s) * 4096 + thread / 32 * 512 + thread % 32 * 16;
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++) {
                    const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 64)) && index1_ + i_ / 2 < tv::u32(tv::cdiv(N, 64)) ? 16 : 0;
                    tv::cp_async<16, tv::EVICT_FIRST>(target_at_ + i_ * 1024, source_at_ + i_ * 1024, bytes_, evict_first);
                }
            }
            // 48: copy_async(ss[stage], scales[step // PER * ROWS :+ ROWS, j :+ WN])
            #line 48 "tilevm/ops/matmul.tvm"
            TV_LINE(48);
            const tv::s32 t_6 = tv::floor_div(step, 2);
            const tv::s32 t_7 = tv::mul(t_6, 1);
            {
                const tv::u32 index0_ = tv::u32(t_7);
                const tv::u32 index1_ = tv::u32(j) + thread / 8 % 2;
                auto* const source_at_ = scales + (tv::s64(t_7) * (tv::s64(tv::cdiv(N, 64)) * 128) + tv::s64(j) * 128 + tv::s64(thread / 8 % 2) * 128 + tv::s64(thread % 8) * 16);
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
    // 220: acc = zeros(f32, [BN, BM]) @ sums(WM, WN, 4, MT)
    #line 220 "tilevm/ops/matmul.tvm"
    TV_LINE(220);
    float acc[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc[i_] = 0;
    // 221: none = zeros(SUM, [BN, BM])
    #line 221 "tilevm/ops/matmul.tvm"
    TV_LINE(221);
    tv::s32 none[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) none[i_] = 0;
    // 223: for step in range(first, last):
    #line 223 "tilevm/ops/matmul.tvm"
    TV_LINE(223);
    tv::s32 part[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) part[i_] = none[i_];
    float acc_2[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc[i_];
    for (tv::s32 step_2 = 0; step_2 < last; step_2 += 1) {
        // 224: wait(STAGES - 2)
        #line 224 "tilevm/ops/matmul.tvm"
        TV_LINE(224);
        tv::cp_async_wait<2>();
        // 225: sync()
        #line 225 "tilevm/ops/matmul.tvm"
        TV_LINE(225);
        tv::sync();
        // 226: ahead = step + STAGES - 1
        #line 226 "tilevm/ops/matmul.tvm"
        TV_LINE(226);
        const tv::s32 t_8 = tv::add(step_2, 4);
        const tv::s32 ahead = tv::sub(t_8, 1);
        // 227: fetch((ahead - first) % STAGES, ahead, last, x, units, scales, scales, xs, ws, ss, ss, False, ROWS, PER, 1, BM, WN, m, j)
        #line 227 "tilevm/ops/matmul.tvm"
        TV_LINE(227);
        const tv::s32 t_9 = tv::sub(ahead, 0);
        const tv::s32 stage = tv::rem(t_9, 4);
        // 42: if step < last:
        #line 42 "tilevm/ops/matmul.tvm"
        TV_LINE(42);
        const bool t_10 = ahead < last;
        // 42: if step < last:
        #line 42 "tilevm/ops/matmul.tvm"
        TV_LINE(42);
        if (t_10) {
            // 43: copy_async(xs[stage], x[m :+ BM, step * (64 * KU) :+ 64 * KU])
            #line 43 "tilevm/ops/matmul.tvm"
            TV_LINE(43);
            const tv::s32 t_11 = tv::mul(ahead, 64);
            {
                const tv::u32 index1_ = tv::u32(t_11) + thread % 4 * 16;
                auto* const source_at_ = x + (tv::s64(m) * tv::s64(K) + tv::s64(t_11) + tv::s64(thread / 4 % 8) * tv::s64(K) + tv::s64(thread % 4) * 16);
                const tv::u32 target_at_ = xs + tv::s32(stage) * 512;
                const tv::u32 target_from_ = tv::flipped<384, 3>(tv::u32(thread / 4 % 8 * 64 + thread % 4 * 16));
                if (thread / 32 == 0) TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    const tv::u32 bytes_ = index1_ < tv::u32(K) ? 16 : 0;
                    tv::cp_async<16>(target_at_ + target_from_, source_at_, bytes_);
                }
            }
            // 45: copy_async(ws[stage], units[step * KU :+ KU, j :+ WN], cache=evict_first)
            #line 45 "tilevm/ops/matmul.tvm"
            TV_LINE(45);
            const tv::s32 t_12 = tv::mul(ahead, 1);
            {
                const tv::u32 index0_ = tv::u32(t_12);
                const tv::u32 index1_ = tv::u32(j);
                auto* const source_at_ = units + (tv::s64(t_12) * (tv::s64(tv::cdiv(N, 64)) * 2048) + tv::s64(j) * 2048 + tv::s64(thread / 32) * 512 + tv::s64(thread % 32) * 16);
                const tv::u32 target_at_ = ws + tv::s32(stage) * 4096 + thread / 32 * 512 + thread % 32 * 16;
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++) {
                    const tv::u32 bytes_ = index0_ < tv::u32(tv::cdiv(K, 64)) && index1_ + i_ / 2 < tv::u32(tv::cdiv(N, 64)) ? 16 : 0;
                    tv::cp_async<16, tv::EVICT_FIRST>(target_at_ + i_ * 1024, source_at_ + i_ * 1024, bytes_, evict_first);
                }
            }
            // 48: copy_async(ss[stage], scales[step // PER * ROWS :+ ROWS, j :+ WN])
            #line 48 "tilevm/ops/matmul.tvm"
            TV_LINE(48);
            const tv::s32 t_13 = tv::floor_div(ahead, 2);
            const tv::s32 t_14 = tv::mul(t_13, 1);
            {
                const tv::u32 index0_ = tv::u32(t_14);
                const tv::u32 index1_ = tv::u32(j) + thread / 8 % 2;
                auto* const source_at_ = scales + (tv::s64(t_14) * (tv::s64(tv::cdiv(N, 64)) * 128) + tv::s64(j) * 128 + tv::s64(thread / 8 % 2) * 128 + tv::s64(thread % 8) * 16);
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
        // 228: at = (step - first) % STAGES
        #line 228 "tilevm/ops/matmul.tvm"
        TV_LINE(228);
        const tv::s32 t_15 = tv::sub(step_2, 0);
        const tv::s32 at = tv::rem(t_15, 4);
        // 229: right = permute(load(xs[at]) @ inputs_of(WM, WN, 2, MT, mma.m16n8k32.b).permute(1, 0), 1, 0)
        #line 229 "tilevm/ops/matmul.tvm"
        TV_LINE(229);
        tv::u32 t_16[4] = {};
        {
            const tv::u32 row_ = thread / 32 * 32 + lane % 8 * 4;
            const tv::u32 matrix_ = lane / 8 % 4;
            const tv::u32 at_ = xs + tv::s32(at) * 512;
            const tv::u32 from_ = tv::flipped<384, 3>(tv::u32(row_ / 4 % 8 * 64 + row_ % 4 * 4 + matrix_ % 2 * 16 + matrix_ / 2 * 32));
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++)
                tv::ldmatrix_x4(t_16 + i_ * 4, at_ + from_);
        }
        tv::u32 right[4] = {};
        TV_UNROLL for (int i_ = 0; i_ < 4; i_++) right[i_] = t_16[i_];
        // 230: codes = view(load(ws[at]) @ bytes_of(WM, WN, 1, W.bits), W, weights(WM, WN, 1, interleaved(unit8, W, A)))
        #line 230 "tilevm/ops/matmul.tvm"
        TV_LINE(230);
        tv::u32 t_17[16] = {};
        {
            const tv::u32 at_ = ws + tv::s32(at) * 4096 + thread / 32 * 2048 + thread % 32 * 16;
            TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 4; i_++) {
                tv::load_shared_u32x4(t_17 + i_ * 4, at_ + i_ * 512);
            }
        }
        tv::u32 codes[16] = {};
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) codes[i_] = t_17[i_];
        // 231: left = permute(cast(codes, A) @ weights(WM, WN, 1, unit8), 1, 0)
        #line 231 "tilevm/ops/matmul.tvm"
        TV_LINE(231);
        tv::u32 t_18[32] = {};
        TV_UNROLL for (int part_ = 0; part_ < 16; part_++) {
            const tv::u32 step0_ = codes[part_] >> 4;
            const tv::u32 step1_ = tv::lop3<0x6A>(codes[part_], 0xf0f0f0fu, 0x88888888u);
            const tv::u32 step2_ = step1_ - 0x8080808u;
            const tv::u32 step3_ = tv::lop3<0x3C>(step2_, 0x80808080u, 0x0u);
            const tv::u32 step4_ = tv::lop3<0x6A>(step0_, 0xf0f0f0fu, 0x88888888u);
            const tv::u32 step5_ = step4_ - 0x8080808u;
            const tv::u32 step6_ = tv::lop3<0x3C>(step5_, 0x80808080u, 0x0u);
            t_18[part_ * 2] = step3_;
            t_18[part_ * 2 + 1] = step6_;
        }
        tv::u32 left[32] = {};
        TV_UNROLL for (int i_ = 0; i_ < 32; i_++) left[i_] = t_18[i_];
        // 238: part = dot(left, right, part)
        #line 238 "tilevm/ops/matmul.tvm"
        TV_LINE(238);
        tv::s32 part_2[16];
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) part_2[i_] = part[i_];
        TV_UNROLL for (int i_ = 0; i_ < 8; i_++) {
            tv::u32 left_[] = {left[i_ % 4 * 2 + i_ / 4 * 16], left[1 + i_ % 4 * 2 + i_ / 4 * 16], left[8 + i_ % 4 * 2 + i_ / 4 * 16], left[9 + i_ % 4 * 2 + i_ / 4 * 16]};
            tv::u32 right_[] = {right[i_ / 4 * 2], right[1 + i_ / 4 * 2]};
            tv::s32* sums_ = part_2 + (i_ % 4 * 4);
            tv::mma_m16n8k32_s8_s8(sums_, left_, right_);
        }
        // 239: if (step + 1) % PER == 0 or step + 1 == last:
        #line 239 "tilevm/ops/matmul.tvm"
        TV_LINE(239);
        const tv::s32 t_19 = tv::add(step_2, 1);
        const tv::s32 t_20 = tv::rem(t_19, 2);
        const bool t_21 = t_20 == 0;
        const bool t_22 = t_19 == last;
        const bool t_23 = t_21 | t_22;
        // 239: if (step + 1) % PER == 0 or step + 1 == last:
        #line 239 "tilevm/ops/matmul.tvm"
        TV_LINE(239);
        float acc_4[16];
        tv::s32 part_3[16];
        if (t_23) {
            // 240: acc = fma(cast(part, f32), upright(cast(load(ss[at]) @ beside(WM, WN, 1), f32), WN), acc)
            #line 240 "tilevm/ops/matmul.tvm"
            TV_LINE(240);
            float t_24[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_24[i_] = tv::cast<tv::Integer<32, true>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(part_2[i_]);
            tv::u32 t_25[4] = {};
            {
                const tv::u32 at_ = ss + tv::s32(at) * 256 + thread / 32 * 128 + thread / 4 % 8 * 16;
                TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
                    tv::load_shared_u32x4(t_25, at_);
                }
            }
            float tile[8];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) tile[i_] = tv::cast<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, tv::Float<32, 8, 23, 127, true, tv::Specials::IEEE>, tv::Round::NEAREST_EVEN, false>(tv::get<16>(t_25, i_));
            // 38: return reshape(permute(tile, 0, 1, 3, 2), [64 * WN, 1])
            #line 38 "tilevm/ops/matmul.tvm"
            TV_LINE(38);
            float t_26[8];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_26[i_] = tile[i_];
            float t_27[8];
            TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_27[i_] = t_26[i_];
            // 240: acc = fma(cast(part, f32), upright(cast(load(ss[at]) @ beside(WM, WN, 1), f32), WN), acc)
            #line 240 "tilevm/ops/matmul.tvm"
            TV_LINE(240);
            float acc_3[16];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_3[i_] = tv::fma(t_24[i_], t_27[i_ / 2], acc_2[i_]);
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_4[i_] = acc_3[i_];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) part_3[i_] = none[i_];
        } else {
                TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_4[i_] = acc_2[i_];
            TV_UNROLL for (int i_ = 0; i_ < 16; i_++) part_3[i_] = part_2[i_];
        }
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) part[i_] = part_3[i_];
        TV_UNROLL for (int i_ = 0; i_ < 16; i_++) acc_2[i_] = acc_4[i_];
    }
    // 431: tokens = unsqueeze(load(x_scale[m :+ 8 * WM * MT]), 0) * tensor_scale
    #line 431 "tilevm/ops/matmul.tvm"
    TV_LINE(431);
    float t_28[2];
    {
        auto* const at_ = x_scale + (tv::s64(m) * 4 + tv::s64(thread % 4) * 8);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 1; i_++) {
            tv::u32 words_[2] = {};
            tv::load_global_u32x2<tv::READ_ONLY>(words_, at_);
            TV_UNROLL for (int j_ = 0; j_ < 2; j_++) t_28[(i_ * 2 + j_)] = tv::as_f32(words_[j_]);
        }
    }
    float t_29[2];
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) t_29[i_] = t_28[i_];
    float tokens[2];
    TV_UNROLL for (int i_ = 0; i_ < 2; i_++) tokens[i_] = tv::mul(t_29[i_], tensor_scale);
    // 432: store(y[m :+ 8 * WM * MT, 64 * j :+ 64 * WN], permute(cast(acc * tokens, B), 1, 0))
    #line 432 "tilevm/ops/matmul.tvm"
    TV_LINE(432);
    const tv::s32 t_30 = tv::mul(64, j);
    float t_31[16];
    TV_UNROLL for (int i_ = 0; i_ < 16; i_++) t_31[i_] = tv::mul(acc_2[i_], tokens[i_ % 2]);
    tv::u32 t_32[8] = {};
    tv::cast_pairs<tv::Float<16, 5, 10, 15, true, tv::Specials::IEEE>, 16>(t_32, t_31);
    tv::u32 t_33[8] = {};
    TV_UNROLL for (int i_ = 0; i_ < 8; i_++) t_33[i_] = t_32[i_];
    {
        const tv::u32 index1_ = tv::u32(t_30) + thread / 4 % 8 + thread / 32 * 64;
        auto* const at_ = y + (tv::s64(m) * (tv::s64(N) * 2) + tv::s64(t_30) * 2 + tv::s64(thread % 4) * (tv::s64(N) * 4) + tv::s64(thread / 32) * 128 + tv::s64(thread / 4 % 8) * 2);
        TV_UNROLL_ACCESSES for (int i_ = 0; i_ < 16; i_++) {
            const bool inside_ = index1_ + i_ / 2 * 8 < tv::u32(N);
            tv::u32 words_[1] = {};
            tv::put<16>(words_, 0, tv::u32(tv::get<16>(t_33, i_)));
            tv::store_global_u16(at_ + tv::s64(i_ % 2) * (tv::s64(N) * 2) + i_ / 2 * 16, tv::get<16>(words_, 0), inside_);
        }
    }
}
// line 43: cp.async of 16 bytes
// line 45: cp.async of 16 bytes
// line 48: cp.async of 16 bytes
// line 215: `xs` in shared memory is swizzled: 7^10 8^11; wavefronts 2 -> 1 times the ideal
// line 216: `ws` in shared memory lies row by row
// line 217: `ss` in shared memory lies row by row
// line 229: ldmatrix, 4 matrices at once
// line 230: 16-byte loads
// line 238: `part` lies as the matrix instructions of sm_80 want it: [128,8]{2:T32 8:R2 8:T4 | 4:T1 2:R1}
// line 238: 8 x m16n8k32 a warp
// line 240: 16-byte loads
// line 431: 8-byte loads
// line 432: 2-byte stores, because of the register layout [8,128]{4:T1 2:R1 | 2:T32 8:R2 8:T4} over y[M, N]
