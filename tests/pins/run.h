// Runs one pinned case through the C ABI: a model is trained on generated rows, then scored, mapped both ways and
// sampled. The result is a hash per output, so that a table of all cases stays small.
//
// Nothing here depends on the C library's functions or on the random numbers of the library: rows are exact sums of
// hashed integers.
#pragma once
#include <cstdint>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/abi/abi_support.h"

namespace nf::test {

// Where the rows of a case lie.
enum class Rows : uint8_t { normal, unit, positive, symmetric, nonzero, circle };

using OptionList = std::vector<std::pair<std::string, std::string>>;

struct PinCase {
  std::string name;
  std::string spec;
  Rows rows = Rows::normal;
  OptionList options = {};   // of the trainer, beside a learning rate of 0.01 and a seed
  std::string target = "";   // of objectives that need one
  int64_t batch = 24;        // rows of a step; up to 31 rows are one lane
  int64_t steps = 50;        // of training
  int64_t scored = 29;       // rows that are scored, mapped and sampled
  int64_t classes = 0;       // above 0: the context holds a label, an index in column 0 or one-hot
  bool weights = false;      // rows of a step have weights, some of them 0
  bool one_context = false;  // one row of context for the whole batch
  bool threads = false;      // run again with three threads: the result must be the same
};

inline void PrintTo(const PinCase& c, std::ostream* os) { *os << c.name; }

enum Output { kParameters, kLogProb, kForward, kInverse, kSamples, kOutputs };
inline constexpr const char* kOutputNames[] = {"parameters", "log_prob", "forward", "inverse", "samples"};

struct Hashes {
  std::string of[kOutputs];
  bool operator==(const Hashes&) const = default;
};

// Reports a call that fails as a test failure.
Hashes run_case(const PinCase& c);

// The parts that tests of stored files need as well. dtype is NF_F32 or NF_F64.
struct Numbers {
  Numbers(int32_t dtype, std::vector<int64_t> shape);
  // Rows of `where` drawn from (seed, row, column).
  static Numbers rows(int32_t dtype, int64_t n, int64_t columns, Rows where, uint64_t seed);
  // A context of `columns`, with labels below `classes` when that is above 0.
  static Numbers context(int32_t dtype, int64_t n, int64_t columns, int64_t classes, uint64_t seed);
  double get(int64_t i) const;
  void set(int64_t i, double v);
  int64_t count() const;
  const nf_view* view() const;  // nullptr when there are no columns: such an argument is left out
  const nf_out* out();

 private:
  int32_t dtype_;
  std::vector<int64_t> shape_;
  std::vector<float> f_;
  std::vector<double> d_;
  mutable nf_view view_;
  nf_out out_;
};

// A trainer with the options of the case. `target` must be kept while it lives.
abi_test::Trainer trainer_of(nf_runtime* rt, nf_model* m, const PinCase& c, abi_test::Target& target);
// Sum over all tensors of a hash of their bits: neither their names nor their order count.
uint64_t hash_parameters(const nf_model* m);
// Trains from step number `first` on, on the rows of the case that belong to each step.
void train_steps(nf_trainer* t, const nf_model* m, const PinCase& c, int64_t first, int64_t steps);
// Scores, maps and samples. Fills all but kParameters.
void evaluate(nf_model* m, const PinCase& c, Hashes& hashes);
std::string hex(uint64_t hash);

}  // namespace nf::test
