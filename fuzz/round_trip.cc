#include "fuzz/round_trip.h"

#include <algorithm>

namespace fuzz {
namespace {

constexpr int64_t kRows = 3;

struct Mapped {
  std::vector<double> to, log_det;
  nf_status status;
};

// Called with all rows at once; a status is that of all rows.
Mapped map(nf::Session& s, nf::Direction d, const std::vector<double>& from, int64_t columns, int64_t result,
           const nf::View& context) {
  const auto n = static_cast<int64_t>(from.size()) / columns;
  Mapped m{std::vector<double>(static_cast<size_t>(n * result)), std::vector<double>(static_cast<size_t>(n)), NF_OK};
  const nf::Out to(m.to.data(), n, result), det(m.log_det);
  const nf::View rows(from.data(), n, columns);
  m.status = status_of([&] {
    if (d == nf::Direction::forward)
      s.forward_into(to, det, rows, context);
    else
      s.inverse_into(to, det, rows, context);
  });
  return m;
}

bool finite(const double* v, int64_t n) {
  return std::all_of(v, v + n, [](double e) { return std::isfinite(e); });
}
double size_of(const double* v, int64_t n) {
  double s = 0;
  for (int64_t i = 0; i < n; ++i) s = std::max(s, std::abs(v[i]));
  return s;
}
double distance(const double* a, const double* b, int64_t n) {
  double s = 0;
  for (int64_t i = 0; i < n; ++i) s = std::max(s, std::abs(a[i] - b[i]));
  return s;
}

// The same rows one at a time.
void check_rows_apart(nf::Session& s, const nf::ModelInfo& info, const Rows& rows, const Mapped& all) {
  for (int64_t r = 0; r < rows.n; ++r) {
    const auto row = [&](const std::vector<double>& v, int64_t columns) {
      return std::vector<double>(v.begin() + r * columns, v.begin() + (r + 1) * columns);
    };
    const std::vector<double> c = row(rows.context, info.context_size);
    const Mapped one = map(s, nf::Direction::forward, row(rows.x, info.event_size), info.event_size, info.latent_size,
                           info.context_size ? nf::View(c.data(), 1, info.context_size) : nf::View());
    require(one.status == NF_OK || one.status == NF_ERR_NOT_INVERTED);
    if (one.status != NF_OK) continue;
    require(same_bits(one.to, row(all.to, info.latent_size)) &&
            same_bits(one.log_det, {all.log_det[static_cast<size_t>(r)]}));
  }
}

}  // namespace

void check_round_trip(const nf::Model& m, Bytes& b) {
  const nf::ModelInfo info = m.info();
  if (!info.has_layers || info.event_size > 64) return;
  nf::Session s = session_of(m);
  const Rows rows = rows_of(info, kRows, b);
  const nf::View x = rows.x_view(info.event_size), context = rows.context_view(info.context_size);
  const bool exact = info.log_prob == NF_EXACT;
  const int64_t d = info.event_size, e = info.latent_size;

  std::vector<double> log_prob;
  const nf_status scored = status_of([&] { log_prob = s.log_prob<double>(x, context); });
  require(scored == NF_OK || scored == NF_ERR_NOT_INVERTED);
  if (scored == NF_OK) {
    require(same_bits(log_prob, s.log_prob<double>(x, context)));
    for (int64_t r = 0; r < kRows; ++r) {
      const double lp = log_prob[static_cast<size_t>(r)];
      require(!(lp == std::numeric_limits<double>::infinity()));
    }
  }
  const Mapped there = map(s, nf::Direction::forward, rows.x, d, e, context);
  require(there.status == NF_OK || there.status == NF_ERR_NOT_INVERTED);
  if (there.status != NF_OK) return;
  const Mapped twice = map(s, nf::Direction::forward, rows.x, d, e, context);
  require(same_bits(there.to, twice.to) && same_bits(there.log_det, twice.log_det));
  check_rows_apart(s, info, rows, there);
  if (!exact || d != e) return;

  const Mapped back = map(s, nf::Direction::inverse, there.to, e, d, context);
  require(back.status == NF_OK || back.status == NF_ERR_NOT_INVERTED);
  if (back.status != NF_OK) return;
  // The bound, from what small changes of the latents do to what comes back: see tests/src/flow/registry_test.cc.
  const bool wide = info.dtype == NF_F64;
  const double tolerance = wide ? 1e-9 : 1e-4, deltas[2] = {wide ? 1e-6 : 1e-3, wide ? 1e-12 : 1e-6};
  constexpr int kMoves = 6;
  std::vector<Mapped> moved;
  for (int k = 0; k < 2 * kMoves; ++k) {
    const int move = k % kMoves;
    std::vector<double> near = there.to;
    for (int64_t r = 0; r < kRows; ++r) {
      const double all = size_of(&there.to[static_cast<size_t>(r * e)], e);
      for (int64_t j = 0; j < e; ++j) {
        double& v = near[static_cast<size_t>(r * e + j)];
        const bool up = move / 2 == 2 ? move % 2 == 0 : j % 2 == move % 2;
        v += (up ? 1 : -1) * deltas[k / kMoves] * (move / 2 == 1 ? std::abs(v) : all);
      }
    }
    moved.push_back(map(s, nf::Direction::inverse, near, e, d, context));
    if (moved.back().status != NF_OK) return;
  }
  for (int64_t r = 0; r < kRows; ++r) {
    const auto at = static_cast<size_t>(r * d), row = static_cast<size_t>(r);
    bool usable = finite(&rows.x[at], d) && finite(&there.to[at], d) && std::isfinite(there.log_det[row]);
    double grown[2] = {}, grown_det[2] = {};
    for (int k = 0; usable && k < 2 * kMoves; ++k) {
      const Mapped& near = moved[static_cast<size_t>(k)];
      if (near.log_det[row] == -std::numeric_limits<double>::infinity()) continue;
      usable = finite(&near.to[at], d) && std::isfinite(near.log_det[row]);
      grown[k / kMoves] = std::max(grown[k / kMoves], distance(&near.to[at], &back.to[at], d) / deltas[k / kMoves]);
      grown_det[k / kMoves] =
          std::max(grown_det[k / kMoves], std::abs(near.log_det[row] - back.log_det[row]) / deltas[k / kMoves]);
    }
    const double scale = std::max({1.0, size_of(&rows.x[at], d), grown[0]});
    const double scale_det = std::max({1.0, std::abs(there.log_det[row]), grown_det[0]});
    if (!usable || grown[1] > 8 * scale || grown_det[1] > 8 * scale_det) continue;
    // Ten times what the tests allow: the fuzzer tries millions of rows, and looks for wrong maps, not for digits.
    require(distance(&back.to[at], &rows.x[at], d) <= 10 * tolerance * scale);
    require(std::abs(there.log_det[row] + back.log_det[row]) <= 10 * tolerance * scale_det);
  }
}

void check_samples(const nf::Model& m, const nf::Model& again, Bytes& b) {
  const nf::ModelInfo info = m.info();
  if (info.event_size > 64) return;
  nf::Session s = session_of(m), t = session_of(again);
  const std::vector<double> c = rows_of(info, 1, b).context;
  const nf::View context = info.context_size ? nf::View(c.data(), 1, info.context_size) : nf::View();
  std::vector<double> x, y, lp(kRows), lq(kRows);
  const uint64_t seed = b.word();
  const nf_status first = status_of([&] { x = s.sample<double>(kRows, {seed}, context, nf::Out(lp)); });
  const nf_status second = status_of([&] { y = t.sample<double>(kRows, {seed}, context, nf::Out(lq)); });
  require(first == second && same_bits(x, y) && (first != NF_OK || same_bits(lp, lq)));
}

}  // namespace fuzz
