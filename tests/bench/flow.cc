#include "tests/bench/flow.h"

#include <cmath>
#include <stdexcept>

namespace libnf::bench {
namespace {

void check(nf_status s, const nf_error& e) {
  if (s != NF_OK) throw std::runtime_error(e.message);
}

}  // namespace

Flow::Flow(const std::string& spec, int threads) {
  nf_error e = NF_ERROR_INIT;
  check(nf_options_create(&options_, &e), e);
  check(nf_options_set_i64(options_, "runtime.threads", threads, &e), e);
  check(nf_runtime_create(options_, nullptr, nullptr, nullptr, nullptr, &runtime_, &e), e);
  check(nf_model_create(runtime_, spec.data(), spec.size(), 1, &model_, &e), e);
  check(nf_model_get_info(model_, &info_, &e), e);
}

Flow::~Flow() {
  nf_session_free(session_);
  nf_trainer_free(trainer_);
  nf_model_free(model_);
  nf_runtime_free(runtime_);
  nf_options_free(options_);
}

// Rows of a smooth curve with some spread: values the flow can learn without blowing up.
void Flow::need_rows(int64_t rows) {
  for (int64_t i = static_cast<int64_t>(row_.size()); i < rows; ++i) {
    for (int64_t c = 0; c < event(); ++c)
      x_.push_back(static_cast<float>(std::sin(0.37 * static_cast<double>(i) + 1.3 * static_cast<double>(c)) +
                                      0.1 * std::cos(7.7 * static_cast<double>(i * (c + 1)))));
    row_.push_back(0);
  }
}

void Flow::train_step(int64_t batch) {
  nf_error e = NF_ERROR_INIT;
  need_rows(batch);
  if (!trainer_) check(nf_trainer_create(model_, nullptr, nullptr, &trainer_, &e), e);
  const nf_view x = nf_rows_f32(x_.data(), batch, event());
  nf_batch rows = NF_BATCH_INIT;
  rows.x = &x;
  check(nf_train_step(trainer_, &rows, nullptr, &e), e);
}

void Flow::log_prob(int64_t rows) {
  nf_error e = NF_ERROR_INIT;
  need_rows(rows);
  if (!session_) check(nf_session_create(model_, nullptr, &session_, &e), e);
  const nf_view x = nf_rows_f32(x_.data(), rows, event());
  const nf_out out = nf_out_vec_f32(row_.data(), rows);
  check(nf_log_prob(session_, &x, nullptr, &out, &e), e);
}

void Flow::sample(int64_t rows) {
  nf_error e = NF_ERROR_INIT;
  need_rows(rows);
  if (!session_) check(nf_session_create(model_, nullptr, &session_, &e), e);
  const nf_out x = nf_out_rows_f32(x_.data(), rows, event());
  nf_sampling how = NF_SAMPLING_INIT;
  how.seed = 1;
  check(nf_sample(session_, &how, nullptr, &x, nullptr, &e), e);
}

}  // namespace libnf::bench
