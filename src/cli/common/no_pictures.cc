// In place of pictures.cc if nf is built without libpng.
#include <filesystem>

#include "src/cli/common/failure.h"
#include "src/cli/common/pictures.h"

namespace cli {

bool holds_pictures(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

const Pictures& read_pictures(const std::string& path) {
  throw Failure(
      path + " is a folder, and this nf was built without libpng, which reads pictures",
      "install libpng-dev (its name in Debian), then rebuild: meson setup --reconfigure build -Dpng=enabled && "
      "ninja -C build; or save the pictures as .npy");
}

}  // namespace cli
