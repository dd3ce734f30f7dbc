// Conditioner nets: the ordinary neural networks inside flows. A net maps x [n, in] and context [n, c] to [n, out]. To
// add one, write one file that ends in NF_PART(Net, word, ...) and put its word in src/net/meson.build.
#pragma once
#include <memory>
#include <span>

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

// Where the inputs and outputs of a net stand in the event of its layer, for nets that look at images. Inputs from one
// column are adjacent. Every column of `out` has the same number of outputs.
struct NetPlaces {
  Dims event;                   // [columns] or [height, width, channels]
  std::span<const int32_t> in;  // the column that each input comes from
  std::span<const int32_t> out;
  bool runs;  // the outputs of a column are adjacent; otherwise output i is number i / columns of column i % columns
};

class MadeBuilder;

struct NetKind : PartKind {
  std::unique_ptr<Net> (*build)(const Config& config, const Declare& d, int64_t in, int64_t out);
  // Builds the masked form of the net, for autoregressive layers. nullptr: the net has none.
  void (*mask)(const Config& config, const Declare& d, MadeBuilder& made) = nullptr;
  // Builds a net that uses the places of its inputs and outputs. nullptr: places do not matter to the net.
  std::unique_ptr<Net> (*at)(const Config& config, const Declare& d, const NetPlaces& places, int64_t in,
                             int64_t out) = nullptr;
};

// A net in the configuration of a layer, as in "net": {"type": "residual", "hidden": [128]}. Also reads specs older
// than nested configurations, which have the net's fields next to "net".
class NetChoice : public OneOf<NetKind> {
 public:
  explicit NetChoice(Adjust adjust = nullptr);
  int64_t width() const { return static_cast<const NetConfig&>(config()).width(); }
  // Builds the net of a layer whose inputs and outputs are columns of its event.
  std::unique_ptr<Net> build_at(const Declare& d, const NetPlaces& places, int64_t in, int64_t out) const {
    return kind().at ? kind().at(config(), d, places, in, out) : build(d, in, out);
  }
};

// Returns the bound of uniform initial weights of a layer that reads `units`: 1/sqrt(units).
double fan_bound(int64_t units);

}  // namespace libnf
