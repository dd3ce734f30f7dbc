// Convolutional nets against their formulas written with loops over pixels, for the masks of images; new nets, which
// change nothing; and couplings with them. Gradients and inverses of couplings that use them are tested by the registry
// suites of the layers, and the ops by their own.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "src/flow/mask.h"
#include "tests/support/flow_case.h"
#include "tests/support/golden.h"
#include "tests/support/net_config.h"

namespace libnf::test {
namespace {

constexpr int64_t kRows = 3, kContext = 2, kHeight = 3, kWidth = 4, kChannels = 3, kPixels = kHeight * kWidth;

// A net by itself, with random parameters.
struct Holder {
  template <class Build>
  explicit Holder(const Build& build, uint64_t seed = 3) : t(system_allocator(), DType::f64) {
    net = build(Declare(infos, "", Dims{kHeight, kWidth, kChannels}, kContext, 0));
    std::vector<ParamSlot> slots;
    for (const ParamInfo& p : infos) slots.push_back({p.name, p.shape, p.trainable});
    params = std::make_unique<ParamStore>(system_allocator(), DType::f64, std::move(slots));
    nodes.resize(infos.size());
    params->bind(nodes.data(), nullptr, nullptr);
    std::mt19937_64 random(seed);
    for (size_t i = 0; i < infos.size(); ++i) {
      const View v = params->view(i);
      const Values values = draw_normal(v.count(), random);
      for (size_t k = 0; k < values.size(); ++k) v.as<double>()[k] = 0.5 * values[k];
    }
  }
  const double* data(const std::string& name) const {
    const int64_t slot = params->find(name);
    EXPECT_GE(slot, 0) << name;
    return params->view(static_cast<size_t>(slot)).as<double>();
  }
  Values run(Values& x, Values& c) {
    const auto rows = [&](Values& v) {
      return t.input(contiguous_view(v.data(), DType::f64, {kRows, static_cast<int64_t>(v.size()) / kRows}), false);
    };
    return values_of<double>((*net)({t, nodes.data()}, rows(x), rows(c))->out);
  }
  // Returns the convolution under `name` of one image [height, width, in] with zero or circular padding.
  Values conv(const std::string& name, const Values& x, int64_t kernel, bool circular = false) const {
    const double *w = data(name + ".weight"), *b = data(name + ".bias");
    const auto in = static_cast<int64_t>(x.size()) / kPixels;
    const int64_t out = params->view(static_cast<size_t>(params->find(name + ".bias"))).count();
    Values y;
    for (int64_t p = 0; p < kPixels; ++p)
      for (int64_t o = 0; o < out; ++o) {
        double sum = b[o];
        for (int64_t i = 0; i < kernel; ++i)
          for (int64_t j = 0; j < kernel; ++j) {
            int64_t line = p / kWidth + i - (kernel - 1) / 2, column = p % kWidth + j - (kernel - 1) / 2;
            if (circular) line = (line + kHeight) % kHeight, column = (column + kWidth) % kWidth;
            if (line < 0 || line >= kHeight || column < 0 || column >= kWidth) continue;
            for (int64_t k = 0; k < in; ++k)
              sum +=
                  x[static_cast<size_t>((line * kWidth + column) * in + k)] * w[((i * kernel + j) * in + k) * out + o];
          }
        y.push_back(sum);
      }
    return y;
  }
  // Adds the context's term to every pixel.
  void add_context(const std::string& name, const double* c, Values& y) const {
    const double* w = data(name + ".context");
    const size_t out = y.size() / kPixels;
    for (size_t k = 0; k < y.size(); ++k)
      for (size_t i = 0; i < kContext; ++i) y[k] += c[i] * w[i * out + k % out];
  }

  std::vector<ParamInfo> infos;
  std::unique_ptr<ParamStore> params;
  std::vector<Node> nodes;
  std::unique_ptr<Net> net;
  Tape t;
};

struct Case {
  MaskKind kind;
  bool runs;
};
const Case kCases[] = {{MaskKind::channel, false}, {MaskKind::channel, true},      {MaskKind::checkerboard, false},
                       {MaskKind::halves, false},  {MaskKind::checkerboard, true}, {MaskKind::random, true}};

constexpr int64_t kPer = 2;  // outputs per column

// Holds a net of the columns that a mask passes, and checks it: `formula` maps an image and a context to an image.
struct Checked {
  Checked(const std::string& spec, const Case& c)
      : runs(c.runs), mask(config(c), declare()), holder([&](const Declare& d) {
          const NetPlaces places{d.event, mask.pass, mask.transform, runs};
          return net_of(spec).build_at(d, places, static_cast<int64_t>(mask.pass.size()),
                                       kPer * static_cast<int64_t>(mask.transform.size()));
        }) {}
  static MaskConfig config(const Case& c) {
    MaskConfig m;
    m.kind = c.kind;
    return m;
  }
  static Declare declare() {
    static std::vector<ParamInfo> none;
    return Declare(none, "", Dims{kHeight, kWidth, kChannels}, 0, 0);
  }

  template <class Formula>
  void check(const Formula& formula) {
    std::mt19937_64 random(8);
    const size_t in = mask.pass.size(), out = mask.transform.size();
    Values x = draw_normal(kRows * static_cast<int64_t>(in), random), c = draw_normal(kRows * kContext, random);
    const Values got = holder.run(x, c);
    ASSERT_EQ(got.size(), kRows * kPer * out);
    // Channels that occur among the columns, in order.
    const auto slots = [](const std::vector<int32_t>& columns) {
      std::map<int32_t, size_t> s;
      for (int32_t column : columns) s[column % kChannels] = 0;
      size_t next = 0;
      for (auto& e : s) e.second = next++;
      return s;
    };
    auto from = slots(mask.pass), to = slots(mask.transform);
    for (size_t r = 0; r < kRows; ++r) {
      Values image(kPixels * from.size());
      for (size_t i = 0; i < in; ++i) {
        const int32_t column = mask.pass[i];
        image[static_cast<size_t>(column / kChannels) * from.size() + from[column % kChannels]] = x[r * in + i];
      }
      const Values y = formula(image, c.data() + r * kContext);
      ASSERT_EQ(y.size(), kPixels * to.size() * kPer);
      for (size_t j = 0; j < out; ++j)
        for (size_t k = 0; k < kPer; ++k) {
          const int32_t column = mask.transform[j];
          const size_t slot = to[column % kChannels], channel = runs ? slot * kPer + k : k * to.size() + slot;
          EXPECT_NEAR(got[r * kPer * out + (runs ? j * kPer + k : k * out + j)],
                      y[static_cast<size_t>(column / kChannels) * to.size() * kPer + channel], 1e-12)
              << "row " << r << ", column " << column << ", number " << k;
        }
    }
  }

  bool runs;
  Mask mask;
  Holder holder;
};

Values tanh_of(Values v) {
  for (double& e : v) e = std::tanh(e);
  return v;
}

TEST(ConvNet, PlainIsTheFormula) {
  for (const Case& c : kCases) {
    for (const bool circular : {false, true}) {
      SCOPED_TRACE(static_cast<int>(c.kind));
      Checked net(std::string(R"({"type": "conv", "hidden": [5, 4], "activation": "tanh", "circular": )") +
                      (circular ? "true}" : "false}"),
                  c);
      const Holder& h = net.holder;
      net.check([&](const Values& x, const double* context) {
        Values a = h.conv("hidden.0", x, 3, circular);
        h.add_context("hidden.0", context, a);
        Values y = h.conv("output", tanh_of(h.conv("hidden.1", tanh_of(a), 1)), 3, circular);
        const size_t out = y.size() / kPixels;
        for (size_t k = 0; k < y.size(); ++k) y[k] *= std::exp(3 * h.data("output.log_scale")[k % out]);
        return y;
      });
    }
  }
}

TEST(ConvNet, PlainWithoutHiddenLayers) {
  Checked net(R"({"type": "conv", "hidden": [], "kernel": 2})", kCases[0]);
  const Holder& h = net.holder;
  net.check([&](const Values& x, const double* context) {
    Values y = h.conv("output", x, 2);
    h.add_context("output", context, y);
    const size_t out = y.size() / kPixels;
    for (size_t k = 0; k < y.size(); ++k) y[k] *= std::exp(3 * h.data("output.log_scale")[k % out]);
    return y;
  });
}

Values concat_elu_of(const Values& x, size_t channels) {
  Values y;
  for (size_t p = 0; p < x.size(); p += channels)
    for (const int sign : {1, -1})
      for (size_t i = 0; i < channels; ++i) {
        const double v = sign * x[p + i];
        y.push_back(v > 0 ? v : std::expm1(v));
      }
  return y;
}

TEST(ConvNet, GatedIsTheFormula) {
  constexpr size_t channels = 4;
  for (const Case& c : kCases) {
    SCOPED_TRACE(static_cast<int>(c.kind));
    Checked net(R"({"type": "gated_conv", "hidden": [4], "blocks": 2})", c);
    const Holder& h = net.holder;
    net.check([&](const Values& x, const double* context) {
      Values a = h.conv("input", x, 3);
      h.add_context("input", context, a);
      for (const std::string block : {"blocks.0.", "blocks.1."}) {
        const Values wide = h.conv(block + "0", concat_elu_of(a, channels), 3);
        const Values both = h.conv(block + "1", concat_elu_of(wide, channels), 1);
        for (size_t p = 0; p < kPixels; ++p) {
          double mean = 0, var = 0;
          double* v = &a[p * channels];
          for (size_t i = 0; i < channels; ++i) {
            v[i] += both[2 * p * channels + i] / (1 + std::exp(-both[(2 * p + 1) * channels + i]));
            mean += v[i] / channels;
          }
          for (size_t i = 0; i < channels; ++i) var += (v[i] - mean) * (v[i] - mean) / channels;
          for (size_t i = 0; i < channels; ++i)
            v[i] = (v[i] - mean) / std::sqrt(var + 1e-5) * h.data(block + "norm.weight")[i] +
                   h.data(block + "norm.bias")[i];
        }
      }
      return h.conv("output", concat_elu_of(a, channels), 3);
    });
  }
}

// Normalizes each run of `units` numbers, with the parameters under `name`.
Values norm_of(const Holder& h, const std::string& name, Values v, size_t units) {
  for (size_t at = 0; at < v.size(); at += units) {
    double mean = 0, var = 0;
    for (size_t i = 0; i < units; ++i) mean += v[at + i] / static_cast<double>(units);
    for (size_t i = 0; i < units; ++i) var += (v[at + i] - mean) * (v[at + i] - mean) / static_cast<double>(units);
    for (size_t i = 0; i < units; ++i)
      v[at + i] = (v[at + i] - mean) / std::sqrt(var + 1e-5) * h.data(name + ".weight")[i] + h.data(name + ".bias")[i];
  }
  return v;
}

// The same linear map of each run of `in` numbers.
Values map_of(const Holder& h, const std::string& name, const Values& v, size_t in, size_t out) {
  const double *w = h.data(name + ".weight"), *b = h.data(name + ".bias");
  Values y;
  for (size_t at = 0; at < v.size(); at += in)
    for (size_t o = 0; o < out; ++o) {
      y.push_back(b[o]);
      for (size_t i = 0; i < in; ++i) y.back() += v[at + i] * w[i * out + o];
    }
  return y;
}

double gelu_of(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2))); }

// 3 x 4 pixels in patches of 2 x 2: the lower ones are half padding.
TEST(ConvNet, VitIsTheFormula) {
  constexpr size_t units = 4, heads = 2, size = 2, patch = 2, tokens = 4, wide = 3 * units;
  for (const Case& c : kCases)
    for (const bool geglu : {false, true})
      for (const bool causal : {false, true}) {
        SCOPED_TRACE(static_cast<int>(c.kind));
        Checked net(
            std::string(R"({"type": "vit", "hidden": [4], "heads": 2, "patch": 2, "blocks": 2, "expansion": 3, )") +
                (geglu ? R"("mlp": "geglu", )" : "") + R"("causal": )" + (causal ? "true}" : "false}"),
            c);
        const Holder& h = net.holder;
        const size_t out =
            static_cast<size_t>(h.params->view(static_cast<size_t>(h.params->find("output.bias"))).count());
        net.check([&](const Values& x, const double* context) {
          const size_t in = x.size() / kPixels;
          // Calls f(token, row and column in its patch, pixel) for all pixels.
          const auto each_pixel = [&](const auto& f) {
            for (size_t y = 0; y < kHeight; ++y)
              for (size_t z = 0; z < kWidth; ++z)
                f(y / patch * 2 + z / patch, y % patch * patch + z % patch, y * kWidth + z);
          };
          Values a(tokens * units);
          for (size_t k = 0; k < a.size(); ++k) {
            a[k] = h.data("input.bias")[k % units] + h.data("input.position")[k];
            for (size_t i = 0; i < kContext; ++i) a[k] += context[i] * h.data("input.context")[i * units + k % units];
          }
          each_pixel([&](size_t token, size_t place, size_t pixel) {
            for (size_t i = 0; i < in; ++i)
              for (size_t u = 0; u < units; ++u)
                a[token * units + u] += x[pixel * in + i] * h.data("input.weight")[(place * in + i) * units + u];
          });
          for (const std::string block : {"blocks.0.", "blocks.1."}) {
            const Values n = norm_of(h, block + "attention.norm", a, units);
            const Values q = map_of(h, block + "attention.query", n, units, units),
                         k = map_of(h, block + "attention.key", n, units, units),
                         v = map_of(h, block + "attention.value", n, units, units);
            Values mixed(tokens * units);
            for (size_t head = 0; head < heads; ++head)
              for (size_t i = 0; i < tokens; ++i) {
                Values p;
                double sum = 0;
                for (size_t j = 0; j < (causal ? i + 1 : tokens); ++j) {
                  double s = 0;
                  for (size_t e = 0; e < size; ++e)
                    s += q[i * units + head * size + e] * k[j * units + head * size + e];
                  p.push_back(std::exp(s / std::sqrt(static_cast<double>(size))));
                  sum += p.back();
                }
                for (size_t j = 0; j < p.size(); ++j)
                  for (size_t e = 0; e < size; ++e)
                    mixed[i * units + head * size + e] += p[j] / sum * v[j * units + head * size + e];
              }
            const Values joined = map_of(h, block + "attention.output", mixed, units, units);
            for (size_t i = 0; i < a.size(); ++i) a[i] += joined[i];
            const Values m = norm_of(h, block + "mlp.norm", a, units);
            Values b = map_of(h, block + "mlp.hidden", m, units, wide);
            for (double& e : b) e = gelu_of(e);
            if (geglu) {
              const Values gate = map_of(h, block + "mlp.gate", m, units, wide);
              for (size_t i = 0; i < b.size(); ++i) b[i] *= gate[i];
            }
            const Values narrow = map_of(h, block + "mlp.output", b, wide, units);
            for (size_t i = 0; i < a.size(); ++i) a[i] += narrow[i];
          }
          const Values n = norm_of(h, "norm", a, units);
          Values y(kPixels * out);
          each_pixel([&](size_t token, size_t place, size_t pixel) {
            for (size_t o = 0; o < out; ++o) {
              y[pixel * out + o] = h.data("output.bias")[o];
              for (size_t u = 0; u < units; ++u)
                y[pixel * out + o] += n[token * units + u] * h.data("output.weight")[(place * out + o) * units + u];
            }
          });
          return y;
        });
      }
}

// nflows' ConvResidualNet, float64. Weights there are [out, in, h, w], images [n, c, h, w].
TEST(ConvNet, ResidualMatchesGolden) {
  const Golden g = Golden::load("09_net_conv_residual");
  const auto turned = [](const GoldenTensor& t, bool weight) {
    if (t.shape.size() != 4) return t.data;
    const int64_t *e = t.shape.data(), w = e[3], h = e[2], c = e[1];
    Values v;
    if (weight) {
      for (int64_t i = 0; i < h * w; ++i)
        for (int64_t k = 0; k < c; ++k)
          for (int64_t o = 0; o < e[0]; ++o) v.push_back(t.data[static_cast<size_t>((o * c + k) * h * w + i)]);
    } else {
      for (int64_t n = 0; n < e[0]; ++n)
        for (int64_t i = 0; i < h * w; ++i)
          for (int64_t k = 0; k < c; ++k) v.push_back(t.data[static_cast<size_t>((n * c + k) * h * w + i)]);
    }
    return v;
  };
  const auto ours = [](std::string name) {
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"initial_layer", "input"},
                                   {"conv_layers.", ""},
                                   {"final_layer", "output"}})
      if (const size_t at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
    return name;
  };
  constexpr int64_t pixels = 16, in = 2, out = 3, rows = 2;
  std::vector<int32_t> from, to;
  for (int32_t p = 0; p < pixels; ++p)
    for (int32_t c = 0; c < in + out; ++c) (c < in ? from : to).push_back(p * (in + out) + c);
  std::vector<ParamInfo> infos;
  const Declare d(infos, "", Dims{4, 4, in + out}, 0, 0);
  const auto net = net_of(R"({"type": "residual_conv", "hidden": [6], "blocks": 1})")
                       .build_at(d, {d.event, from, to, true}, pixels * in, pixels * out);
  std::vector<ParamSlot> slots;
  for (const ParamInfo& p : infos) slots.push_back({p.name, p.shape, p.trainable});
  ParamStore params(system_allocator(), DType::f64, std::move(slots));
  std::vector<double> grads(static_cast<size_t>(params.trainable_size()));
  std::vector<Node> nodes(infos.size());
  params.bind(nodes.data(), grads.data(), nullptr);
  for (const auto& [name, tensor] : g.tensors()) {
    if (name.rfind("param.", 0) != 0) continue;
    const int64_t slot = params.find(ours(name.substr(6)));
    ASSERT_GE(slot, 0) << name;
    const Values v = turned(tensor, true);
    std::copy(v.begin(), v.end(), params.view(static_cast<size_t>(slot)).as<double>());
  }
  Tape t(system_allocator(), DType::f64);
  Values x = turned(g["x"], false), cot = turned(g["cot"], false);
  Var vx = t.input(contiguous_view(x.data(), DType::f64, {rows, pixels * in}), true);
  Var y = (*net)({t, nodes.data()}, vx, nullptr);
  EXPECT_TRUE(is_close(values_of<double>(y->out), turned(g["out"], false), kGoldenF64));
  std::copy(cot.begin(), cot.end(), t.grad(*y).as<double>());
  t.backward();
  EXPECT_TRUE(is_close(values_of<double>(t.grad(*vx)), turned(g["grad.x"], false), kGoldenF64));
  size_t checked = 0;
  for (const auto& [name, tensor] : g.tensors()) {
    if (name.rfind("grad.param.", 0) != 0) continue;
    const int64_t slot = params.find(ours(name.substr(11)));
    ASSERT_GE(slot, 0) << name;
    EXPECT_TRUE(is_close(values_of<double>(t.grad(nodes[static_cast<size_t>(slot)])), turned(tensor, true), kGoldenF64))
        << name;
    ++checked;
  }
  EXPECT_EQ(checked, infos.size());
}

// A new coupling changes nothing, and one with any parameters inverts and does not couple rows.
TEST(ConvNet, Couplings) {
  std::mt19937_64 random(4);
  for (const std::string net : {R"("conv")", R"("gated_conv")", R"("residual_conv")", R"("vit", "heads": 2)",
                                R"("vit", "heads": 3, "patch": 3, "mlp": "geglu", "causal": true)"}) {
    for (const std::string mask : {"channel", "checkerboard"}) {
      for (const std::string layer : {"additive_coupling", "spline_coupling", "affine_coupling"}) {
        SCOPED_TRACE(net + " " + mask + " " + layer);
        FlowCase<double> f(
            parse_spec(R"({"event": [4, 5, 2], "context": 3, "dtype": "float64", "layers": [{"type": ")" + layer +
                       R"(", "mask": ")" + mask + R"(", "net": {"type": )" + net + R"(, "hidden": [6]}}]})"));
        const Rows2 in = draw_mild(Domain::real, 4, 40, 3, random);
        const MappedValues fresh = f.map(false, in);
        for (size_t k = 0; k < in.x.size(); ++k) EXPECT_NEAR(fresh.y[k], in.x[k], 1e-12);
        f.randomize(7, 0.3);
        const MappedValues z = f.map(false, in);
        const MappedValues x = f.map(true, {4, z.y, in.context});
        for (size_t k = 0; k < in.x.size(); ++k) EXPECT_NEAR(x.y[k], in.x[k], 1e-9);
        for (int64_t r = 0; r < 4; ++r) {
          const MappedValues one = f.map(false, in.part(r, 1));
          EXPECT_TRUE(same_bits(one.y, Values(z.y.begin() + r * 40, z.y.begin() + (r + 1) * 40)));
        }
      }
    }
  }
}

}  // namespace
}  // namespace libnf::test
