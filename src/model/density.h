// A model as sessions, trainers and the ABI see it: a spec, parameters, and a density over rows of data.
// FlowModel is the exact one. Models whose log_prob is a bound (a variational autoencoder) implement the same.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/model/chain.h"
#include "src/model/cost.h"
#include "src/model/spec.h"

namespace nf {

class FlowModel;

class Density {
 public:
  virtual ~Density() = default;

  const ModelSpec& spec() const { return spec_; }
  const std::string& canonical() const { return canonical_; }
  const Dims& event() const { return spec_.event; }  // of x: [columns], or [height, width, channels]
  int64_t columns() const { return spec_.event.count(); }
  // The event of the latents, and the shape in which a caller may give or take them.
  virtual const Dims& latent() const = 0;
  int64_t context() const { return spec_.context; }  // columns that callers give, 0 = none
  DType dtype() const { return spec_.dtype; }
  ParamStore& params() { return *params_; }
  const ParamStore& params() const { return *params_; }
  Invariant invariant(size_t slot) const { return invariants_[slot]; }  // of this tensor, checked on load
  const RowCost& cost() const { return cost_; }
  // Rows that a thread works on at once, see cost.h.
  int64_t block_rows() const { return block_rows_; }

  // Rows x [n, event]; contexts [n, context], or [1, context] for all rows, or nullptr without one.
  // [n] log-densities in nats.
  virtual Var log_prob(const Scope& s, Var x, Var context, Memory memory = Memory::full) const = 0;
  // Samples number t.random.first_row ... of t.random.seed and the latents z they come from; log_prob [n] on request.
  struct Sampled {
    Var x, log_prob, z;
  };
  virtual Sampled sample(const Scope& s, int64_t rows, Var context, bool with_log_prob,
                         Memory memory = Memory::full) const = 0;
  // False: what log_prob draws (Layer::exact) makes it a bound: log_prob <= the log-density in expectation over draws,
  // and the logarithm of the mean of exp(log_prob) over independent draws is a tighter one (Burda et al. 2016).
  virtual bool exact() const { return true; }
  // Where values first stop being finite for these rows, x or with `inverse` z: "spec.layers[3] (affine_coupling)",
  // kData, kLatent or kContext when they are not finite themselves, kAllFinite after all layers. For messages; slow.
  virtual std::string first_nonfinite(const Scope& s, Var from, Var context, bool inverse = false) const = 0;
  static constexpr char kData[] = "the data", kLatent[] = "the latent", kContext[] = "the context";
  static constexpr char kAllFinite[] = "the base density";
  // What is wrong with a row that has such a place: "row 41 of x holds NaN or infinity" or "row 41 is not finite; first
  // at spec.layers[3] (affine_coupling)".
  static std::string describe_nonfinite(int64_t row, const std::string& where);

  // The layers after nesting and repeats are written out, in the order from data to latents; empty without flow().
  std::span<const LayerInstance> layers() const;
  // The model as a chain of layers between data and latents; nullptr when it is not one, and has no forward, inverse,
  // trace or layers that start from data.
  virtual const FlowModel* flow() const { return nullptr; }

 protected:
  explicit Density(ModelSpec spec) : spec_(std::move(spec)), canonical_(write_spec(spec_)) {}
  // Draws initial parameters from `seed`. Error{nomem} for more than max_params numbers in all.
  void create_params(const Allocator& allocator, const std::vector<ParamInfo>& infos, uint64_t seed,
                     int64_t max_params);
  // Called last by constructors: counts what a row costs on its way to log_prob.
  void measure_cost(const Allocator& allocator);

 private:
  ModelSpec spec_;
  std::string canonical_;
  std::unique_ptr<ParamStore> params_;
  std::vector<Invariant> invariants_;
  RowCost cost_;
  int64_t block_rows_ = 1;
};

}  // namespace nf
