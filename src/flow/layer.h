// A layer is a configuration, parameters, and a map in both directions with its log-determinant.
// To add a layer, write one file that ends in NF_PART(Layer, word, ...) and put its word in src/flow/meson.build.
#pragma once
#include <memory>
#include <vector>

#include "runtime/op/family.h"
#include "runtime/tape/params.h"
#include "src/part/fields.h"
#include "src/part/registry.h"
#include "src/part/scope.h"

namespace libnf {

// What a layer between float64 data and a float32 model does with the part of the rows that rounding takes away
// (Node::low).
enum class LowPart : uint8_t {
  dropped,  // it computes with the rounded rows
  passed,   // it moves columns, and their low parts with them
  used,     // it computes with both parts
};

// What a layer acts on where its event is [height, width, channels], unless the spec says otherwise with "per_pixel".
enum class OnImages : uint8_t {
  whole,      // all columns of a row, as on a vector, or the image as the layer sees it
  per_pixel,  // the channels of each pixel, with the same parameters everywhere (src/flow/per_pixel.h)
};

class Layer {
 public:
  virtual ~Layer() = default;
  // Maps data to latent. x [n, event], context [n, context] or nullptr.
  virtual Mapped forward(const Scope& s, Var x, Var context) const = 0;
  // Maps latent to data; the log_det returned is that of this direction.
  virtual Mapped inverse(const Scope& s, Var z, Var context) const = 0;

  // Returns false if forward draws random numbers because one row of data stands for many values, as in dequantize. The
  // model's log-density is then a lower bound in expectation, and a chain cannot have the layer inverted.
  virtual bool exact() const { return true; }

  // Returns whether the inverse gives x back from what forward made of it in training, with the same random numbers, so that
  // Memory::invert need not keep x.
  virtual bool rebuilds() const { return exact(); }

  virtual LowPart low_part() const { return LowPart::dropped; }

  // Returns the buffer [1] that stays 0 until parameters were initialized from data; -1 if the layer needs no data.
  virtual ParamId started() const { return -1; }
  // Initializes parameters from the rows that arrive: x, or z where the chain has the layer inverted.
  virtual void start(const ParamStore&, const ColumnStats&, bool /*inverted*/) const {}

  // Returns true if training couples the rows of a batch: forward then finds the statistics of x in s.batch. Without
  // s.batch (scoring, the inverse) rows are independent.
  virtual bool couples_rows() const { return false; }
  // Called after a training step with the batch statistics, e.g. to update running averages.
  virtual void observe(const ParamStore&, const ColumnStats&) const {}
};

struct LayerKind : PartKind {
  std::unique_ptr<Layer> (*build)(const Config& config, const Declare& declare);
  Domain domain = Domain::real;  // of x; tests and fuzzing draw x from it
  Domain image = Domain::real;   // of z, likewise
  OnImages on_images = OnImages::whole;
  // Returns the event on the other side of a layer that changes it: that of z given d.event of x, or with `inverted`
  // that of x given d.event of z. The number of columns never changes. nullptr: the same event on both sides.
  Dims (*other_side)(const Config& config, const Declare& d, bool inverted) = nullptr;
  // For a layer whose configuration contains layers that act on the first columns of z only: `inner` returns those
  // layers, `kept` the event of the first columns, `rest` that of the remaining columns. nullptr: no such layers.
  const std::vector<LayerSpec>& (*inner)(const Config& config) = nullptr;
  Dims (*kept)(const Config& config, const Declare& d) = nullptr;
  Dims (*rest)(const Config& config, const Declare& d) = nullptr;

  void facts(Fields& f) const {  // for the description of the part
    bool per_pixel = on_images == OnImages::per_pixel;
    f.flag("per_pixel",
           "of an event [height, width, channels], acts on the channels of each pixel unless \"per_pixel\" is false",
           per_pixel);
  }
};

}  // namespace libnf
