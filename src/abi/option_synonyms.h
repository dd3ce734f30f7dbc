// Names that other libraries give to options, for the suggestion after a key that does not exist.
#pragma once
#include <span>

namespace libnf {

struct OptionSynonym {
  const char* name;
  const char* key;
};

std::span<const OptionSynonym> option_synonyms();

}  // namespace libnf
