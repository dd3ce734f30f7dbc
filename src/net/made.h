// Masked autoregressive nets, MADE (Germain et al. 2015): of D inputs and a context, `per` numbers for every input i,
// which depend on the inputs before i and on the context only.
//   mlp       h = act(W_i h + b_i) over the hidden sizes, then a linear output; the context beside x at the input
//   residual  h = W_0 x + b_0 + act(C c + a); per block h += W_2 dropout?(act(W_1 act(h) + b_1 + C' c + a')) + b_2;
//             linear output (Papamakarios et al. 2017 with the blocks of Durkan et al. 2019, without their gate)
// With FiLM the context modulates hidden units as in src/net/net.h instead, in the same two places of a residual net.
// An input may be seen as several features (the sine and cosine of an angle), which share its degree.
// Unit degrees: the context 0, input i (from 0) i + 1; a hidden unit reads units of its own degree or less, output i
// those of degree i or less. Hidden degrees are 1 ... D - 1 in turn, from 0 when there is a context (so that the first
// output sees it) or D = 1. Units are sorted by degree, so that masks are staircases (runtime/kernel/staircase.h) and
// the net can be run degree by degree (runtime/op/autoregressive.h).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/op/staged_net.h"
#include "src/net/net.h"

namespace nf {

enum class DegreeKind : uint8_t { even, random };

struct MadeConfig {
  NetConfig net;
  DegreeKind degrees = DegreeKind::even;
  int64_t seed = 0;
  void fields(Fields& f);
};

class Made {
 public:
  // Sorted degrees of hidden units: of every hidden layer, or one list for all layers of a residual net.
  using Degrees = std::vector<std::vector<int32_t>>;
  static Degrees hidden_degrees(const MadeConfig& config, const Declare& d);

  // features[i]: of input i, in autoregressive order; empty: 1 of every input.
  Made(const MadeConfig& config, const Declare& d, int64_t per, std::span<const int64_t> features = {})
      : Made(config.net, d, per, hidden_degrees(config, d), features) {}
  Made(const NetConfig& config, const Declare& d, int64_t per, const Degrees& hidden,
       std::span<const int64_t> features = {});

  // x [n, features()] in autoregressive order -> [D * per, n], the numbers of an input one after the other.
  Var operator()(const Scope& s, Var x, Var context) const;

  // The stages that the net runs, for the incremental inverse of autoregressive maps.
  const StagedNet& net() const { return net_; }
  // The id of parameter number `place` of the stages.
  ParamId param(int32_t place) const { return first_ + place; }

 private:
  using Stage = NetStage;
  int linear(const Declare& d, int in, int64_t first, const std::vector<int32_t>& from, const std::vector<int32_t>& to,
             double bound, int residual, bool activated);
  int derived(Stage stage, Stage::Kind kind, int in);
  int activate(int in) { return derived({}, Stage::activate, in); }
  int drop(int in) { return net_.dropout == 0 ? in : derived({}, Stage::dropout, in); }
  int modulate(const Declare& d, int in);
  StagedNet net_;
  ParamId first_ = -1;  // of its parameters, which are declared one after the other
};

}  // namespace nf
