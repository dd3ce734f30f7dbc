// Parameters of a layer: free, one set that all rows share, or amortised, a set for every row from its context:
//   free      p, a tensor of the layer
//   context   p + net(context): the net adds to the free set, so that both start alike
// Ops take the set as [count] or [n, count], and are the same for both.
#pragma once
#include <optional>

#include "src/net/net.h"

namespace nf {

enum class ParamSource : uint8_t { free, context };

struct RowParamsConfig {
  ParamSource source = ParamSource::free;
  NetConfig net;
  void fields(Fields& f);
};

class RowParams {
 public:
  RowParams(const RowParamsConfig& config, Declare d, int64_t count, Init init);
  // [count], or [n, count] for context [n or 1, c].
  Var operator()(const Scope& s, Var context) const;

 private:
  ParamId free_;
  std::optional<Net> net_;
};

}  // namespace nf
