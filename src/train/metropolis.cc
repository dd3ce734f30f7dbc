#include "src/train/metropolis.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/kernel/random.h"
#include "src/model/rows.h"

namespace libnf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kAhead = 4096;  // rows that the model draws at once
enum Stream : uint32_t { kSteps, kAccept, kStart };

class Chains {
 public:
  Chains(const Allocator& allocator, const Target& target, Session* proposal, const MetropolisConfig& config,
         const View& context, int64_t chains)
      : target_(target),
        proposal_(proposal),
        config_(config),
        context_(context),
        chains_(chains),
        d_(target.event),
        ahead_(proposal ? std::max<int64_t>(1, kAhead / chains) : 1),
        memory_(allocator,
                static_cast<size_t>(checked_mul(checked_mul(chains, sizeof(double)), (d_ + 2) * (ahead_ + 1) + 2)),
                "Markov chains") {
    double* p = memory_.as<double>();
    const auto take = [&](int64_t n) { return std::exchange(p, p + n); };
    x_ = take(chains * d_);
    log_p_ = take(chains);
    log_q_ = take(chains);
    next_ = take(ahead_ * chains * d_);
    next_q_ = take(ahead_ * chains);
    next_p_ = take(chains);
    uniform_ = take(chains);
  }

  void start(const View& from) {
    const View at = rows(x_, chains_);
    if (from.data)
      copy_rows(from, at);
    else if (!proposal_)
      kernel::normal<double>({config_.seed, kStart}, 0, chains_, d_, x_, d_);
    if (proposal_ && from.data) proposal_->log_prob(at, context_, column(log_q_));
    if (proposal_ && !from.data) proposal_->sample({config_.seed, 0}, context_, at, column(log_q_));
    target_.evaluate(at, context_, column(log_p_), {});
    for (int64_t c = 0; c < chains_; ++c)
      if (!std::isfinite(log_p_[c]) || (proposal_ && !std::isfinite(log_q_[c])))
        fail(Code::numeric, "chain %lld starts where the log density is %g: give it another row of start",
             static_cast<long long>(c), log_p_[c] - (proposal_ ? log_q_[c] : 0));
  }

  // Runs step number `step` of every chain and returns how many chains moved.
  int64_t step(int64_t step) {
    const int64_t slot = step % ahead_, first = step * chains_;
    if (proposal_ && slot == 0)  // number 0 to chains - 1 are where the chains start
      proposal_->sample({config_.seed, static_cast<uint64_t>(first + chains_)}, context_, rows(next_, ahead_ * chains_),
                        contiguous_view(next_q_, DType::f64, {ahead_ * chains_}));
    double* const to = next_ + slot * chains_ * d_;
    const double* const to_q = next_q_ + slot * chains_;
    if (!proposal_) {
      kernel::normal<double>({config_.seed, kSteps}, first, chains_, d_, to, d_);
      for (int64_t i = 0; i < chains_ * d_; ++i) to[i] = x_[i] + config_.step_size * to[i];
    }
    target_.evaluate(rows(to, chains_), context_, column(next_p_), {});
    kernel::uniform_open<double>({config_.seed, kAccept}, first, chains_, 1, uniform_, 1);
    int64_t moved = 0;
    for (int64_t c = 0; c < chains_; ++c) {
      if (!(next_p_[c] < kInfinity))
        fail(Code::numeric, "the target's log density is %g at step %lld of chain %lld", next_p_[c],
             static_cast<long long>(step + 1), static_cast<long long>(c));
      double gain = next_p_[c] - log_p_[c];
      if (proposal_) gain += log_q_[c] - to_q[c];
      if (!(std::log(uniform_[c]) < gain)) continue;  // a proposal whose log q is NaN is rejected
      std::copy_n(to + c * d_, d_, x_ + c * d_);
      log_p_[c] = next_p_[c];
      if (proposal_) log_q_[c] = to_q[c];
      ++moved;
    }
    return moved;
  }

  View state() const { return rows(x_, chains_); }

 private:
  View rows(double* p, int64_t n) const { return contiguous_view(p, DType::f64, {n, d_}); }
  View column(double* p) const { return contiguous_view(p, DType::f64, {chains_}); }
  const Target& target_;
  Session* proposal_;
  MetropolisConfig config_;
  View context_;
  int64_t chains_, d_, ahead_;
  Buffer memory_;
  double *x_, *log_p_, *log_q_;       // current states
  double *next_, *next_q_, *next_p_;  // proposals
  double* uniform_;
};

}  // namespace

MetropolisSummary metropolis(const Allocator& allocator, const Target& target, Session* proposal,
                             const MetropolisConfig& config, const View& start, const View& context, const View& out) {
  const int64_t draws = out.shape[0], chains = out.shape[1];
  if (draws == 0 || chains == 0) return {0, 0};
  Chains all(allocator, target, proposal, config, context, chains);
  all.start(start);
  int64_t step = 0, moved = 0;
  for (; step < config.burn_in; ++step) all.step(step);
  for (int64_t k = 0; k < draws; ++k) {
    for (int64_t i = 0; i < config.thin; ++i) moved += all.step(step++);
    View to = out;
    to.shape = {chains, out.shape[2]};
    to.stride[0] = out.stride[1];
    to.stride[1] = out.stride[2];
    to.data = static_cast<char*>(out.data) + k * out.stride[0] * size_of(out.dtype);
    copy_rows(all.state(), to);
  }
  const double proposals = static_cast<double>(draws) * static_cast<double>(config.thin) * static_cast<double>(chains);
  return {static_cast<uint64_t>(step), static_cast<double>(moved) / proposals};
}

}  // namespace libnf
