// Parts that a spec names: layers, nets, base distributions, targets. One part is one file NAME.cc that ends in
// NF_PART(Interface, NAME, ...) and one word in the meson.build of its folder. src/meson.build turns each folder's list
// of words into its registry.
#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "src/part/config.h"

namespace nf {

// What all kinds of parts have in common. Each interface extends it with how its parts are built.
struct PartKind {
  const char* name;
  const char* doc;     // one line: formula in words
  const char* source;  // paper and equation
  std::unique_ptr<Config> (*config)();
  std::span<const char* const> aliases = {};  // other names that are read, such as those of older versions
};

// One registry without the type of its parts, for code that serves all of them.
struct Family {
  const char* word;  // "layer"; its plural appends "s"
  std::span<const PartKind* const> parts;
  void (*facts)(const PartKind& kind, Fields& f);  // what describes a part beside its fields; nullptr: nothing
  // Finds a part by its name or an alias. Returns nullptr when there is no such part.
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

// Builds a P by its constructor (const P::Config&, Args...). Interface and Args follow from the member `build` of the
// kind that takes the address of this function.
template <class P, class Interface, class... Args>
std::unique_ptr<Interface> build_part(const Config& config, Args... args) {
  return std::make_unique<P>(static_cast<const typename P::Config&>(config), args...);
}

// P::kAliases, an array of names that are read for the part P, if it has one.
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
// also the name of the file and its entry in meson.build; the three must agree. What follows `source` are the members of
// the kind behind `build`: a layer that maps (0, 1) to the reals ends in
//   NF_PART(Layer, logit, Logit, "...", "...", Domain::unit, Domain::real);
#define NF_PART(Interface, word, P, doc, source, ...) \
  extern const Interface##Kind Interface##_##word;    \
  const Interface##Kind Interface##_##word = {        \
      {#word, doc, source, make_config<P>, aliases_of<P>()}, build_part<P> __VA_OPT__(, ) __VA_ARGS__}

}  // namespace nf
