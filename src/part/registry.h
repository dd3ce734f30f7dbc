// Registries of the parts that a spec can name: layers, nets, base distributions, targets. A part is one file NAME.cc
// that ends in NF_PART(Interface, NAME, ...) and one word in the meson.build of its folder. src/meson.build generates
// each registry from the folder's list of words.
#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "src/part/config.h"

namespace libnf {

// What all kinds of parts have in common. Each interface adds how its parts are built.
struct PartKind {
  const char* name;
  const char* doc;     // one line: the formula in words
  const char* source;  // paper and equation
  std::unique_ptr<Config> (*config)();
  std::span<const char* const> aliases = {};  // other names that are accepted, such as those of older versions
};

// A registry without the type of its parts, for code that handles all registries.
struct Family {
  const char* word;  // "layer"; the plural appends "s"
  std::span<const PartKind* const> parts;
  void (*facts)(const PartKind& kind, Fields& f);  // extra facts for the description of a part; nullptr: none
  // Finds a part by name or alias. Returns nullptr if there is none.
  const PartKind* find(std::string_view name) const;
};

std::span<const Family* const> families();  // generated: all registries

// The registry of one kind of part, for example Registry<LayerKind>.
template <class Kind>
struct Registry {
  static std::span<const Kind* const> all();  // generated from src/part/registry.cc.in
  static const Family& family();              // generated
  static const Kind* find(std::string_view name) { return static_cast<const Kind*>(family().find(name)); }
};

template <class P>
std::unique_ptr<Config> make_config() {
  return std::make_unique<typename P::Config>();
}

// Builds a P with its constructor (const P::Config&, Args...). The type of the kind's member `build`, which takes the
// address of this function, determines Interface and Args.
template <class P, class Interface, class... Args>
std::unique_ptr<Interface> build_part(const Config& config, Args... args) {
  return std::make_unique<P>(static_cast<const typename P::Config&>(config), args...);
}

// Returns P::kAliases, an array of further accepted names of P, or an empty span if P does not define it.
template <class P>
constexpr std::span<const char* const> aliases_of() {
  if constexpr (requires { P::kAliases; })
    return P::kAliases;
  else
    return {};
}

template <class Kind>
constexpr auto facts_of() -> void (*)(const PartKind&, Fields&) {
  if constexpr (requires(const Kind& k, Fields& f) { k.facts(f); })
    return [](const PartKind& kind, Fields& f) { static_cast<const Kind&>(kind).facts(f); };
  else
    return nullptr;
}

// Defines the registry entry of the part P, which has a nested Config and a constructor (const Config&, ...). `word` is
// also the name of the file and its entry in meson.build; the three must agree. The arguments after `source` initialize
// the members of the kind that follow `build`: a layer that maps (0, 1) to the reals ends in
//   NF_PART(Layer, logit, Logit, "...", "...", Domain::unit, Domain::real);
#define NF_PART(Interface, word, P, doc, source, ...) \
  extern const Interface##Kind Interface##_##word;    \
  const Interface##Kind Interface##_##word = {        \
      {#word, doc, source, make_config<P>, aliases_of<P>()}, build_part<P> __VA_OPT__(, ) __VA_ARGS__}

}  // namespace libnf
