#include "src/objective/host_loss.h"

#include <cmath>

#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/ops.h"
#include "src/model/rows.h"
#include "src/objective/phases.h"

namespace libnf {
namespace {

constexpr char kNothingAdded[] = "nothing was added";

// Whether row r of a result is finite; nullptr is 0.
bool finite_row(Var v, int64_t r) {
  if (!v) return true;
  return with_dtype(v->out.dtype, [&]<class T>() {
    const auto m = matrix_of<T>(v->out);
    return kernel::all_finite(m.row(r), m.cols);
  });
}

// 0 for every row of a block whose results are finite, NaN for the others.
void write_losses(const Batch& batch, int64_t first, const Mapped& results, Var log_prob, double* loss) {
  for (int64_t r = 0; r < results.y->out.shape[0]; ++r) {
    const bool counts = !batch.weight.data || scalar_at(batch.weight, first + r) > 0;
    const bool finite = finite_row(results.y, r) && finite_row(results.log_det, r) && finite_row(log_prob, r);
    loss[first + r] = counts && !finite ? std::nan("") : 0;
  }
}

class HostRows final : public RowObjective {
 public:
  HostRows(const ObjectiveScope& scope, CotangentRows& cotangents, bool inverse)
      : RowObjective(scope), cotangents_(cotangents), flow_(*scope.model.flow()), inverse_(inverse) {}

  Loss run(Lanes& lanes, const Batch& batch) override {
    lanes.each([&](Lane& lane) {
      const int64_t end = lane.end(batch.rows()), step = scope_.cut.block_rows;
      for (int64_t first = lane.begin(batch.rows()); first < end; first += step)
        run_block(lane, batch, first, std::min(step, end - first));
    });
    return {loss(batch), 0};
  }

  void measure(Lane& lane, const Room& room) override {
    double zero;
    const CotangentRows::Zeros zeros(cotangents_);
    run_block(lane, batch_of_zeros(model(), room.rows, &zero), 0, room.rows);
  }

  void report(Lane& lane, const Batch& batch, uint64_t) override {
    for (int64_t r = 0; r < batch.rows(); ++r) {
      if (std::isfinite(row_loss()[r])) continue;
      const Density::Location at = row_nonfinite_at(lane, model(), batch, r, inverse_);
      const auto number = static_cast<long long>(batch.number(r));
      fail_at(Code::numeric, {batch.number(r), at.layer}, "row %lld is not finite; first at %s; %s", number,
              at.where.c_str(), kNothingAdded);
    }
    fail(Code::numeric, "a row of another rank is not finite; %s", kNothingAdded);
  }

  Var losses(Lane&, const Block&) override { return nullptr; }  // the host has them

 private:
  void run_block(Lane& lane, const Batch& batch, int64_t first, int64_t rows) {
    Tape& t = lane.tape();
    const TapeScope scope(t);
    Block block;
    if (!load_block(lane, batch, first, rows, &block)) {
      std::fill_n(row_loss() + first, rows, 0.0);
      return;
    }
    const Scope s = lane.scope();
    Var context = flow_.layer_context(s, block.context, rows);
    const Mapped m = flow_.chain().run(s, inverse_, block.x, context, scope_.memory);
    Var lp = nullptr;
    if (cotangents_.of_log_prob()) {
      lp = flow_.base().log_prob(s, inverse_ ? block.x : m.y, context);
      if (m.log_det) lp = inverse_ ? sub(t, lp, m.log_det) : add(t, lp, m.log_det);
    }
    write_losses(batch, first, m, lp, row_loss());
    if (cotangents_.seed(t, first, m, lp)) t.backward();
  }

  CotangentRows& cotangents_;
  const FlowModel& flow_;
  bool inverse_;
};

class HostPhases final : public Phases {
 public:
  HostPhases(const ObjectiveScope& scope, CotangentRows& cotangents) : Phases(scope), cotangents_(cotangents) {}

  void measure(Lane& lane, const Room& room) override {
    const CotangentRows::Zeros zeros(cotangents_);
    Phases::measure(lane, room);
  }

 private:
  bool end(Lane& lane, const Batch& batch, int64_t first, const Mapped& m, Var context) override {
    Var lp = cotangents_.of_log_prob() ? log_prob_of(lane.scope(), m, context) : nullptr;
    write_losses(batch, first, m, lp, row_loss());
    return cotangents_.seed(lane.tape(), first, m, lp);
  }
  std::string outcome(uint64_t) const override { return kNothingAdded; }

  CotangentRows& cotangents_;
};

}  // namespace

void CotangentRows::take(const HostCotangents& c, Batch& batch) {
  given_ = c;
  const int64_t n = batch.rows(), columns = model_.columns();
  const auto need = [&](Buffer& b, int64_t count, const char* what) {
    const auto bytes = static_cast<size_t>(checked_mul(count, sizeof(double)));
    if (b.bytes() < bytes) b = Buffer(allocator_, bytes, what);
  };
  need(weight_, n, "which rows have cotangents");
  need(row_, columns, "cotangents of a row");
  const View row = contiguous_view(row_.data(), DType::f64, {1, columns});
  int64_t counting = 0;
  for (int64_t r = 0; r < n; ++r) {
    bool any = false;
    const auto look = [&](double v, const char* name) {
      if (!std::isfinite(v))
        fail_at(Code::numeric, {r, -1}, "the cotangent \"%s\" of row %lld is %g; %s", name, static_cast<long long>(r),
                v, kNothingAdded);
      any |= v != 0;
    };
    if (c.out.data) {
      copy_rows(rows_of_view(c.out, r, 1), row);
      for (int64_t j = 0; j < columns; ++j) look(row_.as<double>()[j], "out");
    }
    if (c.log_det.data) look(scalar_at(c.log_det, r), "log_det");
    if (c.log_prob.data) look(scalar_at(c.log_prob, r), "log_prob");
    weight_.as<double>()[r] = any;
    counting += any;
  }
  batch.weight = counting < n ? contiguous_view(weight_.data(), DType::f64, {n}) : View{};
  batch.counting = static_cast<double>(counting);
  batch.total_weight = 1;  // cotangents are of the loss, not of its mean
}

CotangentRows::Zeros::Zeros(CotangentRows& c) : rows_(c), given_(c.given_) {
  const auto zeros = [&](const Dims& shape) {
    View v = contiguous_view(&zero_, DType::f64, shape);
    v.stride[0] = v.stride[1] = 0;
    return v;
  };
  constexpr int64_t kAny = int64_t{1} << 31;
  c.given_ = {false, zeros({kAny, c.model_.columns()}), zeros({kAny}), zeros({kAny})};
}

bool CotangentRows::seed(Tape& t, int64_t first, const Mapped& results, Var log_prob) const {
  bool any = false;
  const auto add_to = [&](const View& given, Var result) {
    if (!given.data || !result || !result->needs_grad) return;
    any = true;
    const View g = t.grad(*result);
    const ScratchScope scope(t);
    View cot = load_rows(t, given, first, result->out.shape[0])->out;
    if (g.shape.rank == 1) {
      cot.shape = g.shape;
      cot.stride[0] = 1;
    }
    with_dtype(t.dtype(), [&]<class T>() {
      for_runs<const T, T>(cot, g, [](const T* from, T* to, int64_t n) { kernel::accumulate(from, to, n); });
    });
  };
  add_to(given_.out, results.y);
  add_to(given_.log_det, results.log_det);
  add_to(given_.log_prob, log_prob);
  return any;
}

std::unique_ptr<Objective> host_objective(const ObjectiveScope& scope, CotangentRows& cotangents, bool inverse) {
  if (!scope.model.flow())
    fail(Code::unsupported,
         "the model has no forward and inverse: it is not a chain of layers between data and latents");
  if (inverse && !scope.model.exact())
    fail(Code::unsupported,
         "NF_INVERSE has no gradient for this model: a layer draws numbers between data and latents");
  if (!inverse && couples_rows(scope.model)) return std::make_unique<HostPhases>(scope, cotangents);
  return std::make_unique<HostRows>(scope, cotangents, inverse);
}

const ObjectiveKind& host_kind() {
  static const ObjectiveKind kind = {
      {"host", "derivatives of a loss of the host", "", []() -> std::unique_ptr<Config> { return nullptr; }},
      nullptr,
      true,
      false,
      false};
  return kind;
}

}  // namespace libnf
