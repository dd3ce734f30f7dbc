// A flow: a chain of layers, a base distribution, and an optional net that embeds the context for both. Its log_prob is
// exact unless a layer's is not.
#pragma once
#include <optional>

#include "src/model/flow.h"
#include "src/model/model.h"

namespace nf {

class FlowModel final : public Density {
 public:
  using Config = FlowConfig;
  FlowModel(const Config& config, const ModelBuild& build);
  // Builds a spec whose kind is "flow".
  FlowModel(const Allocator& allocator, ModelSpec spec, uint64_t seed, int64_t max_params = ParamStore::kMaxElements)
      : FlowModel(static_cast<const Config&>(*spec.config), {allocator, spec, seed, max_params}) {}

  const Chain& chain() const { return *chain_; }
  const std::vector<LayerInstance>& layers() const { return chain_->layers(); }
  const Dims& latent() const override { return chain_->latent(); }
  bool exact() const override { return chain_->exact(); }
  const Base& base() const { return *base_; }
  const FlowModel* flow() const override { return this; }

  // Map x [n, event] to z and back, with log_det (nullptr: zero). Contexts as in Density.
  Mapped forward(const Scope& s, Var x, Var context, Memory memory = Memory::full) const;
  Mapped inverse(const Scope& s, Var z, Var context, Memory memory = Memory::full) const;
  // Computes values only and visits every intermediate state.
  Mapped trace(const Scope& s, Var from, Var context, bool inverse, const Chain::After& after) const;
  Var log_prob(const Scope& s, Var x, Var context, Memory memory = Memory::full) const override;
  Sampled sample(const Scope& s, int64_t rows, Var context, bool with_log_prob,
                 Memory memory = Memory::full) const override;
  Location first_nonfinite(const Scope& s, Var from, Var context, bool inverse = false) const override;
  // What layers and the base see of a context of n rows, or of one row for all n: [n, seen columns].
  Var layer_context(const Scope& s, Var context, int64_t n) const;

 private:
  std::optional<Chain> chain_;
  std::unique_ptr<Base> base_;
  std::unique_ptr<Net> embedding_;
};

}  // namespace nf
