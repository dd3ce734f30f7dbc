#include "src/model/flow_model.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/random.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/ops.h"
#include "runtime/op/repeat_rows.h"
#include "src/model/segment.h"

namespace nf {
namespace {

constexpr uint32_t kInitStream = 0x696e6974;  // apart from the streams of samples

template <class T>
void fill_param(const Init& init, uint64_t seed, int64_t index, T* out, int64_t n) {
  // One row of numbers per tensor: growing one tensor leaves the others as they were.
  switch (init.kind) {
    case Init::constant:
      kernel::fill<T>(static_cast<T>(init.a), out, n);
      return;
    case Init::values:
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(init.list[static_cast<size_t>(i)]);
      return;
    case Init::normal:
      kernel::normal<T>({seed, kInitStream}, index, 1, n, out, n);
      kernel::scale<T>(static_cast<T>(init.a), out, out, n);
      return;
    case Init::uniform:
      kernel::uniform01<T>({seed, kInitStream}, index, 1, n, out, n);
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(init.a) * (2 * out[i] - 1);
      return;
  }
}

// Writes out nesting, repeats and inversion.
class Flatten {
 public:
  Flatten(const ModelSpec& spec, std::vector<ParamInfo>& infos, std::vector<Step>& steps)
      : spec_(spec), infos_(infos), steps_(steps) {}

  void operator()(const LayerSpec& s, const std::string& path, bool inverted, const std::string& repetition) {
    inverted ^= s.invert;
    for (int64_t r = 0; r < s.repeat; ++r) {
      const std::string rep = s.repeat > 1 ? repetition + ", repetition " + std::to_string(r) : repetition;
      if (s.kind) {
        add(s, path, inverted, rep);
      } else {
        const auto n = static_cast<int64_t>(s.layers.size());
        for (int64_t i = 0; i < n; ++i) {
          const int64_t at = inverted ? n - 1 - i : i;
          (*this)(s.layers[static_cast<size_t>(at)], path + ".layers[" + std::to_string(at) + "]", inverted, rep);
        }
      }
    }
  }

 private:
  void add(const LayerSpec& s, const std::string& path, bool inverted, const std::string& repetition) {
    const auto ordinal = steps_.size();
    Step step;
    step.where = path + " (" + s.kind->name + repetition + ")";
    step.inverted = inverted;
    step.first = static_cast<ParamId>(infos_.size());
    const Declare declare(infos_, "layers." + std::to_string(ordinal) + ".", spec_.event, spec_.seen_context(), ordinal,
                          path);
    step.layer = s.kind->build(*s.config, declare);
    step.count = static_cast<ParamId>(infos_.size()) - step.first;
    steps_.push_back(std::move(step));
  }

  const ModelSpec& spec_;
  std::vector<ParamInfo>& infos_;
  std::vector<Step>& steps_;
};

// Values only. Two buffers take turns, and the arena is rewound after every layer.
Mapped values_of_steps(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse,
                       const FlowModel::After& after) {
  Tape& t = s.tape;
  const size_t n = steps.size();
  Mapped all{x, nullptr};
  const Dims shape = x->out.shape;
  Var turn[2] = {t.empty(shape), t.empty(shape)};
  Var log_det = t.zeros({shape[0]});
  with_dtype(t.dtype(), [&]<class T>() {
    for (size_t i = 0; i < n; ++i) {
      Var y = turn[i % 2];
      const Tape::Mark mark = t.mark();
      const Mapped m = apply_step(s, steps[inverse ? n - 1 - i : i], all.y, context, inverse);
      for_runs<const T, T>(m.y->out, y->out, [](const T* from, T* to, int64_t k) { kernel::copy(from, to, k); });
      if (m.log_det) kernel::accumulate<T>(m.log_det->out.as<T>(), log_det->out.as<T>(), shape[0]);
      t.rewind(mark);
      all.y = y;
      if (after) after(i + 1, y);
    }
  });
  all.log_det = log_det;
  return all;
}

}  // namespace

FlowModel::FlowModel(const Allocator& allocator, ModelSpec spec, uint64_t seed, int64_t max_params)
    : spec_(std::move(spec)), canonical_(write_spec(spec_)) {
  std::vector<ParamInfo> infos;
  Flatten flatten(spec_, infos, steps_);
  flatten(spec_.chain, "spec", false, "");
  const Declare declare(infos, "base.", spec_.event, spec_.seen_context(), steps_.size(), "spec.base");
  base_ = spec_.base->build(*spec_.base_config, declare);
  if (spec_.embedding)
    embedding_.emplace(spec_.embedding->net,
                       Declare(infos, "embedding.", spec_.event, spec_.context, steps_.size() + 1, "spec.embedding"), 0,
                       spec_.embedding->out);
  std::vector<ParamSlot> slots;
  int64_t widest = spec_.event;
  for (const ParamInfo& p : infos) {
    slots.push_back({p.name, p.shape, p.trainable});
    invariants_.push_back(p.invariant);
    if (p.shape.rank == 2) widest = std::max({widest, p.shape[0], p.shape[1]});
    // A masked matrix is stored as the list of its open entries, about half of them.
    if (p.shape.rank == 1)
      widest = std::max(widest, static_cast<int64_t>(std::sqrt(2.0 * static_cast<double>(p.shape[0]))));
  }
  // Narrow layers fit 64 rows of everything into L2; wide ones need more rows to make up for reading their weights, and
  // those of a few numbers to make up for recording a node.
  constexpr int64_t kMaxBlock = int64_t{1} << 20;  // columns x rows: huge events take fewer rows
  block_rows_ = std::clamp<int64_t>(kMaxBlock / spec_.event, 1, widest <= 16 ? 256 : widest <= 128 ? 64 : 128);
  params_ = std::make_unique<ParamStore>(allocator, spec_.dtype, std::move(slots), max_params);
  for (size_t i = 0; i < infos.size(); ++i) {
    const View v = params_->view(i);
    with_dtype(spec_.dtype,
               [&]<class T>() { fill_param(infos[i].init, seed, static_cast<int64_t>(i), v.as<T>(), v.count()); });
  }
}

Mapped FlowModel::run(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse,
                      Memory memory) const {
  Tape& t = s.tape;
  const size_t n = steps.size();
  const auto step_at = [&](size_t i) -> const Step& { return steps[inverse ? n - 1 - i : i]; };
  Mapped all{x, nullptr};
  if (t.recording && memory == Memory::full) return apply_steps(s, steps, x, context, inverse);
  if (t.recording) {
    // A layer with parameters makes a segment, together with the layers without (permutations) that follow it.
    for (size_t i = 0, end; i < n; i = end) {
      for (end = i + 1; end < n && step_at(end).count == 0;) ++end;
      const std::span<const Step> part(&step_at(inverse ? end - 1 : i), end - i);
      const Mapped m = recorded_segment(s, part, all.y, context, inverse);
      all.y = m.y;
      all.log_det = all.log_det ? add(t, all.log_det, m.log_det) : m.log_det;
    }
    return all;
  }
  return values_of_steps(s, steps, x, context, inverse, {});
}

Var FlowModel::seen(const Scope& s, Var context, int64_t n) const {
  if (!context) return nullptr;
  Var c = embedding_ ? (*embedding_)(s, nullptr, context) : context;
  return c->out.shape[0] == n ? c : repeat_rows(s.tape, c, n);
}

Mapped FlowModel::trace(const Scope& s, Var x, Var context, bool inverse, const After& after) const {
  return values_of_steps(s, steps_, x, seen(s, context, x->out.shape[0]), inverse, after);
}

Mapped FlowModel::forward(const Scope& s, Var x, Var context, Memory memory) const {
  return run(s, steps_, x, seen(s, context, x->out.shape[0]), false, memory);
}

Mapped FlowModel::inverse(const Scope& s, Var z, Var context, Memory memory) const {
  return run(s, steps_, z, seen(s, context, z->out.shape[0]), true, memory);
}

Mapped FlowModel::part(const Scope& s, size_t first, size_t last, Var x, Var context, Memory memory) const {
  return run(s, std::span<const Step>(steps_).subspan(first, last - first), x, context, false, memory);
}

Var FlowModel::log_prob(const Scope& s, Var x, Var context, Memory memory) const {
  Var c = seen(s, context, x->out.shape[0]);
  const Mapped m = run(s, steps_, x, c, false, memory);
  Var lp = base_->log_prob(s, m.y, c);
  return m.log_det ? add(s.tape, lp, m.log_det) : lp;
}

FlowModel::Sampled FlowModel::sample(const Scope& s, int64_t rows, Var context, bool with_log_prob,
                                     Memory memory) const {
  Var c = seen(s, context, rows);
  Var z = base_->sample(s, rows, c);
  const Mapped m = run(s, steps_, z, c, true, memory);
  if (!with_log_prob) return {m.y, nullptr, z};
  Var lp = base_->log_prob(s, z, c);
  return {m.y, m.log_det ? sub(s.tape, lp, m.log_det) : lp, z};
}

std::string FlowModel::first_nonfinite(const Scope& s, Var from, Var context, bool inverse) const {
  Tape& t = s.tape;
  const auto finite = [&](Var v) {
    return with_dtype(t.dtype(), [&]<class T>() {
      const auto m = matrix_of<T>(v->out);
      return kernel::first_nonfinite_row<T>(m.p, m.ld, m.rows, m.cols) < 0;
    });
  };
  if (context && !finite(context)) return "the context";
  context = seen(s, context, from->out.shape[0]);
  if (context && !finite(context)) return "spec.embedding";
  const std::string complaint = context ? base_->complaint(context) : "";
  if (!complaint.empty()) return complaint;
  if (!finite(from)) return inverse ? "the latent" : "the data";
  Var at = t.empty(from->out.shape);
  const auto keep = [&](Var v) {
    with_dtype(t.dtype(), [&]<class T>() {
      for_runs<const T, T>(v->out, at->out, [](const T* from, T* to, int64_t k) { kernel::copy(from, to, k); });
    });
  };
  keep(from);
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[inverse ? steps_.size() - 1 - i : i];
    const TapeScope scope(t);
    const Mapped m = apply_step(s, step, at, context, inverse);
    if (!finite(m.y) || (m.log_det && !finite(m.log_det))) return step.where;
    keep(m.y);
  }
  return kAllFinite;
}

}  // namespace nf
