// A flow: layers in order, a base distribution, and their parameters. forward is data to latent.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/tape/params.h"
#include "src/model/cost.h"
#include "src/model/spec.h"

namespace nf {

// How much of the forward pass training keeps.
enum class Memory : uint8_t {
  full,       // everything
  recompute,  // inputs of layers only; a layer runs again when its gradient is due
};

// One layer of the chain after nesting, repeats and inversion are resolved.
struct Step {
  std::unique_ptr<Layer> layer;
  bool inverted = false;
  ParamId first = 0, count = 0;  // its parameters
  std::string where;             // "spec.layers[0].layers[1] (affine_coupling, repetition 3)"
};

class FlowModel {
 public:
  // Draws initial parameters from `seed`. Error{nomem} for more than max_params numbers in all.
  FlowModel(const Allocator& allocator, ModelSpec spec, uint64_t seed, int64_t max_params = ParamStore::kMaxElements);

  const ModelSpec& spec() const { return spec_; }
  const std::string& canonical() const { return canonical_; }
  int64_t event() const { return spec_.event; }
  int64_t context() const { return spec_.context; }
  DType dtype() const { return spec_.dtype; }
  ParamStore& params() { return *params_; }
  const ParamStore& params() const { return *params_; }
  Invariant invariant(size_t slot) const { return invariants_[slot]; }  // what a file has to say of this tensor
  const std::vector<Step>& steps() const { return steps_; }
  const Base& base() const { return *base_; }
  const RowCost& cost() const { return cost_; }
  // Rows that a thread works on at once, see cost.h.
  int64_t block_rows() const { return block_rows_; }

  // Contexts are [n, context], or [1, context] for all rows; nullptr without one. The embedding applies inside.
  // x [n, event] -> z and its log_det (nullptr: zero); and back.
  Mapped forward(const Scope& s, Var x, Var context, Memory memory = Memory::full) const;
  Mapped inverse(const Scope& s, Var z, Var context, Memory memory = Memory::full) const;
  // Values only, with every state on the way: after(k, y) sees what k steps made of `from`, from k = 1; y is valid until
  // it returns. The same bits as forward or inverse.
  using After = std::function<void(size_t k, Var y)>;
  Mapped trace(const Scope& s, Var from, Var context, bool inverse, const After& after) const;
  Var log_prob(const Scope& s, Var x, Var context, Memory memory = Memory::full) const;
  // What layers and the base see of a context of n rows, or of one row for all n: [n, seen columns].
  Var seen(const Scope& s, Var context, int64_t n) const;
  // The steps [first, last) only, data to latent, and as base() with the context that they see.
  Mapped part(const Scope& s, size_t first, size_t last, Var x, Var context, Memory memory = Memory::full) const;
  // Samples number t.random.first_row ... of t.random.seed; log_prob [n] when asked for.
  struct Sampled {
    Var x, log_prob, z;
  };
  Sampled sample(const Scope& s, int64_t rows, Var context, bool with_log_prob, Memory memory = Memory::full) const;

  // Where values stop being finite on the way of these rows, x or with `inverse` z: "spec.layers[3] (affine_coupling)",
  // or "the data" or "the latent" when they are not finite themselves, kAllFinite after all layers. For messages; slow.
  static constexpr char kAllFinite[] = "the base density";
  std::string first_nonfinite(const Scope& s, Var from, Var context, bool inverse = false) const;

 private:
  Mapped run(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse, Memory memory) const;
  ModelSpec spec_;
  std::string canonical_;
  std::vector<Step> steps_;
  std::unique_ptr<Base> base_;
  std::optional<Net> embedding_;
  std::unique_ptr<ParamStore> params_;
  std::vector<Invariant> invariants_;
  RowCost cost_;
  int64_t block_rows_ = 1;
};

}  // namespace nf
