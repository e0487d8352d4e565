// The intrinsics of device.cuh in C++17, for the simulator: the emitted source, compiled for the host, runs unchanged.
//
// Every GPU thread is a fiber on one processor core. A fiber runs until it meets others (a warp collective, a barrier)
// or waits for a value, so that what happens is the same in every run. What the program does to memory is checked as it
// is done: order of shared accesses, bounds, alignment, banks. Pointers into global memory are not addresses of the
// host but "argument i, byte j", so that no access outside of a buffer goes unseen.
//
// What does so is in host/machine/ and compiled once; a kernel sees declarations, and no header of the standard library,
// so that compiling one takes little longer than the kernel itself.
#pragma once
#include "host/launch.h"
#include "host/machine.h"
#include "host/libm.h"
#include "host/conversions.h"
#include "host/arithmetic.h"
#include "host/messages.h"
#include "host/entry.h"
#include "host/memory.h"
#include "common.cuh"
#include "host/atomics.h"
#include "host/collectives.h"
#include "exchange.cuh"
#include "elements.cuh"
#include "atomics.cuh"
#include "bits.cuh"
#include "numbers.cuh"
#include "conversions.cuh"
#include "rounding.cuh"
#include "narrow.cuh"
