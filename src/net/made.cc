#include "src/net/made.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "runtime/kernel/random.h"
#include "runtime/kernel/unary.h"

namespace libnf {
namespace {

constexpr uint32_t kDegreeStream = 0x64656772;  // separate from the streams of samples, orders and initial values

// Returns the kind of net; rejects one without a masked form.
const NetKind& masked_kind(const NetChoice& net, const Declare& d) {
  const NetKind& kind = net.kind();
  if (kind.mask) return kind;
  std::string others;
  for (const NetKind* k : Registry<NetKind>::all())
    if (k->mask) others += std::string(others.empty() ? "" : ", ") + "\"" + k->name + "\"";
  d.reject("type", ("a net of type \"" + std::string(kind.name) +
                    "\" has no masked form, which an autoregressive layer " + "needs; these have: " + others)
                       .c_str());
}

}  // namespace

void MadeConfig::fields(Fields& f) {
  static constexpr const char* kDegrees[] = {"even", "random"};
  f.one_of("net", "masked net, which computes the numbers for every column from the columns before it", net);
  f.choice("degrees", "how many inputs a hidden unit sees: each possible number in turn, or drawn at random", degrees,
           kDegrees);
  f.integer("degree_seed", "seed of random degrees; layers of a model differ even with equal seeds", seed, 0,
            INT64_MAX);
}

MadeBuilder::MadeBuilder(const MadeConfig& config, const Declare& d, int64_t per, std::span<const int64_t> features,
                         std::span<const int32_t> order, std::span<const Units> given)
    : given_(given),
      degrees_(config.degrees),
      seed_(static_cast<uint64_t>(config.seed)),
      ordinal_(d.ordinal),
      low_(d.context || d.columns() == 1 ? 0 : 1) {
  net_.context = d.context;
  net_.event = d.columns();
  net_.per = per;
  for (int64_t i = 0; i < d.columns(); ++i) {
    const auto count = features.empty() ? size_t{1} : static_cast<size_t>(features[static_cast<size_t>(i)]);
    features_.insert(features_.end(), count, static_cast<int32_t>(i + 1));
    outputs_.insert(outputs_.end(), static_cast<size_t>(per), static_cast<int32_t>(i));
  }
  net_.features = static_cast<int64_t>(features_.size());
  net_.units = checked_add(net_.context, net_.features);
  std::vector<int32_t> place(order.size());  // of every column in the order
  for (size_t i = 0; i < order.size(); ++i) place[static_cast<size_t>(order[i])] = static_cast<int32_t>(i);
  if (order.empty()) {
    place.resize(static_cast<size_t>(d.columns()));
    std::iota(place.begin(), place.end(), 0);
  }
  for (int64_t k = 0; k < net_.context; ++k) seen_units_.push_back(static_cast<int32_t>(k));
  for (const int32_t i : place) {
    const auto [first, last] = std::equal_range(features_.begin(), features_.end(), i + 1);
    for (auto unit = first; unit != last; ++unit)
      seen_units_.push_back(static_cast<int32_t>(net_.context + (unit - features_.begin())));
    for (int64_t k = 0; k < per; ++k) seen_numbers_.push_back(static_cast<int32_t>(i * per + k));
  }
}

std::vector<int32_t> MadeBuilder::seen_inputs(const Linear& l) const {
  std::vector<int32_t> seen;
  const auto count = static_cast<int64_t>(l.from.size());
  if (l.in > 0) {
    seen.resize(l.from.size());
    std::iota(seen.begin(), seen.end(), 0);
    return seen;
  }
  for (const int32_t unit : seen_units_)
    if (unit >= l.first && unit < l.first + count) seen.push_back(static_cast<int32_t>(unit - l.first));
  return seen;
}

std::vector<int32_t> MadeBuilder::seen_outputs(const Linear& l) const {
  if (l.last) return seen_numbers_;
  std::vector<int32_t> seen(l.to.size());
  std::iota(seen.begin(), seen.end(), 0);
  return seen;
}

void MadeBuilder::start(const Activation& act, double dropout) {
  net_.act = act;
  net_.dropout = dropout;
}

MadeBuilder::Units MadeBuilder::inputs(bool with_context) const {
  Units all = with_context ? context() : Units();
  all.insert(all.end(), features_.begin(), features_.end());
  return all;
}

MadeBuilder::Units MadeBuilder::hidden(int64_t size) {
  if (!given_.empty()) return hidden_.emplace_back(given_[hidden_.size()]);
  const int64_t count = net_.event - low_;
  Units layer;
  for (int64_t j = 0; j < size; ++j) {
    int64_t k = j % count;
    if (size < count) k = (2 * j + 1) * count / (2 * size);  // too few for all degrees: spread them over the range
    if (degrees_ == DegreeKind::random)
      k = static_cast<int64_t>(kernel::random_below({seed_, kDegreeStream}, static_cast<int64_t>(ordinal_), draw_++,
                                                    static_cast<uint64_t>(count)));
    layer.push_back(static_cast<int32_t>(low_ + k));
  }
  std::sort(layer.begin(), layer.end());
  low_ = layer.front();  // a lower degree in the next layer would have nothing to read
  hidden_.push_back(layer);
  return layer;
}

int MadeBuilder::linear(const Declare& d, const Linear& l) {
  NetStage s;
  s.in = l.in;
  s.first = l.first;
  s.residual = l.residual;
  s.range = static_cast<int>(net_.stages.size());
  s.mask = kernel::Staircase(l.from, l.to);
  const auto units = static_cast<int64_t>(l.to.size());
  const double bound = l.bound < 0 ? fan_bound(static_cast<int64_t>(l.from.size())) : l.bound;
  // Without masked entries and in one piece, it is an ordinary matrix [in, out].
  bool dense = false;
  for (int64_t e = 0; e < s.mask.steps(); ++e)
    dense |= s.mask.piece(e).rows == s.mask.rows() && s.mask.piece(e).cols == s.mask.cols();
  const std::vector<int32_t> outputs = seen_outputs(l);
  const ParamId weight = d.param("weight", dense ? Dims{s.mask.rows(), s.mask.cols()} : Dims{s.mask.size()},
                                 Init::uniform_pm(bound), staircase_form(s.mask, outputs, seen_inputs(l)));
  d.param("bias", {units}, Init::uniform_pm(bound),
          std::is_sorted(outputs.begin(), outputs.end()) ? nullptr : reordered_form(outputs));
  if (first_ < 0) first_ = weight;
  s.weight = net_.params++;
  s.bias = net_.params++;
  const bool later = l.activated && !net_.act.identity && !kernel::grad_from_output(net_.act.f);
  s.activated = l.activated && !later;
  const int y = net_.add(std::move(s), units);
  return later ? activate(y) : y;
}

// Adds a stage with the same units as its input.
int MadeBuilder::derived(NetStage s, NetStage::Kind kind, int in) {
  const NetStage& from = net_.stages[static_cast<size_t>(in - 1)];
  s.kind = kind;
  s.in = in;
  s.range = from.range;
  return net_.add(std::move(s), from.units);
}

int MadeBuilder::modulate(const Declare& d, int in) {
  // Units that depend on the context only have degree 0, so they are complete before the first degree.
  const Units at_once(static_cast<size_t>(net_.stages[static_cast<size_t>(in - 1)].units), 0), from = context();
  NetStage s;
  s.scale = linear(d.inside("scale"), {.from = from, .to = at_once, .bound = 0});
  s.shift = linear(d.inside("shift"), {.from = from, .to = at_once, .bound = 0});
  return derived(std::move(s), NetStage::film, in);
}

Made::Made(const MadeConfig& config, const Declare& d, int64_t per, std::span<const int64_t> features,
           std::span<const int32_t> order, std::span<const MadeBuilder::Units> given) {
  const NetKind& kind = masked_kind(config.net, d);
  MadeBuilder builder(config, d, per, features, order, given);
  kind.mask(config.net.config(), d, builder);
  net_ = std::move(builder.net_);
  first_ = builder.first_;
  hidden_ = std::move(builder.hidden_);
}

Var Made::operator()(const Scope& s, Var x, Var context) const {
  Var* params = s.tape.scratch<Var>(net_.params);
  for (int32_t i = 0; i < net_.params; ++i) params[i] = s.param(param(i));
  return net_(s.tape, {params, static_cast<size_t>(net_.params)}, x, context);
}

}  // namespace libnf
