// Output, assertions, traps with a message, and blocks whose order shows.

TV_KERNEL(lines, 64, int count) {
    const tv::u32 t = tv::thread_index(), b = tv::block_index<0>();
    for (int i = 0; i < count; i++) {
        const tv::Line line(2, "step “i” =");
        line.scalar(0, i);
        line.scalar(1, 0.1f + float(b));
        line.tile(2, 4, 16);
        line.element(2, 63 - t, float(t) * 0.25f - float(i));
    }
    {
        const tv::Line line(1, "all kinds");
        line.scalar(0, b == 0);
        line.scalar(1, tv::u32(0xFFFFFFFF));
        line.scalar(2, -(tv::s64(1) << 40));
        line.scalar(3, ~tv::u64(0));
        line.scalar(4, 0.1);
        line.tile(5, 65);
        if (t == 5) for (tv::u32 i = 0; i < 65; i++) line.element(5, i, tv::s32(i) - 30);
        line.tile(6, 2);
        if (t < 2) line.element(6, t, t == 1);
    }
    const tv::Line line(3, "");
}

// Two lines that all threads come to, one that half of them do, and one that only the second half does.
TV_KERNEL(interrupted, 64, int n) {
    const tv::u32 t = tv::thread_index();
    for (int i = 0; i < 2; i++) {
        const tv::Line line(1, "whole");
        line.scalar(0, n + i);
        line.tile(1, 64);
        line.element(1, t, t);
        tv::sync();
    }
    if (t < 32) {
        const tv::Line line(1, "half");
        line.tile(0, 64);
        line.element(0, t, t);
    } else {
        tv::Line(1, "half"), tv::Line(1, "last").element(0, 0, 1.0f);
    }
    if (t == 40) tv::trap();
}

TV_KERNEL(checks, 64, const tv::u32* x, int what) {
    TV_LINE(3);
    tv::assertion(tv::load_global_u32(x + tv::thread_index()) < 100, "x “small”");
    TV_LINE(4);
    tv::assertion(what != 1, "");
    TV_LINE(5);
    if (what == 2 && tv::thread_index() == 7) tv::trap_with("on purpose");
    if (what == 3) tv::trap();
}

TV_KERNEL(order, 32, tv::u32* next, tv::u32* y) {
    tv::prefetch_global(next);
    if (tv::thread_index() == 0) tv::store_global_u32(y + tv::atomic_add_u32(next, 1), tv::block_index<0>());
}
