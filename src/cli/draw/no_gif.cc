// In place of gif.cc if nf is built without giflib.
#include "src/cli/common/failure.h"
#include "src/cli/draw/gif.h"

namespace cli {

void check_gif() {
  throw Failure(
      "this nf was built without giflib, which writes animations",
      "install libgif-dev (the name in Debian), then rebuild: meson setup --reconfigure build -Dgif=enabled && "
      "ninja -C build");
}

std::vector<uint8_t> gif(std::span<const Frame>) {
  check_gif();
  return {};
}

}  // namespace cli
