// The No-U-Turn sampler (Hoffman & Gelman 2014) with multinomial sampling of states (Betancourt 2017, appendix A) and
// Stan's U-turn criterion, and the adaptation of its step size. The metric is the identity: to precondition, hand in the
// density of other coordinates.
#ifndef NF_EXAMPLES_NUTS_H_
#define NF_EXAMPLES_NUTS_H_
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

namespace mcmc {

using Row = std::vector<double>;

struct Point {
  Row z, momentum, gradient;  // gradient of log_p with respect to z
  double log_p = 0;
  Row x, score;  // for the density to keep what it computed on the way
};
// Fills in log_p and gradient at z. A log_p that is not finite ends the trajectory.
using Density = std::function<void(Point &)>;

// Dual averaging (Hoffman & Gelman 2014, algorithm 5): the acceptance tends to `wanted`.
class StepSize {
 public:
  explicit StepSize(double start = 0.2, double wanted = 0.9)
      : center_(std::log(10 * start)), log_(std::log(start)), wanted_(wanted) {}
  void learn(double acceptance) {
    ++count_;
    missing_ += (wanted_ - acceptance - missing_) / (count_ + 10);
    log_ = center_ - std::sqrt(count_) / 0.05 * missing_;
    mean_ += std::pow(count_, -0.75) * (log_ - mean_);
  }
  double trial() const { return std::exp(log_); }                            // while learning
  double learned() const { return count_ > 0 ? std::exp(mean_) : trial(); }  // afterwards

 private:
  double center_, log_, wanted_, count_ = 0, missing_ = 0, mean_ = 0;
};

class Nuts {
 public:
  Nuts(Density density, uint64_t seed) : density_(std::move(density)), random_(seed) {}

  void start(Row z) {
    at_ = {};
    at_.z = std::move(z);
    density_(at_);
  }
  const Point &at() const { return at_; }

  struct Move {
    double acceptance;  // mean over the trajectory
    bool diverged;
  };
  // Moves to a point of a trajectory of at most 2^max_depth - 1 steps.
  Move move(double step_size, int max_depth) {
    step_size_ = step_size;
    at_.momentum.resize(at_.z.size());
    for (double &p : at_.momentum) p = normal_(random_);
    start_energy_ = energy(at_);
    accepted_ = steps_ = 0, diverged_ = false;
    Point ends[2] = {at_, at_};  // of the trajectory, in backward and forward time
    Tree all{at_.momentum, at_.momentum, at_.momentum, 0, at_}, more;
    for (int depth = 0; depth < max_depth; ++depth) {
      const int way = uniform_(random_) < 0.5 ? 0 : 1;
      all.first = ends[1 - way].momentum, all.last = ends[way].momentum;
      if (!grow(more, ends[way], way ? 1 : -1, depth)) break;
      if (std::log(uniform_(random_)) < more.log_weight - all.log_weight) all.pick = std::move(more.pick);
      if (!join(all, more)) break;
    }
    at_ = std::move(all.pick);
    return {steps_ > 0 ? accepted_ / steps_ : 0, diverged_};
  }

 private:
  struct Tree {
    Row first, last, sum;  // momenta at both ends, and of all points
    double log_weight;     // log of the sum of exp(-energy), relative to the start
    Point pick;
  };

  static double dot(const Row &a, const Row &b) {
    double sum = 0;
    for (size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
    return sum;
  }
  static Row plus(const Row &a, const Row &b) {
    Row sum = a;
    for (size_t j = 0; j < a.size(); ++j) sum[j] += b[j];
    return sum;
  }
  static bool straight(const Row &first, const Row &last, const Row &sum) {
    return dot(first, sum) > 0 && dot(last, sum) > 0;
  }
  static double energy(const Point &p) { return 0.5 * dot(p.momentum, p.momentum) - p.log_p; }

  void leapfrog(Point &p, double step) {
    const auto kick = [&] {
      for (size_t j = 0; j < p.z.size(); ++j) p.momentum[j] += 0.5 * step * p.gradient[j];
    };
    kick();
    for (size_t j = 0; j < p.z.size(); ++j) p.z[j] += step * p.momentum[j];
    density_(p);
    kick();
  }
  // Appends b, which grew from the last end of a. Returns false if the joined trajectory makes a U-turn.
  static bool join(Tree &a, const Tree &b) {
    const bool inner =
        straight(a.first, b.first, plus(a.sum, b.first)) && straight(a.last, b.last, plus(b.sum, a.last));
    const double high = std::max(a.log_weight, b.log_weight);
    a.log_weight = high + std::log(std::exp(a.log_weight - high) + std::exp(b.log_weight - high));
    a.sum = plus(a.sum, b.sum);
    a.last = b.last;
    return inner && straight(a.first, a.last, a.sum);
  }
  // Moves `edge` by 2^depth steps. Returns false if the trajectory ends there.
  bool grow(Tree &out, Point &edge, int direction, int depth) {
    if (depth == 0) {
      leapfrog(edge, direction * step_size_);
      const double gain = start_energy_ - energy(edge);
      ++steps_;
      diverged_ = !(gain > -1000);  // also if it is NaN
      if (diverged_) return false;
      accepted_ += std::min(1.0, std::exp(gain));
      out = {edge.momentum, edge.momentum, edge.momentum, gain, edge};
      return true;
    }
    Tree other;
    if (!grow(out, edge, direction, depth - 1) || !grow(other, edge, direction, depth - 1)) return false;
    const double log_share = other.log_weight - std::max(out.log_weight, other.log_weight) -
                             std::log1p(std::exp(-std::abs(out.log_weight - other.log_weight)));
    if (std::log(uniform_(random_)) < log_share) out.pick = std::move(other.pick);
    return join(out, other);
  }

  Density density_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_;
  Point at_;
  double step_size_ = 0, start_energy_ = 0, accepted_ = 0, steps_ = 0;
  bool diverged_ = false;
};

}  // namespace mcmc
#endif  // NF_EXAMPLES_NUTS_H_
