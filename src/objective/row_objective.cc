#include "src/objective/row_objective.h"

#include <algorithm>
#include <cmath>

#include "src/model/rows.h"

namespace nf {

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

void RowObjective::report(Lane& lane, const Batch& batch, uint64_t step) {
  const auto number = static_cast<unsigned long long>(step);
  const auto bad = [&](int64_t r) { return !std::isfinite(row_loss()[r]); };
  int64_t first = 0;
  while (first < batch.rows() && !bad(first)) ++first;
  if (first == batch.rows())
    fail(Code::numeric, "the loss of another rank is not finite; step %llu was not applied", number);
  const std::string where = row_nonfinite_at(lane, model(), batch, first);
  const View* input = where == Density::kData ? &batch.x : where == Density::kContext ? &batch.context : nullptr;
  int64_t such = 0;
  for (int64_t r = first; r < batch.rows(); ++r) such += bad(r) && !(input && is_finite_row(lane, *input, r));
  const std::string what =
      input ? Density::describe_nonfinite(first, where) : "the loss of row " + std::to_string(first) + " is not finite";
  fail(Code::numeric, "%s (%lld such row%s)%s%s; step %llu was not applied", what.c_str(), static_cast<long long>(such),
       such == 1 ? "" : "s", input ? "" : ", first at ", input ? "" : where.c_str(), number);
}

}  // namespace nf
