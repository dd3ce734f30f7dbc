// Sylvester flow (van den Berg, Hasenclever, Tomczak & Welling 2018, eq. 8-14), written as the paper's map z0 -> zK:
//   z = x + Q R1 tanh(R2 Q^T x + b),  log_det = sum_j log(1 + tanh'(a_j) R1_jj R2_jj),  a = R2 Q^T x + b.
// Q has M orthonormal columns. R1 and R2 are upper triangular; their diagonals are tanh of parameters, so every
// R1_jj R2_jj > -1 and the map is invertible: in the coordinates Q^T x, column by column, each a root in one variable
// (runtime/op/sylvester.cc). The part of x orthogonal to Q is unchanged. As in the paper, Q is
//   orthogonal    the polar factor of a D x M matrix (runtime/op/polar.cc)
//   householder   M = D, H reflections
//   triangular    M = D, the identity or the reversal of the columns
#include <algorithm>
#include <cmath>

#include "runtime/op/ops.h"
#include "runtime/op/polar.h"
#include "runtime/op/reflect.h"
#include "runtime/op/row_matrix.h"
#include "runtime/op/sylvester.h"
#include "src/flow/layer.h"
#include "src/flow/root_fields.h"
#include "src/net/row_params.h"

namespace libnf {
namespace {

enum class Basis : uint8_t { orthogonal, householder, triangular };
enum class Flip : uint8_t { alternate, no, yes };

// Of "triangles", stored (F, row by row | raw d2 | b) as in runtime/op/sylvester.h: seen as the rows of R1, those of R2 and
// then b, [2 m + 1, m]. R1 and R2 are upper triangular, and their diagonals are raw: tanh is still to be taken.
class TrianglesForm final : public DenseForm {
 public:
  explicit TrianglesForm(int64_t m) : DenseForm({checked_add(checked_mul(2, m), 1), m}, m > 1) {}
  void places(int64_t row, int64_t* at) const override {
    const int64_t m = shape()[1], i = row % m;
    for (int64_t j = 0; j < m; ++j) {
      if (row == 2 * m)
        at[j] = m * (m + 1) + j;
      else if (row < m)
        at[j] = j < i ? -1 : i * m + j;
      else
        at[j] = j < i ? -1 : j > i ? j * m + i : m * m + i;
    }
  }
};

class Sylvester final : public Layer {
 public:
  struct Config final : libnf::Config {
    Basis basis = Basis::orthogonal;
    int64_t columns = 8, reflections = 8;
    Flip flip = Flip::alternate;
    RootLimits limits;
    RowParamsConfig params;
    void fields(Fields& f) override {
      static constexpr const char* kBases[] = {"orthogonal", "householder", "triangular"};
      static constexpr const char* kFlips[] = {"alternate", "no", "yes"};
      f.choice("basis", "Q: orthonormal columns, a product of reflections, or the order of the columns", basis, kBases);
      f.integer("columns", "M of the orthogonal basis, capped at the number of columns of the data", columns, 1,
                1 << 16);
      f.integer("reflections", "H of the Householder basis", reflections, 1, 1 << 16);
      f.choice("flip",
               "whether the triangular basis reverses the columns: in every second layer of the model (the second, the "
               "fourth, ..., counting layers of all kinds), never or always",
               flip, kFlips);
      root_fields(f, limits);
      params.fields(f);
    }
  };

  Sylvester(const Config& c, const Declare& d)
      : basis_(c.basis),
        m_(c.basis == Basis::orthogonal ? std::min(c.columns, d.columns()) : d.columns()),
        vectors_(c.basis == Basis::orthogonal    ? m_
                 : c.basis == Basis::householder ? c.reflections
                                                 : 0),
        limits_(c.limits),
        params_(c.params, d,
                {{"triangles", checked_mul(m_, checked_add(m_, 2)), Init::uniform_pm(1 / std::sqrt(double(m_))),
                  std::make_shared<TrianglesForm>(m_)},
                 {"basis", checked_mul(vectors_, d.columns()), Init::gaussian(1),
                  reshaped_form({vectors_, d.columns()})}}) {
    if (c.basis != Basis::triangular || c.flip == Flip::no || (c.flip == Flip::alternate && d.ordinal % 2 == 0)) return;
    for (int64_t j = d.columns(); j-- > 0;) reversal_.push_back(static_cast<int32_t>(j));
  }

  Mapped forward(const Scope& s, Var x, Var context) const override { return map(s, x, context, false); }
  Mapped inverse(const Scope& s, Var z, Var context) const override { return map(s, z, context, true); }

 private:
  Mapped map(const Scope& s, Var x, Var context, bool inverse) const {
    Tape& t = s.tape;
    const RowParams::Set p = params_(s, context);
    Var q = basis_ == Basis::orthogonal ? polar_rows(t, p[1], m_) : p[1];
    const Mapped v = sylvester(t, turn(t, x, q, true), p[0], inverse, limits_);
    Var moved = turn(t, v.y, q, false);
    return {inverse ? sub(t, x, moved) : add(t, x, moved), v.log_det};
  }

  // Returns Q^T x or Q x.
  Var turn(Tape& t, Var x, Var q, bool transposed) const {
    switch (basis_) {
      case Basis::orthogonal:
        return row_matrix(t, x, q, m_, !transposed);
      case Basis::householder:
        return reflect(t, x, q, vectors_, transposed);
      case Basis::triangular:
        break;
    }
    return reversal_.empty() ? x : gather_columns(t, x, reversal_.data(), m_);
  }

  Basis basis_;
  int64_t m_, vectors_;
  RootLimits limits_;
  RowParams params_;
  std::vector<int32_t> reversal_;
};

}  // namespace

NF_PART(Layer, sylvester, Sylvester, "adds a matrix times tanh of M projections of the row; invertible",
        "van den Berg et al. 2018, Sylvester normalizing flows for variational inference, eq. 8-14");

}  // namespace libnf
