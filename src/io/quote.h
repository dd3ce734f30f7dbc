// Foreign text in error messages: bounded, printable, so that the rest of the (244-byte) message survives.
#pragma once
#include <string>
#include <string_view>

namespace nf {

// 'text' in single quotes, cut to `max` bytes with "...", control and non-UTF-8 bytes as \xNN.
std::string quote_text(std::string_view text, size_t max = 40);

// A path in single quotes; of a long one the end is shown, which says more than its beginning.
std::string quote_path(std::string_view path, size_t max = 110);

}  // namespace nf
