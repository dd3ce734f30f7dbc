#include "src/lane/batch.h"

#include <cmath>
#include <cstring>

#include "runtime/core/rows.h"
#include "src/model/rows.h"

namespace libnf {
namespace {

// Overwrites rows without weight by a copy of a row that has weight, because 0 * NaN is NaN. Returns false if no row
// has weight.
bool replace_unweighted(const View& weight, const Block& b) {
  const int64_t rows = b.x->out.shape[0];
  const auto counts = [&](int64_t r) { return scalar_at(weight, b.first + r) > 0; };
  int64_t good = 0;
  while (good < rows && !counts(good)) ++good;
  if (good == rows) return false;
  for (int64_t r = 0; r < rows; ++r) {
    if (counts(r)) continue;
    for (Var v : {b.x, b.context, b.scores}) {
      if (!v) continue;
      const auto bytes = static_cast<size_t>(v->out.shape[1] * size_of(v->out.dtype));
      char* data = v->out.as<char>();
      std::memcpy(data + static_cast<size_t>(r) * bytes, data + static_cast<size_t>(good) * bytes, bytes);
      const int64_t cols = v->out.shape[1];
      if (v->low) std::memcpy(v->low + r * cols, v->low + good * cols, static_cast<size_t>(cols) * sizeof(float));
    }
  }
  return true;
}

}  // namespace

Batch part_of(const Batch& batch, int64_t first, int64_t count) {
  Batch part = batch;
  for (View* v : {&part.x, &part.context, &part.weight, &part.scores})
    if (v->data && !(v == &part.context && v->shape[0] == 1)) *v = rows_of_view(*v, first, count);
  part.random.first_row += first;
  if (part.numbers) part.numbers += first;
  part.first_number += first;
  return part;
}

void check_weights(const Batch& batch, double sums[2]) {
  const int64_t n = batch.rows();
  sums[0] = sums[1] = static_cast<double>(n);
  if (!batch.weight.data) return;
  sums[0] = sums[1] = 0;
  for (int64_t r = 0; r < n; ++r) {
    const double w = scalar_at(batch.weight, r);
    if (!(w >= 0) || std::isinf(w))
      fail_at(Code::argument, {batch.number(r), -1}, "weight[%lld] = %g; weights are finite and not negative",
              static_cast<long long>(batch.number(r)), w);
    sums[0] += w;
    sums[1] += w > 0;
  }
}

bool load_block(Lane& lane, const Batch& batch, int64_t first, int64_t rows, Block* block) {
  Tape& t = lane.tape();
  t.random = batch.random;
  t.random.first_row += first;
  block->first = first;
  const Density& model = lane.model();
  block->x = batch.latents ? load_rows(t, batch.x, first, rows) : model.load_x(t, batch.x, first, rows);
  block->context = model.load_context(t, batch.context, first, rows);
  block->scores = batch.scores.data ? load_rows(t, batch.scores, first, rows) : nullptr;
  return !batch.weight.data || replace_unweighted(batch.weight, *block);
}

void seed_losses(Lane& lane, const Batch& batch, int64_t first, Var losses, double total, double* row_loss) {
  Tape& t = lane.tape();
  with_dtype(t.dtype(), [&]<class T>() {
    const T* values = losses->out.as<T>();
    T* seed = losses->needs_grad ? t.grad(*losses).template as<T>() : nullptr;
    for (int64_t r = 0; r < losses->out.shape[0]; ++r) {
      const double w = batch.weight.data ? scalar_at(batch.weight, first + r) : 1;
      row_loss[first + r] = w == 0 ? 0 : w * static_cast<double>(values[r]);
      if (seed) seed[r] = static_cast<T>(w / total);
    }
  });
}

Batch batch_of_zeros(const Density& model, int64_t n, double* zero) {
  const auto zeros = [&](int64_t columns) { return zeros_of(zero, {n, columns}); };
  Batch b;
  b.x = zeros(model.columns());
  if (model.context()) b.context = zeros(model.context());
  b.total_weight = b.counting = static_cast<double>(n);
  return b;
}

bool is_finite_row(Lane& lane, const View& rows, int64_t row) {
  const TapeScope scope(lane.tape());
  return all_finite(load_rows(lane.tape(), rows, rows.shape[0] == 1 ? 0 : row, 1));
}

Density::Location row_nonfinite_at(Lane& lane, const Density& model, const Batch& batch, int64_t row, bool inverse) {
  Tape& t = lane.tape();
  const TapeScope scope(t);
  t.recording = t.training = false;
  Var x = inverse ? load_rows(t, batch.x, row, 1) : model.load_x(t, batch.x, row, 1);
  Var c = model.load_context(t, batch.context, row, 1);
  Density::Location where = model.first_nonfinite(lane.scope(), x, c, inverse);
  t.recording = t.training = true;
  return where;
}

}  // namespace libnf
