// nf toy: draws rows from a toy density.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/bounds.h"
#include "src/cli/common/commands.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/output.h"
#include "src/cli/common/text.h"
#include "src/cli/toy/toy.h"

namespace cli {
namespace {
struct ToyArgs {
  std::string name, output, dtype = "float32";
  int64_t count = 2000;
  uint64_t seed = 0;
  double noise = 0;
  bool list = false;
};

const Toy& toy_of(const std::string& name) {
  std::vector<std::string> names;
  for (const Toy& t : toys()) {
    if (name == t.name) return t;
    names.emplace_back(t.name);
  }
  const std::string near = nearest(name, names);
  throw Failure(name.empty() ? "NAME is missing: the toy set" : "no toy set is called '" + name + "'",
                near.empty() ? "the toy sets are " + join(names, ", ") : "did you mean '" + near + "'?", kUsage);
}

int list() {
  const Screen screen(stdout);
  for (const Toy& t : toys())
    std::printf("  %s%s\n", screen.name(text("%-14s", t.name)).c_str(),
                wrapped(t.doc, 16, std::min<size_t>(screen.width(), 110)).c_str());
  return kOk;
}

template <class T>
void draw_rows(const ToyArgs& a, const Toy& t) {
  Random random(a.seed);
  std::vector<T> rows;
  for (int64_t i = 0; i < a.count; ++i) {
    Point p = t.draw(random);
    if (a.noise > 0) {
      p.x += a.noise * random.normal();
      p.y += a.noise * random.normal();
    }
    rows.push_back(static_cast<T>(p.x));
    rows.push_back(static_cast<T>(p.y));
  }
  write_rows(nf::View(rows, 2), a.output, {"x", "y"});
}

int toy(const ToyArgs& a) {
  if (a.list) return list();
  const Toy& t = toy_of(a.name);
  if (a.count < 1) throw Failure("-n " + std::to_string(a.count) + ": expected at least 1", {}, kUsage);
  if (!(a.noise >= 0) || !std::isfinite(a.noise))
    throw Failure("--noise " + plain_number(a.noise) + ": expected a standard deviation of 0 or more", {}, kUsage);
  check_output(a.output);
  a.dtype == "float64" ? draw_rows<double>(a, t) : draw_rows<float>(a, t);
  return kOk;
}
}  // namespace

void add_toy(CLI::App& app, Action& action) {
  auto a = std::make_shared<ToyArgs>();
  CLI::App* cmd =
      app.add_subcommand("toy", "Draw rows of a toy density in the plane: moons, spirals, a checkerboard, ...");
  cmd->add_option("NAME", a->name, "the toy set; --list shows them");
  cmd->add_option("-n,--count", a->count, "number of rows (2000)")->type_name("N");
  cmd->add_option("--seed", a->seed, "seed of the rows (0); row i of a seed is always the same")
      ->check(at_least(0))
      ->type_name("S");
  cmd->add_option("--noise", a->noise, "standard deviation of extra normal noise on both columns (0)")->type_name("SD");
  cmd->add_option("--dtype", a->dtype, "dtype of the rows, float32 or float64 (float32)")
      ->check(CLI::IsMember({"float32", "float64"}))
      ->type_name("TYPE");
  cmd->add_option("-o,--output", a->output, ".npy or .csv file (CSV on standard output)")->type_name("FILE");
  cmd->add_flag("--list", a->list, "list every set with its definition");
  cmd->footer(
      "Examples:\n"
      "  nf toy --list\n"
      "  nf toy moons -n 20000 -o moons.npy\n"
      "  nf toy moons -n 2000 --seed 1 -o moons_test.npy     # other rows of the same density\n"
      "  nf toy line --noise 0.1 -n 20000 -o line.npy");
  cmd->callback([a, &action] { action = [a] { return toy(*a); }; });
}

}  // namespace cli
