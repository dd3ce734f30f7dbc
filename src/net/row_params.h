// Parameters of a layer: free (one set for all rows) or amortized (one set per row, computed from its context):
//   free      p, tensors of the layer
//   context   p + net(context): the net adds to the free set, so both start alike
// Ops accept a tensor of the set as [count] or [n, count], so they are the same for both.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "src/net/net.h"

namespace libnf {

enum class ParamSource : uint8_t { free, context };

struct RowParamsConfig {
  ParamSource source = ParamSource::free;
  NetChoice net;
  void fields(Fields& f);
};

class RowParams {
 public:
  struct Part {
    const char* name;
    int64_t count;
    Init init;
    DenseFormPtr form = nullptr;
  };
  static constexpr size_t kMaxParts = 4;
  using Set = std::array<Var, kMaxParts>;

  // Declares a tensor [count] for every part and, if needed, the net under "net".
  RowParams(const RowParamsConfig& config, const Declare& d, std::initializer_list<Part> parts);
  // Returns the parts in order, each [count], or [n, count] for a context [n, c].
  Set operator()(const Scope& s, Var context) const;

 private:
  struct Slot {
    ParamId free;
    int64_t first, count;  // columns of the net's output
  };
  std::vector<Slot> slots_;
  std::unique_ptr<Net> net_;
};

}  // namespace libnf
