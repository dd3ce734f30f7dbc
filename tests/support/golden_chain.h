// Maps chains of layers from golden vectors (nflows, zuko) to ours, tensor by tensor, with a fixture that compares
// values, log-determinants, inverses, samples, densities and all gradients.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tests/support/flow_case.h"
#include "tests/support/golden.h"
#include "tests/support/golden_made.h"
#include "tests/support/golden_net.h"
#include "tests/support/net_config.h"

namespace libnf::test {

using Json = nlohmann::ordered_json;

inline std::vector<int32_t> counted(int64_t n) {
  std::vector<int32_t> v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

// Builds our chain layer by layer and records where their tensors are stored in it.
class Chain {
 public:
  Chain(const Golden& g, int64_t event, int64_t context) : g_(g), event_(event), context_(context) {}

  void layer(Json j) { layers_.push_back(std::move(j)); }

  // Tensors "...initial_layer.weight" and so on under `prefix`; nflows outputs the scale first, then the shift.
  void nflows_maf(const std::string& prefix, bool invert) {
    nflows_made(prefix, {1, 0}, {{"type", "masked_autoregressive"}, {"invert", invert}, {"scale", "softplus"}});
  }

  // `spline` has the fields of the spline.
  void nflows_spline_ar(const std::string& prefix, Json spline) {
    Json j = {{"type", "spline_autoregressive"}, {"convention", "nflows"}};
    j.update(spline);
    const int64_t outputs = g_["param." + prefix + "final_layer.bias"].count();
    nflows_made(prefix, counted(outputs / event_), j);
  }

  void nflows_made(const std::string& prefix, const std::vector<int32_t>& numbers, Json j) {
    TheirMade theirs;
    theirs.kind = "residual";
    theirs.degrees = {g_["param." + prefix + "initial_layer.degrees"].as<int32_t>()};
    theirs.position = counted(event_);
    theirs.numbers = numbers;
    // Ours start with degree 0 if there is a context.
    const int64_t theirs_wide = static_cast<int64_t>(theirs.degrees[0].size());
    j["net"] = {{"type", "residual"},
                {"hidden", context_ ? width_for(theirs.degrees[0], event_, 0) : theirs_wide},
                {"blocks", static_cast<int64_t>(g_.number("num_blocks"))},
                {"activation", g_.meta("activation")}};
    made(prefix, theirs, std::move(j));
  }

  void zuko_maf(const std::string& prefix) {
    const auto position = g_["param." + prefix + "order"].as<int32_t>();
    zuko_made(prefix, position, {0, 1},
              {{"type", "masked_autoregressive"},
               {"scale", "soft_exp"},
               {"order", position[0] == 0 ? "natural" : "reversed"}});
  }

  // Supports any order by permutations before and after.
  void zuko_spline_ar(const std::string& prefix) {
    const auto position = g_["param." + prefix + "order"].as<int32_t>();
    std::vector<int32_t> order(position.size());
    for (size_t c = 0; c < order.size(); ++c) order[static_cast<size_t>(position[c])] = static_cast<int32_t>(c);
    const int64_t bins = static_cast<int64_t>(g_.number("bins"));
    layer({{"type", "permutation"}, {"order", order}});
    zuko_made(
        prefix, position, counted(3 * bins - 1),
        {{"type", "spline_autoregressive"}, {"convention", "zuko"}, {"bins", bins}, {"bound", g_.number("bound")}});
    layer({{"type", "permutation"}, {"order", position}});
  }

  void zuko_made(const std::string& prefix, const std::vector<int32_t>& position, const std::vector<int32_t>& numbers,
                 Json j) {
    TheirMade theirs;
    theirs.position = position;
    theirs.numbers = numbers;
    theirs.context_last = true;
    const GoldenTensor& mask = g_["param." + prefix + "hyper.0.mask"];
    std::vector<int32_t> degrees;
    for (int64_t u = 0; u < mask.rows(); ++u) {
      const Values row = mask.row(u);
      degrees.push_back(static_cast<int32_t>(std::accumulate(row.begin(), row.begin() + event_, 0.0)));
    }
    const size_t layers = g_.has("param." + prefix + "hyper.4.mask") ? 2 : 1;
    theirs.degrees.assign(layers, degrees);
    const std::vector<int64_t> hidden(layers, width_for(degrees, event_, context_ ? 0 : 1));
    j["net"] = {{"type", "mlp"}, {"hidden", hidden}};
    made(prefix + "hyper.", theirs, std::move(j));
  }

  void lu(const std::string& prefix, double eps) {
    layer({{"type", "lu_linear"}, {"eps", eps}});
    for (const auto& [ours_name, theirs] : {std::pair<const char*, const char*>{"lower", "lower_entries"},
                                            {"upper", "upper_entries"},
                                            {"diagonal", "unconstrained_upper_diag"},
                                            {"bias", "bias"}})
      place(prefix + theirs, Place{ours(ours_name), all_of(prefix + theirs)});
  }
  void permutation(const std::string& prefix) {
    layer({{"type", "permutation"}, {"order", g_["param." + prefix + "_permutation"].as<int64_t>()}});
  }

  // Splines of the columns 0, 2, ... or the others; `spline` has the fields.
  void spline_coupling(const std::string& prefix, Json spline) {
    const bool free = g_.has("param." + prefix + "unconditional_transform.unnormalized_widths");
    Json j = {{"type", "spline_coupling"},
              {"mask", "alternating"},
              {"swap", g_["param." + prefix + "transform_features"].data[0] != 0},
              {"convention", "nflows"},
              {"scale_by_width", true},
              {"unconditional", free},
              {"net", "residual"},
              {"hidden", {static_cast<int64_t>(g_.number("hidden"))}},
              {"blocks", static_cast<int64_t>(g_.number("num_blocks"))}};
    j.update(spline);
    layer(std::move(j));
    dense_net(prefix + "transform_net.");
    if (!free) return;
    const auto passing = g_["param." + prefix + "identity_features"].count();
    const std::string start = prefix + "unconditional_transform.unnormalized_";
    int64_t per = 0, at = 0;
    for (const char* part : {"widths", "heights", "derivatives"}) per += g_["param." + start + part].cols();
    for (const char* part : {"widths", "heights", "derivatives"}) {
      Place p{ours("unconditional"), {}};
      const int64_t count = g_["param." + start + part].cols();
      for (int64_t c = 0; c < passing; ++c)
        for (int64_t k = 0; k < count; ++k) p.at.push_back(c * per + at + k);
      place(start + part, p);
      at += count;
    }
  }

  void coupling(const std::string& prefix) {
    const bool swap = g_["param." + prefix + "transform_features"].data[0] != 0;
    layer({{"type", "affine_coupling"},
           {"mask", "alternating"},
           {"swap", swap},
           {"scale", "sigmoid"},
           {"net", "residual"},
           {"hidden", {static_cast<int64_t>(g_.number("hidden"))}},
           {"blocks", static_cast<int64_t>(g_.number("num_blocks"))}});
    dense_net(prefix + "transform_net.");
  }

  Json spec(DType dtype) const {
    return {{"event", {event_}}, {"context", {context_}}, {"dtype", name_of(dtype)}, {"layers", layers_}};
  }
  const std::map<std::string, std::vector<Place>>& places() const {
    return places_;
  }  // by their name, without "param."
  // Name in the layer added last.
  std::string ours(const std::string& name) const {
    return "layers." + std::to_string(layers_.size() - 1) + "." + name;
  }

  // A dense net, the conditioner of the layer added last.
  void dense_net(const std::string& prefix) {
    each_under(prefix, [&](const std::string& theirs, const GoldenTensor& tensor) {
      // [out, in] there, [in, out] here.
      Place p{ours("net." + our_net_name(theirs)), {}};
      const int64_t out = tensor.rows(), in = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
      for (int64_t o = 0; o < out; ++o)
        for (int64_t i = 0; i < in; ++i) p.at.push_back(i * out + o);
      return p;
    });
  }
  void drop(const std::string& theirs) { places_.erase(theirs); }
  // Number k of their tensor is number p.at[k] of ours.
  template <class... P>
  void place(const std::string& theirs, const P&... p) {
    places_[theirs] = {p...};
  }

 private:
  std::vector<int64_t> all_of(const std::string& theirs) const {
    std::vector<int64_t> v(g_["param." + theirs].data.size());
    std::iota(v.begin(), v.end(), int64_t{0});
    return v;
  }
  void made(const std::string& prefix, const TheirMade& theirs, Json j) {
    MadeConfig c;
    c.net = net_of(j.at("net").dump());
    layer(std::move(j));
    std::vector<ParamInfo> infos;
    const Declare d(infos, "", event_, context_, layers_.size() - 1);
    const Made net(c, d, static_cast<int64_t>(theirs.numbers.size()));
    const MadeImport import(theirs, net, infos);
    each_under(prefix, [&](const std::string& name, const GoldenTensor& tensor) {
      Place p = import.place(name, tensor);
      const std::string mask = "param." + prefix + name.substr(0, name.rfind('.')) + ".mask";
      for (size_t k = 0; k < p.at.size() && tensor.shape.size() == 2; ++k)
        EXPECT_EQ(p.at[k] >= 0, !g_.has(mask) || g_[mask].data[k] != 0) << prefix << name << " " << k;
      p.tensor = ours("net." + p.tensor);
      return p;
    });
  }
  template <class F>
  void each_under(const std::string& prefix, const F& place) {
    for (const auto& [name, tensor] : g_.tensors()) {
      const std::string full = "param." + prefix;
      if (name.rfind(full, 0) != 0 || !(name.ends_with(".weight") || name.ends_with(".bias"))) continue;
      places_[name.substr(6)] = {place(name.substr(full.size()), tensor)};
    }
  }

  const Golden& g_;
  int64_t event_, context_;
  Json layers_ = Json::array();
  std::map<std::string, std::vector<Place>> places_;
};

// Expresses nflows batch norm with fixed statistics as an elementwise affine layer:
// scale = w / sqrt(var + eps), shift = bias - mean scale, w = softplus(u) + eps.
struct FixedNorm {
  std::string prefix;  // theirs
  std::string ours;
  static constexpr double kEps = 1e-5;
};

template <class T>
class ChainGolden : public testing::Test {
 protected:
  static size_t slot_of(FlowCase<T>& f, const std::string& name) {
    const int64_t s = f.model().params().find(name);
    EXPECT_GE(s, 0) << name;
    return static_cast<size_t>(std::max<int64_t>(s, 0));
  }

  static void load(const Golden& g, const Chain& chain, FlowCase<T>& f) {
    for (const auto& [name, places] : chain.places())
      for (const Place& p : places) {
        const Values& v = g["param." + name].data;
        ASSERT_EQ(v.size(), p.at.size()) << name;
        for (size_t k = 0; k < v.size(); ++k)
          if (p.at[k] >= 0) f.param(slot_of(f, p.tensor))[p.at[k]] = static_cast<T>(v[k]);
      }
  }

  // Checks the gradients of all tensors of the chain; returns their number.
  static size_t compare_gradients(const Golden& g, const Chain& chain, FlowCase<T>& f, const MappedGradients& got,
                                  double tolerance) {
    for (const auto& [name, places] : chain.places()) {
      const GoldenTensor& want = g["grad.param." + name];
      Values ours(want.data.size(), 0.0);
      for (const Place& p : places)
        for (size_t k = 0; k < p.at.size(); ++k)
          if (p.at[k] >= 0) ours[k] = got.params[slot_of(f, p.tensor)][static_cast<size_t>(p.at[k])];
      expect_close(ours, want, tolerance, name);
    }
    return chain.places().size();
  }

  void check(const Golden& g, const Chain& chain, const std::vector<FixedNorm>& norms = {}) {
    SCOPED_TRACE(g.name());
    // Log-determinants and gradients of splines with steep bins lose more digits in float32, as they do in the
    // reference.
    const double lost = sizeof(T) == 4 ? 10 * g.number("float32_log_det_err", 0) : 0;
    const double log_det_tolerance = std::max(golden_tolerance<T>, lost);
    const double grad_tolerance = std::max(golden_grad_tolerance<T>, lost);
    // An inverse amplifies rounding; the files record by how much for float64.
    const double rounding = 100 * (sizeof(T) == 4 ? 0x1p29 : 1);
    const double back_tolerance = std::max(golden_tolerance<T>, rounding * g.number("inverse_err", 0));
    const double back_log_det_tolerance = std::max(log_det_tolerance, rounding * g.number("inverse_log_det_err", 0));
    const int64_t rows = g["x"].rows();
    const Values context = g.has("context") ? g["context"].data : Values{};
    FlowCase<T> f(parse_spec(chain.spec(dtype_of<T>).dump()));
    f.fill_params(0);  // units that the reference does not have
    const auto slot = [&](const std::string& name) { return slot_of(f, name); };
    load(g, chain, f);
    for (const FixedNorm& n : norms) {
      const auto theirs = [&](const char* what) { return g["param." + n.prefix + what].data; };
      const Values u = theirs("unconstrained_weight"), bias = theirs("bias"), mean = theirs("running_mean"),
                   var = theirs("running_var");
      for (size_t j = 0; j < u.size(); ++j) {
        const double scale = (std::log1p(std::exp(u[j])) + n.kEps) / std::sqrt(var[j] + n.kEps);
        f.param(slot(n.ours + "log_scale"))[j] = static_cast<T>(std::log(scale));
        f.param(slot(n.ours + "shift"))[j] = static_cast<T>(bias[j] - mean[j] * scale);
      }
    }

    const Rows2 in{rows, g["x"].data, context};
    MappedValues cot;
    if (g.meta("loss") == "mean(log_prob)") {
      const auto share = 1 / static_cast<double>(rows);
      for (const double z : g["z"].data) cot.y.push_back(-z * share);
      cot.log_det.assign(static_cast<size_t>(rows), share);
      expect_close(f.log_prob(in), g["log_prob"], log_det_tolerance, "log_prob");
    } else {
      cot = {g["cot_z"].data, g["cot_log_det"].data};
    }
    const MappedGradients out = f.gradients(false, in, cot);
    expect_close(out.value.y, g["z"], golden_tolerance<T>, "z");
    expect_close(out.value.log_det, g["log_det"], log_det_tolerance, "log_det");
    const MappedValues back = f.map(true, {rows, g["z"].data, context});
    expect_close(back.y, g["x_back"], back_tolerance, "x_back");
    Values opposite = g["log_det"].data;
    for (double& v : opposite) v = -v;
    expect_close(back.log_det, opposite, back_log_det_tolerance, "log_det of the inverse");
    if (g.has("zs")) {
      const MappedValues sampled = f.map(true, {rows, g["zs"].data, context});
      expect_close(sampled.y, g["xs"], golden_tolerance<T>, "xs");
      expect_close(sampled.log_det, g["log_det_s"], log_det_tolerance, "log_det_s");
    }

    size_t grads = compare_gradients(g, chain, f, out, grad_tolerance) + 1;
    expect_close(out.x, g["grad.x"], grad_tolerance, "grad.x");
    if (!context.empty()) {
      ++grads;
      expect_close(out.context, g["grad.context"], grad_tolerance, "grad.context");
    }
    for (const FixedNorm& n : norms) {
      const Values gl = out.params[slot(n.ours + "log_scale")], gs = out.params[slot(n.ours + "shift")];
      const Values u = g["param." + n.prefix + "unconstrained_weight"].data,
                   mean = g["param." + n.prefix + "running_mean"].data,
                   var = g["param." + n.prefix + "running_var"].data;
      Values gu;
      for (size_t j = 0; j < u.size(); ++j) {
        const double w = std::log1p(std::exp(u[j])) + n.kEps, scale = w / std::sqrt(var[j] + n.kEps);
        gu.push_back((gl[j] - gs[j] * mean[j] * scale) / (w * (1 + std::exp(-u[j]))));
      }
      expect_close(gs, g["grad.param." + n.prefix + "bias"], grad_tolerance, n.prefix + "bias");
      expect_close(gu, g["grad.param." + n.prefix + "unconstrained_weight"], grad_tolerance, n.prefix + "weight");
      grads += 2;
    }
    const auto theirs = std::count_if(g.tensors().begin(), g.tensors().end(),
                                      [](const auto& t) { return t.first.rfind("grad.", 0) == 0; });
    EXPECT_EQ(grads, static_cast<size_t>(theirs)) << "some of their gradients have no counterpart here";
  }
};

}  // namespace libnf::test
