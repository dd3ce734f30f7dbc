// Two thin moons that face each other: the formula of arcs.h with a thinner ring and tighter bumps.
#include "src/target/arcs.h"

namespace libnf {
namespace {

class TwoMoons final : public Arcs {
 public:
  struct Config : ArcsConfig {
    Config() : ArcsConfig(2, 0.2, 2, 0.3) {}
  };
  TwoMoons(const Config& c, int64_t event) : Arcs(c, event) {}
};

}  // namespace

NF_PART(Target, two_moons, TwoMoons, "two thin moons that face each other", "", NF_ARCS_FORMULA, 2, 2);

}  // namespace libnf
