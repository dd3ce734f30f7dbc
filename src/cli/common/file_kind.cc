// See file_kind.h.
#include "src/cli/common/file_kind.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace cli {

std::string kind_of_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  std::ifstream file(path, std::ios::binary);
  char first[64] = {};
  file.read(first, sizeof first);
  const std::string_view head(first, static_cast<size_t>(file.gcount()));
  if (head.starts_with("\x93NUMPY")) return "a .npy table";
  if (head.starts_with("\x89PNG") || head.starts_with("GIF8")) return "a picture";
  if (head.size() > 8 && head[8] == '{' && head.substr(5, 3) == std::string_view("\0\0\0", 3)) return "a model";
  if (head.empty() || std::any_of(head.begin(), head.end(), [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u < ' ' && c != '\t' && c != '\n' && c != '\r';
      }))
    return {};
  const size_t at = head.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && head[at] == '{' ? "JSON" : "text, perhaps CSV";
}

}  // namespace cli
