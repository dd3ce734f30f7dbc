// Layers in order from data to latents. forward maps data to latents.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/flow/chain.h"

namespace libnf {

// How much of the forward pass is kept for training.
enum class Memory : uint8_t {
  full,       // everything
  recompute,  // only inputs of layers; a layer runs again when its gradient is needed
  invert,     // the last output; inputs of layers are rebuilt from outputs (runtime/op/reversible.h), but for those of
              // layers that cannot (Layer::rebuilds) and those that Scope::kept_inputs says
};

// One layer of the chain after nesting, repeats and inversion are expanded.
struct LayerInstance {
  std::unique_ptr<Layer> layer;
  bool inverted = false;
  ParamId first = 0, count = 0;  // its parameters
  int32_t index = 0;             // in Chain::layers()
  std::string path;              // "spec.layers[0].layers[1]"
  int64_t repetition = 0;        // which copy of the entry at `path`, counted through all repeats around it
  std::string name;              // what the names of its tensors start with: "layers.3"
  std::string where;             // "spec.layers[0].layers[1] (affine_coupling, repetition 3)"
  const LayerKind* kind = nullptr;
  Dims in, out;            // events on the data side and on the latent side
  bool near_data = false;  // it and all layers before it keep or use the low part of the rows (LowPart)
  bool hands_on = false;   // so does the next one, to which it hands the low part of its result
  bool per_pixel = false;  // it acts on the channels of each pixel of `in`
  int64_t columns = 0;  // it acts on this many columns, the first ones; the rest pass through (layers inside a split)
};

// Latent columns that leave the chain together: those that a split factors out, or those that no split does.
struct Scale {
  std::string where;  // the split; "" for columns that go through all layers
  int64_t first = 0;  // column
  Dims event;         // shape of these columns where they leave
};

class Chain {
 public:
  // Expands nesting, repeats, inversion and splits of `spec`, which messages call `path`, for this event of x and this
  // many columns of context. Layers declare their tensors, named PREFIX.N...., in `infos`.
  Chain(const LayerSpec& spec, const std::string& path, const Dims& event, int64_t context, const std::string& prefix,
        std::vector<ParamInfo>& infos);

  const std::vector<LayerInstance>& layers() const { return layers_; }
  // Returns the scales in column order. A single scale covers all columns if nothing is factored out or later layers
  // mix it again.
  const std::vector<Scale>& scales() const { return scales_; }
  bool exact() const;  // true if every layer is exact
  // Returns whether layers next to the data use what rounding to float32 takes from the rows (Node::low).
  bool uses_low() const { return !layers_.empty() && layers_[0].near_data; }
  // Returns the event that the last layer produces.
  const Dims& latent() const { return latent_; }

  // Runs all layers from x [n, event] to z, or with `inverse` from z to x. log_det is that of this direction, nullptr
  // if it is zero. context: as layers get it (after the embedding), [n, columns], or nullptr.
  Mapped run(const Scope& s, bool inverse, Var from, Var context, Memory memory) const;
  // Runs the layers [first, last) only, from data to latent.
  Mapped part(const Scope& s, size_t first, size_t last, Var x, Var context, Memory memory = Memory::full) const;
  // Values only, with every state on the way: after(k, y, log_det) sees what k layers made of `from`, from k = 1, and the
  // log_det of layer k, nullptr when it is zero; both are valid until it returns. The same bits as run().
  using After = std::function<void(size_t k, Var y, Var log_det)>;
  Mapped trace(const Scope& s, bool inverse, Var from, Var context, const After& after) const;
  // Values and their tangents when `from` moves along d_from and the context along d_context (nullptr: rests), layer by
  // layer, so that memory does not grow with depth. Of the result all four are there. The values have the bits of run().
  // Error{unsupported} names a layer without a tangent rule.
  struct Pushed {
    Mapped value, tangent;
  };
  Pushed push(const Scope& s, bool inverse, Var from, Var d_from, Var context, Var d_context) const;
  // Returns the first layer whose result is not finite for the rows of `from`, which are finite; nullptr if all stay
  // finite. Slow.
  const LayerInstance* first_nonfinite(const Scope& s, bool inverse, Var from, Var context) const;

 private:
  void mark_near_data(int64_t columns);
  std::vector<LayerInstance> layers_;
  Dims latent_;
  std::vector<Scale> scales_;
};

}  // namespace libnf
