// The specs that come with the library, unchanged and in the other dtype or memory mode.
#include <fstream>
#include <sstream>

#include "tests/pins/cases.h"

namespace libnf::test {
namespace {

struct Shipped {
  const char* name;
  bool large = false;  // uses fewer rows and fewer variants; still takes a second on the slowest SIMD target
  Rows rows = Rows::normal;
  const char* target = "";
  int64_t steps = 50;
};

const Shipped kShipped[] = {
    {"angles", false, Rows::circle},
    {"maf_2d"},
    {"maf_miniboone", true, Rows::normal, "", 12},
    {"maf_power"},
    {"maf_power_tuned"},
    {"nsf_2d"},
    {"nsf_ar_miniboone", true, Rows::normal, "", 12},
    {"nsf_ar_power", true},
    {"nsf_miniboone", true},
    {"nsf_power", true},
    {"nsf_target", false, Rows::normal, "cross"},
    {"planar_target", false, Rows::normal, "u1"},
    {"realnvp_2d"},
    {"realnvp_moons"},
    {"realnvp_power"},
};

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(in) << path;
  return text.str();
}

}  // namespace

void add_shipped_cases(std::vector<PinCase>& all) {
  for (const Shipped& s : kShipped) {
    const std::string name = std::string("spec/") + s.name + "/";
    const std::string text = read(std::string(NF_SPECS) + "/" + s.name + ".json");
    OptionList options = {{"lr", "0.001"}, {"clip_norm", "5"}};
    if (*s.target) {
      options.push_back({"objective", "reverse_kl"});
      options.push_back({"samples", "16"});
    }
    PinCase c{.name = name + "plain", .spec = text, .rows = s.rows, .options = options, .target = s.target};
    c.batch = s.large ? 6 : 16;
    c.scored = s.large ? 5 : 13;
    c.steps = s.steps;
    all.push_back(c);
    c.steps = std::min<int64_t>(s.steps / 2, 10);
    c.name = name + "recompute";
    c.options.push_back({"memory", "recompute"});
    all.push_back(c);
    if (s.large) continue;
    c.options = options;
    const size_t brace = text.find('{') + 1;
    c.name = name + "float64";
    c.spec = text.substr(0, brace) + kFloat64 + "," + text.substr(brace);
    all.push_back(c);
    if (*s.target) continue;
    c.name = name + "context";
    c.spec = text.substr(0, brace) + kContext + "," + text.substr(brace);
    all.push_back(c);
  }
}

}  // namespace libnf::test
