// See warn_model.h.
#include "src/cli/run/warn_model.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

std::string layer_path(const std::string& path, size_t i) {
  return path + (path.empty() ? "" : ".") + "layers[" + std::to_string(i) + "]";
}

// The first layer whose inverse has fewer than `enough` iterations.
struct FewIterations {
  std::string path, type;
  int64_t iterations = 0;
  explicit operator bool() const { return iterations > 0; }
};

FewIterations find_few_iterations(const Json& at, const std::string& path, int64_t enough) {
  if (at.contains("max_iterations") && at["max_iterations"] < enough)
    return {path, at.value("type", ""), at["max_iterations"]};
  if (!at.contains("layers")) return {};
  for (size_t i = 0; i < at["layers"].size(); ++i)
    if (FewIterations h = find_few_iterations(at["layers"][i], layer_path(path, i), enough)) return h;
  return {};
}

// The first layer that treats columns as circles.
struct Circles {
  std::string field;   // the field of the spec that says so
  Json low, high;      // ends of the circles: one number, or one per column
  bool mixed = false;  // some columns are not circles
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

// Warns if the base is not a box: on any other, the density does not match at the two ends of a circle and extends
// beyond.
void warn_of_circles(const Json& spec) {
  const Circles c = find_circles(spec, "");
  if (!c) return;
  if (const std::string base = base_of(spec); base != kBox)
    std::fprintf(
        stderr,
        "nf: warning: %s treats columns as circles, but the base %s extends beyond their ends and differs between "
        "the two ends, which are the same point: %s\"base\": {\"type\": \"uniform\", \"low\": %s, \"high\": %s}%s\n",
        c.field.c_str(), base.c_str(), c.mixed ? "no base supports circles and other columns at once. With " : "use ",
        c.low.dump().c_str(), c.high.dump().c_str(),
        c.mixed ? " the other columns need bounds too: scale them into the box" : "");
  if (const std::string moved = find_type(spec, "", "standardize"); !moved.empty())
    std::fprintf(
        stderr,
        "nf: warning: %s (standardize) moves and scales all columns, so that the ends of the circles are no longer "
        "where %s expects them: drop --standardize\n",
        moved.c_str(), c.field.c_str());
}
}  // namespace

bool base_is_box(const nf::Model& model) { return base_of(Json::parse(model.spec())) == kBox; }

std::string nonfinite_advice(const nf::Model& model, const std::string& message) {
  const auto says = [&](const char* words) { return message.find(words) != std::string::npos; };
  if (says("holds NaN or infinity") || says("is not finite, and would be validated with"))
    return "--missing drop leaves such rows out; or fill them in";
  if (message.find(kAtBase) == std::string::npos || !base_is_box(model))
    return "try a lower --lr, --clip-norm 5, or --standardize";
  const Json base = Json::parse(model.spec())["base"];
  return "the uniform base ends at low " + base["low"].dump() + " and high " + base["high"].dump() +
         ", and rows that are mapped outside have density 0: set low and high to include all rows, or use an unbounded "
         "base";
}

void warn_of_model(const nf::Model& model) {
  const nf::ModelInfo info = model.info();
  if (info.param_count == 0)
    std::fprintf(stderr, "nf: warning: %s, so training changes nothing\n",
                 info.layer_count ? "no layer of the spec has trainable parameters"
                                  : "the spec has no layers and no trainable parameters");
  const Json spec = Json::parse(model.spec());
  warn_of_circles(spec);
  // Newton usually takes fewer than ten steps; only bisection is guaranteed, with one step per bit.
  const int64_t bits = info.dtype == NF_F64 ? 64 : 32;
  if (const FewIterations h = find_few_iterations(spec, "", bits))
    std::fprintf(
        stderr,
        "nf: warning: %s (%s): max_iterations %lld may be too few for its inverse, so that sampling or scoring fails "
        "with \"not inverted\"; %s can need up to %lld: drop the field (100), or use --set max_iterations=100\n",
        h.path.c_str(), h.type.c_str(), static_cast<long long>(h.iterations),
        info.dtype == NF_F64 ? "float64" : "float32", static_cast<long long>(bits));
}

}  // namespace cli
