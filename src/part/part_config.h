// The value of Fields::one_of: a part chosen from a registry, and its configuration.
#pragma once
#include <memory>
#include <span>
#include <utility>

#include "src/part/registry.h"

namespace libnf {

class PartConfig {
 public:
  using Adjust = void (*)(Config& config);

  // Starts as the part `name` of the family. `adjust` changes default values for this use of the parts.
  PartConfig(const Family& family, const char* name, Adjust adjust = nullptr) : family_(&family), adjust_(adjust) {
    choose(*family.find(name));
  }

  const Family& family() const { return *family_; }
  const PartKind& part() const { return *kind_; }
  Config& config() { return *config_; }
  const Config& config() const { return *config_; }

  // Returns the default configuration of `kind`, adjusted for this use.
  std::unique_ptr<Config> default_config(const PartKind& kind) const {
    auto config = kind.config();
    if (adjust_) adjust_(*config);
    return config;
  }
  // Selects `kind` with its default configuration.
  void choose(const PartKind& kind) {
    config_ = default_config(kind);
    kind_ = &kind;
  }

  // Parts whose fields older specs write next to this field instead of inside it: {"net": "mlp", "hidden": [64]}.
  std::span<const char* const> beside = {};

 private:
  const Family* family_;
  Adjust adjust_;
  const PartKind* kind_ = nullptr;
  std::unique_ptr<Config> config_;
};

template <class Kind>
class OneOf : public PartConfig {
 public:
  explicit OneOf(const char* name, Adjust adjust = nullptr) : PartConfig(Registry<Kind>::family(), name, adjust) {}
  const Kind& kind() const { return static_cast<const Kind&>(part()); }
  template <class... Args>
  auto build(Args&&... args) const {
    return kind().build(config(), std::forward<Args>(args)...);
  }
};

}  // namespace libnf
