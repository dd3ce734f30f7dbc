// U1 of Rezende and Mohamed 2015 (Table 1, potential 1): a ring that is dense on the left and right. arcs.h has the
// formula. Other published experiments use radius 4 and spread 0.8, with log Z = 2.3133.
#include "src/target/arcs.h"

namespace libnf {
namespace {

class U1 final : public Arcs {
 public:
  struct Config : ArcsConfig {
    Config() : ArcsConfig(2, 0.4, 2, 0.6) {}
  };
  U1(const Config& c, int64_t event) : Arcs(c, event) {}
};

}  // namespace

NF_PART(Target, u1, U1, "a ring that is dense on its left and right", "Rezende and Mohamed 2015, Table 1",
        NF_ARCS_FORMULA, 2, 2);

}  // namespace libnf
