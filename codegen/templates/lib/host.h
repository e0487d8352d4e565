// The intrinsics of device.cuh in C++17, for the simulator: the emitted source, compiled for the host, runs unchanged.
//
// Every GPU thread is a fiber on one processor core. A fiber runs until it meets others (a warp collective, a barrier)
// or waits for a value, so that what happens is the same in every run. What the program does to memory is checked as it
// is done: order of shared accesses, bounds, alignment, banks. Pointers into global memory are not addresses of the
// host but "argument i, byte j", so that no access outside of a buffer goes unseen.
#pragma once
#include "host/launch.h"
#include "host/fiber.h"
#include "host/machine.h"
#include "host/requests.h"
#include "host/shared.h"
#include "host/global.h"
#include "host/arithmetic.h"
#include "host/atomics.h"
#include "host/copies.h"
#include "host/collectives.h"
#include "host/matrix.h"
#include "host/entry.h"
