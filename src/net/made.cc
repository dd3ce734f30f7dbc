#include "src/net/made.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/kernel/random.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/film.h"

namespace nf {
namespace {
constexpr uint32_t kDegreeStream = 0x64656772;  // apart from the streams of samples, orders and initial values
constexpr double kNearZero = 1e-3;              // a fresh block adds next to nothing

double fan(int64_t n) { return 1 / std::sqrt(static_cast<double>(n > 0 ? n : 1)); }
}  // namespace

void MadeConfig::fields(Fields& f) {
  static constexpr const char* kDegrees[] = {"even", "random"};
  net.fields(f);
  f.choice("degrees", "how many inputs a hidden unit sees: all numbers in turn, or drawn at random", degrees, kDegrees);
  f.integer("degree_seed", "seed of random degrees; layers of one model differ for equal seeds", seed, 0, INT64_MAX);
}

Made::Degrees Made::hidden_degrees(const MadeConfig& c, const Declare& d) {
  const bool residual = c.net.kind == NetKind::residual;
  if (residual && c.net.hidden.size() != 1)
    d.reject("hidden", "a residual net takes one hidden size, the width of all its blocks");
  int64_t low = d.context || d.columns() == 1 ? 0 : 1;
  Degrees all;
  uint32_t draw = 0;
  for (const int64_t size : c.net.hidden) {
    const int64_t count = d.columns() - low;
    std::vector<int32_t> layer;
    for (int64_t j = 0; j < size; ++j) {
      int64_t k = j % count;
      if (size < count) k = (2 * j + 1) * count / (2 * size);  // too few for all degrees: spread over their range
      if (c.degrees == DegreeKind::random)
        k = static_cast<int64_t>(kernel::random_below({static_cast<uint64_t>(c.seed), kDegreeStream},
                                                      static_cast<int64_t>(d.ordinal), draw++,
                                                      static_cast<uint64_t>(count)));
      layer.push_back(static_cast<int32_t>(low + k));
    }
    std::sort(layer.begin(), layer.end());
    low = layer.front();  // a lower degree in the next layer would read nothing
    all.push_back(std::move(layer));
  }
  return all;
}

Made::Made(const NetConfig& c, const Declare& d, int64_t per, const Degrees& hidden,
           std::span<const int64_t> features) {
  net_.units = net_.context = d.context;
  net_.event = d.columns();
  net_.per = per;
  net_.act = activation_of(c.activation);
  net_.dropout = c.dropout;
  const std::vector<int32_t> none(static_cast<size_t>(d.context), 0);
  std::vector<int32_t> inputs, outputs;
  for (int64_t i = 0; i < d.columns(); ++i) {
    const auto count = features.empty() ? size_t{1} : static_cast<size_t>(features[static_cast<size_t>(i)]);
    inputs.insert(inputs.end(), count, static_cast<int32_t>(i + 1));
    outputs.insert(outputs.end(), static_cast<size_t>(per), static_cast<int32_t>(i));
  }
  net_.features = static_cast<int64_t>(inputs.size());
  net_.units = checked_add(net_.units, net_.features);
  const bool film = c.modulates(d, d.columns());
  int h = 0;
  if (c.kind == NetKind::mlp) {
    if (!film) inputs.insert(inputs.begin(), none.begin(), none.end());
    const std::vector<int32_t>* from = &inputs;
    for (size_t i = 0; i < hidden.size(); ++i) {
      const auto width = static_cast<int64_t>(from->size());
      const Declare inside = d.inside("hidden." + std::to_string(i));
      h = linear(inside, h, film && i == 0 ? d.context : 0, *from, hidden[i], fan(width), -1, !film);
      if (film) h = activate(modulate(inside.inside("film"), h));
      h = drop(h);
      from = &hidden[i];
    }
    const double bound = c.output_bound(static_cast<int64_t>(from->size()));
    linear(d.inside("output"), h, 0, *from, outputs, bound, -1, false);
    return;
  }
  const std::vector<int32_t>& units = hidden[0];
  const std::vector<int32_t> at_once(units.size(), 0);  // what the context gives is complete from the start
  const auto from_context = [&](Declare inside, bool activated) {
    if (!d.context || film) return -1;
    return linear(inside.inside("context"), 0, 0, none, at_once, fan(d.context), -1, activated);
  };
  const int given = from_context(d, true);
  h = linear(d.inside("input"), 0, d.context, inputs, units, fan(net_.features), given, false);
  if (film) h = modulate(d.inside("input").inside("film"), h);
  for (int64_t b = 0; b < c.blocks; ++b) {
    const Declare inside = d.inside("blocks." + std::to_string(b));
    const double bound = fan(static_cast<int64_t>(units.size()));
    const int extra = from_context(inside, false);
    int a = linear(inside.inside("0"), activate(h), 0, units, units, bound, extra, extra < 0 && !film);
    if (film) a = modulate(inside.inside("0").inside("film"), a);
    if (extra >= 0 || film) a = activate(a);
    h = linear(inside.inside("1"), drop(a), 0, units, units, kNearZero, h, false);
  }
  const double bound = c.output_bound(static_cast<int64_t>(units.size()));
  linear(d.inside("output"), h, 0, units, outputs, bound, -1, false);
}

int Made::linear(const Declare& d, int in, int64_t first, const std::vector<int32_t>& from,
                 const std::vector<int32_t>& to, double bound, int residual, bool activated) {
  Stage s;
  s.in = in;
  s.first = first;
  s.residual = residual;
  s.range = static_cast<int>(net_.stages.size());
  s.mask = kernel::Staircase(from, to);
  const auto units = static_cast<int64_t>(to.size());
  // Without masked entries and in one piece it is an ordinary matrix [in, out].
  bool dense = false;
  for (int64_t e = 0; e < s.mask.steps(); ++e)
    dense |= s.mask.piece(e).rows == s.mask.rows() && s.mask.piece(e).cols == s.mask.cols();
  const ParamId weight =
      d.param("weight", dense ? Dims{s.mask.rows(), s.mask.cols()} : Dims{s.mask.size()}, Init::uniform_pm(bound));
  d.param("bias", {units}, Init::uniform_pm(bound));
  if (first_ < 0) first_ = weight;
  s.weight = net_.params++;
  s.bias = net_.params++;
  const bool later = activated && !net_.act.identity && !kernel::grad_from_output(net_.act.f);
  s.activated = activated && !later;
  const int y = net_.add(std::move(s), units);
  return later ? activate(y) : y;
}

// A stage of the same units as its input.
int Made::derived(Stage s, Stage::Kind kind, int in) {
  const Stage& from = net_.stages[static_cast<size_t>(in - 1)];
  s.kind = kind;
  s.in = in;
  s.range = from.range;
  return net_.add(std::move(s), from.units);
}

int Made::modulate(const Declare& d, int in) {
  // Complete from the start, as all that the context gives.
  const std::vector<int32_t> none(static_cast<size_t>(net_.context), 0),
      at_once(static_cast<size_t>(net_.stages[static_cast<size_t>(in - 1)].units), 0);
  Stage s;
  s.scale = linear(d.inside("scale"), 0, 0, none, at_once, 0, -1, false);
  s.shift = linear(d.inside("shift"), 0, 0, none, at_once, 0, -1, false);
  return derived(std::move(s), Stage::film, in);
}

Var Made::operator()(const Scope& s, Var x, Var context) const {
  Var* params = s.tape.scratch<Var>(net_.params);
  for (int32_t i = 0; i < net_.params; ++i) params[i] = s.param(param(i));
  return net_(s.tape, {params, static_cast<size_t>(net_.params)}, x, context);
}

}  // namespace nf
