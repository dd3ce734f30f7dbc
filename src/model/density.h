// A model as seen by sessions, trainers and the ABI: a spec, parameters, and a density over rows of data.
// FlowModel is exact. Models whose log_prob is a bound (a variational autoencoder) implement the same interface.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/model/chain.h"
#include "src/model/cost.h"
#include "src/model/rows.h"
#include "src/model/spec.h"

namespace libnf {

class FlowModel;
class VaeModel;

class Density {
 public:
  virtual ~Density() = default;

  const ModelSpec& spec() const { return spec_; }
  const std::string& canonical() const { return canonical_; }
  const Dims& event() const { return spec_.event; }  // shape of x: [columns], or [height, width, channels]
  int64_t columns() const { return spec_.event.count(); }
  // Returns the event of the latents, which is also the shape in which a caller may pass or receive them.
  virtual const Dims& latent() const = 0;
  int64_t context() const { return spec_.context; }  // columns of the caller's context, 0 = none
  DType dtype() const { return spec_.dtype; }
  // Returns whether a float32 model uses what rounding takes from rows of data in float64 (Node::low).
  virtual bool uses_low() const { return false; }
  // Returns whether it uses that of contexts.
  virtual bool uses_context_low() const { return false; }
  // Loads rows of data, x, with their low parts if the model uses them.
  Var load_x(Tape& t, const View& x, int64_t first, int64_t count) const {
    return load_rows(t, x, first, count, uses_low());
  }
  // Loads as many rows of context, likewise; nullptr where there is none. A single row stands for all and is repeated.
  Var load_context(Tape& t, const View& context, int64_t first, int64_t count) const {
    if (!context.data) return nullptr;
    return load_rows(t, context, context.shape[0] == 1 ? 0 : first, count, uses_context_low());
  }
  ParamStore& params() { return *params_; }
  const ParamStore& params() const { return *params_; }
  Invariant invariant(size_t slot) const { return invariants_[slot]; }  // invariant of this tensor, checked on load
  const RowCost& cost() const { return cost_; }
  // Returns the rows that a thread processes at once, see cost.h.
  int64_t block_rows() const { return block_rows_; }

  // Returns log-densities [n] in nats of rows x [n, event]. The context is [n, context], or [1, context] for all rows,
  // or nullptr for a model without context.
  virtual Var log_prob(const Scope& s, Var x, Var context, Memory memory = Memory::full) const = 0;
  // What log_prob computes once for all draws of the same rows, if it draws, and log_prob given it; nullptr: nothing.
  virtual Var prepared(const Scope& /*s*/, Var /*x*/, Var /*context*/) const { return nullptr; }
  virtual Var log_prob_of(const Scope& s, Var x, Var context, Var /*prepared*/) const {
    return log_prob(s, x, context);
  }
  // Draws samples number t.random.first_row ... of seed t.random.seed, with the latents z they come from, and their
  // log_prob [n] on request. temperature: a factor of the latents' deviation from the base's mean. Error{unsupported}
  // names a base without a scale.
  struct Sampled {
    Var x, log_prob, z;
  };
  virtual Sampled sample(const Scope& s, int64_t rows, Var context, bool with_log_prob, Memory memory = Memory::full,
                         double temperature = 1) const = 0;
  // Returns false if log_prob is a bound because it draws random numbers (Layer::exact): log_prob <= the log-density in
  // expectation over draws, and the logarithm of the mean of exp(log_prob) over independent draws is a tighter bound
  // (Burda et al. 2016).
  virtual bool exact() const { return true; }
  struct Location {
    std::string where;
    int32_t layer = -1;  // LayerInstance::index, if it is a layer
  };
  // Returns where values first stop being finite for these rows, which are x or with `inverse` z:
  // "spec.layers[3] (affine_coupling)"; kData, kLatent or kContext if those are not finite; kAllFinite if all layers are
  // finite. For messages; slow.
  virtual Location first_nonfinite(const Scope& s, Var from, Var context, bool inverse = false) const = 0;
  // Whether the context [1, context] of a row is finite, and a label in it one that the base knows.
  virtual bool valid_context(const Scope& s, Var context) const = 0;
  static constexpr char kData[] = "the data", kLatent[] = "the latent", kContext[] = "the context";
  static constexpr char kAllFinite[] = "the base density";
  // What is wrong with a row that has such a place: "row 41 of x holds NaN or infinity" or "row 41 is not finite; first
  // at spec.layers[3] (affine_coupling)".
  static std::string describe_nonfinite(int64_t row, const std::string& where);

  // Returns the layers after nesting and repeats are expanded, in order from data to latents; empty without flow().
  std::span<const LayerInstance> layers() const;
  // Returns the model as a chain of layers between data and latents, or nullptr if it is not one. Without it there is
  // no forward, inverse or trace, and no layer that is initialized from data.
  virtual const FlowModel* flow() const { return nullptr; }
  // Returns the model as a variational autoencoder, or nullptr if it is none.
  virtual const VaeModel* vae() const { return nullptr; }

 protected:
  explicit Density(ModelSpec spec) : spec_(std::move(spec)), canonical_(write_spec(spec_)) {}
  // Draws initial parameters from `seed`. Throws Error{nomem} if there would be more than max_params numbers in total.
  void create_params(const Allocator& allocator, const std::vector<ParamInfo>& infos, uint64_t seed,
                     int64_t max_params);
  // Counts the cost of a row up to log_prob. Constructors call it last.
  void measure_cost(const Allocator& allocator);

 private:
  ModelSpec spec_;
  std::string canonical_;
  std::unique_ptr<ParamStore> params_;
  std::vector<Invariant> invariants_;
  RowCost cost_;
  int64_t block_rows_ = 1;
};

}  // namespace libnf
