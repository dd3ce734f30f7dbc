#include "runtime/tape/dense_form.h"

#include <algorithm>
#include <utility>

#include "runtime/kernel/staircase.h"

namespace libnf {
namespace {

class Reshaped final : public DenseForm {
 public:
  explicit Reshaped(const Dims& shape) : DenseForm(shape, false) {}
  void places(int64_t row, int64_t* at) const override {
    const int64_t n = shape().last();
    for (int64_t i = 0; i < n; ++i) at[i] = row * n + i;
  }
};

class Transposed final : public DenseForm {
 public:
  Transposed(int64_t inputs, int64_t outputs) : DenseForm({outputs, inputs}, false) {}
  void places(int64_t row, int64_t* at) const override {
    for (int64_t i = 0; i < shape()[1]; ++i) at[i] = i * shape()[0] + row;
  }
};

class Triangle final : public DenseForm {
 public:
  Triangle(int64_t n, bool upper) : DenseForm({n, n}, true), upper_(upper) {}
  void places(int64_t row, int64_t* at) const override {
    const int64_t n = shape()[0];
    std::fill_n(at, n, -1);
    if (upper_) {
      const int64_t before = row * n - row * (row + 1) / 2;  // entries of the rows above
      for (int64_t j = row + 1; j < n; ++j) at[j] = before + j - row - 1;
    } else {
      const int64_t before = row * (row - 1) / 2;
      for (int64_t j = 0; j < row; ++j) at[j] = before + j;
    }
  }

 private:
  bool upper_;
};

class Reordered final : public DenseForm {
 public:
  explicit Reordered(std::vector<int32_t> place)
      : DenseForm({static_cast<int64_t>(place.size())}, false), place_(std::move(place)) {}
  void places(int64_t, int64_t* at) const override { std::copy(place_.begin(), place_.end(), at); }

 private:
  std::vector<int32_t> place_;
};

class MaskedMatrix final : public DenseForm {
 public:
  MaskedMatrix(const kernel::Staircase& s, std::span<const int32_t> outputs, std::span<const int32_t> inputs)
      : DenseForm({s.cols(), s.rows()}, s.size() < checked_mul(s.rows(), s.cols())),
        stairs_(s),
        outputs_(outputs.begin(), outputs.end()),
        seen_(inputs.size()) {
    for (size_t j = 0; j < inputs.size(); ++j) seen_[static_cast<size_t>(inputs[j])] = static_cast<int32_t>(j);
  }
  void places(int64_t row, int64_t* at) const override {
    std::fill_n(at, shape()[1], -1);
    const int64_t col = outputs_[static_cast<size_t>(row)];
    for (int64_t e = 0; e < stairs_.steps(); ++e) {
      const kernel::Staircase::Piece& p = stairs_.piece(e);
      if (col < p.col || col >= p.col + p.cols) continue;
      for (int64_t r = 0; r < p.rows; ++r)
        at[seen_[static_cast<size_t>(p.row + r)]] = p.offset + r * p.cols + col - p.col;
    }
  }

 private:
  kernel::Staircase stairs_;
  std::vector<int32_t> outputs_;
  std::vector<int32_t> seen_;  // dense column of every row of the staircase
};

}  // namespace

DenseFormPtr reshaped_form(const Dims& shape) { return std::make_shared<Reshaped>(shape); }

DenseFormPtr transposed_form(int64_t inputs, int64_t outputs) { return std::make_shared<Transposed>(inputs, outputs); }

DenseFormPtr triangle_form(int64_t n, bool upper) { return std::make_shared<Triangle>(n, upper); }

DenseFormPtr reordered_form(std::vector<int32_t> place) { return std::make_shared<Reordered>(std::move(place)); }

DenseFormPtr staircase_form(const kernel::Staircase& s, std::span<const int32_t> outputs,
                            std::span<const int32_t> inputs) {
  return std::make_shared<MaskedMatrix>(s, outputs, inputs);
}

}  // namespace libnf
