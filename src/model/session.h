// Scoring and sampling. Rows are cut into blocks. Blocks are independent, so they run on any thread in any order, and
// the bits of a row depend on that row only. Nothing is allocated after construction.
#pragma once
#include <atomic>
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

  // One call at a time: another one meanwhile is Error{state} and does nothing.
  // The caller checks shapes: x, z [n, event]; context [n or 1, context] or no data; row results [n] or no data. A
  // model that is not a chain of layers has no map and no trace: Error{unsupported}.
  // If the model is not exact, log_prob is the logarithm of the mean of exp(log_prob) over options.samples draws; map
  // and trace use the first of these draws.
  void log_prob(const View& x, const View& context, const View& out);
  void map(bool inverse, const View& from, const View& context, const View& to, const View& log_det);
  // Writes every intermediate state: out [layers + 1, n, event], where out[0] is `from` and out[k] the result of the
  // first k layers of that direction.
  void trace(bool inverse, const View& from, const View& context, const View& out);
  // log_prob comes from the same pass as the samples if the model is exact, and is computed as in log_prob() otherwise.
  void sample(uint64_t seed, uint64_t first, const View& context, const View& out, const View& log_prob);
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
  // Held by every call for as long as it runs, so that a second one fails instead of sharing the memory of the first.
  class Entry {
   public:
    explicit Entry(std::atomic<bool>& busy);  // Error{state} when another call is running
    ~Entry() { busy_.store(false, std::memory_order_release); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    std::atomic<bool>& busy_;
  };
  const FlowModel& flow(const char* what) const;
  std::string first_nonfinite(const Scope& s, bool inverse, Var from, Var context, int64_t row) const;

  Executor& executor_;
  const Density& model_;
  SessionOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> busy_{false};
};

}  // namespace nf
