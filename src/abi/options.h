// The table of option keys, and functions that read configurations from nf_options.
#pragma once
#include "src/abi/handles.h"
#include "src/train/fit.h"
#include "src/train/metropolis.h"

namespace libnf {
// Fails on a key that is not of these scopes: `function`, an entry point, would ignore it.
void check_scopes(const nf_options* o, std::initializer_list<std::string_view> scopes, const char* function);

// Each of these reads the keys of its scope; nullptr gives the defaults.
struct RuntimeOptions {
  uint32_t threads;
  size_t max_bytes;
};
RuntimeOptions runtime_options(const nf_options* o);
struct LoadOptions {
  size_t max_bytes;
  bool verify;
};
LoadOptions load_options(const nf_options* o);
SessionOptions session_options(const nf_options* o);
TrainerConfig trainer_options(const nf_options* o);
FitConfig fit_options(const nf_options* o);
MetropolisConfig metropolis_options(const nf_options* o);
TableOptions table_options(const nf_options* o);
struct BatchOptions {
  int64_t batch;
  Order order;
  uint64_t seed;
  Part part;
  int64_t smallest;
  bool flip;
};
BatchOptions batch_options(const nf_options* o);

// All settings as an object {"trainer.lr": 0.001, ...}.
Json settings_of(const TrainerConfig& config);
}  // namespace libnf
