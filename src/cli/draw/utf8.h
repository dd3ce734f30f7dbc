// Reads and writes the code points of UTF-8.
#pragma once
#include <string>
#include <string_view>

namespace cli {

// Takes the first code point off the text, which is not empty. Returns U+FFFD for a byte that is not part of valid UTF-8.
char32_t next_code(std::string_view& text);
void append_code(std::string& out, char32_t code);

// Returns how to write a character in ASCII: itself, "-" for a minus sign, "^3" for a superscript; "?" for most others.
std::string in_ascii(char32_t code);

}  // namespace cli
