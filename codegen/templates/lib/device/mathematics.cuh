// Mathematical functions of f32 and f64, as accurate as CUDA's library of them, whose functions the compiler knows.

namespace tv {

#define TV_FUNCTION(name, of_f32, of_f64)                        \
    TV_DEVICE float name(float x) { return ::of_f32(x); }        \
    TV_DEVICE double name(double x) { return ::of_f64(x); }
TV_FUNCTION(exp, expf, exp)
TV_FUNCTION(exp2, exp2f, exp2)
TV_FUNCTION(log, logf, log)
TV_FUNCTION(log2, log2f, log2)
TV_FUNCTION(sin, sinf, sin)
TV_FUNCTION(cos, cosf, cos)
TV_FUNCTION(tanh, tanhf, tanh)
TV_FUNCTION(erf, erff, erf)
TV_FUNCTION(rsqrt, rsqrtf, rsqrt)
TV_FUNCTION(floor, floorf, floor)
TV_FUNCTION(ceil, ceilf, ceil)
TV_FUNCTION(round_even, rintf, rint)
#undef TV_FUNCTION
TV_DEVICE float pow(float a, float b) { return ::powf(a, b); }
TV_DEVICE double pow(double a, double b) { return ::pow(a, b); }
TV_DEVICE float fmod(float a, float b) { return ::fmodf(a, b); }
TV_DEVICE double fmod(double a, double b) { return ::fmod(a, b); }

}  // namespace tv
