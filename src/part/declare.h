// Parameters are declared once, when a layer is built: names, shapes and initial values. This is the only source of
// shapes when a file is loaded, and the only place where randomness enters a fresh model.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/view.h"
#include "runtime/tape/dense_form.h"

namespace nf {

// How a tensor starts. Random draws are a function of (model seed, the tensor's position), in float64.
struct Init {
  enum Kind : uint8_t { constant, uniform, normal, values } kind = constant;
  double a = 0;              // the constant, the half-width of uniform(-a, a), the standard deviation
  std::vector<double> list;  // Kind::values, row-major
  static Init zeros() { return {}; }
  static Init fill(double v) { return {constant, v, {}}; }
  static Init uniform_pm(double a) { return {uniform, a, {}}; }
  static Init gaussian(double std) { return {normal, std, {}}; }
  static Init exactly(std::vector<double> v) { return {values, 0, std::move(v)}; }
};

// The invariant that a buffer must satisfy for its layer to be valid. It is checked when a file is read and when a caller
// sets the tensor (src/model/buffer_check.h).
enum class Invariant : uint8_t { none, flag, sign, positive, nonnegative, rotation, permutation };

using ParamId = int32_t;  // -1: absent

struct ParamInfo {
  std::string name;
  Dims shape;  // as it is stored
  Init init;
  bool trainable = true;
  Invariant invariant = Invariant::none;
  std::string old_name = {};  // in files of older versions; "": the same
  DenseFormPtr form = {};     // how callers see it; nullptr: as it is stored
  bool added = false;         // files of older versions lack it and stand for `init`
};

// Where one layer declares its tensors. It refers to the list of the model, so copies and `inside` declare into the same
// list.
class Declare {
 public:
  // `path` names the configuration in messages ("spec.layers[0]"), `prefix` starts the names of its parameters.
  Declare(std::vector<ParamInfo>& all, std::string prefix, const Dims& event, int64_t context, uint64_t ordinal,
          std::string path = "spec")
      : event(event),
        out(event),
        context(context),
        ordinal(ordinal),
        all_(all),
        prefix_(std::move(prefix)),
        path_(std::move(path)) {}
  Declare(std::vector<ParamInfo>& all, std::string prefix, int64_t columns, int64_t context, uint64_t ordinal,
          std::string path = "spec")
      : Declare(all, std::move(prefix), Dims{columns}, context, ordinal, std::move(path)) {}

  // `form` says how callers see the tensor; without one, as it is stored.
  ParamId param(const std::string& name, const Dims& shape, Init init, DenseFormPtr form = nullptr) const {
    return add({name, shape, std::move(init), true, Invariant::none, "", std::move(form)});
  }
  // State that is saved but not trained. Files that call it `old_name` are read, too.
  ParamId buffer(const std::string& name, const Dims& shape, Init init, Invariant invariant = Invariant::none,
                 const char* old_name = "", DenseFormPtr form = nullptr) const {
    return add({name, shape, std::move(init), false, invariant, old_name, std::move(form)});
  }
  // A buffer that files of older versions lack: they stand for `values`, which follow from the configuration. It does not
  // count among the tensors whose position their random initial values depend on.
  ParamId added_buffer(const std::string& name, std::vector<double> values, Invariant invariant) const {
    const auto n = static_cast<int64_t>(values.size());
    return add({name, {n}, Init::exactly(std::move(values)), false, invariant, "", nullptr, true});
  }
  // The same under "prefix.name.".
  Declare inside(const std::string& name) const {
    Declare d = *this;
    d.prefix_ += name + ".";
    return d;
  }
  // The same for a part that is configured by the field `name`: also messages name fields of it.
  Declare part(const std::string& name) const {
    Declare d = inside(name);
    d.path_ += "." + name;
    return d;
  }
  // The same for a layer that turns rows of `from` into rows of `to`.
  Declare between(const Dims& from, const Dims& to) const {
    Declare d = *this;
    d.event = from;
    d.out = to;
    return d;
  }
  // Rejects a configuration: Error{spec} with the JSON path of the field in front.
  [[noreturn]] void reject(const char* field, const char* why) const;

  // Columns of x: rows are flat, whatever the shape of the event.
  int64_t columns() const { return event.count(); }

  Dims event;        // of x, in the layer's own forward direction: [columns], or [height, width, channels]
  Dims out;          // of z; as many columns
  int64_t context;   // columns of the context, 0 = none
  uint64_t ordinal;  // of the layer in its model: makes choices such as a random order differ between layers

 private:
  ParamId add(ParamInfo info) const;  // names without the prefix
  std::vector<ParamInfo>& all_;
  std::string prefix_;
  std::string path_;
};

}  // namespace nf
