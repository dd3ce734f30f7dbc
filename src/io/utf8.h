// UTF-8 as of Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once
#include <cstddef>
#include <string_view>

namespace nf {

// Bytes of the character at s[i], or 0 if there is none.
size_t utf8_length(std::string_view s, size_t i);

bool is_utf8(std::string_view s);

}  // namespace nf
