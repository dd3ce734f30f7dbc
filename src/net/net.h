// Conditioner nets: the ordinary neural networks inside flows. A net maps x [n, in] and context [n, c] to [n, out]. To
// add one, write one file that ends in NF_PART(Net, word, ...) and put its word in src/net/meson.build.
#pragma once
#include <memory>

#include "src/part/part_config.h"
#include "src/part/scope.h"

namespace libnf {

class Net {
 public:
  virtual ~Net() = default;
  // x is nullptr for a net that was built with in = 0; its input is then the context.
  virtual Var operator()(const Scope& s, Var x, Var context) const = 0;
};

enum class NetInit : uint8_t { identity, random };

// Configuration that all nets share.
struct NetConfig : Config {
  NetInit init = NetInit::identity;
  // Returns the number of units that the output layer reads; 0: it reads the inputs.
  virtual int64_t width() const = 0;
  void init_field(Fields& f);
  // Returns the bound of the uniform initial weights of an output layer that reads `units`.
  double output_bound(int64_t units) const;
};

class MadeBuilder;

struct NetKind : PartKind {
  std::unique_ptr<Net> (*build)(const Config& config, const Declare& d, int64_t in, int64_t out);
  // Builds the masked form of the net, for autoregressive layers. nullptr: the net has none.
  void (*mask)(const Config& config, const Declare& d, MadeBuilder& made) = nullptr;
};

// A net in the configuration of a layer, as in "net": {"type": "residual", "hidden": [128]}. Also reads specs older
// than nested configurations, which have the net's fields next to "net".
class NetChoice : public OneOf<NetKind> {
 public:
  explicit NetChoice(Adjust adjust = nullptr);
  int64_t width() const { return static_cast<const NetConfig&>(config()).width(); }
};

// Returns the bound of uniform initial weights of a layer that reads `units`: 1/sqrt(units).
double fan_bound(int64_t units);

}  // namespace libnf
