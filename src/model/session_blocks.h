// What the parts of Session share: cutting rows into blocks, contexts of a block, and the mean of exp(log_prob) over draws.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "src/model/rows.h"
#include "src/model/session.h"

namespace libnf {

inline constexpr uint64_t kNextDraw =
    0x9e3779b97f4a7c15;  // any odd number: keys of the draws of a row are all different

// Keeps a single shared context as one row, so that the embedding runs once instead of once per data row.
inline Var context_rows(const Density& model, Tape& t, const View& context, int64_t first, int64_t rows) {
  return model.load_context(t, context, first, context.data && context.shape[0] == 1 ? 1 : rows);
}

// Row (first + r) / repeat of the context for every row r.
inline Var repeated_rows(const Density& model, Tape& t, const View& context, int64_t first, int64_t rows,
                         int64_t repeat) {
  if (repeat == 1 || !context.data || context.shape[0] == 1) return context_rows(model, t, context, first, rows);
  return gather_rows(t, context, rows, model.uses_context_low(), [&](const View& to) {
    for (int64_t r = 0; r < rows; ++r)
      copy_rows(rows_of_view(context, (first + r) / repeat, 1), rows_of_view(to, r, 1));
  });
}

// exp(highest) sum is the sum of exp(v) over the numbers so far.
struct LogMeanExp {
  double highest = -std::numeric_limits<double>::infinity();
  double sum = 0;

  // What the terms before and the new one are to be multiplied by, to stay relative to exp(highest).
  struct Factors {
    double before, now;
  };
  Factors add(double v) {
    Factors f{1, 1};
    if (v > highest || v != v) {
      f.before = std::exp(highest - v);
      highest = v;
    } else if (v < highest) {
      f.now = std::exp(v - highest);
    }
    sum = sum * f.before + f.now;
    return f;
  }
  double mean(int64_t count) const { return highest + std::log(sum / static_cast<double>(count)); }
};

template <class Body>
void Session::for_blocks(int64_t n, int64_t most, const Body& body) {
  const int64_t block = scoring_rows(model_.cost(), most, n, static_cast<int64_t>(workers_.size()));
  const int64_t blocks = (n + block - 1) / block;
  const auto one = [&](Worker& w, int64_t b) {
    const TapeScope scope(w.tape);
    w.tape.random = {};
    w.tape.random.first_row = b * block;
    body(w, b * block, std::min(block, n - b * block));
  };
  const auto threads = static_cast<uint32_t>(std::min<int64_t>(blocks, static_cast<int64_t>(workers_.size())));
  if (threads <= 1) {
    for (int64_t b = 0; b < blocks; ++b) one(*workers_[0], b);
    return;
  }
  std::atomic<int64_t> next{0};
  executor_.parallel_for(threads, [&](uint32_t i) {
    for (int64_t b; (b = next.fetch_add(1)) < blocks;) one(*workers_[i], b);
  });
}

}  // namespace libnf
