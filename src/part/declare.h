// Parameters are declared once, when a layer is built: name, shape and initial values. The declarations are the only
// source of shapes when a file is loaded, and the only place where a new model draws random numbers.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/view.h"
#include "runtime/tape/dense_form.h"

namespace libnf {

// Initial values of a tensor. Random draws are in float64, a function of (model seed, position of the tensor).
struct Init {
  enum Kind : uint8_t { constant, uniform, normal, values } kind = constant;
  double a = 0;              // the constant, the half-width of uniform(-a, a), or the standard deviation
  std::vector<double> list;  // Kind::values, row-major
  static Init zeros() { return {}; }
  static Init fill(double v) { return {constant, v, {}}; }
  static Init uniform_pm(double a) { return {uniform, a, {}}; }
  static Init gaussian(double std) { return {normal, std, {}}; }
  static Init exactly(std::vector<double> v) { return {values, 0, std::move(v)}; }
};

// The invariant that a buffer must satisfy for its layer to be valid. Checked when a file is read and when a caller sets
// the tensor (src/model/buffer_check.h).
enum class Invariant : uint8_t { none, flag, sign, positive, nonnegative, rotation, permutation };

using ParamId = int32_t;  // -1: absent

struct ParamInfo {
  std::string name;
  Dims shape;  // as it is stored
  Init init;
  bool trainable = true;
  Invariant invariant = Invariant::none;
  std::string old_name = {};  // name in files of older versions; "": unchanged
  DenseFormPtr form = {};     // how callers see it; nullptr: as it is stored
  bool added = false;         // files of older versions lack it and mean the values of `init`
  bool left_out = false;      // files of this version lack it too while it has those values
};

// Declares the tensors of one layer. Refers to the model's list, so copies and `inside` append to the same list.
class Declare {
 public:
  // `path` names the configuration in messages ("spec.layers[0]"); `prefix` is put before parameter names.
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
  // Declares state that is saved but not trained. Files that call it `old_name` can still be read.
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
  // An added buffer of zeros, which files have only if some number is not: what rounding to float32 takes from the n
  // numbers of another buffer, so that both are stored with 48 bits.
  ParamId low_part(const std::string& name, int64_t n) const {
    return add({name,
                {n},
                Init::exactly(std::vector<double>(static_cast<size_t>(n))),
                false,
                Invariant::none,
                "",
                nullptr,
                true,
                true});
  }
  // Returns a copy that declares names under "prefix.name.".
  Declare inside(const std::string& name) const {
    Declare d = *this;
    d.prefix_ += name + ".";
    return d;
  }
  // Returns a copy for the part that the field `name` configures: messages also name the fields of that part.
  Declare part(const std::string& name) const {
    Declare d = inside(name);
    d.path_ += "." + name;
    return d;
  }
  // Returns a copy for a part that the list `path` of this configuration holds: "layers[1]". Names start with `name`.
  Declare entry(const std::string& name, const std::string& path, uint64_t number) const {
    Declare d = inside(name);
    d.path_ += "." + path;
    d.ordinal = number;
    return d;
  }
  // Returns a copy for a layer that maps rows of `from` to rows of `to`.
  Declare between(const Dims& from, const Dims& to) const {
    Declare d = *this;
    d.event = from;
    d.out = to;
    return d;
  }
  // Rejects a configuration: throws Error{spec} whose message starts with the JSON path of the field.
  [[noreturn]] void reject(const char* field, const char* why) const;

  // Returns the number of columns of x: rows are flat, whatever the shape of the event.
  int64_t columns() const { return event.count(); }

  Dims event;        // shape of x, in the layer's own forward direction: [columns] or [height, width, channels]
  Dims out;          // shape of z; as many columns as x
  int64_t context;   // columns of the context, 0 = none
  uint64_t ordinal;  // index of the layer in its model, so that choices such as a random order differ between layers

 private:
  ParamId add(ParamInfo info) const;  // names without the prefix
  std::vector<ParamInfo>& all_;
  std::string prefix_;
  std::string path_;
};

}  // namespace libnf
