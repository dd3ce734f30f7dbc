// Scoring, sampling and derivatives. Rows are cut into blocks. Blocks are independent, so they run on any thread in any
// order, and the bits of a row depend on that row only. Nothing is allocated after construction and the first gradient.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/core/executor.h"
#include "src/model/density.h"

namespace libnf {

enum class NonFinite : uint8_t { propagate, error };

struct SessionOptions {
  SessionOptions(NonFinite n = NonFinite::propagate, int64_t s = 1, uint64_t key = 0)
      : nonfinite(n), samples(s), seed(key) {}
  uint32_t threads = 0;    // that a call may use; 0: all of the executor
  int64_t block_rows = 0;  // at most, that one thread processes at once; 0: as many as are fast
  bool gradients = false;  // reserve memory for them at once
  NonFinite nonfinite;
  // For models whose log_prob is a bound (Density::exact): draws per row, and their seed. The random numbers of a row
  // are a function of the seed, the values of the row and of its context, and the draw, but not of the row's position.
  int64_t samples;
  uint64_t seed;
};

class Session {
 public:
  // `model`, `executor` and `generation` must outlive the session.
  // `generation` counts the changes of the model's parameters, so that gradients know when to transpose the matrices
  // anew; without it they do at every call.
  Session(const Allocator& allocator, Executor& executor, const Density& model, const SessionOptions& options,
          const std::atomic<uint64_t>* generation = nullptr);

  // One call at a time: another one meanwhile is Error{state} and does nothing.
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

  // The base (session_base.cc). Error{unsupported}: as of FlowModel. Error{argument}: a u outside (0, 1); nothing is
  // written then. u is read as float64.
  void base_log_prob(const View& z, const View& context, const View& out);
  void base_sample(const Sampling& how, const View& context, const View& z);
  void base_quantile(const View& u, const View& context, const View& z);

  // Latents of a variational autoencoder (session_latent.cc). Error{unsupported}: the model is none. Outs without data are
  // not asked for. The draw is the first of those of log_prob. trace: out(0) is z_0, as of trace().
  struct Encoding {
    View mean, log_var, z, log_q;
  };
  void encode(const View& x, const View& context, const Encoding& out);
  void posterior_trace(const View& x, const View& context, const Plane& out, const Plane& log_det);
  void decode(const View& z, const View& context, const View& out);
  // Draws [n, latent] of the posterior of the one row x [1, event] with how.seed and how.first, and their log weights [n],
  // log p(x, z) - log q(z | x). z may have no data.
  void sample_posterior(const Sampling& how, const View& x, const View& context, const View& z, const View& log_weight);

  // Derivatives by rows and contexts (session_gradient.cc). Where something has no data it is not asked for, or zero.
  // Gradients by the context are per row, [n, context], also for one context of all. Error{unsupported}: the model is no
  // chain of layers. The first of these calls takes the memory for all of them, unless options.gradients did; where that
  // fails, the session is as it was.
  void log_prob_grad(const View& x, const View& context, const View& log_prob, const View& dx, const View& d_context);
  struct Pullback {
    View cot_to, cot_log_det;             // in
    View to, log_det, d_from, d_context;  // out
  };
  void vjp(bool inverse, const View& from, const View& context, const Pullback& p);
  struct Pushforward {
    View tan_from, tan_context;             // in; tan_context has n rows or 1
    View to, log_det, tan_to, tan_log_det;  // out
  };
  void jvp(bool inverse, const View& from, const View& context, const Pushforward& p);
  size_t bytes() const;

 private:
  struct Worker {
    Worker(const Allocator& allocator, const Density& model, size_t arena_bytes, void* mirror);
    Tape tape;
    std::vector<Node> params;
  };
  // For an inverse whose rows end up in `out`: in float64 they keep what rounding to float32 takes, if layers use that.
  Scope scope(Worker& w, const View& out) const {
    Scope s{w.tape, w.params.data()};
    s.wide = out.dtype == DType::f64 && model_.uses_low();
    return s;
  }
  // Loads data, or with `inverse` latents, which have no low parts.
  Var load_from(Tape& t, bool inverse, const View& from, int64_t first, int64_t rows) const {
    return inverse ? load_rows(t, from, first, rows) : model_.load_x(t, from, first, rows);
  }
  size_t measure(bool gradients);
  Var measured_context(Tape& t, int64_t rows) const;
  void measure_gradients(const Scope& s) const;
  void make_workers(size_t arena_bytes);
  // Calls body(worker, first row, rows) for every block of n rows; a block has at most `most` rows.
  template <class Body>
  void for_blocks(int64_t n, int64_t most, const Body& body);
  // Throws Error{numeric} if `result`, computed from `from`, is not finite and the session reports that.
  void check(Worker& w, bool inverse, Var from, Var context, Var result, int64_t first);
  // The same of something that the base makes of z (may be nullptr) and the context.
  void check_base(Worker& w, Var z, Var context, Var result, int64_t first) const;
  void measure_latents(const Scope& s, Var x, Var z, Var context) const;
  struct Weighed {
    Var z, log_weight;
  };
  Weighed weigh_posterior(const Scope& s, Var x, Var context, int64_t rows) const;
  void trace_posterior(const Scope& s, Var x, Var context, const Chain::After& after) const;
  const VaeModel& vae(const char* what) const;
  void measure_base(const Scope& s, int64_t rows, Var z, Var context) const;
  // Makes the random numbers of the tape depend on the content of these rows, and starts with draw 0.
  uint64_t* key_rows(Tape& t, Var x, Var context) const;
  Var score(const Scope& s, Var x, Var context) const;
  Density::Sampled draw(const Scope& s, int64_t rows, Var context, bool with_log_prob, double temperature) const;
  // Takes the memory for gradients if need be, and brings the transposed matrices up to date.
  void need_gradients();
  struct Slopes {  // by row and context; no data: zero
    View x, context;
  };
  // The recorded parts of log_prob_grad, vjp and jvp, on leaves that need a gradient where it is asked for.
  Var score_slopes(const Scope& s, Var x, Var context, Slopes* out) const;
  Mapped pull(const Scope& s, bool inverse, Var from, Var context, Var cot_to, Var cot_log_det) const;
  Chain::Pushed push(const Scope& s, bool inverse, Var from, Var context, Var tan_from, Var tan_context) const;
  void check_slopes(const Slopes& slopes, int64_t first) const;
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
  Density::Location locate_nonfinite(const Scope& s, bool inverse, Var from, Var context, int64_t row) const;

  Allocator allocator_;
  Executor& executor_;
  const Density& model_;
  SessionOptions options_;
  const std::atomic<uint64_t>* generation_;
  std::vector<std::unique_ptr<Worker>> workers_;
  int64_t block_rows_;
  // Of gradients:
  int64_t gradient_rows_;
  Memory memory_;
  bool gradients_ = false;  // there is memory for them
  Buffer mirror_;           // the transposed matrices (ParamStore::refresh_mirror)
  uint64_t mirrored_ = 0;   // their generation, plus 1; 0: none yet
  std::atomic<bool> busy_{false};
};

}  // namespace libnf
