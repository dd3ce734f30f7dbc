// A model as data: the tree of layers read from JSON, and the canonical form, in which every default is written out.
//
//   {"event": [6], "context": [0], "dtype": "float32", "base": "normal",
//    "layers": [{"repeat": 8, "layers": [{"type": "affine_coupling", "hidden": [128, 128]}, {"type": "reverse"}]}]}
//
// "kind" selects the kind of model, which determines the other fields; these are those of the default, "flow".
// "embedding": {"out": 8, "hidden": [32]} adds a net that embeds the context for all layers and the base.
// Every object with "layers" is a chain; any layer or chain may have "invert" and "repeat". Errors are Error{spec}
// whose message starts with the JSON path and states the value and what is expected.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "runtime/core/view.h"
#include "src/part/config.h"

namespace libnf {

struct ModelKind;

struct ModelSpec : Config {
  ModelSpec();
  Dims event;           // [columns] or [height, width, channels]; rank 0 while it is missing
  int64_t context = 0;  // 0: none
  DType dtype = DType::f32;
  const ModelKind* kind;
  std::unique_ptr<Config> config;  // the fields of the kind: FlowConfig (src/model/flow.h)
  void fields(Fields& f) override;
};

inline constexpr size_t kMaxSpecBytes = size_t{1} << 20;
inline constexpr int kMaxSpecDepth = 32;
inline constexpr int64_t kMaxEvent = int64_t{1} << 24;
inline constexpr int64_t kMaxLayerColumns = int64_t{1} << 27;  // event x layers; orders and masks are lists of columns

ModelSpec parse_spec(std::string_view json);
std::string write_spec(const ModelSpec& spec);
// Returns whether `text`, in the current or an older form, is the spec with this canonical form.
bool is_same_spec(std::string_view text, const std::string& canonical);

// Returns every registry as JSON, keyed by the plural of its word, with the fields of "embedding" and of the spec.
std::string describe_parts();

}  // namespace libnf
