// Runs one pinned case through the C ABI: trains a model on generated rows, then scores, maps both ways and samples.
// The result is one hash per output, so that a table of all cases stays small.
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

namespace libnf::test {

// The range of the rows of a case.
enum class Rows : uint8_t { normal, unit, positive, symmetric, nonzero, circle };

using OptionList = std::vector<std::pair<std::string, std::string>>;

struct PinCase {
  std::string name;
  std::string spec;
  Rows rows = Rows::normal;
  OptionList options = {};   // options of the trainer besides a learning rate of 0.01 and a seed
  std::string target = "";   // for objectives that need one
  int64_t batch = 24;        // rows per step; up to 31 rows are one lane
  int64_t steps = 50;        // training steps
  int64_t scored = 29;       // rows that are scored, mapped and sampled
  int64_t classes = 0;       // above 0: the context has a label, as an index in column 0 or one-hot
  bool weights = false;      // rows have weights, some of them 0
  bool one_context = false;  // one row of context for the whole batch
  bool threads = false;      // runs again with three threads; the result must be the same
};

inline void PrintTo(const PinCase& c, std::ostream* os) { *os << c.name; }

enum Output { kParameters, kLogProb, kForward, kInverse, kSamples, kOutputs };
inline constexpr const char* kOutputNames[] = {"parameters", "log_prob", "forward", "inverse", "samples"};

struct Hashes {
  std::string of[kOutputs];
  bool operator==(const Hashes&) const = default;
};

// Runs a case. A call that fails is a test failure.
Hashes run_case(const PinCase& c);

// Shared with the tests of stored files. dtype is NF_F32 or NF_F64.
struct Numbers {
  Numbers(int32_t dtype, std::vector<int64_t> shape);
  // Returns rows of kind `where`, drawn from (seed, row, column).
  static Numbers rows(int32_t dtype, int64_t n, int64_t columns, Rows where, uint64_t seed);
  // Returns a context of `columns`, with labels below `classes` if that is above 0.
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

// Creates a trainer with the options of the case. `target` must outlive it.
abi_test::Trainer trainer_of(nf_runtime* rt, nf_model* m, const PinCase& c, abi_test::Target& target);
// Returns the sum over all tensors of a hash of their bits; names and order do not matter.
uint64_t hash_parameters(const nf_model* m);
// Trains from step number `first` on, with the rows that belong to each step of the case.
void train_steps(nf_trainer* t, const nf_model* m, const PinCase& c, int64_t first, int64_t steps);
// Scores, maps and samples. Fills all hashes except kParameters.
void evaluate(nf_model* m, const PinCase& c, Hashes& hashes);
std::string hex(uint64_t hash);

}  // namespace libnf::test
