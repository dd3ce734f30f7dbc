// A model as data: the tree of layers read from JSON, and its canonical form with every default written out.
//
//   {"event": [6], "context": [0], "dtype": "float32", "base": "normal",
//    "layers": [{"repeat": 8, "layers": [{"type": "affine_coupling", "hidden": [128, 128]}, {"type": "reverse"}]}]}
//
// "embedding": {"out": 8, "hidden": [32]} puts a net before the context, for all layers and the base.
// Every object with "layers" is a chain; any layer or chain takes "invert" and "repeat". Errors are Error{spec} whose
// message starts with the JSON path and says the value and what would be right.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "runtime/core/view.h"
#include "src/base/base.h"
#include "src/flow/chain.h"
#include "src/net/net.h"
#include "src/part/part_config.h"

namespace nf {

// A net of the context alone. Its output starts at ordinary size: near zero, layers would not see the context.
struct EmbeddingConfig : Config {
  int64_t out = 8;
  NetChoice net{[](Config& c) { static_cast<NetConfig&>(c).init = NetInit::random; }};
  void fields(Fields& f) override;
};

struct ModelSpec : Config {
  Dims event;                                  // [columns], or [height, width, channels]; of rank 0 while it is missing
  int64_t context = 0;                         // 0: none
  std::unique_ptr<EmbeddingConfig> embedding;  // nullptr: layers see the context itself
  DType dtype = DType::f32;
  OneOf<BaseKind> base{"normal"};
  LayerSpec chain;
  void fields(Fields& f) override;
  // Columns that layers and the base see.
  int64_t seen_context() const { return embedding ? embedding->out : context; }
};

inline constexpr size_t kMaxSpecBytes = size_t{1} << 20;
inline constexpr int kMaxSpecDepth = 32;
inline constexpr int64_t kMaxEvent = int64_t{1} << 24;
inline constexpr int64_t kMaxLayerColumns = int64_t{1} << 27;  // event x layers: orders and masks are lists of columns

ModelSpec parse_spec(std::string_view json);
std::string write_spec(const ModelSpec& spec);
// Tells whether `text`, in this or an older form, is the spec whose canonical form is given.
bool is_same_spec(std::string_view text, const std::string& canonical);

// Every registry as JSON, by the plural of its word, the fields of "embedding", and those of the spec itself.
std::string describe_parts();

}  // namespace nf
