// Space to depth: a block of a x b pixels becomes one pixel with a b times the channels (Dinh et al. 2017, sec. 3.6).
//   [H, W, C] -> [H/a, W/b, a b C],  z[i, j, (c a + r) b + s] = x[a i + r, b j + s, c],  log_det = 0
//
// Works for any H and W: with a single factor f, a is the largest divisor of H that is at most f, and b that of W. So
// 28 x 28 becomes 14 x 14, then 7 x 7, and stays that way. A pair [a, b] is used as given and refused if it does not
// divide.
// Inverted (depth to space), channels are split: a is the largest divisor of their number that is at most f, and b that
// of the quotient. A pair is exactly undone by the same pair.
#include "src/flow/column_order.h"

namespace libnf {
namespace {

class Squeeze final : public ColumnOrder {
 public:
  struct Config final : libnf::Config {
    std::vector<int64_t> factor = {2};
    void fields(Fields& f) override {
      f.integers("factor",
                 "pixels merged into one: [down, across], which must divide height and width, or one number; then the "
                 "largest divisor up to it is used in each direction",
                 factor, 1, 4096, 2);
    }
  };

  Squeeze(const Config&, const Declare& d) : ColumnOrder(order(d.event, d.out)) {}

  static Dims other_side(const libnf::Config& config, const Declare& d, bool inverted) {
    const auto& factor = static_cast<const Config&>(config).factor;
    const Dims& e = d.event;
    if (e.rank != 3) d.reject("type", "squeeze takes an event [height, width, channels], not a vector");
    if (factor.empty()) d.reject("factor", "an empty list; write 2, or [2, 2]");
    int64_t a = factor.front(), b = factor.back();
    if (factor.size() == 1) {
      a = largest_divisor(inverted ? e[2] : e[0], a);
      b = largest_divisor(inverted ? e[2] / a : e[1], b);
    } else if (inverted ? e[2] % (a * b) != 0 : e[0] % a != 0 || e[1] % b != 0) {
      const std::string why = "[" + std::to_string(a) + ", " + std::to_string(b) + "] does not divide " +
                              (inverted ? "the channels" : "height and width") + " of the event " + to_string(e);
      d.reject("factor", why.c_str());
    }
    return inverted ? Dims{e[0] * a, e[1] * b, e[2] / (a * b)} : Dims{e[0] / a, e[1] / b, e[2] * a * b};
  }

 private:
  static int64_t largest_divisor(int64_t n, int64_t most) {
    int64_t d = std::min(n, most);
    while (n % d != 0) --d;
    return d;
  }

  static std::vector<int32_t> order(const Dims& in, const Dims& out) {
    const int64_t a = in[0] / out[0], b = in[1] / out[1], width = in[1], channels = in[2];
    std::vector<int32_t> from;
    from.reserve(static_cast<size_t>(in.count()));
    for (int64_t i = 0; i < out[0]; ++i)
      for (int64_t j = 0; j < out[1]; ++j)
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t r = 0; r < a; ++r)
            for (int64_t s = 0; s < b; ++s)
              from.push_back(static_cast<int32_t>(((i * a + r) * width + j * b + s) * channels + c));
    return from;
  }
};

}  // namespace

NF_PART(Layer, squeeze, Squeeze, "turns blocks of pixels into channels of fewer pixels (space to depth)",
        "Dinh et al. 2017, Density estimation using Real NVP, section 3.6", Domain::real, Domain::real, OnImages::whole,
        Squeeze::other_side);

}  // namespace libnf
