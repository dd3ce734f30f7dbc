// Scoring and sampling. Rows are cut into blocks. Blocks are independent, so they run on any thread in any order, and
// the bits of a row depend on that row only. Nothing is allocated after construction.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "runtime/core/executor.h"
#include "src/model/density.h"

namespace nf {

enum class NonFinite : uint8_t { propagate, error };

struct SessionOptions {
  SessionOptions(NonFinite n = NonFinite::propagate, int64_t s = 1, uint64_t key = 0)
      : nonfinite(n), samples(s), seed(key) {}
  uint32_t threads = 0;    // that a call may use; 0: all of the executor
  bool gradients = false;  // reserve memory for them at once
  NonFinite nonfinite;
  // For models whose log_prob is a bound (Density::exact): draws per row, and their seed. The random numbers of a row
  // are a function of the seed, the values of the row and of its context, and the draw, but not of the row's position.
  int64_t samples;
  uint64_t seed;
};

class Session {
 public:
  // `model` and `executor` must outlive the session.
  Session(const Allocator& allocator, Executor& executor, const Density& model, const SessionOptions& options);

  // The caller checks shapes: x, z [n, event]; context [n or 1, context] or no data; row results [n] or no data. A
  // model that is not a chain of layers has no map and no trace: Error{unsupported}.
  // If the model is not exact, log_prob is the logarithm of the mean of exp(log_prob) over options.samples draws; map
  // and trace use the first of these draws.
  void log_prob(const View& x, const View& context, const View& out);
  void map(bool inverse, const View& from, const View& context, const View& to, const View& log_det);
  // Every state on the way: out(k) [n, event] gives where to put the rows after k layers of that direction, k = 0 being
  // `from`, and log_det(k) [n], k >= 1, what layer k added; nullptr: not asked for.
  using Plane = std::function<View(size_t k)>;
  void trace(bool inverse, const View& from, const View& context, const Plane& out, const Plane& log_det);
  // Samples first ... of stream `seed`. Sample i has row i / repeat of the context.
  struct Sampling {
    uint64_t seed = 0, first = 0;
    int64_t repeat = 1;
    double temperature = 1;
  };
  // log_prob: as of nf_log_prob when the model is not exact, otherwise from the same pass as the samples.
  void sample(const Sampling& how, const View& context, const View& out, const View& log_prob);
  size_t bytes() const;

 private:
  struct Worker {
    Worker(const Allocator& allocator, const Density& model, size_t arena_bytes);
    Tape tape;
    std::vector<Node> params;
  };
  size_t measure(const Allocator& allocator);
  // Calls body(worker, first row, rows) for every block of n rows.
  template <class Body>
  void for_blocks(int64_t n, const Body& body);
  // Throws Error{numeric} if `result`, computed from `from`, is not finite and the session reports that.
  void check(Worker& w, bool inverse, Var from, Var context, Var result, int64_t first);
  // Makes the random numbers of the tape depend on the content of these rows, and starts with draw 0.
  uint64_t* key_rows(Tape& t, Var x, Var context) const;
  Var score(const Scope& s, Var x, Var context) const;
  Density::Sampled draw(const Scope& s, int64_t rows, Var context, bool with_log_prob) const;
  const FlowModel& flow(const char* what) const;
  Density::Location locate_nonfinite(const Scope& s, bool inverse, Var from, Var context, int64_t row) const;

  Executor& executor_;
  const Density& model_;
  SessionOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace nf
