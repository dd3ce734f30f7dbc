#include "runtime/core/status.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace libnf {
namespace {

// Removes a partial multi-byte character from the end of a truncated string.
void trim_utf8(char* s) {
  size_t n = std::strlen(s);
  size_t i = n;
  while (i > 0 && (static_cast<unsigned char>(s[i - 1]) & 0xC0) == 0x80) --i;
  if (i == 0) return;
  const auto lead = static_cast<unsigned char>(s[i - 1]);
  const size_t need = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (n - (i - 1) < need) s[i - 1] = 0;
}

}  // namespace

Error::Error(Code code, const char* message, int os_errno, Place place) noexcept
    : code_(code), os_errno_(os_errno), place_(place) {
  std::strncpy(message_, message, kMessageBytes - 1);
  message_[kMessageBytes - 1] = 0;
  if (std::strlen(message) >= kMessageBytes) trim_utf8(message_);
}

void fail(Code code, const char* format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  throw Error(code, text);
}

void fail_at(Code code, Place place, const char* format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  throw Error(code, text, 0, place);
}

void fail_os(Code code, int os_errno, const char* format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  int n = std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  char reason[128];
  // GNU strerror_r: thread-safe, returns the text.
  const char* why = strerror_r(os_errno, reason, sizeof reason);
  if (n >= 0 && n < static_cast<int>(sizeof text)) std::snprintf(text + n, sizeof text - n, ": %s", why);
  throw Error(code, text, os_errno);
}

}  // namespace libnf
