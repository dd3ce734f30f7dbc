#include "src/objective/row_objective.h"

#include <algorithm>
#include <cmath>

#include "src/model/rows.h"

namespace libnf {

Room RowObjective::prepare(int64_t batch) {
  const auto bytes = static_cast<size_t>(checked_mul(std::max(batch, scope_.cut.block_rows), sizeof(double)));
  if (row_loss_.bytes() < bytes) row_loss_ = Buffer(scope_.allocator, bytes, "losses of the rows");
  Room room;
  room.rows = scope_.cut.block_rows;
  return room;
}

void RowObjective::measure(Lane& lane, const Room& room) {
  double zero;
  const Batch batch = batch_of_zeros(model(), room.rows, &zero);
  run_block(lane, batch, 0, room.rows, 1);
}

void RowObjective::run_block(Lane& lane, const Batch& batch, int64_t first, int64_t rows, double total) {
  Tape& t = lane.tape();
  const TapeScope scope(t);
  Block block;
  if (!load_block(lane, batch, first, rows, &block)) {
    std::fill_n(row_loss() + first, rows, 0.0);
    return;
  }
  Var each = losses(lane, block);
  seed_losses(lane, batch, first, each, total, row_loss());
  if (each->needs_grad) t.backward();
}

void RowObjective::run_lane(Lane& lane, const Batch& batch, double factor) {
  const int64_t end = lane.end(batch.rows()), step = scope_.cut.block_rows;
  for (int64_t first = lane.begin(batch.rows()); first < end; first += step)
    run_block(lane, batch, first, std::min(step, end - first), batch.total_weight / factor);
}

double RowObjective::loss(const Batch& batch, double factor) const {
  double sum = 0;
  for (int64_t r = 0; r < batch.rows(); ++r) sum += row_loss()[r];
  scope_.collective.sum(&sum, 1, DType::f64, "loss");
  return sum / batch.total_weight * factor;
}

Loss RowObjective::run(Lanes& lanes, const Batch& batch) {
  lanes.each([&](Lane& lane) { run_lane(lane, batch); });
  return {loss(batch), 0};
}

void RowObjective::evaluate(Lanes& lanes, const Batch& given, WeightedMean& mean) {
  const Batch batch = complete(given);
  const int64_t n = batch.rows(), step = scope_.cut.block_rows;
  lanes.each([&](Lane& lane) {
    const int64_t end = lane.end(n);
    for (int64_t first = lane.begin(n); first < end; first += step) {
      const TapeScope scope(lane.tape());
      const int64_t rows = std::min(step, end - first);
      std::fill_n(row_loss() + first, rows, 0.0);
      Block block;
      if (!load_block(lane, batch, first, rows, &block)) continue;
      const Var each = losses(lane, block);
      with_dtype(model().dtype(), [&]<class T>() {
        for (int64_t r = 0; r < rows; ++r) row_loss()[first + r] = static_cast<double>(each->out.as<T>()[r]);
      });
    }
  });
  const auto weight = [&](int64_t r) { return batch.weight.data ? scalar_at(batch.weight, r) : 1; };
  for (int64_t r = 0; r < n; ++r)
    if (weight(r) > 0 && !std::isfinite(row_loss()[r])) report(lanes.empty_lane(), batch, batch.random.step + 1);
  for (int64_t r = 0; r < n; ++r) mean.add(weight(r), row_loss()[r]);
}

void RowObjective::report(Lane& lane, const Batch& batch, uint64_t step) {
  const auto bad = [&](int64_t r) { return !std::isfinite(row_loss()[r]); };
  int64_t first = 0;
  while (first < batch.rows() && !bad(first)) ++first;
  const std::string end = outcome(step);
  if (first == batch.rows()) fail(Code::numeric, "the loss of another rank is not finite; %s", end.c_str());
  const Density::Location at = row_nonfinite_at(lane, model(), batch, first);
  const View* input = at.where == Density::kData ? &batch.x : at.where == Density::kContext ? &batch.context : nullptr;
  int64_t such = 0;
  for (int64_t r = first; r < batch.rows(); ++r) such += bad(r) && !(input && is_finite_row(lane, *input, r));
  const int64_t number = batch.number(first);
  const std::string what = input ? Density::describe_nonfinite(number, at.where)
                                 : "the loss of row " + std::to_string(number) + " is not finite";
  fail_at(Code::numeric, {number, at.layer}, "%s (%lld such row%s)%s%s; %s", what.c_str(), static_cast<long long>(such),
          such == 1 ? "" : "s", input ? "" : ", first at ", input ? "" : at.where.c_str(), end.c_str());
}

}  // namespace libnf
