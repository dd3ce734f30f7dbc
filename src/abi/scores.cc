// How unusual a score is among those of the training rows: quantiles in a note of the model.
#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/model/rows.h"
#include "src/model/score_quantiles.h"

using namespace libnf;

namespace {

ScoreQuantiles quantiles_of(const nf_model* m) {
  need(m, "model");
  const auto note = m->state->notes.find(std::string_view(ScoreQuantiles::kNote));
  if (note == m->state->notes.end())
    fail(Code::state, "the model has no scores of training rows: give them to nf_model_set_scores");
  return ScoreQuantiles::parse(note->second, m->state->model->params().hash());
}

std::vector<double> scores_of(const View& v) {
  if (v.shape.rank != 1) fail(Code::shape, "log_prob has shape %s, expected [n]", to_string(v.shape).c_str());
  std::vector<double> scores(static_cast<size_t>(v.shape[0]));
  for (int64_t i = 0; i < v.shape[0]; ++i) scores[static_cast<size_t>(i)] = scalar_at(v, i);
  return scores;
}

}  // namespace

extern "C" {

nf_status nf_model_set_scores(nf_model* m, const nf_view* log_prob, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    const auto q = ScoreQuantiles::of(scores_of(view_of(log_prob, "log_prob")));
    m->state->notes[ScoreQuantiles::kNote] = q.written(m->state->model->params().hash());
  });
}

nf_status nf_model_score_quantile(const nf_model* m, double p, double* score, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(score, "score");
    if (!(p >= 0 && p <= 1)) fail(Code::argument, "p = %g is outside [0, 1]", p);
    *score = quantiles_of(m).quantile(p);
  });
}

nf_status nf_model_score_rank(const nf_model* m, const nf_view* log_prob, const nf_out* rank,
                              nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    std::vector<double> scores = scores_of(view_of(log_prob, "log_prob"));
    const View out = out_of(rank, "rank");
    need_shape(out, "rank", {static_cast<int64_t>(scores.size())});
    const ScoreQuantiles q = quantiles_of(m);
    for (double& s : scores) s = q.rank(s);
    if (scores.empty()) return;
    copy_rows(contiguous_view(scores.data(), DType::f64, {static_cast<int64_t>(scores.size())}), out);
  });
}

}  // extern "C"
