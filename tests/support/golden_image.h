// Golden vectors of images: [n, c, h, w] as rows of [h, w, c], weights of convolutions in our order, and layers whose
// tensors are placed in a model number by number.
#pragma once
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/flow_case.h"
#include "tests/support/golden.h"

namespace libnf::test {

// Returns [n, c, h, w] as rows of [h, w, c].
inline Values channels_last(const GoldenTensor& g) {
  const int64_t n = g.shape[0], c = g.shape[1], pixels = g.shape[2] * g.shape[3];
  Values rows;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t k = 0; k < c; ++k) rows.push_back(g.data[static_cast<size_t>((i * c + k) * pixels + p)]);
  return rows;
}

// Where the numbers of their tensor are in ours: ours[at[k]] = factor[k] theirs[k]; at[k] = -1: nowhere, with gradient 0.
struct Placed {
  std::string theirs, ours;
  std::vector<int64_t> at;
  Values factor = {};  // empty: 1

  double times(size_t k) const { return factor.empty() ? 1 : factor[k]; }
};

// A tensor in the same order here as there.
inline Placed placed(const Golden& g, const std::string& theirs, const std::string& ours) {
  Placed p{theirs, ours, {}};
  for (int64_t k = 0; k < g["param." + theirs].count(); ++k) p.at.push_back(k);
  return p;
}
// The elements (i, j) of a square matrix that keep(i, j) selects are stored in a row.
template <class Keep>
Placed placed_entries(const Golden& g, const std::string& theirs, const std::string& ours, const Keep& keep) {
  Placed p{theirs, ours, {}};
  const int64_t d = g["param." + theirs].shape[0];
  int64_t next = 0;
  for (int64_t i = 0; i < d; ++i)
    for (int64_t j = 0; j < d; ++j) p.at.push_back(keep(i, j) ? next++ : -1);
  return p;
}
// Weight and bias of a convolution, [out, in, h, w] there and [h, w, in, out] here. Their output o is our output
// to[o], times factor[o]; both may be empty.
inline void place_conv(const Golden& g, const std::string& theirs, const std::string& ours, std::vector<Placed>& all,
                       const std::vector<int64_t>& to = {}, const Values& factor = {}) {
  const auto& e = g["param." + theirs + ".weight"].shape;
  const int64_t out = e[0], in = e[1], taps = e[2] * e[3];
  Placed w{theirs + ".weight", ours + ".weight", {}}, b{theirs + ".bias", ours + ".bias", {}};
  for (int64_t o = 0; o < out; ++o) {
    const int64_t column = to.empty() ? o : to[static_cast<size_t>(o)];
    const double by = factor.empty() ? 1 : factor[static_cast<size_t>(o)];
    for (int64_t i = 0; i < in; ++i)
      for (int64_t t = 0; t < taps; ++t) {
        w.at.push_back((t * in + i) * out + column);
        w.factor.push_back(by);
      }
    b.at.push_back(column);
    b.factor.push_back(by);
  }
  all.push_back(std::move(w));
  all.push_back(std::move(b));
}

template <class T>
size_t slot_of(FlowCase<T>& f, const std::string& name) {
  const int64_t slot = f.model().params().find(name);
  if (slot < 0) throw std::runtime_error("no tensor " + name);
  return static_cast<size_t>(slot);
}

template <class T>
void load_placed(const Golden& g, const std::vector<Placed>& all, FlowCase<T>& f) {
  for (const Placed& p : all) {
    const Values& v = g["param." + p.theirs].data;
    ASSERT_EQ(v.size(), p.at.size()) << p.theirs;
    T* to = f.param(slot_of(f, p.ours));
    for (size_t k = 0; k < v.size(); ++k)
      if (p.at[k] >= 0) to[p.at[k]] = static_cast<T>(p.times(k) * v[k]);
  }
}

// Returns the gradient of their tensor, from those of ours.
template <class T>
Values grad_placed(const Placed& p, FlowCase<T>& f, const MappedGradients& got) {
  const Values& ours = got.params[slot_of(f, p.ours)];
  Values grad;
  for (size_t k = 0; k < p.at.size(); ++k)
    grad.push_back(p.at[k] >= 0 ? p.times(k) * ours[static_cast<size_t>(p.at[k])] : 0);
  return grad;
}

}  // namespace libnf::test
