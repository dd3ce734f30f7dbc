// The fields of a flow's spec beyond the shape of its rows: a chain of layers, a base, and a net of the context.
#pragma once
#include <memory>

#include "src/base/base.h"
#include "src/flow/chain.h"
#include "src/net/net.h"

namespace libnf {

// A net of the context alone. Its initial output is not near zero, because layers would then not see the context.
struct EmbeddingConfig : Config {
  int64_t out = 8;
  NetChoice net{[](Config& c) { static_cast<NetConfig&>(c).init = NetInit::random; }};
  void fields(Fields& f) override;
};

// What happens to the context before the embedding, layers and base see it.
struct ContextConfig : Config {
  bool standardize = true;
  void fields(Fields& f) override;
};

struct FlowConfig : Config {
  std::unique_ptr<ContextConfig> prepare_context;  // nullptr: nothing
  std::unique_ptr<EmbeddingConfig> embedding;      // nullptr: layers get the context itself
  OneOf<BaseKind> base{"normal"};
  LayerSpec chain;
  void fields(Fields& f) override;
};

}  // namespace libnf
