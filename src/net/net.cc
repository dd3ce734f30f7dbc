#include "src/net/net.h"

#include <cmath>

namespace libnf {

void NetConfig::init_field(Fields& f) {
  static constexpr const char* kInits[] = {"identity", "random"};
  f.choice("init",
           "initial output layer: near zero, so that a new flow is near the identity, or random like the other layers",
           init, kInits);
}

double NetConfig::output_bound(int64_t units) const { return init == NetInit::identity ? 1e-3 : fan_bound(units); }

NetChoice::NetChoice(Adjust adjust) : OneOf("mlp", adjust) {
  static constexpr const char* kBeside[] = {"mlp", "residual"};
  beside = kBeside;
}

double fan_bound(int64_t units) { return 1 / std::sqrt(static_cast<double>(units > 0 ? units : 1)); }

}  // namespace libnf
