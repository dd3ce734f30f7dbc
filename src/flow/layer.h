// What a layer is: a configuration, parameters, and a map in two directions with its log-determinant.
// A new layer is one file that ends in NF_PART(Layer, word, ...) and its word in src/flow/meson.build.
#pragma once
#include <memory>
#include <vector>

#include "runtime/op/family.h"
#include "runtime/tape/params.h"
#include "src/part/registry.h"
#include "src/part/scope.h"

namespace nf {

class Layer {
 public:
  virtual ~Layer() = default;
  // Data to latent. x [n, event], context [n, context] or nullptr.
  virtual Mapped forward(const Scope& s, Var x, Var context) const = 0;
  // Latent to data; log_det is that of this direction.
  virtual Mapped inverse(const Scope& s, Var z, Var context) const = 0;

  // False: forward draws numbers to make a row of data out of many that it could have been, such as dequantize. Then the
  // log-density of the model is a lower bound in expectation, and a chain cannot have the layer inverted.
  virtual bool exact() const { return true; }

  // A layer whose parameters start from data has a saved flag, a buffer [1] that is 0 until then. -1: it does not.
  virtual ParamId started() const { return -1; }
  // Sets parameters by the rows that arrive: x, or z where the chain has the layer inverted.
  virtual void start(const ParamStore&, const ColumnStats&, bool /*inverted*/) const {}

  // Training couples the rows of a batch: forward finds statistics of x in s.batch; without (scoring, the inverse) rows
  // are independent.
  virtual bool couples_rows() const { return false; }
  // After a step was applied: what the batch was like.
  virtual void observe(const ParamStore&, const ColumnStats&) const {}
};

struct LayerKind : PartKind {
  std::unique_ptr<Layer> (*build)(const Config& config, const Declare& declare);
  Domain domain = Domain::real;  // of x: what tests and fuzzing feed
  Domain image = Domain::real;   // of z, likewise
  // The event on the other side of a layer that changes it: of z for d.event of x, or with `inverted` of x for d.event
  // of z. The number of columns stays. nullptr: the same event on both sides.
  Dims (*other_side)(const Config& config, const Declare& d, bool inverted) = nullptr;
  // A layer whose configuration holds layers of their own, which act on the first columns of z only: those layers, the
  // event that they get, which is of the first columns, and that of the columns behind them. nullptr: it has none.
  const std::vector<LayerSpec>& (*inner)(const Config& config) = nullptr;
  Dims (*kept)(const Config& config, const Declare& d) = nullptr;
  Dims (*rest)(const Config& config, const Declare& d) = nullptr;
};

}  // namespace nf
