#include "src/model/chain.h"

#include <algorithm>
#include <cstring>

#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"
#include "runtime/op/ops.h"
#include "src/flow/per_pixel.h"
#include "src/model/rows.h"
#include "src/model/segment.h"

namespace libnf {
namespace {

// Which copy of a repeated entry of the spec.
struct Copy {
  std::string text;  // ", repetition 3", once per repeat around it
  int64_t number = 0;
};

// Expands nesting, repeats, inversion and splits into a list of layers, in order from data to latents.
class ExpandChain {
 public:
  ExpandChain(const Dims& x, int64_t context, const std::string& prefix, std::vector<ParamInfo>& infos,
              std::vector<LayerInstance>& layers)
      : event(x), context_(context), prefix_(prefix), infos_(infos), layers_(layers) {}

  void operator()(const LayerSpec& s, const std::string& path, bool inverted, const Copy& around) {
    inverted ^= s.invert;
    for (int64_t r = 0; r < s.repeat; ++r) {
      const Copy copy =
          s.repeat > 1 ? Copy{around.text + ", repetition " + std::to_string(r), around.number * s.repeat + r} : around;
      if (!s.kind)
        all(s.layers, path, inverted, copy);
      else if (s.kind->inner)
        split(s, path, inverted, copy);
      else
        add(s, path, inverted, copy);
    }
  }

  // Returns scales in the order of their columns: first the columns that no split factored out, then those of each
  // split, from the innermost.
  std::vector<Scale> scales() const {
    std::vector<Scale> list = {{"", 0, factored_.empty() ? event : innermost_}};
    list.insert(list.end(), factored_.rbegin(), factored_.rend());
    return list;
  }
  Dims event;  // after the last layer so far

 private:
  void all(const std::vector<LayerSpec>& layers, const std::string& path, bool inverted, const Copy& copy) {
    const auto n = static_cast<int64_t>(layers.size());
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = inverted ? n - 1 - i : i;
      (*this)(layers[static_cast<size_t>(at)], path + ".layers[" + std::to_string(at) + "]", inverted, copy);
    }
  }

  // The split and the layers inside, which see the first columns only. Inverted, they come first, on a vector.
  void split(const LayerSpec& s, const std::string& path, bool inverted, const Copy& copy) {
    const Declare d = declare(path);
    const Dims kept = s.kind->kept(*s.config, d);
    const Dims outer = {event.count()};
    if (!inverted) {
      const Dims rest = s.kind->rest(*s.config, d);
      add(s, path, false, copy);
      if (rest.count() > 0) factored_.push_back({layers_.back().where, kept.count(), rest});
      event = kept;
    } else {
      event = {kept.count()};
    }
    all(s.kind->inner(*s.config), path, inverted, copy);
    if (!inverted) {
      if (factored_.empty() || factored_.back().first >= kept.count()) innermost_ = event;
      event = outer;
    } else {
      event = d.event;
      add(s, path, true, copy);
    }
  }

  Declare declare(const std::string& path) const {
    const auto ordinal = layers_.size();
    return {infos_, prefix_ + "." + std::to_string(ordinal) + ".", event, context_, ordinal, path};
  }

  void add(const LayerSpec& s, const std::string& path, bool inverted, const Copy& copy) {
    LayerInstance l;
    l.index = static_cast<int32_t>(layers_.size());
    l.name = prefix_ + "." + std::to_string(l.index);
    l.path = path;
    l.repetition = copy.number;
    l.where = path + " (" + s.kind->name + copy.text + ")";
    l.kind = s.kind;
    l.inverted = inverted;
    l.first = static_cast<ParamId>(infos_.size());
    l.in = l.out = event;
    l.columns = event.count();
    const Declare d = declare(path);
    if (s.kind->other_side) l.out = s.kind->other_side(*s.config, d, inverted);
    if (l.out.count() != l.columns)
      fail(Code::internal, "%s makes %s of an event %s", l.where.c_str(), to_string(l.out).c_str(),
           to_string(l.in).c_str());
    l.per_pixel = acts_per_pixel(s, event);
    const Declare sides = inverted ? d.between(l.out, l.in) : d.between(l.in, l.out);
    l.layer = l.per_pixel ? per_pixel(*s.kind, *s.config, sides) : s.kind->build(*s.config, sides);
    if (inverted && !l.layer->exact())
      fail(Code::spec,
           "%s.invert: %s cannot be inverted, by itself or by a chain around it: it has many latents for one row of "
           "data",
           path.c_str(), s.kind->name);
    l.count = static_cast<ParamId>(infos_.size()) - l.first;
    event = l.out;
    // Columns that were factored out but are mixed again are not a scale of their own.
    while (!factored_.empty() && factored_.back().first < l.columns) factored_.pop_back();
    layers_.push_back(std::move(l));
  }

  const int64_t context_;
  const std::string& prefix_;
  std::vector<ParamInfo>& infos_;
  std::vector<LayerInstance>& layers_;
  std::vector<Scale> factored_;  // outermost first
  Dims innermost_;               // event of the columns before those
};

// Returns columns [first, first + count) of a matrix.
View columns_of(View v, int64_t first, int64_t count) {
  v.data = v.as<char>() + first * v.stride[1] * size_of(v.dtype);
  v.shape[1] = count;
  return v;
}

void copy(const View& from, const View& to) {
  if (from.contiguous() && to.contiguous()) {
    std::memcpy(to.data, from.data, static_cast<size_t>(from.count() * size_of(from.dtype)));
    return;
  }
  with_dtype(from.dtype, [&]<class T>() {
    for_runs<const T, T>(from, to, [](const T* a, T* b, int64_t n) { kernel::copy(a, b, n); });
  });
}

// Two buffers in turn for the low parts of rows near the data.
class LowTurns {
 public:
  LowTurns(const Scope& s, bool inverse, Var from) {
    if (inverse ? s.wide : from->low != nullptr)
      for (float*& p : turn_) p = s.tape.take_low(*from);
  }
  // Gives y, a copy of `result`, what rounding took from `result`. Turns i and i + 1 use different buffers.
  void copy(Var result, Var y, size_t i) const {
    y->low = result->low ? turn_[i % 2] : nullptr;  // turn_ is nullptr where nothing uses low parts
    if (y->low) kernel::copy<float>(result->low, y->low, y->out.count());
  }

 private:
  float* turn_[2] = {};
};

// What layers may leave in the arena before it is rewound: for less, copying the rows out would cost more than it frees.
constexpr size_t kWorthRewinding = 16 << 10;

// Computes values only. When layers have left enough in the arena, the rows move to one of two buffers in turn, and the
// arena is rewound.
Mapped values(const Scope& s, std::span<const LayerInstance> layers, bool inverse, Var from, Var context,
              const Chain::After& after) {
  Tape& t = s.tape;
  const size_t n = layers.size();
  Mapped all{from, nullptr};
  const Dims shape = from->out.shape;
  Var buffer[2] = {t.empty(shape), t.empty(shape)};
  const LowTurns low(s, inverse, from);
  Var log_det = t.zeros({shape[0]});
  // A block of fewer rows may leave more than the measured one, which is rewound more often.
  if (t.measuring) t.scratch<char>(kWorthRewinding);
  const Tape::Mark mark = t.mark();
  for (size_t i = 0, turn = 0; i < n; ++i) {
    const LayerInstance& l = layers[inverse ? n - 1 - i : i];
    const bool whole = l.columns == shape[1];
    Var x = whole ? all.y : slice_columns(t, all.y, 0, l.columns);
    const Mapped m = apply_to_columns(s, l, x, context, inverse);
    if (m.log_det)
      with_dtype(t.dtype(),
                 [&]<class T>() { kernel::accumulate<T>(m.log_det->out.as<T>(), log_det->out.as<T>(), shape[0]); });
    if (whole && m.y->out.contiguous() && t.taken_since(mark) <= kWorthRewinding) {
      all.y = m.y;
      if (after) after(i + 1, all.y, m.log_det);
      continue;
    }
    Var y = buffer[turn];
    copy(m.y->out, columns_of(y->out, 0, l.columns));
    if (!whole)
      copy(columns_of(all.y->out, l.columns, shape[1] - l.columns),
           columns_of(y->out, l.columns, shape[1] - l.columns));
    low.copy(m.y, y, turn);
    all.y = y;
    if (after) after(i + 1, y, m.log_det);
    t.rewind(mark);
    turn ^= 1;
  }
  all.log_det = log_det;
  return all;
}

// Records segments of layers as single nodes. With Memory::recompute a segment is a layer with parameters and the layers
// without parameters after it, with Memory::invert as many layers as can be rebuilt.
Mapped in_segments(const Scope& s, std::span<const LayerInstance> layers, bool inverse, Var from, Var context,
                   Memory memory) {
  const size_t n = layers.size();
  const auto at = [&](size_t i) -> const LayerInstance& { return layers[inverse ? n - 1 - i : i]; };
  Mapped all{from, nullptr};
  for (size_t i = 0, end; i < n; i = end) {
    // Layers that take or leave low parts, which a checkpoint does not hand on, are recorded as they are.
    if (inverse ? s.wide && at(i).near_data : all.y->low != nullptr) {
      const Mapped m = apply_to_columns(s, at(i), all.y, context, inverse);
      all.y = m.y;
      if (m.log_det) all.log_det = all.log_det ? add(s.tape, all.log_det, m.log_det) : m.log_det;
      end = i + 1;
      continue;
    }
    const bool rebuilds = memory == Memory::invert && at(i).layer->rebuilds();
    const auto joins = [&](const LayerInstance& l) {
      if (inverse && s.wide && l.near_data) return false;
      const bool can = memory == Memory::invert && l.layer->rebuilds();
      return rebuilds ? can && !(s.kept_inputs && s.kept_inputs[l.index]) : l.count == 0 && !can;
    };
    for (end = i + 1; end < n && joins(at(end));) ++end;
    const std::span<const LayerInstance> part(&at(inverse ? end - 1 : i), end - i);
    const Mapped m = rebuilds && part.size() > 1 ? rebuilt_segment(s, part, all.y, context, inverse)
                                                 : recorded_segment(s, part, all.y, context, inverse);
    all.y = m.y;
    all.log_det = all.log_det ? add(s.tape, all.log_det, m.log_det) : m.log_det;
  }
  return all;
}

Mapped run_layers(const Scope& s, std::span<const LayerInstance> layers, bool inverse, Var from, Var context,
                  Memory memory) {
  if (!s.tape.recording) return values(s, layers, inverse, from, context, {});
  return memory == Memory::full ? apply_layers(s, layers, from, context, inverse)
                                : in_segments(s, layers, inverse, from, context, memory);
}

}  // namespace

Chain::Chain(const LayerSpec& spec, const std::string& path, const Dims& event, int64_t context,
             const std::string& prefix, std::vector<ParamInfo>& infos) {
  ExpandChain expand(event, context, prefix, infos, layers_);
  expand(spec, path, false, {});
  latent_ = expand.event;
  scales_ = expand.scales();
  mark_near_data(event.count());
}

// Near the data are the layers up to the last one that uses the low part before it is dropped. Layers inside a split, which
// act on some columns of the rows, are not.
void Chain::mark_near_data(int64_t columns) {
  size_t near = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LowPart low = layers_[i].layer->low_part();
    if (low == LowPart::dropped || layers_[i].columns != columns) break;
    if (low == LowPart::used) near = i + 1;
  }
  for (size_t i = 0; i < near; ++i) {
    layers_[i].near_data = true;
    layers_[i].hands_on = i + 1 < near;
  }
}

bool Chain::exact() const {
  return std::all_of(layers_.begin(), layers_.end(), [](const LayerInstance& l) { return l.layer->exact(); });
}

Mapped Chain::run(const Scope& s, bool inverse, Var from, Var context, Memory memory) const {
  return run_layers(s, layers_, inverse, from, context, memory);
}

Mapped Chain::part(const Scope& s, size_t first, size_t last, Var x, Var context, Memory memory) const {
  return run_layers(s, std::span(layers_).subspan(first, last - first), false, x, context, memory);
}

Mapped Chain::trace(const Scope& s, bool inverse, Var from, Var context, const After& after) const {
  return values(s, layers_, inverse, from, context, after);
}

Chain::Pushed Chain::push(const Scope& s, bool inverse, Var from, Var d_from, Var context, Var d_context) const {
  Tape& t = s.tape;
  const size_t n = layers_.size();
  const Dims shape = from->out.shape, column{shape[0]};
  Pushed all{{from, t.zeros(column)}, {d_from ? d_from : t.zeros(shape), t.zeros(column)}};
  Var turn[2] = {t.empty(shape), t.empty(shape)}, d_turn[2] = {t.empty(shape), t.empty(shape)};
  const LowTurns low(s, inverse, from);
  bool rows_move = d_from != nullptr;
  for (size_t i = 0; i < n; ++i) {
    const TapeScope scope(t);
    const LayerInstance& l = layers_[inverse ? n - 1 - i : i];
    const auto first = [&](Var v) { return columns_of(v->out, 0, l.columns); };
    const auto rest = [&](Var v) { return columns_of(v->out, l.columns, shape[1] - l.columns); };
    Var x = t.input(first(all.value.y), true);
    x->low = all.value.y->low;
    Var c = context ? t.input(context->out, true) : nullptr;
    Motion motions[2];
    size_t moving = 0;
    if (rows_move) motions[moving++] = {x, t.input(first(all.tangent.y), false)};
    if (d_context) motions[moving++] = {c, d_context};
    Mapped m;
    OutputTangents d;
    try {
      m = apply_to_columns(s, l, x, c, inverse);
      d = jvp(t, m.y, m.log_det, {motions, moving});
    } catch (const Error& e) {
      if (e.code() != Code::unsupported) throw;
      fail_at(e.code(), {-1, l.index}, "%s: %s", l.where.c_str(), e.what());
    }
    Var y = turn[i % 2], dy = d_turn[i % 2];
    copy(m.y->out, first(y));
    low.copy(m.y, y, i);
    copy((d.y ? conform(t, d.y, Layout::rows) : t.zeros(m.y->out.shape))->out, first(dy));
    if (l.columns < shape[1]) {
      copy(rest(all.value.y), rest(y));
      copy(rest(all.tangent.y), rest(dy));
    }
    with_dtype(t.dtype(), [&]<class T>() {
      const auto sum = [&](Var part, Var whole) {
        if (part)
          kernel::accumulate<T>(conform(t, part, Layout::contiguous)->out.as<T>(), whole->out.as<T>(), shape[0]);
      };
      sum(m.log_det, all.value.log_det);
      sum(d.extra, all.tangent.log_det);
    });
    all.value.y = y;
    all.tangent.y = dy;
    rows_move = rows_move || d.y;
  }
  return all;
}

const LayerInstance* Chain::first_nonfinite(const Scope& s, bool inverse, Var from, Var context) const {
  Tape& t = s.tape;
  Var at = t.empty(from->out.shape);
  copy(from->out, at->out);
  at->low = from->low;
  const LowTurns low(s, inverse, from);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerInstance& l = layers_[inverse ? layers_.size() - 1 - i : i];
    const TapeScope scope(t);
    const Mapped m = apply_layer(s, l, at, context, inverse);
    if (!all_finite(m.y) || (m.log_det && !all_finite(m.log_det))) return &l;
    copy(m.y->out, at->out);
    low.copy(m.y, at, i);
  }
  return nullptr;
}

}  // namespace libnf
