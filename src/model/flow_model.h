// A flow: a chain of layers, a base distribution, and an optional net that embeds the context for both. Its log_prob is
// exact unless a layer's is not.
#pragma once
#include <optional>

#include "src/model/flow.h"
#include "src/model/model.h"

namespace libnf {

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
  bool uses_low() const override { return dtype() == DType::f32 && chain_->uses_low(); }
  bool uses_context_low() const override { return dtype() == DType::f32 && context_params_.mean >= 0; }
  const Base& base() const { return *base_; }
  const FlowModel* flow() const override { return this; }

  // Map x [n, event] to z and back, with log_det (nullptr: zero). Contexts as in Density.
  Mapped forward(const Scope& s, Var x, Var context, Memory memory = Memory::full) const;
  Mapped inverse(const Scope& s, Var z, Var context, Memory memory = Memory::full) const;
  // Computes values only and visits every intermediate state.
  Mapped trace(const Scope& s, Var from, Var context, bool inverse, const Chain::After& after) const;
  Var log_prob(const Scope& s, Var x, Var context, Memory memory = Memory::full) const override;
  Sampled sample(const Scope& s, int64_t rows, Var context, bool with_log_prob, Memory memory = Memory::full,
                 double temperature = 1) const override;
  Location first_nonfinite(const Scope& s, Var from, Var context, bool inverse = false) const override;
  bool valid_context(const Scope& s, Var context) const override;
  // The base at latents z, its samples (as `z` of sample()), and its quantile function at u [rows, latents], float64 in
  // (0, 1). Error{unsupported} names the base: it has no scale and temperature is not 1, its columns depend on each other.
  Var base_log_prob(const Scope& s, Var z, Var context) const;
  Var base_sample(const Scope& s, int64_t rows, Var context, double temperature = 1) const;
  Var base_quantile(const Scope& s, const double* u, int64_t rows, Var context) const;
  // first_nonfinite of these; z may be nullptr.
  Location first_nonfinite_in_base(const Scope& s, Var z, Var context) const;
  // Returns the context as layers and the base get it, [n, columns]: prepared and embedded if the spec says so, and one row
  // repeated for all n.
  Var layer_context(const Scope& s, Var context, int64_t n) const;

  // The map that standardizes the context, (c - mean) / std, which starts from data like a layer. -1: there is none.
  struct ContextParams {
    ParamId mean = -1, std = -1, started = -1, mean_low = -1;
  };
  const ContextParams& context_params() const { return context_params_; }

 private:
  ContextParams context_params_;
  std::optional<Chain> chain_;
  std::unique_ptr<Base> base_;
  std::unique_ptr<Net> embedding_;
  std::string base_name_;
  // Returns what is wrong with `context`, which it embeds, or with `from`; "" if nothing is.
  std::string before_layers(const Scope& s, Var from, Var& context, int64_t n, const char* name) const;
  Var draw_base(const Scope& s, int64_t rows, Var context, double temperature) const;
};

}  // namespace libnf
