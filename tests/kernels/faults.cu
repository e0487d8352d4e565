// A reversal through shared memory, right when `fault` is 0. Each other number plants one mistake.

TV_KERNEL(reverse, 64, const float* x, float* y, int fault) {
    const tv::u32 i = tv::thread_index(), s = TV_SHARED(512);
    TV_LINE(1);
    const tv::u32 v = tv::load_global_u32(x + i + (fault == 3 ? 1 : 0));
    TV_LINE(2);
    if (fault != 4 || i != 5) tv::store_shared_u32(s + 4 * i + (fault == 5 ? 2 : 0), v);
    TV_LINE(3);
    if (fault != 1) tv::sync();
    TV_LINE(4);
    const tv::u32 r = tv::load_shared_u32(s + 4 * (63 - i) + (fault == 6 ? 508 : 0));
    TV_LINE(5);
    if (fault != 2) tv::sync();
    TV_LINE(6);
    tv::store_shared_u32(s + 4 * i, r + 1);
    TV_LINE(7);
    if (fault == 7 && i < 32) tv::sync_warp();
    if (fault == 8 && i % 2) tv::shuffle(r, 0);
    TV_LINE(8);
    if (fault == 9 && i == 3) tv::trap();
    if (fault == 10) tv::store_global_u32(const_cast<float*>(x) + i, r);
    tv::store_global_u32(y + i, r);
}

#if TV_ARCHITECTURE >= 800
// Three slots of copies, each brought two steps ahead. Faults: 1 the wait is left out, 2 it waits for one too few, 3 the
// barrier is left out.
TV_KERNEL(pipeline, 64, const float* x, float* y, int steps, int fault) {
    const tv::u32 i = tv::thread_index(), s = TV_SHARED(3 * 256);
    TV_LINE(1);
    for (int k = 0; k < 2; k++) {
        tv::cp_async<4>(s + 256 * k + 4 * i, x + 64 * k + i, k < steps ? 4 : 0);
        tv::cp_async_commit();
    }
    float sum = 0;
    for (int k = 0; k < steps; k++) {
        TV_LINE(2);
        if (fault == 2) tv::cp_async_wait<2>();
        else if (fault != 1) tv::cp_async_wait<1>();
        TV_LINE(3);
        if (fault != 3) tv::sync();
        TV_LINE(4);
        sum = tv::add(sum, tv::as_f32(tv::load_shared_u32(s + 256 * (k % 3) + 4 * (i ^ 63))));
        TV_LINE(5);
        tv::cp_async<4>(s + 256 * ((k + 2) % 3) + 4 * i, x + 64 * (k + 2) + i, k + 2 < steps ? 4 : 0);
        tv::cp_async_commit();
    }
    TV_LINE(6);
    tv::store_global_u32(y + i, tv::as_u32(sum));
}
#endif
