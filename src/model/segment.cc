#include "src/model/segment.h"

#include "runtime/op/checkpoint.h"
#include "runtime/op/ops.h"
#include "runtime/op/restore.h"
#include "runtime/op/reversible.h"

namespace libnf {
namespace {

std::span<const Var> params_of(const Scope& s, std::span<const LayerInstance> layers) {
  int64_t most = 0;
  for (const LayerInstance& l : layers) most += l.count;
  Var* params = s.tape.scratch<Var>(most);
  size_t count = 0;
  for (const LayerInstance& l : layers)
    for (ParamId i = l.first; i < l.first + l.count; ++i) params[count++] = &s.params[i];
  return {params, count};
}

}  // namespace

Mapped apply_to_columns(const Scope& s, const LayerInstance& l, Var x, Var context, bool inverse) {
  const Restore keeps(s.tape.keeps_low);
  s.tape.keeps_low = inverse ? s.wide && l.near_data : x->low && l.hands_on;
  try {
    return inverse == l.inverted ? l.layer->forward(s, x, context) : l.layer->inverse(s, x, context);
  } catch (const Error& e) {  // ops report the row; add the layer
    if (e.code() != Code::not_inverted) throw;
    fail_at(e.code(), {e.place().row, l.index}, "%s: %s", l.where.c_str(), e.what());
  }
}

Mapped apply_layer(const Scope& s, const LayerInstance& l, Var x, Var context, bool inverse) {
  return apply_layers(s, {&l, 1}, x, context, inverse);
}

Mapped apply_layers(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse) {
  Tape& t = s.tape;
  const size_t n = layers.size();
  const int64_t columns = x->out.shape[1];
  Mapped all{x, nullptr};
  for (size_t i = 0; i < n;) {
    // Layers that act on the same columns run together on one slice.
    const int64_t acts = layers[inverse ? n - 1 - i : i].columns;
    Var y = acts == columns ? all.y : slice_columns(t, all.y, 0, acts);
    for (; i < n; ++i) {
      const LayerInstance& l = layers[inverse ? n - 1 - i : i];
      if (l.columns != acts) break;
      const Mapped m = apply_to_columns(s, l, y, context, inverse);
      y = m.y;
      if (m.log_det) all.log_det = all.log_det ? add(t, all.log_det, m.log_det) : m.log_det;
    }
    all.y = acts == columns ? y : concat_columns(t, y, slice_columns(t, all.y, acts, columns - acts));
  }
  return all;
}

Mapped recorded_segment(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse) {
  struct Run {
    std::span<const LayerInstance> layers;
    Node* params;
    bool inverse;
    Mapped operator()(Tape& t, const Var* data) const {
      return apply_layers({t, params}, layers, data[0], data[1], inverse);
    }
  };
  const Var data[] = {x, context};
  return checkpoint(s.tape, x->out.shape, data, params_of(s, layers), Run{layers, s.params, inverse});
}

Mapped rebuilt_segment(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse) {
  struct Map {
    std::span<const LayerInstance> layers;
    Node* params;
    bool inverse;
    Mapped operator()(Tape& t, int64_t k, bool back, Var from, Var c) const {
      const auto n = static_cast<int64_t>(layers.size());
      return apply_layer({t, params}, layers[static_cast<size_t>(inverse ? n - 1 - k : k)], from, c, inverse != back);
    }
  };
  const auto n = static_cast<int64_t>(layers.size());
  const int64_t first = layers.front().index;
  return reversible(s.tape, n, inverse ? Places{first + n - 1, -1} : Places{first, 1}, x, context, params_of(s, layers),
                    Map{layers, s.params, inverse});
}

}  // namespace libnf
