// y = h (1 + g) + b and its gradients gh = gy (1 + g), gg = gy h, gb = gy: correctly rounded operations.
#include "runtime/op/film.h"

#include "runtime/kernel/rows.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::RowUpdate;
enum { kH, kScale, kShift };

Shapes shape(const Node& n) {
  need_rank(n, kH, 2);
  for (int i : {kScale, kShift}) {
    need_rank(n, i, 2);
    for (int axis : {0, 1}) need_extent(n, i, axis, n.in[kH]->out.shape[axis]);
  }
  return same_as_first(n);
}

template <class T>
void forward(Tape&, Node& n) {
  const auto h = matrix_of<T>(n.view(kH)), g = matrix_of<T>(n.view(kScale)), b = matrix_of<T>(n.view(kShift)),
             y = matrix_of<T>(n.out);
  kernel::affine_rows<T>(kernel::RowMap::film, h, g, b, y);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto target = [&](int i) { return grads.wants(i) ? matrix_of<T>(grads.add(i)) : Rows<T>{}; };
  const auto gh = target(kH), gg = target(kScale), gb = target(kShift);
  const auto h = matrix_of<T>(n.view(kH)), g = matrix_of<T>(n.view(kScale)), gy = matrix_of<T>(t.grad_out(n));
  for_row_blocks(h.rows, h.cols, [&](int64_t first, int64_t rows) {
    const auto block = [=](const Rows<T>& m) { return m.rows_from(first, rows); };
    if (gh.p) kernel::update_rows<T>(RowUpdate::film, block(gy), block(g), block(gh));
    if (gg.p) kernel::update_rows<T>(RowUpdate::fused, block(gy), block(h), block(gg));
    if (gb.p) kernel::binary_rows<T>(kernel::Binary::add, block(gb), block(gy), block(gb));
  });
}

// dy = dh (1 + g) + (h dg + db)
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  Var rest = plus(t, n.out.shape, d[kScale] ? mul(t, n.in[kH], d[kScale]) : nullptr, d[kShift]);
  return d[kH] ? film(t, d[kH], n.in[kScale], or_zeros(t, rest, n.out.shape)) : rest;
}

const Op kFilm = {"film", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"film", {{"nd"}, {"nd"}, {"nd"}}, [](Tape& t, const Var* in) { return film(t, in[0], in[1], in[2]); }},
};

}  // namespace

extern const OpFamily family_film;
const OpFamily family_film = {"film", kCases, std::size(kCases)};

Var film(Tape& t, Var h, Var scale, Var shift) { return t.record(kFilm, {h, scale, shift}); }

}  // namespace libnf
