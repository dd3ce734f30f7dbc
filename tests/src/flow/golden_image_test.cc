// Layers of images and multiscale Glow against golden vectors of groups 03, 04, 06 and 08 (nflows, normflows; float64):
// initialization from data, values, log-determinants, inverses, samples, densities and all gradients, in both dtypes.
#include "tests/support/golden_image.h"

#include <algorithm>
#include <cmath>

namespace libnf::test {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
class ImageGolden : public testing::Test {
 protected:
  static constexpr double kValue = golden_tolerance<T>, kGrad = golden_grad_tolerance<T>;

  // Opens a file with these layers for its images.
  void open(const std::string& name, const Json& layers, const Json& base = "normal") {
    g = Golden::load(name);
    const auto& e = g["x"].shape;
    event = {e[2], e[3], e[1]};
    f = std::make_unique<FlowCase<T>>(parse_spec(
        Json{{"event", {e[2], e[3], e[1]}}, {"dtype", name_of(dtype_of<T>)}, {"base", base}, {"layers", layers}}
            .dump()));
    f->fill_params(0);
  }
  Values get(const std::string& ours) { return values_of<T>(f->model().params().view(slot_of(*f, ours))); }
  void set(const std::string& ours, const Values& v) {
    T* p = f->param(slot_of(*f, ours));
    for (size_t k = 0; k < v.size(); ++k) p[k] = static_cast<T>(v[k]);
  }

  // Everything that the case of a layer has, with the tensors of all placed ones.
  void check(const std::vector<Placed>& all) {
    SCOPED_TRACE(g.name());
    load_placed(g, all, *f);
    const int64_t n = g["x"].rows();
    const Values z = channels_last(g["z"]);
    const MappedGradients out =
        f->gradients(false, {n, channels_last(g["x"]), {}}, {channels_last(g["cot_z"]), g["cot_log_det"].data});
    const double log_det = std::max(kValue, sizeof(T) == 4 ? 10 * g.number("float32_log_det_err") : 0);
    expect_close(out.value.y, z, kValue, "z");
    expect_close(out.value.log_det, g["log_det"], log_det, "log_det");
    const MappedValues back = f->map(true, {n, z, {}});
    expect_close(back.y, channels_last(g["x_back"]), kValue, "x_back");
    Values opposite = g["log_det"].data;
    for (double& v : opposite) v = -v;
    expect_close(back.log_det, opposite, log_det, "log_det of the inverse");
    expect_close(out.x, channels_last(g["grad.x"]), kGrad, "grad.x");
    size_t grads = 1;
    for (const Placed& p : all)
      if (f->model().params().slots()[slot_of(*f, p.ours)].trainable) {
        expect_close(grad_placed(p, *f, out), g["grad.param." + p.theirs], kGrad, p.theirs);
        ++grads;
      }
    size_t want = 0;
    for (const auto& [name, tensor] : g.tensors()) want += name.rfind("grad.", 0) == 0;
    EXPECT_EQ(grads, want) << "gradients that were not compared";
  }

  // Initializes the first layer from x_init.
  void start() {
    const Values x = channels_last(g["x_init"]);
    const int64_t n = g["x_init"].rows(), d = event.count();
    Values stats(static_cast<size_t>(3 * d));
    const View v = contiguous_view(const_cast<double*>(x.data()), DType::f64, {n, d});
    column_sums(v, nullptr, stats.data());
    for (int64_t j = 0; j < d; ++j) stats[static_cast<size_t>(j)] /= static_cast<double>(n);
    column_deviations(v, nullptr, stats.data(), &stats[static_cast<size_t>(d)]);
    const LayerInstance& l = f->model().layers()[0];
    l.layer->start(f->model().params(), {static_cast<double>(n), d, stats.data(), &stats[static_cast<size_t>(2 * d)]},
                   l.inverted);
  }

  // Places a PLU matrix of normflows under `ours`; P is a buffer.
  void place_plu(const std::string& theirs, const std::string& ours, std::vector<Placed>& all) {
    all.push_back(placed_entries(g, theirs + "L", ours + "lower", [](int64_t i, int64_t j) { return j < i; }));
    all.push_back(placed_entries(g, theirs + "U", ours + "upper", [](int64_t i, int64_t j) { return j > i; }));
    all.push_back(placed(g, theirs + "log_S", ours + "log_s"));
    all.push_back(placed(g, theirs + "sign_S", ours + "sign"));
    const GoldenTensor& p = g["param." + theirs + "P"];
    Values order;
    for (int64_t i = 0; i < p.rows(); ++i) {
      const Values row = p.row(i);
      order.push_back(static_cast<double>(std::find(row.begin(), row.end(), 1.0) - row.begin()));
    }
    set(ours + "permutation", order);
  }

  Golden g;
  Dims event;
  std::unique_ptr<FlowCase<T>> f;
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ImageGolden, Types);

TYPED_TEST(ImageGolden, ActNorm) {
  this->open("03_actnorm_image", Json::array({{{"type", "actnorm"}}}));
  const Golden& g = this->g;
  this->start();
  expect_close(this->get("layers.0.log_scale"), g["param.log_scale"], this->kValue, "log_scale");
  expect_close(this->get("layers.0.shift"), g["param.shift"], this->kValue, "shift");
  const MappedValues first = this->f->map(false, {g["x_init"].rows(), channels_last(g["x_init"]), {}});
  expect_close(first.y, channels_last(g["z_init"]), this->kValue, "z_init");
  expect_close(first.log_det, g["log_det_init"], this->kValue, "log_det_init");
  this->check({placed(g, "log_scale", "layers.0.log_scale"), placed(g, "shift", "layers.0.shift")});
}

// Theirs is (x - t) exp(-s), the inverse of ours.
TYPED_TEST(ImageGolden, ActNormOfGlow) {
  this->open("03_actnorm_glow_image", Json::array({{{"type", "actnorm"}, {"invert", true}}}));
  const Golden& g = this->g;
  this->start();
  constexpr double kTheirEps = 1e-5;  // they add 1e-6 to the standard deviation, which is below 1 here
  expect_close(this->get("layers.0.log_scale"), g["param.s"], kTheirEps, "log_scale");
  expect_close(this->get("layers.0.shift"), g["param.t"], this->kValue, "shift");
  this->check({placed(g, "s", "layers.0.log_scale"), placed(g, "t", "layers.0.shift")});
}

TYPED_TEST(ImageGolden, Convolution1x1) {
  this->open("04_conv1x1_full", Json::array({{{"type", "linear"}, {"bias", false}}}));
  Placed w{"W", "layers.0.weight", {}};
  const int64_t c = this->event[2];
  for (int64_t o = 0; o < c; ++o)
    for (int64_t i = 0; i < c; ++i) w.at.push_back(i * c + o);
  this->check({w});
}

TYPED_TEST(ImageGolden, Convolution1x1ByFactors) {
  this->open("04_conv1x1_plu", Json::array({{{"type", "plu_linear"}, {"bias", false}}}));
  std::vector<Placed> all;
  this->place_plu("", "layers.0.", all);
  this->check(all);
}

TYPED_TEST(ImageGolden, PermutationOfChannels) {
  const auto order = Golden::load("04_permutation_channel")["param._permutation"].as<int64_t>();
  this->open("04_permutation_channel", Json::array({{{"type", "permutation"}, {"order", order}}}));
  this->check({});
}

// Their mask transforms channels 0 and 2, ours the second half, after a permutation.
TYPED_TEST(ImageGolden, AffineCoupling) {
  const Json order = {{"type", "permutation"}, {"order", {1, 3, 0, 2}}};
  Json back = order;
  back["invert"] = true;
  this->open("06_affine_coupling_image",
             Json::array({order,
                          {{"type", "affine_coupling"},
                           {"mask", "channel"},
                           {"scale", "sigmoid"},
                           {"net", {{"type", "residual_conv"}, {"hidden", {8}}, {"blocks", 1}}}},
                          back}));
  const Golden& g = this->g;
  ASSERT_EQ(g["param.transform_features"].data, (Values{0, 2}));
  ASSERT_EQ(g.meta("scale_activation"), "sigmoid(s+2)+1e-3");
  std::vector<Placed> all;
  for (const auto& [theirs, ours] : {std::pair<std::string, std::string>{"initial_layer", "input"},
                                     {"blocks.0.conv_layers.0", "blocks.0.0"},
                                     {"blocks.0.conv_layers.1", "blocks.0.1"},
                                     {"final_layer", "output"}})
    place_conv(g, "transform_net." + theirs, "layers.1.net." + ours, all);
  this->check(all);
}

// Levels from the data inward; latents are [z_0 | z_1 | ...] with the deepest first, as theirs are numbered.
TYPED_TEST(ImageGolden, Glow) {
  using T = TypeParam;
  for (const char* name : {"08_glow_1x16x16", "08_glow_3x8x8"}) {
    SCOPED_TRACE(name);
    Golden g = Golden::load(name);
    const auto levels = static_cast<int64_t>(g.number("L")), blocks = static_cast<int64_t>(g.number("K")),
               hidden = static_cast<int64_t>(g.number("hidden"));
    ASSERT_EQ(g.meta("scale_map") + g.meta("split_mode"), "sigmoidchannel");
    const bool logit = g.meta("transform") == "Logit(alpha=0.05)";
    // The spec, from the inside out.
    Json inner = Json::array();
    for (int64_t i = 0; i < levels; ++i) {
      Json level = Json::array();
      level.push_back({{"type", "squeeze"}});
      level.push_back({{"repeat", blocks},
                       {"layers",
                        {{{"type", "actnorm"}, {"invert", true}},
                         {{"type", "plu_linear"}, {"bias", false}},
                         {{"type", "affine_coupling"},
                          {"mask", "channel"},
                          {"scale", "plain_sigmoid"},
                          {"shift_first", true},
                          {"net", {{"type", "conv"}, {"hidden", {hidden, hidden}}}}}}}});
      if (i > 0) level.push_back({{"type", "split"}, {"prior", "fixed"}, {"layers", inner}});
      inner = level;
    }
    const Json squeezed = {{"type", "logit"}, {"alpha", 0.05}};
    if (logit) inner.insert(inner.begin(), squeezed);
    this->open(name, inner, {{"type", "diagonal_normal"}});
    g = this->g;

    std::vector<Placed> all;
    int64_t layer = logit;
    for (int64_t i = levels; i-- > 0;) {
      ++layer;  // squeeze
      for (int64_t k = blocks; k-- > 0; layer += 3) {
        const std::string theirs = "flows." + std::to_string(i) + "." + std::to_string(k) + ".flows.";
        const auto ours = [&](int64_t at) { return "layers." + std::to_string(layer + at) + "."; };
        all.push_back(placed(g, theirs + "2.s", ours(0) + "log_scale"));
        all.push_back(placed(g, theirs + "2.t", ours(0) + "shift"));
        this->place_plu(theirs + "1.", ours(1), all);
        const std::string net = theirs + "0.flows.1.param_map.net.";
        place_conv(g, net + "0", ours(2) + "net.hidden.0", all);
        place_conv(g, net + "2", ours(2) + "net.hidden.1", all);
        // Their outputs are shift, scale, shift, ... and the shift is subtracted.
        std::vector<int64_t> to;
        Values sign;
        const int64_t out = g["param." + net + "4.bias"].count();
        for (int64_t o = 0; o < out; ++o) {
          to.push_back(o % 2 * (out / 2) + o / 2);
          sign.push_back(o % 2 ? 1 : -1);
        }
        place_conv(g, net + "4", ours(2) + "net.output", all, to, sign);
      }
      layer += i > 0;  // split
    }
    load_placed(g, all, *this->f);

    // The base: numbers per column, or per channel with a learned speed.
    Values loc, log_scale;
    const auto joined = [&](const std::string& prefix) {
      Values rows;  // [n, all latents]
      const int64_t n = g[prefix + "0"].rows();
      for (int64_t r = 0; r < n; ++r)
        for (int64_t i = 0; i < levels; ++i) {
          const Values z = channels_last(g[prefix + std::to_string(i)]);
          const auto count = static_cast<int64_t>(z.size()) / n;
          rows.insert(rows.end(), z.begin() + r * count, z.begin() + (r + 1) * count);
        }
      return rows;
    };
    const bool shared = g.meta("base") == "glow";
    for (int64_t i = 0; i < levels; ++i) {
      const std::string q = "param.q0." + std::to_string(i) + ".";
      const auto& e = g["z_" + std::to_string(i)].shape;
      for (const auto& [to, what] : {std::pair<Values*, std::string>{&loc, "loc"}, {&log_scale, "log_scale"}}) {
        const Values v = channels_last(g[q + what]);
        for (int64_t k = 0; k < e[1] * e[2] * e[3]; ++k)
          to->push_back(shared ? v[static_cast<size_t>(k % e[1])] *
                                     std::exp(3 * g[q + what + "_logs"].data[static_cast<size_t>(k % e[1])])
                               : v[static_cast<size_t>(k)]);
      }
    }
    this->set("base.loc", loc);
    this->set("base.log_scale", log_scale);

    const int64_t n = g["x"].rows();
    const double lost = sizeof(T) == 4 ? 10 * g.number("float32_log_det_err") : 0;
    const double log_det = std::max(this->kValue, lost), grad = std::max(this->kGrad, lost);
    const Rows2 in{n, channels_last(g["x"]), {}};
    const MappedValues out = this->f->map(false, in);
    expect_close(out.y, joined("z_"), this->kValue, "z");
    expect_close(out.log_det, g["log_det"], log_det, "log_det");
    expect_close(this->f->map(true, {n, out.y, {}}).y, channels_last(g["x_back"]), this->kValue, "x_back");
    const MappedValues sampled = this->f->map(true, {n, joined("zs_"), {}});
    expect_close(sampled.y, channels_last(g["xs"]), this->kValue, "xs");
    expect_close(sampled.log_det, g["log_det_s"], log_det, "log_det_s");

    const MappedGradients got =
        this->f->log_prob_gradients(in, Values(static_cast<size_t>(n), 1 / static_cast<double>(n)));
    expect_close(got.value.log_det, g["log_prob"], log_det, "log_prob");
    expect_close(got.x, channels_last(g["grad.x"]), grad, "grad.x");
    size_t grads = 1;
    for (const Placed& p : all)
      if (this->f->model().params().slots()[slot_of(*this->f, p.ours)].trainable) {
        expect_close(grad_placed(p, *this->f, got), g["grad.param." + p.theirs], grad, p.theirs);
        ++grads;
      }
    int64_t first = 0;
    for (int64_t i = 0; i < levels; ++i) {
      const std::string q = "q0." + std::to_string(i) + ".";
      const auto& e = g["z_" + std::to_string(i)].shape;
      const int64_t count = e[1] * e[2] * e[3];
      for (const std::string what : {"loc", "log_scale"}) {
        const Values& ours = got.params[slot_of(*this->f, "base." + what)];
        const Values here(ours.begin() + first, ours.begin() + first + count);
        if (!shared) {
          expect_close(here, channels_last(g["grad.param." + q + what]), grad, q + what);
          ++grads;
          continue;
        }
        Values of(static_cast<size_t>(e[1])), of_logs(of.size());
        for (int64_t k = 0; k < count; ++k) of[static_cast<size_t>(k % e[1])] += here[static_cast<size_t>(k)];
        for (size_t c = 0; c < of.size(); ++c) {
          of[c] *= std::exp(3 * g["param." + q + what + "_logs"].data[c]);
          of_logs[c] = 3 * g["param." + q + what].data[c] * of[c];
        }
        expect_close(of, g["grad.param." + q + what], grad, q + what);
        expect_close(of_logs, g["grad.param." + q + what + "_logs"], grad, q + what + "_logs");
        grads += 2;
      }
      first += count;
    }
    size_t want = 0;
    for (const auto& [key, tensor] : g.tensors()) want += key.rfind("grad.", 0) == 0;
    EXPECT_EQ(grads, want) << "gradients that were not compared";
  }
}

}  // namespace
}  // namespace libnf::test
