// A flow model with its own tape, evaluated on plain lists of doubles: values, log-determinants, densities, and
// gradients of sum(cot_y y) + sum(cot_log_det log_det).
#pragma once
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "src/model/flow_model.h"
#include "tests/support/op_check.h"

namespace libnf::test {

struct Rows2 {  // inputs of a call: x [rows, event], context [rows, context]
  int64_t rows;
  Values x, context;
  Rows2 part(int64_t first, int64_t count) const;
};

struct MappedValues {
  Values y, log_det;
};

struct MappedGradients {
  MappedValues value;
  Values x, context;
  std::vector<Values> params;  // empty for buffers
};

// What a tangent follows: x, the context, or a tensor of parameters, along v.
struct Toward {
  enum What { x, context, param } what;
  size_t slot;  // of a tensor
  Values v;
};

template <class T>
class FlowCase {
 public:
  explicit FlowCase(ModelSpec spec, uint64_t seed = 1);
  explicit FlowCase(std::unique_ptr<FlowModel> model);
  // Of a file; its kind is "flow".
  explicit FlowCase(std::unique_ptr<Density> model)
      : FlowCase(std::unique_ptr<FlowModel>(static_cast<FlowModel*>(model.release()))) {}
  FlowModel& model() { return *model_; }

  // Fills every trainable tensor with normal numbers of this standard deviation, representable in float32.
  void randomize(uint64_t seed, double std);
  void fill_params(double value);
  // Of the last gradients with Memory::invert.
  const Drift& drift() const { return tape_.drift; }
  T* param(size_t slot) { return model_->params().view(slot).template as<T>(); }

  // Numbers that the model draws from data to latent depend on the content of a row, as in a session, rather than on its
  // place among the rows, as in training.
  bool by_content = false;

  MappedValues map(bool inverse, const Rows2& in);
  Values log_prob(const Rows2& in);
  MappedGradients gradients(bool inverse, const Rows2& in, const MappedValues& cot, Memory memory = Memory::full);
  // log_prob as value.log_det, and the gradients of sum(cot log_prob).
  MappedGradients log_prob_gradients(const Rows2& in, const Values& cot, Memory memory = Memory::full);
  // The tangents of forward's y and log_det, and the gradients of sum(cot_y dy) + sum(cot_log_det dlog_det).
  MappedGradients tangents(const Rows2& in, const Toward& toward, const MappedValues& cot,
                           Memory memory = Memory::full);
  // The same of log_prob, as a log_det without y.
  MappedGradients log_prob_tangents(const Rows2& in, const Toward& toward, const MappedValues& cot,
                                    Memory memory = Memory::full);

 private:
  void begin(bool inverse, Var x, Var context);
  Var leaf(const Values& v, int64_t rows, int64_t cols, bool needs_grad);
  // Leaves, a map of them and, with `toward`, the tangents of what it gives; then the gradients.
  template <class Map>
  MappedGradients differentiate(const Rows2& in, const Toward* toward, const MappedValues& cot, const Map& map);
  Values read(Var v, int64_t count);
  std::unique_ptr<FlowModel> model_;
  Buffer grads_;
  std::vector<Node> plain_, trained_;
  Tape tape_;
};

// Draws rows for a layer with inputs in `domain`. For real inputs, three of five are of ordinary size, one is log-uniform
// over twelve decades with both signs, one has edge cases (0, +-1, denormals). In other domains all are ordinary.
Rows2 draw_rows(Domain domain, DType dtype, int64_t rows, int64_t event, int64_t context, std::mt19937_64& random);
// Draws rows of ordinary size only.
Rows2 draw_mild(Domain domain, int64_t rows, int64_t event, int64_t context, std::mt19937_64& random);

// Compares bits; two NaNs are equal.
testing::AssertionResult same_bits(const Values& got, const Values& want);

}  // namespace libnf::test
