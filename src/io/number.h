// Parses decimal numbers as std::from_chars does, independent of the locale, with an optional leading '+'.
#pragma once
#include <string>
#include <string_view>

namespace libnf {

enum class NumberKind { finite, infinite_or_nan, empty, not_a_number, out_of_range };

// Ignores spaces and tabs around the number. Rounds to nearest; a number too small for T becomes a denormal or 0. Sets
// *value for finite and infinite_or_nan. T is float or double. With decimal ',' a comma stands for the point, and a point
// makes it no number.
template <class T>
NumberKind parse_number(std::string_view text, T* value, char decimal = '.');

// Formats a number for messages: whole numbers up to 2^53 with all their digits, others with nine significant ones.
std::string shown_number(double value);

// Formats a number as a hexadecimal float, "0x1.8p+3", "-inf" or "nan": exact, and independent of the locale.
std::string hex_number(double value);

// Parses the text of hex_number. Also accepts a comma as the point: version 0.1 wrote in the locale of the host.
bool parse_hex_number(std::string_view text, double* value);

std::string_view trimmed(std::string_view text);  // removes spaces, tabs and carriage returns at both ends

}  // namespace libnf
