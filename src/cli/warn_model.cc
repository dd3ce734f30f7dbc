// See warn_model.h.
#include "src/cli/warn_model.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace nf::cli {
namespace {
using Json = nlohmann::ordered_json;

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
    if (Hasty h =
            find_hasty(at["layers"][i], path + (path.empty() ? "" : ".") + "layers[" + std::to_string(i) + "]", enough))
      return h;
  return {};
}
}  // namespace

void warn_of_model(const nf_model* model) {
  const nf_model_info info = info_of(model);
  if (info.param_count == 0)
    std::fprintf(stderr, "nf: warning: %s: training changes nothing\n",
                 info.layer_count ? "no layer of the spec has trainable parameters"
                                  : "the spec has no layers and no trainable parameters");
  // Newton's steps mostly need under ten. What is sure is bisection: a step per bit of the number.
  const int64_t bits = info.dtype == NF_F64 ? 64 : 32;
  if (const Hasty h = find_hasty(Json::parse(nf_model_spec(model)), "", bits))
    std::fprintf(
        stderr,
        "nf: warning: %s (%s): max_iterations %lld may be too few for its inverse, and then sampling or scoring "
        "ends with \"not inverted\"; up to %lld are needed in %s: leave it out (100), or --set "
        "max_iterations=100\n",
        h.path.c_str(), h.type.c_str(), static_cast<long long>(h.iterations), static_cast<long long>(bits),
        info.dtype == NF_F64 ? "float64" : "float32");
}

}  // namespace nf::cli
