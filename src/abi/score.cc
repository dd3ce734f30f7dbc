// Implements nf_score_mean.
#include <cmath>

#include "src/abi/guard.h"
#include "src/abi/structs.h"
#include "src/lane/score_mean.h"
#include "src/model/rows.h"

using namespace libnf;

extern "C" {

nf_status nf_score_mean(const nf_view* log_prob, const nf_view* weight, nf_score_info* info,
                        nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const View lp = view_of(log_prob, "log_prob"), w = view_of(weight, "weight", true);
    need_shape(lp, "log_prob", {-1});
    const int64_t n = lp.shape[0];
    if (weight && (w.shape.rank != 1 || w.shape[0] != n))
      fail(Code::shape, "weight has %lld number%s in %d dimension%s, but log_prob has %lld rows",
           static_cast<long long>(w.count()), w.count() == 1 ? "" : "s", w.shape.rank, w.shape.rank == 1 ? "" : "s",
           static_cast<long long>(n));
    struct_size(info, "info");
    if (n < 1) fail(Code::argument, "log_prob has 0 rows, expected at least 1");
    ScoreMean mean;
    for (int64_t r = 0; r < n; ++r) {
      const auto row = static_cast<long long>(r);
      const double v = scalar_at(lp, r), share = weight ? scalar_at(w, r) : 1;
      if (!(share >= 0) || std::isinf(share))
        fail_at(Code::argument, {r, -1}, "weight[%lld] = %g; weights are finite and not negative", row, share);
      if (share > 0 && (std::isnan(v) || v > 0) && !std::isfinite(v))
        fail_at(Code::numeric, {r, -1}, "log_prob[%lld] is %g, expected a number or -infinity", row, v);
      mean.add(share, v, r);
    }
    if (mean.rows() == 0) fail(Code::argument, "all %lld weights are zero", static_cast<long long>(n));
    const ScoreSummary s = mean.result();
    nf_score_info out = NF_SCORE_INFO_INIT;
    out.rows = s.rows;
    out.outside = s.outside;
    out.first_outside = s.first_outside;
    out.mean = s.mean;
    out.error = s.error;
    out.inside_mean = s.inside_mean;
    out.inside_error = s.inside_error;
    write_struct(info, out);
  });
}

}  // extern "C"
