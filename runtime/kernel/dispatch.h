// Defines the public function of a kernel for float and double by dynamic dispatch to the best SIMD target.
// Contains only a macro, because Highway's own headers must come after hwy/foreach_target.h.
#pragma once

// Given functions Loop##F32 and Loop##F64 compiled for every target, defines the specializations name<float> and
// name<double>. `parameters` is a macro that takes the element type and gives the parameter list; `arguments` is the
// list handed on. To be used once per function, in namespace libnf::kernel under HWY_ONCE.
#define NF_DISPATCH(name, Loop, parameters, arguments) \
  HWY_EXPORT(Loop##F32);                               \
  HWY_EXPORT(Loop##F64);                               \
  template <>                                          \
  void name<float> parameters(float) {                 \
    HWY_DYNAMIC_DISPATCH(Loop##F32) arguments;         \
  }                                                    \
  template <>                                          \
  void name<double> parameters(double) {               \
    HWY_DYNAMIC_DISPATCH(Loop##F64) arguments;         \
  }
