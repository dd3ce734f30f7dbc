// See file.h.
#include "src/cli/draw/file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "src/cli/common/failure.h"

namespace cli {

void write_file(const std::string& path, std::span<const uint8_t> bytes) {
  const std::string temporary = path + "." + std::to_string(getpid()) + ".tmp";
  FILE* file = std::fopen(temporary.c_str(), "wb");
  bool ok = file && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  int error = errno;
  if (file && std::fclose(file) != 0 && ok) {
    ok = false;
    error = errno;
  }
  if (ok && std::rename(temporary.c_str(), path.c_str()) != 0) {
    ok = false;
    error = errno;
  }
  if (ok) return;
  if (file) std::remove(temporary.c_str());
  throw Failure("cannot write " + path + ": " + std::strerror(error));
}

}  // namespace cli
