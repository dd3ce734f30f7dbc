// See warn_model.h.
#include "src/cli/warn_model.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace nf::cli {
namespace {
using Json = nlohmann::ordered_json;

std::string layer_path(const std::string& path, size_t i) {
  return path + (path.empty() ? "" : ".") + "layers[" + std::to_string(i) + "]";
}

// The first layer whose inverse has fewer than `enough` iterations: where it is, its type and how many.
struct Hasty {
  std::string path, type;
  int64_t iterations = 0;
  explicit operator bool() const { return iterations > 0; }
};

Hasty find_hasty(const Json& at, const std::string& path, int64_t enough) {
  if (at.contains("max_iterations") && at["max_iterations"] < enough)
    return {path, at.value("type", ""), at["max_iterations"]};
  if (!at.contains("layers")) return {};
  for (size_t i = 0; i < at["layers"].size(); ++i)
    if (Hasty h = find_hasty(at["layers"][i], layer_path(path, i), enough)) return h;
  return {};
}

// The first layer whose columns are circles: the field that says so, and where the circles are.
struct Circles {
  std::string field;
  Json low, high;      // one number, or one per column
  bool mixed = false;  // other columns are not circles
  explicit operator bool() const { return !field.empty(); }
};

Circles circles_of(const Json& layer, const std::string& path) {
  Circles c;
  const double bound = layer.value("bound", 1.0);
  c.low = {-bound}, c.high = {bound};
  if (layer.value("type", "") == "circular_shift") {
    c.field = path + " (circular_shift)";
    if (layer.value("range", "") == "positive") c.low = {0.0};
    return c;
  }
  bool some = layer.value("tails", "") == "circular";
  c.field = path + ".tails";
  if (const Json which = layer.value("circular", Json::array()); which.is_array() && !which.empty()) {
    const auto circles = std::count(which.begin(), which.end(), Json(1));
    some = circles > 0, c.mixed = circles < static_cast<int64_t>(which.size());
    c.field = path + ".circular";
  }
  if (!some) return {};
  if (const Json ends = layer.value("interval", Json::array()); ends.is_array() && !ends.empty()) {
    c.low = c.high = Json::array();
    for (size_t i = 0; i < ends.size(); ++i) (i % 2 ? c.high : c.low).push_back(ends[i]);
  }
  return c;
}

Circles find_circles(const Json& at, const std::string& path) {
  if (!at.contains("layers")) return circles_of(at, path);
  for (size_t i = 0; i < at["layers"].size(); ++i)
    if (Circles c = find_circles(at["layers"][i], layer_path(path, i))) return c;
  return {};
}

std::string find_type(const Json& at, const std::string& path, const char* type) {
  if (at.value("type", "") == type) return path;
  if (!at.contains("layers")) return {};
  for (size_t i = 0; i < at["layers"].size(); ++i)
    if (std::string found = find_type(at["layers"][i], layer_path(path, i), type); !found.empty()) return found;
  return {};
}

constexpr char kBox[] = "uniform";

std::string base_of(const Json& spec) { return spec["base"].value("type", ""); }

// A circle needs a base that knows its ends: elsewhere the density neither meets itself there nor stops.
void warn_of_circles(const Json& spec) {
  const Circles c = find_circles(spec, "");
  if (!c) return;
  if (const std::string base = base_of(spec); base != kBox)
    std::fprintf(
        stderr,
        "nf: warning: %s makes circles of columns, but the base %s goes on beyond their ends and differs "
        "between them, which are one point: %s\"base\": {\"type\": \"uniform\", \"low\": %s, \"high\": %s}%s\n",
        c.field.c_str(), base.c_str(),
        c.mixed ? "no base of the library suits circles and other columns at once. With " : "take ",
        c.low.dump().c_str(), c.high.dump().c_str(),
        c.mixed ? " the other columns must lie between ends, too: scale them into theirs" : "");
  if (const std::string moved = find_type(spec, "", "standardise"); !moved.empty())
    std::fprintf(
        stderr,
        "nf: warning: %s (standardise) moves and scales all columns, and those that %s makes circles no longer "
        "have their ends where it expects them: leave out --standardize\n",
        moved.c_str(), c.field.c_str());
}
}  // namespace

bool base_is_box(const nf_model* model) { return base_of(Json::parse(nf_model_spec(model))) == kBox; }

std::string nonfinite_advice(const nf_model* model, const std::string& message) {
  if (message.find(kAtBase) == std::string::npos || !base_is_box(model))
    return "try a lower --lr, --clip-norm 5, or --standardize";
  const Json base = Json::parse(nf_model_spec(model))["base"];
  return "the base, uniform, ends at low " + base["low"].dump() + " and high " + base["high"].dump() +
         ", and rows that come to lie beyond have density 0: set both ends so that all rows have their place between "
         "them, or take a base without ends";
}

void warn_of_model(const nf_model* model) {
  const nf_model_info info = info_of(model);
  if (info.param_count == 0)
    std::fprintf(stderr, "nf: warning: %s: training changes nothing\n",
                 info.layer_count ? "no layer of the spec has trainable parameters"
                                  : "the spec has no layers and no trainable parameters");
  const Json spec = Json::parse(nf_model_spec(model));
  warn_of_circles(spec);
  // Newton's steps mostly need under ten. What is sure is bisection: a step per bit of the number.
  const int64_t bits = info.dtype == NF_F64 ? 64 : 32;
  if (const Hasty h = find_hasty(spec, "", bits))
    std::fprintf(
        stderr,
        "nf: warning: %s (%s): max_iterations %lld may be too few for its inverse, and then sampling or scoring "
        "ends with \"not inverted\"; up to %lld are needed in %s: leave it out (100), or --set "
        "max_iterations=100\n",
        h.path.c_str(), h.type.c_str(), static_cast<long long>(h.iterations), static_cast<long long>(bits),
        info.dtype == NF_F64 ? "float64" : "float32");
}

}  // namespace nf::cli
