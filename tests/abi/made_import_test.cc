// Imports masked autoregressive nets of another library with nothing but nf.h: ordinary dense weights and masks whose hidden
// units are in any order. The densities agree with a direct computation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "nf/nf.h"

namespace {

using Numbers = std::vector<double>;

struct Error : nf_error {
  Error() : nf_error(NF_ERROR_INIT) {}
};
#define OK(call) ASSERT_EQ(call, NF_OK) << e.message

constexpr int64_t kColumns = 5, kContext = 2, kRows = 40;
constexpr double kCap = 3;

struct Matrix {
  int64_t rows = 0, cols = 0;
  Numbers at;
  Matrix() = default;
  Matrix(int64_t r, int64_t c) : rows(r), cols(c), at(static_cast<size_t>(r * c)) {}
  double& operator()(int64_t i, int64_t j) { return at[static_cast<size_t>(i * cols + j)]; }
  double operator()(int64_t i, int64_t j) const { return at[static_cast<size_t>(i * cols + j)]; }
};

// Their net: y = (mask * weight) x + bias, tanh between layers. The input is [context, x]; the output has a shift and a raw
// log-scale for each column of x in turn.
struct Layer {
  Matrix weight, mask;
  Numbers bias;
  std::vector<int> degree;  // of its outputs
};

struct Net {
  std::vector<Layer> layers;

  // order[j]: the place of column j in the autoregressive order.
  Net(const std::vector<int>& order, bool context, const std::vector<int64_t>& hidden, std::mt19937_64& random) {
    std::normal_distribution<double> normal;
    const int low = context ? 0 : 1;
    std::vector<int> from(context ? kContext : 0, 0);
    for (const int place : order) from.push_back(place + 1);
    for (size_t l = 0; l <= hidden.size(); ++l) {
      const bool last = l == hidden.size();
      Layer layer;
      if (last) {
        for (const int place : order) layer.degree.insert(layer.degree.end(), 2, place);
      } else {
        for (int64_t j = 0; j < hidden[l]; ++j) layer.degree.push_back(low + static_cast<int>(j % (kColumns - low)));
        std::shuffle(layer.degree.begin(), layer.degree.end(), random);
      }
      const auto out = static_cast<int64_t>(layer.degree.size()), in = static_cast<int64_t>(from.size());
      layer.weight = layer.mask = Matrix(out, in);
      for (int64_t i = 0; i < out; ++i) {
        layer.bias.push_back(0.3 * normal(random));
        for (int64_t j = 0; j < in; ++j) {
          layer.weight(i, j) = 0.5 * normal(random);  // also where the mask is 0
          layer.mask(i, j) = layer.degree[static_cast<size_t>(i)] >= from[static_cast<size_t>(j)];
        }
      }
      from = layer.degree;
      layers.push_back(std::move(layer));
    }
  }

  double log_prob(const double* x, const double* context) const {
    Numbers h;
    if (context) h.assign(context, context + kContext);
    h.insert(h.end(), x, x + kColumns);
    for (const Layer& l : layers) {
      Numbers y = l.bias;
      for (int64_t i = 0; i < l.weight.rows; ++i) {
        for (int64_t j = 0; j < l.weight.cols; ++j)
          y[static_cast<size_t>(i)] += l.mask(i, j) * l.weight(i, j) * h[static_cast<size_t>(j)];
        if (&l != &layers.back()) y[static_cast<size_t>(i)] = std::tanh(y[static_cast<size_t>(i)]);
      }
      h = y;
    }
    double sum = 0;
    for (int64_t j = 0; j < kColumns; ++j) {
      const double shift = h[static_cast<size_t>(2 * j)], raw = h[static_cast<size_t>(2 * j + 1)];
      const double log_scale = kCap * std::tanh(raw / kCap), z = x[j] * std::exp(log_scale) + shift;
      sum += log_scale - 0.5 * z * z - 0.5 * std::log(2 * 3.14159265358979323846);
    }
    return sum;
  }
};

// Positions of their units in the order of ours: by degree, as nf_model_get_mask says.
std::vector<int64_t> sorted_by_degree(const std::vector<int>& degree) {
  std::vector<int64_t> order(degree.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return degree[static_cast<size_t>(a)] < degree[static_cast<size_t>(b)];
  });
  return order;
}

std::vector<int64_t> as_they_are(int64_t n) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < n; ++i) order.push_back(i);
  return order;
}

void import(nf_model* m, const Net& net) {
  Error e;
  std::vector<int64_t> from = as_they_are(net.layers[0].weight.cols);
  for (size_t l = 0; l < net.layers.size(); ++l) {
    const Layer& theirs = net.layers[l];
    const bool last = l + 1 == net.layers.size();
    const std::vector<int64_t> to = last ? as_they_are(theirs.weight.rows) : sorted_by_degree(theirs.degree);
    const std::string name = "layers.0.net." + (last ? "output" : "hidden." + std::to_string(l));
    Matrix weight(theirs.weight.rows, theirs.weight.cols), mask = weight, want = weight;
    Numbers bias;
    for (int64_t i = 0; i < weight.rows; ++i) {
      bias.push_back(theirs.bias[static_cast<size_t>(to[static_cast<size_t>(i)])]);
      for (int64_t j = 0; j < weight.cols; ++j) {
        weight(i, j) = theirs.weight(to[static_cast<size_t>(i)], from[static_cast<size_t>(j)]);
        want(i, j) = theirs.mask(to[static_cast<size_t>(i)], from[static_cast<size_t>(j)]);
      }
    }
    const nf_out out = nf_out_rows_f64(mask.at.data(), mask.rows, mask.cols);
    OK(nf_model_get_mask(m, (name + ".weight").c_str(), &out, &e));
    EXPECT_EQ(mask.at, want.at) << name;
    const nf_view w = nf_rows_f64(weight.at.data(), weight.rows, weight.cols);
    const nf_view b = nf_vec_f64(bias.data(), weight.rows);
    OK(nf_model_set_tensor(m, (name + ".weight").c_str(), &w, &e));
    OK(nf_model_set_tensor(m, (name + ".bias").c_str(), &b, &e));
    from = to;
  }
}

void compare(const char* order_name, const std::vector<int>& order, bool context, const std::vector<int64_t>& hidden) {
  SCOPED_TRACE(std::string(order_name) + (context ? ", with context" : "") +
               ", hidden layers: " + std::to_string(hidden.size()));
  std::mt19937_64 random(7);
  const Net net(order, context, hidden, random);
  std::string sizes;
  for (const int64_t h : hidden) sizes += (sizes.empty() ? "" : ", ") + std::to_string(h);
  const std::string spec = R"({"event": 5, "dtype": "float64", "context": )" + std::to_string(context ? kContext : 0) +
                           R"(, "layers": [{"type": "masked_autoregressive", "order": ")" + order_name +
                           R"(", "net": {"type": "mlp", "activation": "tanh", "hidden": [)" + sizes + "]}}]}";
  Error e;
  nf_model* m = nullptr;
  OK(nf_model_create(nullptr, spec.c_str(), NF_TEXT, 1, &m, &e));
  import(m, net);
  std::normal_distribution<double> normal;
  Numbers x(kRows * kColumns), c(kRows * kContext), got(kRows);
  for (double& v : x) v = normal(random);
  for (double& v : c) v = normal(random);
  const nf_view rows = nf_rows_f64(x.data(), kRows, kColumns), contexts = nf_rows_f64(c.data(), kRows, kContext);
  const nf_out out = nf_out_vec_f64(got.data(), kRows);
  OK(nf_score(m, &rows, context ? &contexts : nullptr, &out, &e));
  for (int64_t r = 0; r < kRows; ++r) {
    const double want =
        net.log_prob(&x[static_cast<size_t>(r * kColumns)], context ? &c[static_cast<size_t>(r * kContext)] : nullptr);
    EXPECT_NEAR(got[static_cast<size_t>(r)], want, 1e-12 * std::max(1.0, std::abs(want))) << "row " << r;
  }
  nf_model_free(m);
}

TEST(MadeImport, DensitiesAgree) {
  for (const bool context : {false, true})
    for (const std::vector<int64_t>& hidden : {std::vector<int64_t>{}, {8}, {12, 9, 20}}) {
      compare("natural", {0, 1, 2, 3, 4}, context, hidden);
      compare("reversed", {4, 3, 2, 1, 0}, context, hidden);
    }
}

// A random order can be read from the mask: with no hidden layer, column j of x is read by the columns after it.
TEST(MadeImport, OrderIsInTheMask) {
  Error e;
  nf_model* m = nullptr;
  OK(nf_model_create(nullptr,
                     R"({"event": 5, "dtype": "float64", "layers": [
                        {"type": "masked_autoregressive", "order": "random", "net": {"type": "mlp", "hidden": []}}]})",
                     NF_TEXT, 1, &m, &e));
  Matrix mask(10, 5);
  const nf_out out = nf_out_rows_f64(mask.at.data(), 10, 5);
  OK(nf_model_get_mask(m, "layers.0.net.output.weight", &out, &e));
  std::vector<int> place(5);
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t j = 0; j < 5; ++j) place[static_cast<size_t>(i)] += static_cast<int>(mask(2 * i, j));
  std::vector<int> sorted = place;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, (std::vector<int>{0, 1, 2, 3, 4}));
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t j = 0; j < 5; ++j) {
      const bool reads = place[static_cast<size_t>(j)] < place[static_cast<size_t>(i)];
      EXPECT_EQ(mask(2 * i, j), reads);
      EXPECT_EQ(mask(2 * i + 1, j), reads);
    }
  // Only the columns before it change a column of z.
  Numbers x(5, 0.5), z0(5), z1(5);
  nf_session* s = nullptr;
  OK(nf_session_create(m, nullptr, &s, &e));
  const nf_view row = nf_rows_f64(x.data(), 1, 5);
  const nf_out to0 = nf_out_rows_f64(z0.data(), 1, 5), to1 = nf_out_rows_f64(z1.data(), 1, 5);
  OK(nf_forward(s, &row, nullptr, &to0, nullptr, &e));
  for (size_t j = 0; j < 5; ++j) {
    x[j] = 0.75;
    OK(nf_forward(s, &row, nullptr, &to1, nullptr, &e));
    x[j] = 0.5;
    for (size_t i = 0; i < 5; ++i) EXPECT_EQ(z0[i] != z1[i], i == j || place[j] < place[i]) << j << " -> " << i;
  }
  nf_session_free(s);
  nf_model_free(m);
}

}  // namespace
