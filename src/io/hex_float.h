// Floating-point numbers as hexadecimal text that reads back to the same bits, in any locale: "1.8p+1", "-inf", "nan".
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace libnf {

// Numbers with a space between them.
std::string hex_floats(std::span<const double> numbers);

// Reads as many; false when the text is anything else.
bool read_hex_floats(std::string_view text, std::span<double> numbers);

}  // namespace libnf
