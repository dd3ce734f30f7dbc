// Numbers in text: decimal notation as of std::from_chars (never the locale), with an optional leading '+'.
#pragma once
#include <string_view>

namespace nf {

enum class NumberKind { finite, infinite_or_nan, empty, not_a_number, out_of_range };

// Spaces and tabs around the number are ignored. Rounds to nearest; a number too small for T becomes 0 (or a denormal).
// *value is set for finite and infinite_or_nan. T is float or double.
template <class T>
NumberKind parse_number(std::string_view text, T* value);

std::string_view trimmed(std::string_view text);  // without spaces, tabs and carriage returns at both ends

}  // namespace nf
