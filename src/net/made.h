// Masked autoregressive nets, MADE (Germain et al. 2015): from D inputs and a context, a MADE computes `per` numbers
// for every input i, which depend only on the inputs before i and on the context. Each kind of net describes its masked
// form (NetKind::mask) in terms of MadeBuilder.
//
// An input may be read as several features (the sine and cosine of an angle), which share its degree.
// Unit degrees: the context has degree 0, input i (from 0) degree i + 1. A hidden unit reads units of its own degree or
// less, output i units of degree i or less. Hidden degrees cycle through 1 ... D - 1, starting at 0 if there is a
// context (so that the first output depends on it) or D = 1. Units are sorted by degree, so masks are staircases
// (runtime/kernel/staircase.h) and the net can run degree by degree (runtime/op/autoregressive.h).
//
// Inputs and outputs of the net are in autoregressive order. Callers see its tensors (runtime/tape/dense_form.h) with
// inputs and outputs in the order of the columns, and hidden units by degree.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/op/staged_net.h"
#include "src/net/net.h"

namespace libnf {

enum class DegreeKind : uint8_t { even, random };

struct MadeConfig {
  NetChoice net;
  DegreeKind degrees = DegreeKind::even;
  int64_t seed = 0;  // seed of random degrees
  void fields(Fields& f);
};

// Appends the stages of a masked net. Vector 0 is the input, [context, features]. Each method that adds a stage returns
// the index of its result vector, whose units are complete once all inputs of their degree or less are known.
class MadeBuilder {
 public:
  using Units = std::vector<int32_t>;  // degrees, sorted

  // features[i]: number of features of input i, in autoregressive order; empty: one per input.
  // order[i]: the column of the event that input i is; empty: i. Used for the form in which callers see tensors.
  // given: degrees of the hidden layers, which replace those that `config` asks for; used for nets of other libraries.
  MadeBuilder(const MadeConfig& config, const Declare& d, int64_t per, std::span<const int64_t> features,
              std::span<const int32_t> order, std::span<const Units> given);

  // Sets the activation and the dropout of all stages. Call it first.
  void start(const Activation& act, double dropout);
  // Return the degrees of the features (after those of the context if wanted), of the context, and of the outputs.
  Units inputs(bool with_context) const;
  Units context() const { return Units(static_cast<size_t>(net_.context), 0); }
  const Units& outputs() const { return outputs_; }
  // Returns the degrees of a new hidden layer of `size` units that reads the layer before.
  Units hidden(int64_t size);

  struct Linear {
    int in = 0;         // vector to read
    int64_t first = 0;  // first unit of it to read
    const Units& from;  // degrees of the units to read
    const Units& to;    // degrees of the result
    double bound = -1;  // bound of uniform initial weights; < 0: fan_bound
    int residual = -1;  // vector to add; -1: none
    bool activated = false;
    bool last = false;  // the result is the numbers of the inputs
  };
  // Declares "weight" and "bias".
  int linear(const Declare& d, const Linear& l);
  int activate(int in) { return derived({}, NetStage::activate, in); }
  int drop(int in) { return net_.dropout == 0 ? in : derived({}, NetStage::dropout, in); }
  // Scales and shifts the units by the context (FiLM). Declares "scale" and "shift".
  int modulate(const Declare& d, int in);

 private:
  friend class Made;
  // Where input j of this layer, and unit i of its result, are as callers see them.
  std::vector<int32_t> seen_inputs(const Linear& l) const;
  std::vector<int32_t> seen_outputs(const Linear& l) const;
  int derived(NetStage stage, NetStage::Kind kind, int in);
  StagedNet net_;
  ParamId first_ = -1;  // id of the first parameter; ids are consecutive
  Units features_, outputs_;
  std::vector<int32_t> seen_units_, seen_numbers_;  // the units of vector 0 and of the result, in the order of columns
  std::vector<Units> hidden_;
  std::span<const Units> given_;
  DegreeKind degrees_;
  uint64_t seed_, ordinal_;
  int32_t low_;        // lowest degree allowed in the next hidden layer
  uint32_t draw_ = 0;  // counts draws of random degrees
};

class Made {
 public:
  // features, order and given: as in MadeBuilder.
  Made(const MadeConfig& config, const Declare& d, int64_t per, std::span<const int64_t> features = {},
       std::span<const int32_t> order = {}, std::span<const MadeBuilder::Units> given = {});

  // Maps x [n, features] in autoregressive order to [D * per, n]; the `per` numbers of an input are consecutive.
  Var operator()(const Scope& s, Var x, Var context) const;

  // Returns the stages of the net, for the incremental inverse of autoregressive maps.
  const StagedNet& net() const { return net_; }
  // Returns the id of parameter number `place` of the stages.
  ParamId param(int32_t place) const { return first_ + place; }
  // Degrees of every hidden layer. A residual net has one list for all its layers.
  using Degrees = std::vector<MadeBuilder::Units>;
  const Degrees& hidden_degrees() const { return hidden_; }

 private:
  StagedNet net_;
  ParamId first_;
  Degrees hidden_;
};

}  // namespace libnf
