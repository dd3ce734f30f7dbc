// The list that assigns each enumerator of Unary, in order, to its rules in unary-inl.h.
#pragma once

#define NF_UNARY_LIST(X)      \
  X(neg, Neg)                 \
  X(abs, Abs)                 \
  X(sign, Sign)               \
  X(square, Square)           \
  X(reciprocal, Reciprocal)   \
  X(sqrt, SquareRoot)         \
  X(rsqrt, ReciprocalSqrt)    \
  X(cbrt, CubeRoot)           \
  X(exp, Exponential)         \
  X(expm1, ExponentialM1)     \
  X(log, Logarithm)           \
  X(log1p, Logarithm1P)       \
  X(sin, Sine)                \
  X(cos, Cosine)              \
  X(sinh, HyperbolicSine)     \
  X(cosh, HyperbolicCosine)   \
  X(tanh, HyperbolicTangent)  \
  X(atan, ArcTangent)         \
  X(atanh, AreaTangent)       \
  X(erf, ErrorFunction)       \
  X(sigmoid, Logistic)        \
  X(log_sigmoid, LogLogistic) \
  X(softplus, Softplus)       \
  X(relu, Relu)               \
  X(leaky_relu, LeakyRelu)    \
  X(prelu, Prelu)             \
  X(elu, Elu)                 \
  X(celu, Celu)               \
  X(selu, Selu)               \
  X(silu, Silu)               \
  X(gelu, Gelu)               \
  X(gelu_tanh, GeluTanh)      \
  X(mish, Mish)               \
  X(softsign, Softsign)       \
  X(hardtanh, Hardtanh)
