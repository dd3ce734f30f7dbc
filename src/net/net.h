// Conditioner nets: the ordinary neural networks inside flows. A net maps x [n, in] and context [n, c] to [n, out]. A new
// one is one file that ends in NF_PART(Net, word, ...) and its word in src/net/meson.build.
#pragma once
#include <memory>

#include "src/part/part_config.h"
#include "src/part/scope.h"

namespace nf {

class Net {
 public:
  virtual ~Net() = default;
  // x may be nullptr for a net that was built with in = 0: then the context is its input.
  virtual Var operator()(const Scope& s, Var x, Var context) const = 0;
};

enum class NetInit : uint8_t { identity, random };

// What the configuration of every net has.
struct NetConfig : Config {
  NetInit init = NetInit::identity;
  // Units that the output layer reads; 0: the inputs.
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

// A net in the configuration of a layer, as in "net": {"type": "residual", "hidden": [128]}. Where specs older than nested
// configurations write the net's fields beside "net", they are read.
class NetChoice : public OneOf<NetKind> {
 public:
  explicit NetChoice(Adjust adjust = nullptr);
  int64_t width() const { return static_cast<const NetConfig&>(config()).width(); }
};

// Returns the bound of uniform initial weights of a layer that reads `units`: 1/sqrt(units).
double fan_bound(int64_t units);

}  // namespace nf
