#include "tests/support/random_config.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string_view>

#include "src/model/flow_model.h"

namespace libnf::test {
namespace {
constexpr int64_t kSizes = 3;       // integers lie at most this far above the lowest useful value
constexpr int64_t kListSizes = 7;   // elements of lists likewise
constexpr int64_t kListLength = 3;  // of lists of sizes
}  // namespace

// Left as they are, with tests of their own: limits of a root solver, for what it does when it may not reach a root, and
// the grid of levels, which the data would have to fit.
static bool keeps_default(std::string_view name) {
  return name == "tolerance" || name == "max_iterations" || name == "levels" || name == "step";
}

// With random parameters these barely amplify errors, so that several in a row are no trouble for float32.
static bool is_tame(std::string_view name) {
  return name == "actnorm" || name == "elementwise_affine" || name == "householder" || name == "planar" ||
         name == "prelu" || name == "reverse";
}

void RandomFields::integer(const char* name, const char*, int64_t& value, int64_t low, int64_t high) {
  if (skips_ || keeps_default(name)) return;
  constexpr int64_t kSeedLike = int64_t{1} << 40;  // bounds that no size has
  if (high > kSeedLike && below(8) == 0)
    value = high;
  else
    value = low + below(std::min(high - low, kSizes) + 1);
}

void RandomFields::real(const char* name, const char*, double& value, double low, double high) {
  if (skips_ || keeps_default(name)) return;
  const double u = std::uniform_real_distribution<double>(0, 1)(random_);
  switch (below(4)) {
    case 0:
      return;  // the default
    case 1:
      value = low > 0 ? low * std::pow(high / low, u) : low + (high - low) * u * u * u;
      break;
    default:
      value = low + (high - low) * u;
  }
  value = std::clamp(value, low, high);
}

void RandomFields::flag(const char*, const char*, bool& value) {
  if (!skips_) value = below(2) == 0;
}

void RandomFields::integers(const char*, const char*, std::vector<int64_t>& value, int64_t low, int64_t high,
                            int64_t max_count) {
  if (skips_) return;
  if (low == 0 && high == 1) {  // a flag for every column
    value.resize(static_cast<size_t>(below(2) * event_));
    for (int64_t& v : value) v = below(2);
    return;
  }
  // A list that may hold 0 can be an order of the columns; one that may not is a list of sizes.
  if (low == 0 && high >= event_ - 1 && max_count >= event_) {
    if (below(8) == 0) return;
    value.resize(static_cast<size_t>(event_));
    std::iota(value.begin(), value.end(), int64_t{0});
    std::shuffle(value.begin(), value.end(), random_);
    return;
  }
  value.resize(static_cast<size_t>(below(std::min(max_count, kListLength) + 1)));
  for (int64_t& v : value) v = low + below(std::min(high - low, kListSizes) + 1);
}

// In turn below and above zero, as the ends of intervals are, of one column or of all of them.
void RandomFields::reals(const char*, const char*, std::vector<double>& value, double low, double high,
                         int64_t max_count) {
  if (skips_) return;
  const int64_t counts[] = {0, 2, event_, 2 * event_};
  value.resize(static_cast<size_t>(std::min(max_count, counts[below(std::size(counts))])));
  std::uniform_real_distribution<double> size(0.5, 4);
  for (size_t i = 0; i < value.size(); ++i) value[i] = std::clamp((i % 2 ? 1 : -1) * size(random_), low, high);
}

void RandomFields::text(const char*, const char*, std::string& value, int64_t max_bytes) {
  if (skips_) return;
  value.resize(static_cast<size_t>(below(std::min(max_bytes, kListSizes) + 1)));
  for (char& c : value) c = static_cast<char>('a' + below(26));
}

void RandomFields::object(const char*, const char*, Config& value) {
  if (!skips_) value.fields(*this);
}

void RandomFields::optional_object(const char* name, const char* doc, Config& value, bool& present) {
  if (skips_) return;
  present = below(2) == 0;
  if (present) object(name, doc, value);
}

void RandomFields::one_of(const char*, const char*, PartConfig& value) {
  if (skips_) return;
  std::vector<const PartKind*> parts(value.family().parts.begin(), value.family().parts.end());
  // Nets of images have suites of their own (tests/src/net/conv_net_test.cc): with random parameters they amplify so
  // much that half of the rows of a spline coupling are beyond what float32 inverts.
  std::erase_if(parts, [](const auto* part) {
    const std::string_view name = part->name;
    return name.find("conv") != std::string::npos || name == "vit";
  });
  value.choose(*parts[static_cast<size_t>(below(static_cast<int64_t>(parts.size())))]);
  value.config().fields(*this);
}

// Layers that take any row to any row: what is drawn for the others would be outside of them. Plain ones have the
// defaults of their fields, and are repeated only when they are tame; not leaky_relu, whose slope of 0.01, inverted,
// leaves float32 too few digits.
void RandomFields::chain(const char*, const char*, std::vector<LayerSpec>& value) {
  if (skips_) return;
  std::vector<const LayerKind*> kinds;
  for (const LayerKind* k : Registry<LayerKind>::all())
    if (k->domain == Domain::real && k->image == Domain::real &&
        !(plain_inside_ && std::string_view(k->name) == "leaky_relu"))
      kinds.push_back(k);
  value.clear();
  if (depth_ == 2) return;
  ++depth_;
  for (int64_t n = below(3); n > 0; --n) {
    LayerSpec s;
    s.invert = below(4) == 0;
    s.repeat = 1 + below(2);
    if (below(4) == 0) {
      chain("layers", "", s.layers);
    } else {
      s.kind = kinds[static_cast<size_t>(below(static_cast<int64_t>(kinds.size())))];
      s.config = s.kind->config();
      if (!plain_inside_) s.config->fields(*this);
      if (plain_inside_ && !is_tame(s.kind->name)) s.repeat = 1;
    }
    value.push_back(std::move(s));
  }
  --depth_;
}

void RandomFields::choose(const char* name, const char*, int& value, std::span<const char* const> names) {
  if (skips_) return;
  // The activations that came later are in tests of the nets: a hardtanh has kinks where differences are wrong.
  const auto count = static_cast<int64_t>(names.size());
  value = static_cast<int>(below(std::string_view(name) == "activation" ? std::min<int64_t>(count, 7) : count));
}

static ModelSpec spec_of_layer(const LayerKind& kind, const Dims& event, int64_t context, Fields* fields) {
  ModelSpec spec;
  spec.event = event;
  spec.context = context;
  spec.dtype = DType::f64;
  LayerSpec layer;
  layer.kind = &kind;
  layer.config = kind.config();
  if (fields) layer.config->fields(*fields);
  static_cast<FlowConfig&>(*spec.config).chain.layers.push_back(std::move(layer));
  return spec;
}

// The canonical form of a valid spec, "" of one that is not.
static std::string canonical_if_valid(ModelSpec spec) {
  try {
    return FlowModel(system_allocator(), std::move(spec), 0).canonical();
  } catch (const Error& e) {
    if (e.code() != Code::spec) throw;
  }
  return "";
}

std::string random_spec(const LayerKind& kind, uint64_t seed, const Dims& event, int64_t context) {
  for (uint64_t attempt = 0; attempt < 100; ++attempt) {
    RandomFields fields(seed * 1000 + attempt, event.count(), true);
    const std::string spec = canonical_if_valid(spec_of_layer(kind, event, context, &fields));
    if (!spec.empty()) return spec;
  }
  throw std::runtime_error(std::string(kind.name) + " rejects every random configuration");
}

bool takes_event(const LayerKind& kind, const Dims& event) {
  return !canonical_if_valid(spec_of_layer(kind, event, 0, nullptr)).empty();
}

bool takes_inversion(const std::string& spec) { return !canonical_if_valid(variant(spec, DType::f64, true)).empty(); }

ModelSpec variant(const std::string& spec, DType dtype, bool invert) {
  ModelSpec s = parse_spec(spec);
  s.dtype = dtype;
  static_cast<FlowConfig&>(*s.config).chain.invert = invert;
  return s;
}

}  // namespace libnf::test
