// Draws of counts, with the random numbers of random.h.
#pragma once
#include "runtime/kernel/random.h"

namespace libnf::kernel {

// Returns a draw of a negative binomial distribution with this mean and dispersion (the variance is mean + mean^2 / count):
// Poisson with a rate that follows a gamma distribution. Takes as many random numbers of (key, row, column) as it
// needs. Above 2^53 counts are not exact; a mean or dispersion that is NaN gives NaN.
double negative_binomial(RandomKey key, int64_t row, uint32_t column, double mean, double count);

}  // namespace libnf::kernel
