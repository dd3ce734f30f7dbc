// Turns the event into a vector: z = x, and the shape [height, width, channels] becomes [columns] in row-major order.
// Rows are flat anyway, so no data move; the next layer sees columns instead of pixels. Inverted, it gives a vector a
// shape.
#include "src/flow/layer.h"

namespace libnf {
namespace {

class Flatten final : public Layer {
 public:
  struct Config final : libnf::Config {
    std::vector<int64_t> shape;
    void fields(Fields& f) override {
      f.integers("shape",
                 "shape to flatten, [height, width, channels]; empty = the shape that arrives. Inverted: the "
                 "shape to produce",
                 shape, 1, int64_t{1} << 24, 3);
    }
  };

  Flatten(const Config&, const Declare&) {}
  LowPart low_part() const override { return LowPart::passed; }
  Mapped forward(const Scope&, Var x, Var) const override { return {x, nullptr}; }
  Mapped inverse(const Scope&, Var z, Var) const override { return {z, nullptr}; }

  static Dims other_side(const libnf::Config& config, const Declare& d, bool inverted) {
    const auto& shape = static_cast<const Config&>(config).shape;
    if (shape.empty()) return inverted ? d.event : Dims{d.columns()};
    if (shape.size() == 2) d.reject("shape", "two numbers; write [columns] or [height, width, channels]");
    Dims given;
    int64_t columns = 1;
    for (const int64_t n : shape) {
      given[given.rank++] = n;
      if (columns <= d.columns()) columns *= n;  // no overflow: both are at most 2^24
    }
    if (columns != d.columns() || (!inverted && !(given == d.event))) {
      const std::string why = to_string(given) + " is not the event that arrives, " + to_string(d.event);
      d.reject("shape", why.c_str());
    }
    return inverted ? given : Dims{d.columns()};
  }
};

}  // namespace

NF_PART(Layer, flatten, Flatten, "turns the event into a vector", "", Domain::real, Domain::real, OnImages::whole,
        Flatten::other_side);

}  // namespace libnf
