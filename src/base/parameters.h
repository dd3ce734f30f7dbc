// Parameters of a base distribution: fixed, free (one set for all rows), or from the context (one set per row):
//   context   free value + net(context), where the net starts near zero, so a fresh base has the free values
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/base/base.h"
#include "src/net/net.h"

namespace libnf {

enum class ParametersKind : uint8_t { free, context, fixed };

struct ParametersConfig : Config {
  ParametersKind parameters = ParametersKind::free;
  NetChoice net;
  void fields(Fields& f) override;
};

class Parameters {
 public:
  struct Tensor {
    std::string name;
    Dims shape;
    Init init;
    DenseFormPtr form = nullptr;
  };
  Parameters(const ParametersConfig& config, const Declare& d, const std::vector<Tensor>& tensors);

  // Tensor i in its own shape, or flattened to one row per row of the context.
  struct Values {
    Var at[4];
    Var operator[](size_t i) const { return at[i]; }
  };
  Values operator()(const Scope& s, Var context) const;

 private:
  std::vector<ParamId> ids_;
  std::vector<int64_t> counts_;
  std::unique_ptr<Net> net_;
};

}  // namespace libnf
